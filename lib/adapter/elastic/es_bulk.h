/* es_bulk: storing documents with _bulk requests, and judging each document by its own item of the
 * answer. Owns the size limit that it learns from the cluster. One thread per session. Caller:
 * store_es.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "es_session.h"

/* What is remembered from one call to the next. */
struct es_bulk {
    size_t batch_limit; /* documents in one request; less after one was too large */
    size_t ok_streak;   /* requests since then that were not too large */
};

void es_bulk_init(struct es_bulk *b, const struct es_conf *conf);
/* As store_engine.bulk: sends the documents whose verdict is STORE_PENDING and judges them. A
 * request that the cluster refuses for its content is split until the document at fault is alone in
 * one, which makes it STORE_POISON. */
enum store_rc es_bulk_store(struct es_bulk *b, struct es_session *s, struct store_doc *docs,
                            size_t n, struct err *err);
