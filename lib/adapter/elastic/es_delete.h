/* es_delete: deleting what a query finds, as a task of the engine that is followed to its end.
 * Owns nothing. One thread per session. Caller: store_es.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "es_session.h"

/* Makes what was stored visible to searches. Without the right to ask for it, it happens by itself
 * within a second or so. */
void es_refresh(struct es_session *s);
/* As store_engine.delete_matching. A process that was asked to stop cancels the deletion and waits
 * for the answer. */
enum store_rc es_delete(struct es_session *s, const struct store_query *query, bool dry_run,
                        store_progress *progress, uint64_t *count, struct buf *answer,
                        struct err *err);
