/* sender: delivers records over HTTP, each source's in order. What can't be delivered yet is kept
 * in a bounded queue for each source. One record is posted as it is, several as an array. While the
 * collector does not take records, one request at a time probes it, with backoff and as late as
 * Retry-After asks for. When an array is refused, its records are sent one by one, and those that
 * are refused then are logged and given up. Owns the sources, their queues and the HTTP client.
 * Main thread. Callers: cmd/node.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../adapter/http/http_client.h"
#include "../base/log.h"
#include "../core/backoff.h"

enum { SENDER_BATCH = 100 }; /* records of a request, at most */

enum sender_phase {
    SENDER_HEALTHY, /* requests go out, up to conf.parallel at a time */
    SENDER_OUTAGE,  /* the collector does not take records; the next probe is due at retry_ms */
    SENDER_PROBING, /* one request is under way to find out whether the outage is over */
    SENDER_FAILED   /* nothing can be delivered: wrong address or credentials, or on_delivered says
                       so */
};

struct sender_source {
    struct http_call call;    /* first, so that a call that is done leads to its source */
    const char *name;         /* in messages; borrowed */
    struct buf lines;         /* records that are not delivered, oldest first, a line each */
    size_t head;              /* where the oldest line begins */
    size_t count;             /* lines from there on */
    size_t sending;           /* records of the request under way; 0: none is */
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
    /* The records have been taken. False: what the caller does with them failed (and was logged),
     * so the sender fails too. NULL: nothing. */
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

/* With n sources, whose names the caller then sets. 0, or -1 with err if the URL or the file of
 * certificates is of no use. */
int sender_init(struct sender *s, const struct sender_conf *conf, size_t n, struct err *err);
/* Queues a record, without a line break, behind the source's others; it is copied. A full queue
 * takes no more, and then the record is dropped (counted, logged once an outage). spare: so many
 * places of the queue are left for records that matter more. */
void sender_put(struct sender *s, struct sender_source *source, struct span record, size_t spare);
/* Posts what can be posted, waits until until_ms (monotonic) at the latest for answers, and handles
 * them. A signal ends the wait. */
void sender_turn(struct sender *s, int64_t until_ms);
/* From now on the sender delivers what it has for at most limit_ms; while the collector is away it
 * tries once more. */
void sender_leave(struct sender *s, int64_t limit_ms);
/* Is the time of sender_leave over, or has the sender failed? Then nothing more is delivered. */
bool sender_has_given_up(const struct sender *s);
/* A zeroed sender is fine. */
void sender_release(struct sender *s);
