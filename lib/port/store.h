/* store: the port to the searchable index of documents.
 * Engines: adapter/sqlite/store_sqlite.c, adapter/elastic/store_es.c; store_check.c asserts this
 * contract around any of them. One thread a handle. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../conf/opt.h"

/* The settings of every engine: what conf_section() of store_section begins with. The section's
 * rows are in engines.c. */
struct store_conf {
    const char *type;
    const char *index;
};
extern const struct opt_section store_section;

enum store_rc {
    STORE_OK,
    STORE_RETRY, /* not now: same call, later; err says why */
    STORE_FATAL  /* denied, corrupt, incompatible: close */
};

enum store_verdict {
    STORE_PENDING, /* as the caller sets it: not judged yet, or judged "later": send it again */
    STORE_STORED,
    STORE_EXISTS, /* a document of this id is there: done, and counted */
    STORE_POISON  /* never will be; reason says why */
};

/* All spans are borrowed for the call and decoded UTF-8; .p NULL where the record has none. */
struct store_doc {
    struct span id;   /* _id, 1 to 512 bytes */
    struct span json; /* the record: one compact JSON object on one line */
    int64_t at_ms;    /* @timestamp */
    struct span log_id, node, service, level, type, message;
    enum store_verdict verdict;
    char reason[200];
};

/* What to find. Empty strings and zeros do not restrict; all that is set must hold. */
struct store_query {
    const char *level, *type; /* exact, upper case */
    const char *node, *service;
    const char *text;           /* words that the message must all contain, in any order and case */
    int64_t since_ms, until_ms; /* since <= @timestamp < until; 0: open */
    int64_t limit;              /* -1: all */
    bool oldest_first; /* default: newest first; ties by log_id, node_id, message_type upward,
                          a missing one last */
    /* --follow: NULL, or a place of STORE_CURSOR bytes. "": sets it to the end of the index and
     * finds nothing; else finds only what was stored after it, in any order, and moves it. */
    char *cursor;
};
enum { STORE_CURSOR = 64 };

struct store_hit {
    struct span id, json; /* json as the node sent it, compact */
    int64_t at_ms;
};

typedef bool store_each(void *ctx, const struct store_hit *hit); /* false: stop */
typedef void store_progress(uint64_t done, uint64_t all);

struct store {
    const struct store_engine *engine;
    struct buf place; /* "store local /var/lib/distlog/store.db, index logs"; the engine's */
};

struct store_engine {
    const char *name; /* store.type in the YAML */

    /* Opens the store that the engine's own section of conf describes. index: the index's name,
     * a pattern of datetime_pattern(); borrowed until close, as conf is. create: make the store if
     * it is missing (store does; search and delete do not, and get STORE_FATAL that names what they
     * looked for). */
    enum store_rc (*open)(const struct conf *conf, const char *index, bool create,
                          struct store **out, struct err *err);
    /* Judges each document whose verdict is STORE_PENDING; a verdict given is durable, whatever
     * bulk returns. STORE_OK: all have one. STORE_RETRY: those left pending are to be sent again
     * later. */
    enum store_rc (*bulk)(struct store *store, struct store_doc *docs, size_t n, struct err *err);
    /* Calls each for every hit in order; false stops. */
    enum store_rc (*search)(struct store *store, const struct store_query *query, store_each *each,
                            void *ctx, struct err *err);
    /* Deletes what query finds (limit, order and cursor ignored), or only counts it (dry_run).
     * *count and the engine's answer as one line of JSON in answer, of which there may be one too
     * when some could not be deleted. progress, if not NULL, is called now and then with what is
     * done and what there is. */
    enum store_rc (*delete_matching)(struct store *store, const struct store_query *query,
                                     bool dry_run, store_progress *progress, uint64_t *count,
                                     struct buf *answer, struct err *err);
    /* Makes what was stored visible to search now, if that may be asked for: an engine does it by
     * itself soon. */
    void (*refresh)(struct store *store);
    void (*close)(struct store *store);
};

/* Wraps any engine's handle in assertions of the contract above (tests, DEV=1). Takes inner. */
struct store *store_check(struct store *inner);
