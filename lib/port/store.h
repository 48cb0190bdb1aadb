/* store: the port to the searchable index of documents. Engines: adapter/sqlite (local) and
 * adapter/elastic; store_check.c asserts this contract around any of them, and test/contract runs
 * the same cases on all.
 *
 * Threads: a handle is used by one thread, and its callbacks are called on that thread, from within
 * the call that is documented to make them; no call on the handle may be made from there. Errors:
 * every function that returns an enum store_rc sets err to a text for people whenever it does not
 * return STORE_OK. Callers: lib/app and cmd/, through engines.h.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../conf/conf.h"

/* What the caller may do next. */
enum store_rc {
    STORE_OK,
    STORE_RETRY, /* make the same call again, later */
    STORE_FATAL  /* denied, corrupt, incompatible: only close() may follow */
};

/* What became of a document. */
enum store_verdict {
    STORE_PENDING, /* as the caller sets it: not judged yet, or to be sent again later */
    STORE_STORED,
    STORE_EXISTS, /* a document with this id already exists: done */
    STORE_POISON  /* the store will never accept it; reason is set */
};

/* Spans are borrowed for the call. They are decoded UTF-8; .p NULL where the record has none. */
struct store_doc {
    struct span id;   /* _id, 1 to 512 bytes */
    struct span json; /* the record: one compact JSON object on one line */
    int64_t at_ms;    /* @timestamp, ms since 1970 UTC */
    struct span log_id, node, service, level, type, message;
    enum store_verdict verdict; /* set by bulk() if it was STORE_PENDING, else final */
    char reason[200];           /* set with STORE_POISON */
};

enum { STORE_CURSOR = 64 }; /* bytes of a cursor, its NUL included */

/* What to find: everything that is set must hold. Empty strings and zeros do not restrict; strings
 * are never NULL, and are borrowed for the call. */
struct store_query {
    const char *level, *type; /* exact, upper case */
    const char *node, *service;
    const char *text;  /* words that the message must all contain, in any order and letter case */
    int64_t since_ms;  /* @timestamp from this on, ms since 1970 UTC; 0: open */
    int64_t until_ms;  /* @timestamp before this; 0: open */
    int64_t limit;     /* hits at most; -1: all */
    bool oldest_first; /* else newest first; of one time, by log_id, node_id and message_type,
                          ascending, a missing one last */
    /* For following the index. NULL: find what is stored. Else a buffer of STORE_CURSOR bytes of
     * the caller's: "" finds nothing and is set to the present end of the index; any other place
     * finds only what was stored after it, in any order, and is moved behind that. */
    char *cursor;
};

/* A document that was found; borrowed for the callback. */
struct store_hit {
    struct span id, json; /* json as the node sent it, compact */
    int64_t at_ms;        /* @timestamp, ms since 1970 UTC */
};

/* Called by search() for each hit; ctx is what was passed there. False ends the search. */
typedef bool store_each(void *ctx, const struct store_hit *hit);
/* Called by delete_matching() now and then: documents deleted so far, of how many. */
typedef void store_progress(uint64_t done, uint64_t all);

/* Every engine's handle begins with this. */
struct store {
    const struct store_engine *engine;
    /* "store local /var/lib/distlog/store.db, index logs", for people; owned by the engine. */
    struct buf place;
    /* Set by the handle's owner after open(), or NULL: called at least once a second with alive_ctx
     * while a call waits for another machine. That may be for minutes, and a watchdog has to tell
     * it from a hang. */
    void (*alive)(void *ctx);
    void *alive_ctx;
};

/* For engines. */
static inline void store_alive(const struct store *store) {
    if (store->alive)
        store->alive(store->alive_ctx);
}

/* An engine. store is a handle from its open(). */
struct store_engine {
    const char *name; /* the value of store.type in the settings */

    /* Opens the store that the engine's own section of conf describes. index: the index's name, a
     * pattern of datetime_pattern(); borrowed until close, as conf is. create: make the store if it
     * is missing, which store does; search and delete do not, and get STORE_FATAL, which names what
     * they looked for. STORE_OK: *out is a handle, to be closed with close(). */
    enum store_rc (*open)(const struct conf *conf, const char *index, bool create,
                          struct store **out, struct err *err);

    /* Judges each of n documents whose verdict is STORE_PENDING. A verdict that was given is
     * durable and final, whatever bulk returns. STORE_OK: every document has one. STORE_RETRY:
     * those that are still pending have to be sent again, later. */
    enum store_rc (*bulk)(struct store *store, struct store_doc *docs, size_t n, struct err *err);

    /* Calls each for every hit, in the order that the query asks for. After STORE_RETRY, some hits
     * may have been handed out already. */
    enum store_rc (*search)(struct store *store, const struct store_query *query, store_each *each,
                            void *ctx, struct err *err);

    /* Deletes what the query finds (its limit, order and cursor are ignored), or with dry_run only
     * counts it. Sets *count to the number of documents, and appends the engine's answer, one JSON
     * object on one line, to answer; an answer may come with an error, too, when some documents
     * could not be deleted. progress may be NULL. */
    enum store_rc (*delete_matching)(struct store *store, const struct store_query *query,
                                     bool dry_run, store_progress *progress, uint64_t *count,
                                     struct buf *answer, struct err *err);

    /* Makes what was stored visible to searches now, if the engine can be asked to; it does so soon
     * by itself. Errors are ignored. */
    void (*refresh)(struct store *store);

    /* Closes and frees the handle. NULL is fine. */
    void (*close)(struct store *store);
};

/* Wraps an engine's handle in assertions of this contract (tests, and builds with DEV=1): a broken
 * rule is written to standard error and aborts. Takes inner, which close() closes, too. */
struct store *store_check(struct store *inner);
