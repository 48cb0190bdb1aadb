/* search: finds documents in the store, once or for as long as new ones are stored. Following goes
 * on through outages of the store.
 * Owns nothing but what it collects during a call. Main thread. Callers: cmd/search.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/err.h"
#include "../base/log.h"
#include "../port/store.h"

/* Set by the caller; whatever is pointed to must outlive the call. */
struct search {
    const struct log *log; /* for outages */
    struct store *store;
    const struct store_query *query; /* its cursor and order are not looked at */
    store_each *on_hit;              /* false: end the search */
    /* Some hits, or none, were handed over, and it may take a while until there are more: write
     * them out. False: end the search. */
    bool (*on_pause)(void *ctx);
    void *ctx; /* of both */
};

enum search_result {
    SEARCH_DONE,    /* all was handed over, or the process was asked to stop */
    SEARCH_REFUSED, /* on_hit or on_pause has ended it */
    SEARCH_FAILED   /* the store has failed: err says why */
};

/* Hands over what the query finds, newest first. */
enum search_result search_once(const struct search *s, struct err *err);
/* Hands over what the query finds, oldest first, and then what is stored from now on and matches,
 * each document once, until the process is asked to stop. While the store is away, retries. */
enum search_result search_follow(const struct search *s, struct err *err);
