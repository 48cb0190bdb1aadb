/* http_connections: which connections an HTTP server has, what phase the request on each is in, and
 * which of them have to go: those past their deadline, the idlest when it gets crowded, and sockets
 * that linger behind a refusal. Knows nothing of libmicrohttpd. Owns the lingering sockets; a
 * connection is its exchange's. One thread. Caller: http_server.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum { HTTP_LINGERING_MAX = 64 }; /* refused connections whose client may still be sending */

enum http_phase {
    HTTP_PHASE_IDLE,     /* no request */
    HTTP_PHASE_HEAD,     /* request line and fields are being received */
    HTTP_PHASE_BODY,     /* the body is being received, and kept or thrown away */
    HTTP_PHASE_COMPLETE, /* the request was received, the response is made or sent */
    HTTP_PHASE_SUSPENDED /* the same, but the response will be given later */
};

struct http_exchange;
struct http_connections;

/* One connection: a part of the exchange that happens on it. */
struct http_connection {
    struct http_connections *all;
    struct http_exchange *exchange; /* whose part it is */
    TAILQ_ENTRY(http_connection) place;
    int fd;                /* libmicrohttpd's */
    enum http_phase phase; /* changed by http_connection_set_phase alone */
    int64_t deadline_ms;   /* monotonic; then it is cut, unless it waits for our answer */
    bool is_cut;           /* shut down; libmicrohttpd will notice */
    bool has_unread;       /* bytes may still come behind the answer */
};

struct http_connections {
    TAILQ_HEAD(, http_connection) list; /* in the order in which they became idle */
    int64_t n, n_cut, max;
    struct {
        int fd;
        int64_t deadline_ms;
    } lingering[HTTP_LINGERING_MAX];
    size_t n_lingering;
};

void http_connections_init(struct http_connections *all, int64_t max);
/* Closes the lingering sockets. */
void http_connections_release(struct http_connections *all);

/* Adds a connection, accepted just now, whose exchange, fd and deadline_ms are set. Where it is
 * crowded, another one is cut for it. */
void http_connections_add(struct http_connections *all, struct http_connection *c);
/* Removes one that libmicrohttpd is about to close. */
void http_connections_remove(struct http_connection *c);
/* Cuts the connections past their deadline, and reads what still comes on lingering sockets. To be
 * called some ten times a second while http_connections_need_sweep(). */
void http_connections_sweep(struct http_connections *all, int64_t now_ms);
bool http_connections_need_sweep(const struct http_connections *all);

/* Moves the request on a connection to its next phase; asserts that the move is legal. Back to idle
 * the connection becomes the last one to be evicted. */
void http_connection_set_phase(struct http_connection *c, enum http_phase phase);
