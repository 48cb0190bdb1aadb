/* ingest_queue: requests whose records were put on the bus wait here until every record is durable
 * or has failed; then each gets its one answer. Reopens a bus that was lost; until then requests
 * are answered with 503 at once. Owns the bus handle, the outage and the waiting requests. Main
 * thread. Callers: lib/app/collector.c and cmd/collect.c. SPDX-License-Identifier: Apache-2.0 */
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
    const char *flow;      /* URL and routes, for the first log line */
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
    struct bus *bus;    /* NULL: not open; retried at retry_ms */
    /* Until then (monotonic) a bus that did not answer is not asked again, because asking can take
     * seconds, in which no connection is served. */
    int64_t retry_ms;
    struct err refusal; /* why the bus did not take the last record; empty: it did */
    int64_t refused_ms; /* when that was, monotonic */
    LIST_HEAD(, ingest_entry) waiting;
    uint64_t accepted; /* records that were answered with 200 */
};

/* Opens the bus; one that does not answer is retried later, while requests are answered with 503.
 * 0, or -1 with err if these settings can never work. The queue must not move afterwards. */
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
/* Why /healthz fails: the bus is not open, or refused a record less than 10 s ago. NULL: healthy. A
 * refusal expires because only another record could prove that the bus has recovered. */
const char *ingest_queue_fault(const struct ingest_queue *q);
/* Writes what is queued, for at most limit_ms. 0, or -1 with err if something is left. */
int ingest_queue_flush(struct ingest_queue *q, int64_t limit_ms, struct err *err);
/* Answers waiting requests with 503 and closes the bus. A zeroed queue is fine. */
void ingest_queue_release(struct ingest_queue *q);
