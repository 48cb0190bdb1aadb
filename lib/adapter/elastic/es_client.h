/* es_client: requests to an Elasticsearch or OpenSearch cluster: failover between its hosts,
 * several requests in flight, and errors that name the setting to change. Owns its http_client and
 * remembers which host answered last. One thread per client. Callers: the other files of this
 * folder. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../port/store.h"
#include "../http/http_client.h"

/* The settings of the section store.elasticsearch. */
struct es_conf {
    struct str_list urls;
    struct http_client_conf http;
    int64_t batch;     /* documents in one bulk request, at most */
    int64_t in_flight; /* bulk requests at a time */
    bool template, dynamic;
};
extern const struct opt_section es_section;

struct es_client;

/* One request and its reply. The caller sets path, http.method and http.body, leaves the rest
 * zeroed, and releases http at the end (http_call_release). A call may be run again; it then uses
 * the same memory. */
struct es_call {
    struct http_call http;
    const char *path; /* begins with '/'; borrowed while the call runs */
    size_t docs;      /* documents in the body of a bulk request; not used by es_client */
    const char *host; /* the host that was asked last, "https://es1:9200"; the settings' memory */
    size_t n_tried;   /* hosts that were asked */
};

/* Makes a client in *out, without connecting. conf is borrowed until es_client_close. STORE_FATAL
 * with err: a setting is wrong. */
enum store_rc es_client_open(struct es_client **out, const struct es_conf *conf, struct err *err);
/* Frees the client. NULL is fine. */
void es_client_close(struct es_client *c);
/* From now on es_client_run calls the alive callback of this store while it waits. store is
 * borrowed until close. */
void es_client_set_store(struct es_client *c, const struct store *store);

/* Runs n calls side by side and returns when all of them have ended. A host that cannot be reached
 * is skipped for the next one; a call that reached none has status 0. A request that may have left
 * is not repeated, because the cluster may have processed it. All calls are cancelled 4.5 s after
 * the process was asked to stop. */
void es_client_run(struct es_client *c, struct es_call *calls, size_t n);

/* Explains a call whose status is not 2xx: err gets the host, the engine's reason and the setting
 * to change. doing completes "can't …". STORE_RETRY where waiting may help, else STORE_FATAL. */
enum store_rc es_call_error(const struct es_call *call, const char *doing, struct err *err);
