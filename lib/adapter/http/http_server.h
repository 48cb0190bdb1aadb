/* http_server: HTTP/1.1 and 1.0 with or without TLS, bytes in and answers out, every size and time
 * capped. Knows nothing of logs. Owns its sockets, connections and the requests in progress.
 * One thread: everything happens inside http_server_run. libmicrohttpd (GnuTLS for TLS).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/err.h"

/* A header field of an answer. The texts are borrowed until that is given. */
struct http_field {
    const char *name, *value;
};

/* A request in progress: from its head until its answer has been sent. All spans are borrowed. */
struct http_request {
    struct span method;
    struct span path, query;     /* as they stand in the request line; query.p NULL: no '?' */
    struct span body;            /* complete; only inside the body callback */
    struct http_field fields[5]; /* what the answer will have: http_field */
    void *owner; /* what the callbacks want to keep with the request, from malloc or NULL; freed
                    with it */
};

struct http_server_conf {
    const char *listen;     /* see listener_open */
    const char *cert, *key; /* PEM text; "" for plain HTTP */
    int64_t max_connections;
    int64_t max_header;   /* bytes of request line and headers, one request: else 431 */
    int64_t max_body;     /* bytes, one request: else 413 */
    int64_t max_buffered; /* bytes, bodies of all requests that are being received: else 503 */
    int64_t keepalive_ms; /* a connection without a request in progress is closed after this */
    int64_t request_ms; /* from accept (or its first line on a used connection) to its last byte */
    /* The headers are there, the body is not. An answer given here spares keeping it: what still
     * comes is thrown away. May be used for nothing else than to answer. */
    void (*head)(void *ctx, struct http_request *r);
    /* The body is there. Answer now, or keep r and answer later; r stays until it is answered. */
    void (*body)(void *ctx, struct http_request *r);
    void *ctx;
};

/* What there is to know from outside. */
struct http_server_facts {
    const char *url;         /* "http://127.0.0.1:9880", with the real port; until close */
    bool loopback;           /* only this machine can reach it */
    int64_t max_connections; /* conf's, or less if the limit of open files is too low */
    size_t in_flight;        /* requests that have begun and are not fully answered */
    uint64_t refused;        /* how many were answered with http_refuse, here or by the owner */
};

struct http_server;
/* Listens. conf is copied, its texts are only used here. NULL with err; *hopeless: the settings can
 * never work, where otherwise the system refused. */
struct http_server *http_server_open(const struct http_server_conf *conf, bool *hopeless,
                                     struct err *err);
const struct http_server_facts *http_server_facts(const struct http_server *s);
/* Waits up to wait_ms for something to happen (a signal ends the wait, and so does it if fd, unless
 * -1, becomes readable), and handles it. */
void http_server_run(struct http_server *s, int wait_ms, int fd);
/* Takes no more connections; every answer from now on closes its own. */
void http_server_quiesce(struct http_server *s);
/* Ends everything; who still waits for an answer gets 503. NULL is fine. */
void http_server_close(struct http_server *s);

/* The value of a header field (any letter case), the first if there are several; .p NULL: none. */
struct span http_header(const struct http_request *r, const char *name);
/* The answer, whenever and by whom it is given, will have this header field: at most five. */
void http_field(struct http_request *r, const char *name, const char *value);
/* Answers, once a request; everything is copied; r is gone when the answer has been sent. body is
 * text/plain. */
void http_respond(struct http_request *r, unsigned status, struct span body);
/* Answers with a body of two lines: "400 Bad Request", and why. */
void http_refuse(struct http_request *r, unsigned status, const char *why);
