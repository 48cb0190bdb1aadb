/* http_server: HTTP/1.1 and 1.0 with or without TLS, bytes in and answers out, with a bound on
 * every size and time. Knows nothing of records. Owns its sockets, its connections and the requests
 * in progress. One thread: everything happens inside http_server_run. libmicrohttpd (GnuTLS for
 * TLS). SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/err.h"

/* A header field of an answer. The texts are borrowed until the answer is given. */
struct http_field {
    const char *name, *value;
};
enum { HTTP_FIELDS_MAX = 5 };

/* A request in progress: from its head until its answer has been sent. All spans are borrowed. */
struct http_request {
    struct span method;
    struct span path, query; /* as they stand in the request line; query.p NULL: no '?' */
    struct span body;        /* complete; only inside the body callback */
    struct http_field fields[HTTP_FIELDS_MAX]; /* of the answer: http_field() */
    void *owner; /* what the callbacks keep with the request, from malloc or NULL; freed with it */
    struct http_exchange *exchange; /* the server's own */
};

struct http_server_conf {
    const char *listen;     /* see listener_open */
    const char *cert, *key; /* PEM text; "" for plain HTTP */
    int64_t max_connections;
    int64_t max_header;   /* bytes of request line and fields, one request: else 431 */
    int64_t max_body;     /* bytes, one request: else 413 */
    int64_t max_buffered; /* bytes, bodies of all requests that are being received: else 503 */
    int64_t keepalive_ms; /* a connection without a request in progress is closed after this */
    int64_t request_ms; /* from accept (or the first line on a used connection) to the last byte */
    /* The head was received, the body was not. May respond, and do nothing else; then the body is
     * discarded as it arrives. */
    void (*head)(void *ctx, struct http_request *r);
    /* The body was received. Responds now, or keeps r and answers later; r lives until it is
     * answered.
     */
    void (*body)(void *ctx, struct http_request *r);
    void *ctx;
};

/* What can be seen from outside. */
struct http_server_facts {
    const char *url;         /* "http://127.0.0.1:9880", with the real port; until close */
    bool loopback;           /* only this machine can reach it */
    int64_t max_connections; /* conf's, or less if the limit of open files is too low */
    size_t in_flight;        /* requests that have begun and are not fully answered */
    uint64_t refused;        /* answers given with http_refuse, here or by the callbacks */
};

struct http_server;

/* Listens. conf is copied; its texts are used only in here. NULL with err; *is_config_error: these
 * settings can never work; otherwise the system refused, and a later try may succeed. Raises the
 * process's soft limit of open files to the hard one. */
struct http_server *http_server_open(const struct http_server_conf *conf, bool *is_config_error,
                                     struct err *err);
const struct http_server_facts *http_server_facts(const struct http_server *s);
/* Waits up to wait_ms for something to happen, and handles it. A signal ends the wait, and so does
 * fd (-1: none) when it becomes readable. */
void http_server_run(struct http_server *s, int wait_ms, int fd);
/* Accepts no more connections; every answer from now on closes its own. */
void http_server_quiesce(struct http_server *s);
/* Ends everything; clients that still wait for an answer get 503. NULL is fine. */
void http_server_close(struct http_server *s);

/* The value of a header field (any letter case), the first if there are several; .p NULL: none. */
struct span http_header(const struct http_request *r, const char *name);
/* Adds a header field to the answer, whenever and by whomever it is given. -1: it has
 * HTTP_FIELDS_MAX of them already (asserted in builds with DEV=1). */
int http_field(struct http_request *r, const char *name, const char *value);
/* Answers with a text/plain body; once a request. Everything is copied; r is gone when the answer
 * has been sent. */
void http_respond(struct http_request *r, unsigned status, struct span body);
/* Answers with a body of two lines: "400 Bad Request", and why. */
void http_refuse(struct http_request *r, unsigned status, const char *why);
