/* es_search: finding documents, page by page, and following what is stored. Owns the place that
 * --follow has reached. One thread per session. Caller: store_es.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/map.h"
#include "es_session.h"

/* --follow goes by the engine's sequence numbers, which each shard of an index counts for itself. A
 * number may become visible a little after its successors, so each pass begins a little before the
 * end of the last one, and leaves out what it has already returned. */
struct es_follow {
    struct map ends; /* "SHARD INDEX" → the first sequence number not read, as a pointer */
    struct map seen; /* _ids that the next pass may meet again */
};

void es_follow_release(struct es_follow *f);
/* As store_engine.search. */
enum store_rc es_search(struct es_session *s, struct es_follow *follow,
                        const struct store_query *query, store_each *each, void *ctx,
                        struct err *err);
