/* sender: delivers records over HTTP, each source's in order. Records wait in a bounded queue for
 * each source until they are delivered. One record is posted as it is, several as an array. During
 * an outage of the collector one request at a time probes it, with backoff and as late as
 * Retry-After asks for. When an array is refused, its records are sent one by one, and those that
 * are refused then are logged and dropped.
 * Owns the sources, their queues and the HTTP client. Main thread. Callers: cmd/node.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../adapter/http/http_client.h"
#include "../base/log.h"
#include "../core/backoff.h"

enum { SENDER_BATCH = 100 }; /* records of a request, at most */

enum sender_phase {
    SENDER_HEALTHY, /* requests go out, up to conf.parallel at a time */
    SENDER_OUTAGE,  /* the last request failed; the next probe is due at retry_ms */
    SENDER_PROBING, /* one request is under way to find out whether the outage is over */
    SENDER_FAILED   /* gave up: wrong address or credentials, or on_delivered returned false */
};

struct sender_source {
    struct http_call call;    /* first: a finished call is cast to its source */
    const char *name;         /* in messages; borrowed */
    struct buf lines;         /* undelivered records, oldest first, a line each */
    size_t head;              /* where the oldest line begins */
    size_t count;             /* lines from there on */
    size_t sending;           /* records of the request under way; 0: none */
    size_t isolate_remaining; /* so many go one by one, because an array with them was refused */
};

/* Everything is borrowed for the sender's life. */
struct sender_conf {
    const char *url;
    const char *section; /* whose settings messages name: "node" for node.url */
    const struct http_client_conf *http;
    const struct log *log;
    size_t queue;    /* records that a source keeps, at least 2 */
    size_t parallel; /* requests at a time, all sources together */
    /* Called with records that have been delivered. False: the caller failed to handle them (and
     * logged why), so the sender fails too. NULL: not called. */
    bool (*on_delivered)(void *ctx, struct span lines);
    void *ctx;
};

struct sender {
    struct sender_conf conf;
    struct http_client *client;
    struct sender_source *sources;
    size_t n;         /* of sources */
    size_t next;      /* the source whose turn it is to post */
    size_t in_flight; /* requests */
    size_t waiting;   /* records, all sources together */
    enum sender_phase phase;
    struct backoff backoff;
    int64_t outage_ms;    /* OUTAGE, PROBING: since when, monotonic */
    int64_t retry_ms;     /* OUTAGE: when to probe next, monotonic */
    int64_t leave_ms;     /* leaving: when to give up what is left, monotonic; 0: not leaving */
    bool has_logged_drop; /* since the last outage ended */
    uint64_t posted, refused, dropped; /* records */
};

/* Creates n sources, whose names the caller then sets. 0, or -1 with err if the URL or the
 * certificate file is invalid. */
int sender_init(struct sender *s, const struct sender_conf *conf, size_t n, struct err *err);
/* Appends a record, which has no line break, to the source's queue; it is copied. If the queue is
 * full, the record is dropped, which is counted, and logged once in an outage. spare: this many
 * places of the queue stay reserved for more important records. */
void sender_put(struct sender *s, struct sender_source *source, struct span record, size_t spare);
/* Posts what can be posted, waits for answers until until_ms (monotonic) at the latest, and handles
 * them. A signal ends the wait. */
void sender_turn(struct sender *s, int64_t until_ms);
/* Delivers what is queued for at most limit_ms from now; in an outage, makes one last attempt. */
void sender_leave(struct sender *s, int64_t limit_ms);
/* True: the limit of sender_leave is over, or the sender has failed. Nothing more is delivered. */
bool sender_has_given_up(const struct sender *s);
/* A zeroed sender is fine. */
void sender_release(struct sender *s);
