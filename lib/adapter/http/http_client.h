/* http_client: HTTP requests, many at a time, through one libcurl multi handle with kept-alive
 * connections. Owns the handle, the connections and what curl needs of each request under way. No
 * threads of its own; one thread a client. Callers: cmd/, es_client. libcurl only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/buf.h"

struct http_client;

/* Lives as long as the client, which reads it at each request: secrets may have been renewed. NULL
 * or "" where there is none. */
struct http_client_conf {
    const char *ca;              /* a PEM file; "": the system's authorities */
    const char *user, *password; /* basic authentication, if there is a password; */
    const char *api_key, *token; /* before that an API key, behind it a bearer token */
    int64_t timeout_ms;          /* of a whole request, its connection included */
};

/* One request. The caller fills the first part, zeroes the rest and releases it at last; it may be
 * run again, with the same memory. */
struct http_call {
    const char *method;
    struct buf body; /* JSON; empty: none */

    long status;      /* 0: no answer */
    bool unsent;      /* then: the request has not left, so that another host may have it */
    int64_t wait_s;   /* what Retry-After asks for, or 0 */
    struct buf reply; /* without an answer: why not, as text */

    struct http_client *client; /* while it runs; NULL: it does not */
    void *easy;
    void *headers;
    char *error;
};

/* 0, or -1 with err: not an address of http or https. */
int http_client_check_url(const char *url, struct err *err);
/* A body of gzip_from bytes or more is packed (0: none); a reply of more than reply_most fails.
 * NULL with err if there is no such file of certificates. */
struct http_client *http_client_new(const struct http_client_conf *conf, size_t gzip_from,
                                    size_t reply_most, struct err *err);
/* Starts the request, which must stay where it is until it is done; url and body are copied. */
void http_client_start(struct http_client *c, struct http_call *call, const char *url);
/* Waits up to wait_ms for something to happen; returns early when a signal arrives. */
void http_client_wait(struct http_client *c, int wait_ms);
/* The next request that is done, or NULL. */
struct http_call *http_client_done(struct http_client *c);
/* Breaks a request off, if it runs, as if there had been no answer. */
void http_client_cancel(struct http_call *call, const char *why);
void http_call_release(struct http_call *call);
/* After the last request was done or broken off. NULL is fine. */
void http_client_free(struct http_client *c);
