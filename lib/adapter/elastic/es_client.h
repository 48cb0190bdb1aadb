/* es_client: requests to an Elasticsearch or OpenSearch cluster over HTTP: several hosts with
 * failover, several requests in flight, and what an answer means. Owns its http_client. One thread
 * a client. Callers: store_es.c and its neighbours. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/arena.h"
#include "../../port/store.h"
#include "../http/http_client.h"

struct es_conf {
    struct str_list urls;
    struct http_client_conf http;
    int64_t batch, in_flight;
    bool template, dynamic;
};
extern const struct opt_section es_section;

struct es_client;

/* One request. The caller fills http's first part and path, zeroes the rest and releases it at
 * last; a call may be run again, with the same memory. */
struct es_call {
    struct http_call http; /* first, so that what is done is the call */
    const char *path;      /* begins with '/' */
    size_t docs;           /* that its body has; for the caller */
    const char *host;      /* the one that was asked last: "https://es1:9200" */
    size_t tried;          /* how many hosts were */
};

/* STORE_FATAL: a setting is wrong. Connects later. */
enum store_rc es_client_open(struct es_client **out, const struct es_conf *conf, struct err *err);
void es_client_close(struct es_client *c);
/* Runs the calls side by side. A host that can't be reached is left for the next; a call that
 * reached none has status 0. One that broke off in mid-way is not repeated here. Ends all of
 * them 4.5 s after the process was told to stop. */
void es_client_run(struct es_client *c, struct es_call *calls, size_t n);
/* The string at a path of keys of an answer, decoded; .p NULL if there is none, or something else.
 */
struct span es_text(struct span object, const char *path, struct arena *arena);
/* What a status means that is not 2xx: fills err with the host, the engine's reason and the setting
 * to change. STORE_RETRY where waiting may mend it. */
enum store_rc es_call_error(const struct es_call *call, const char *doing, struct err *err);
