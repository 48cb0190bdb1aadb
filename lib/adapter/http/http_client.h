/* http_client: HTTP requests, many at a time, through one libcurl multi handle with persistent
 * connections. Owns the handle, the connections, and what curl needs for each request in progress.
 * Starts no threads; one thread per client. Callers: lib/app, es_client. libcurl only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/buf.h"

struct http_client;

/* How to reach the servers. Lives as long as the client, which reads it for each request, because
 * secrets may be renewed. NULL or "" where there is none. The first that is set is used: API key,
 * password, bearer token. */
struct http_client_conf {
    const char *ca;              /* a PEM file; "": the system's authorities */
    const char *user, *password; /* basic authentication */
    const char *api_key, *token;
    int64_t timeout_ms; /* of a whole request, its connection included */
};

/* One request. The caller fills the first part, zeroes the rest, and releases it at the end with
 * http_call_release; it may be run again, with the same memory. */
struct http_call {
    const char *method;
    struct buf body; /* JSON; empty: none */

    long status;      /* 0: no answer */
    bool unsent;      /* no answer, and the request has not left: another host may get it */
    int64_t wait_s;   /* seconds that Retry-After asks for, or 0 */
    struct buf reply; /* without an answer: why not, as text */

    struct http_client *client; /* while it runs, else NULL */
    void *easy;                 /* curl's */
    void *headers;
    char *error;
};

/* Whether url is an address of http or https: 0, or -1 with err. */
int http_client_check_url(const char *url, struct err *err);
/* Makes a client, without connecting. Bodies of gzip_from bytes or more are compressed (0: none); a
 * reply of more than reply_max bytes fails. NULL with err: conf->ca cannot be read. */
struct http_client *http_client_new(const struct http_client_conf *conf, size_t gzip_from,
                                    size_t reply_max, struct err *err);
/* Starts a request, which must stay in its place until it has ended. url and body are copied. */
void http_client_start(struct http_client *c, struct http_call *call, const char *url);
/* Waits up to wait_ms for something to happen. Returns early when a signal arrives. */
void http_client_wait(struct http_client *c, int wait_ms);
/* The next request that has ended, or NULL. */
struct http_call *http_client_done(struct http_client *c);
/* Breaks a request off, if it runs: it has no answer then, for the reason why. */
void http_client_cancel(struct http_call *call, const char *why);
/* Frees a request's memory, after cancelling it if it runs. */
void http_call_release(struct http_call *call);
/* Frees the client, once all its requests have ended. NULL is fine. */
void http_client_free(struct http_client *c);
