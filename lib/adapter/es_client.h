/* es_client: requests to an Elasticsearch or OpenSearch cluster over HTTP (libcurl): several hosts
 * with failover, TLS, basic auth or API key, keep-alive, gzip, several requests in flight. Owns its
 * curl handles and connections. One thread a client. Callers: store_es.c and its neighbours.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../port/store.h"

struct es_conf {
    struct opt_list urls;
    const char *user, *password, *api_key, *ca;
    int64_t batch, in_flight, timeout;
    bool template, dynamic;
};
extern const struct opt_section es_section;

struct es_client;

/* One request. The caller fills the first part, zeroes the rest and releases it at last; a call may be run
 * again, with the same memory. */
struct es_call {
    const char *method, *path; /* path begins with '/' */
    struct buf body;           /* JSON; empty: none */
    size_t docs;               /* that it has; for the caller */

    long status;      /* 0: no answer, then why says why not */
    const char *host; /* the one that was asked last: "https://es1:9200" */
    struct buf reply;
    char why[300];

    void *easy; /* curl's, while it runs; NULL: it does not */
    struct curl_slist *headers;
    size_t tried; /* how many hosts were */
};
void es_call_release(struct es_call *call);

/* STORE_FATAL: a setting is wrong. Connects later; reads user and secrets at each request. */
enum store_rc es_client_open(struct es_client **out, const struct es_conf *conf, struct err *err);
void es_client_close(struct es_client *c);
/* Runs the calls side by side. A host that can't be reached is left for the next; a call that reached
 * none has status 0. One that broke off in mid-way is not repeated here. Ends all of them 4.5 s after
 * the process was told to stop. */
void es_client_run(struct es_client *c, struct es_call *calls, size_t n);
/* What a status means that is not 2xx: fills err with the host, the engine's reason and the setting
 * to change. STORE_RETRY where waiting may mend it. */
enum store_rc es_call_error(const struct es_call *call, const char *doing, struct err *err);
