/* http_client: POSTs of JSON to one address, many at a time, through one libcurl multi handle with
 * kept-alive connections. Owns the handle, the connections and the bodies under way. No threads of
 * its own; one thread at a time. Callers: cmd/. libcurl only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"
#include "../base/err.h"

struct http_client;

/* Borrowed during http_client_new only. "" where there is none. */
struct http_client_conf {
    const char *url;                     /* http:// or https:// */
    const char *ca;                      /* a PEM file; "": the system's authorities */
    const char *user, *password, *token; /* basic if user, bearer if token */
    int64_t timeout_ms;                  /* of a whole request, its connection included */
    int64_t parallel;                    /* requests at a time, > 0 */
};

struct http_reply {
    void *tag;      /* as given to http_client_post */
    long status;    /* 0: no answer, and text says why */
    int64_t wait_s; /* what Retry-After asks for, or 0 */
    char *text;     /* the start of the body, or the error; until the next http_client_post */
};

/* NULL with err if the address or a file it needs is no good. */
struct http_client *http_client_new(const struct http_client_conf *conf, struct err *err);
/* Starts a POST with a copy of body, which ends in one reply. Not while `parallel` are under way. */
void http_client_post(struct http_client *c, struct span body, void *tag);
/* Waits up to wait_ms for something to happen; returns early when a signal arrives. */
void http_client_wait(struct http_client *c, int wait_ms);
/* The next reply that is there, or false. */
bool http_client_reply(struct http_client *c, struct http_reply *reply);
/* Breaks off what is under way, without replies. NULL is fine. */
void http_client_free(struct http_client *c);
