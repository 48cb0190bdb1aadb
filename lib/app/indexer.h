/* indexer: store's use case. Reads the processed topic into the searchable index. One turn: poll,
 * make documents, bulk until each document has its verdict, then commit dead letters and offsets
 * together. A crash anywhere repeats the turn, and the documents' ids make that harmless.
 * Owns the store, its outage, and the memory of one turn. Main thread. Callers: cmd/store.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../core/event.h"
#include "consumer.h"

/* Called before the turn's commit for each document that this turn stored (STORE_STORED) or that
 * can never be stored (STORE_POISON, with its reason). The document is valid for the call. A
 * refused document counts only if the turn ends with TURN_DONE, because otherwise it comes again.
 */
typedef void indexer_each(void *ctx, const struct store_doc *doc);

struct indexer_conf {
    struct conf *settings; /* which store to open; its secrets are read again after an outage */
    const struct log *log;
    struct notify *notify; /* to the service manager */
    const char *group, *input;
    indexer_each *each; /* NULL: not called */
    void *ctx;          /* for each */
};

struct indexer {
    struct indexer_conf conf;
    struct consumer *consumer; /* dead letters and commits go through it */
    struct store *store;
    struct outage outage; /* the store's; the consumer has the bus's */
    size_t max_record;    /* bytes */
    struct arena arena;   /* one turn's */
    uint64_t stored, existing, dead_letters;
};

/* consumer and what conf points to must outlive the indexer. */
void indexer_init(struct indexer *x, struct consumer *consumer, const struct indexer_conf *conf);
/* How the consumer opens the bus. */
struct bus_open indexer_open(const struct indexer *x);
/* Opens the store and creates what is missing in it; retries while it does not answer. STORE_RETRY:
 * a stop was requested meanwhile; STORE_FATAL: it cannot be opened, with err. */
enum store_rc indexer_open_store(struct indexer *x, struct err *err);
/* One turn of the consumer. */
enum turn_result indexer_turn(struct indexer *x, const struct turn *turn, struct err *err);
/* Makes what was stored visible to searches, if the store can do that on demand. */
void indexer_refresh(struct indexer *x);
void indexer_release(struct indexer *x);
