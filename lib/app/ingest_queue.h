/* ingest_queue: requests whose records are with the bus wait here until every record is durable, or
 * can't be; then each gets its one answer. Opens the bus again when it was lost; while it is away
 * requests are answered with 503 at once.
 * Owns the bus handle, the outage and the waiting requests. Main thread. Callers:
 * lib/app/collector.c and cmd/collect.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/queue.h>

#include "../core/ingest.h"
#include "../engines.h"
#include "outage.h"

struct http_request;
struct ingest_entry;

/* Everything is borrowed for the queue's life. */
struct ingest_queue_conf {
    const struct conf *settings; /* which bus to open, and how */
    const struct log *log;
    struct notify *notify; /* may be NULL */
    const char *flow;      /* what is taken from where: for the first line of the log */
    int64_t timeout_ms;    /* a request waits no longer than this for the bus */
    /* Gives a request its answer, once for each ingest_queue_put: status 200 with reason NULL, 413
     * (a record is larger than the bus takes) or 503 (the bus did not take them), with a reason. */
    void (*respond)(void *ctx, struct http_request *r, unsigned status, const char *reason);
    void *ctx;
};

struct ingest_queue {
    struct ingest_queue_conf conf;
    struct outage outage;
    struct bus_open open;
    bool is_introduced; /* the first line was logged */
    struct bus *bus;    /* NULL: away, to be opened at retry_ms */
    /* Until then (monotonic) a bus that did not answer is not asked again, because asking can take
     * seconds, in which no connection is served. */
    int64_t retry_ms;
    struct err refusal; /* why the bus did not take the last record; empty: it did */
    int64_t refused_ms; /* when that was, monotonic */
    LIST_HEAD(, ingest_entry) waiting;
    uint64_t accepted; /* records that were answered with 200 */
};

/* Opens the bus. One that is away is waited for while requests are answered with 503. 0, or -1 with
 * err if it can never be opened like this. The queue must not move afterwards. */
int ingest_queue_open(struct ingest_queue *q, const struct ingest_queue_conf *conf,
                      struct err *err);
/* Hands a request's records to the bus; respond follows, now or later. The records are copied. */
void ingest_queue_put(struct ingest_queue *q, struct http_request *r, const char *topic,
                      const struct ingest_records *records);
/* The bus's part of a turn of collect's loop: writes what was put as one group, and responds. */
void ingest_queue_serve(struct ingest_queue *q);
/* How long a turn may wait for other things before the next ingest_queue_serve, at most idle_ms. */
int ingest_queue_wait_ms(const struct ingest_queue *q, int idle_ms);
/* Readable when ingest_queue_serve has something to do; -1: ask from time to time. */
int ingest_queue_wake_fd(const struct ingest_queue *q);
bool ingest_queue_is_empty(const struct ingest_queue *q);
/* Why not to send records here: the bus is away, or lately refused one. NULL: there is no reason.
 * Only a record can show that a bus takes records again, so a refusal counts for 10 s. */
const char *ingest_queue_fault(const struct ingest_queue *q);
/* Writes the rest, for at most limit_ms. 0, or -1 with err if something is left. */
int ingest_queue_flush(struct ingest_queue *q, int64_t limit_ms, struct err *err);
/* Answers what still waits with 503, closes the bus. A zeroed queue is fine. */
void ingest_queue_release(struct ingest_queue *q);
