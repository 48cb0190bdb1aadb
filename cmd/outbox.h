/* outbox: collect's side of the bus: requests whose records are with the bus wait here until every
 * record is durable, or can't be. Opens the bus again when it was lost. Owns the bus handle and the
 * waiting requests. Main thread. Callers: cmd/collect.c only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/queue.h>

#include "../lib/core/ingest.h"
#include "../lib/core/backoff.h"
#include "../lib/engines.h"
#include "cmd.h"

struct daemon {
    const struct run *run;
    struct backoff backoff;
    bool in_trouble; /* an outage was logged and is not over yet */
    bool introduced; /* the first line was printed */
};

struct http_request;
struct outbox_entry;

struct outbox {
    struct daemon daemon;
    struct bus_open how;
    int64_t patience_ms; /* a request waits no longer than this for the bus */
    /* The one answer of a request given to outbox_put: 200 with why NULL, or 413, 503 and why. */
    void (*settle)(void *ctx, struct http_request *r, unsigned status, const char *why);
    void *ctx;
    const char *flow; /* for the first line */
    struct bus *bus;  /* NULL: away, to be opened at retry_ms */
    int64_t
        retry_ms; /* until then the bus, which did not answer, is not asked: that takes seconds */
    struct err trouble; /* why the bus did not take the last record; empty: it did */
    int64_t trouble_ms; /* when that was */
    LIST_HEAD(, outbox_entry) waiting;
    uint64_t accepted; /* records */
};

/* Opens the bus; settle, ctx, patience_ms and flow are set by the caller. A bus that is away is
 * waited for while requests are answered with 503. False: it can't be opened (said). The outbox
 * must not move afterwards. */
bool outbox_open(struct outbox *o, const struct run *run);
/* Hands a request's records to the bus; settle follows, at once or later. The bytes are copied. */
void outbox_put(struct outbox *o, struct http_request *r, const char *topic,
                const struct ingest_records *records);
/* The bus's part of a turn: writes what was put as one group, settles. */
void outbox_serve(struct outbox *o);
/* How long a turn may wait for other things before outbox_serve, at most idle_ms. */
int outbox_wait_ms(const struct outbox *o, int idle_ms);
/* Why not to send records here: the bus is away, or did not take one lately; NULL: do. Only a
 * record can show that a bus takes records again, so after 10 s without one the benefit of doubt
 * returns. */
const char *outbox_trouble(const struct outbox *o);
/* Writes the rest, for at most limit_ms. False: something is left (said). */
bool outbox_flush(struct outbox *o, int64_t limit_ms);
/* Settles what still waits with 503, closes the bus. */
void outbox_release(struct outbox *o);
