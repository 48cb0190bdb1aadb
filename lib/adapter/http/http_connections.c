/* http_connections: see http_connections.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http_connections.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../os/clock.h"

enum {
    HTTP_LINGER_MS = 2000,  /* each socket */
    HTTP_LINGER_READS = 64, /* of one sweep: a fast sender must not hold up the others */
    HTTP_CROWDED_PERCENT = 95
};

void http_connections_init(struct http_connections *all, int64_t max) {
    *all = (struct http_connections){.max = max};
    TAILQ_INIT(&all->list);
}

void http_connections_release(struct http_connections *all) {
    while (all->n_lingering > 0) {
        all->n_lingering--;
        close(all->lingering[all->n_lingering].fd);
    }
}

/* --- phases --- */

#define TO(phase) (1u << HTTP_PHASE_##phase)

/* From each phase those that may follow. A client may leave in any of them: then it ends in idle.
 */
static const unsigned http_phase_moves[] = {
    [HTTP_PHASE_IDLE] = TO(HEAD),
    [HTTP_PHASE_HEAD] = TO(BODY) | TO(IDLE),
    [HTTP_PHASE_BODY] = TO(COMPLETE) | TO(IDLE),
    [HTTP_PHASE_COMPLETE] = TO(SUSPENDED) | TO(IDLE),
    [HTTP_PHASE_SUSPENDED] = TO(COMPLETE) | TO(IDLE),
};

void http_connection_set_phase(struct http_connection *c, enum http_phase phase) {
    assert(http_phase_moves[c->phase] & 1u << phase);
    c->phase = phase;
    if (phase != HTTP_PHASE_IDLE)
        return;
    TAILQ_REMOVE(&c->all->list, c, place);
    TAILQ_INSERT_TAIL(&c->all->list, c, place);
}

/* --- connections that have to go --- */

/* Ends a connection: libmicrohttpd sees the end of its input and cleans up. */
static void http_connection_cut(struct http_connection *c) {
    if (c->is_cut)
        return;
    c->is_cut = true;
    c->all->n_cut++;
    shutdown(c->fd, SHUT_RDWR);
}

static void http_connections_cut_late(struct http_connections *all, int64_t now_ms) {
    struct http_connection *c;
    TAILQ_FOREACH (c, &all->list, place) {
        if (now_ms >= c->deadline_ms && c->phase != HTTP_PHASE_SUSPENDED)
            http_connection_cut(c);
    }
}

static bool http_connections_is_crowded(const struct http_connections *all) {
    return (all->n - all->n_cut) * 100 > all->max * HTTP_CROWDED_PERCENT;
}

/* Makes room for a new client, which would otherwise hang in the backlog, where it can't even be
 * refused: cuts the connection that has been longest without as much as a request's head, or if
 * there is none, without the end of a body. */
static void http_connections_evict_idle(struct http_connections *all,
                                        const struct http_connection *newcomer) {
    struct http_connection *c, *slow = NULL;
    if (!http_connections_is_crowded(all))
        return;
    TAILQ_FOREACH (c, &all->list, place) {
        if (c == newcomer || c->is_cut)
            continue;
        if (c->phase == HTTP_PHASE_IDLE || c->phase == HTTP_PHASE_HEAD) {
            http_connection_cut(c);
            return;
        }
        if (c->phase == HTTP_PHASE_BODY && !slow)
            slow = c;
    }
    if (slow)
        http_connection_cut(slow);
}

/* --- lingering --- */

/* Keeps the socket for a while: closing it with unread bytes would reset the connection, and the
 * client might never see the answer. */
static void http_connections_linger(struct http_connections *all, int fd) {
    if (all->n_lingering == HTTP_LINGERING_MAX)
        return;
    const int copy = dup(fd);
    if (copy < 0)
        return;
    all->lingering[all->n_lingering].fd = copy;
    all->lingering[all->n_lingering].deadline_ms = clock_mono_ms() + HTTP_LINGER_MS;
    all->n_lingering++;
}

/* Throws away what a client has sent. False: it has closed the connection. */
static bool http_connections_drain(int fd) {
    char waste[16384];
    for (int i = 0; i < HTTP_LINGER_READS; i++) {
        const ssize_t n = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
    }
    return true;
}

static void http_connections_drain_all(struct http_connections *all, int64_t now_ms) {
    for (size_t i = all->n_lingering; i-- > 0;) {
        const int fd = all->lingering[i].fd;
        if (http_connections_drain(fd) && now_ms < all->lingering[i].deadline_ms)
            continue;
        close(fd);
        all->n_lingering--;
        all->lingering[i] = all->lingering[all->n_lingering];
    }
}

/* --- all of them --- */

void http_connections_add(struct http_connections *all, struct http_connection *c) {
    c->all = all;
    TAILQ_INSERT_TAIL(&all->list, c, place);
    all->n++;
    http_connections_evict_idle(all, c);
}

void http_connections_remove(struct http_connection *c) {
    struct http_connections *all = c->all;
    if (c->has_unread && !c->is_cut)
        http_connections_linger(all, c->fd);
    TAILQ_REMOVE(&all->list, c, place);
    all->n--;
    if (c->is_cut)
        all->n_cut--;
}

void http_connections_sweep(struct http_connections *all, int64_t now_ms) {
    http_connections_cut_late(all, now_ms);
    http_connections_drain_all(all, now_ms);
}

bool http_connections_need_sweep(const struct http_connections *all) {
    return all->n > 0 || all->n_lingering > 0;
}
