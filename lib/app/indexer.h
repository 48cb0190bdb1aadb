/* indexer: store's use case. Reads the processed topic into the searchable index. One turn: a poll,
 * documents, bulk until each document has its verdict, dead letters and offsets in one commit. A
 * crash anywhere repeats the turn, and the documents' ids make the repetition harmless.
 * Owns the store and what belongs to a turn. Main thread. Callers: cmd/store.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../core/event.h"
#include "consumer.h"

/* Called for each document of a turn that was stored now (STORE_STORED) or never will be
 * (STORE_POISON, with its reason), before the turn's commit: the document is valid for the call. A
 * refused document counts only if the turn ends with TURN_DONE, because otherwise it comes again.
 */
typedef void indexer_each(void *ctx, const struct store_doc *doc);

struct indexer_conf {
    struct conf *settings; /* which store to open; its secrets are read again after an outage */
    const struct log *log;
    const char *group, *input;
    indexer_each *each; /* NULL: nobody wants to know */
    void *ctx;          /* for each */
};

struct indexer {
    struct indexer_conf conf;
    struct consumer *consumer; /* dead letters and commits go through it; its outage is the store's,
                                  too */
    struct store *store;
    size_t max_record;  /* bytes */
    struct arena arena; /* one turn's */
    uint64_t stored, existing, dead_letters;
};

/* consumer and what conf points to must outlive the indexer. */
void indexer_init(struct indexer *x, struct consumer *consumer, const struct indexer_conf *conf);
/* How the consumer opens the bus. */
struct bus_open indexer_open(const struct indexer *x);
/* Opens the store, creating what is missing; waits while it is away. STORE_RETRY: asked to stop
 * meanwhile; STORE_FATAL: it cannot be opened, with err. */
enum store_rc indexer_open_store(struct indexer *x, struct err *err);
/* One turn of the consumer. */
enum turn_result indexer_turn(struct indexer *x, const struct turn *turn, struct err *err);
/* Makes what was stored visible to searches, if the store can do that on demand. */
void indexer_refresh(struct indexer *x);
void indexer_release(struct indexer *x);
