/* ingest_queue: see ingest_queue.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ingest_queue.h"

#include "../adapter/os/clock.h"
#include "../base/mem.h"

enum {
    INGEST_DELIVERY_MS = 10,  /* a turn while the bus owes deliveries and has no wake descriptor */
    INGEST_REFUSAL_MS = 10000 /* how long a refused record counts as a fault of the bus */
};

/* A request whose records were put on the bus. Its address is the tag of each of those puts. */
struct ingest_entry {
    LIST_ENTRY(ingest_entry) place;
    struct http_request *request; /* NULL: answered, but the bus still owes deliveries */
    size_t owed;                  /* deliveries to come, and one more until all are put */
    size_t records;
    int64_t since_ms;
};

/* --- entries --- */

static void ingest_respond(const struct ingest_queue *q, struct ingest_entry *e, unsigned status,
                           const char *reason) {
    if (e->request)
        q->conf.respond(q->conf.ctx, e->request, status, reason);
    e->request = NULL;
}

/* A record was refused by put() or by its delivery, and its request with it. */
static void ingest_respond_refused(const struct ingest_queue *q, struct ingest_entry *e,
                                   enum bus_rc rc, const char *reason) {
    unsigned status = 503;
    if (rc == BUS_POISON)
        status = 413;
    ingest_respond(q, e, status, reason);
}

static void ingest_entry_end(const struct ingest_queue *q, struct ingest_entry *e, unsigned status,
                             const char *reason) {
    ingest_respond(q, e, status, reason);
    LIST_REMOVE(e, place);
    free(e);
}

/* One delivery less is pending; after the last one the request is answered, unless it already was.
 */
static void ingest_entry_advance(struct ingest_queue *q, struct ingest_entry *e) {
    e->owed--;
    if (e->owed > 0)
        return;
    if (e->request && e->records > 0) {
        q->accepted += e->records;
        q->refusal.text[0] = '\0';
    }
    ingest_entry_end(q, e, 200, NULL);
}

/* --- the bus --- */

static void ingest_on_refusal(struct ingest_queue *q, const struct err *err) {
    outage_report(&q->outage, err, "answering 503 until it recovers");
    q->refusal = *err;
    q->refused_ms = clock_mono_ms();
}

static void ingest_on_delivered(void *ctx, uint64_t tag, enum bus_rc rc, const char *why) {
    struct ingest_queue *q = ctx;
    struct ingest_entry *e = (struct ingest_entry *)(uintptr_t)tag;
    if (rc != BUS_OK) {
        struct err err;
        err_set(&err, "the bus did not store a record: %s", why);
        if (rc != BUS_POISON)
            ingest_on_refusal(q, &err);
        ingest_respond_refused(q, e, rc, err.text);
    }
    ingest_entry_advance(q, e);
}

/* Answers the requests that still wait with the reason. */
static void ingest_close(struct ingest_queue *q, const char *reason) {
    q->outage.place = NULL; /* the handle owns it */
    if (q->bus)
        q->bus->engine->close(q->bus);
    q->bus = NULL;
    while (!LIST_EMPTY(&q->waiting))
        ingest_entry_end(q, LIST_FIRST(&q->waiting), 503, reason);
}

static void ingest_retry_later(struct ingest_queue *q) {
    q->retry_ms = clock_mono_ms() + outage_next_wait_ms(&q->outage);
}

/* The handle, if there is one, is unusable: a new one is opened later. */
static void ingest_lose(struct ingest_queue *q, const struct err *err) {
    ingest_close(q, err->text);
    ingest_on_refusal(q, err);
    ingest_retry_later(q);
}

static enum bus_rc ingest_connect(struct ingest_queue *q, struct err *err) {
    enum bus_rc rc = engines_open_bus(q->conf.settings, &q->open, &q->bus, err);
    if (rc != BUS_OK)
        return rc;
    if (!q->is_introduced)
        log_info(q->conf.log, "%s, %s", q->bus->place.p, q->conf.flow);
    q->is_introduced = true;
    /* An ongoing outage ends only when the bus has taken a record. */
    q->outage.place = q->bus->place.p;
    q->refusal.text[0] = '\0';
    return rc;
}

int ingest_queue_open(struct ingest_queue *q, const struct ingest_queue_conf *conf,
                      struct err *err) {
    *q = (struct ingest_queue){.conf = *conf};
    q->open = (struct bus_open){.bounded = true, .delivered = ingest_on_delivered, .ctx = q};
    outage_init(&q->outage, conf->log, conf->notify);
    const enum bus_rc rc = ingest_connect(q, err);
    if (rc == BUS_FATAL)
        return -1;
    if (rc != BUS_OK)
        ingest_lose(q, err);
    return 0;
}

/* --- records --- */

/* Queues one record. If the bus's queue is full, writes its contents first. */
static enum bus_rc ingest_put_record(const struct ingest_queue *q, const char *topic,
                                     const struct ingest_record *record,
                                     const struct ingest_entry *e, struct err *err) {
    const struct bus_engine *engine = q->bus->engine;
    const uint64_t tag = (uintptr_t)e;
    const enum bus_rc rc = engine->put(q->bus, topic, -1, record->key, record->json, tag, err);
    if (rc != BUS_FULL)
        return rc;
    if (engine->poll(q->bus, 0, NULL, err) == BUS_FATAL)
        return BUS_FATAL;
    return engine->put(q->bus, topic, -1, record->key, record->json, tag, err);
}

/* Puts records until one is refused. If a delivery fails meanwhile, the request is answered and the
 * rest of its records are not put. */
static enum bus_rc ingest_put_records(struct ingest_queue *q, const char *topic,
                                      const struct ingest_records *records, struct ingest_entry *e,
                                      struct err *err) {
    for (size_t i = 0; i < records->n && e->request; i++) {
        const enum bus_rc rc = ingest_put_record(q, topic, &records->items[i], e, err);
        if (rc != BUS_OK)
            return rc;
        e->owed++;
    }
    return BUS_OK;
}

static struct ingest_entry *ingest_entry_new(struct ingest_queue *q, struct http_request *r,
                                             size_t records) {
    struct ingest_entry *e = mem_calloc(1, sizeof *e);
    *e = (struct ingest_entry){.request = r,
                               .owed = 1, /* held until all are put */
                               .records = records,
                               .since_ms = clock_mono_ms()};
    LIST_INSERT_HEAD(&q->waiting, e, place);
    return e;
}

void ingest_queue_put(struct ingest_queue *q, struct http_request *r, const char *topic,
                      const struct ingest_records *records) {
    struct err err;
    const bool is_resting = q->refusal.text[0] && clock_mono_ms() < q->retry_ms;
    if (!q->bus || is_resting) {
        q->conf.respond(q->conf.ctx, r, 503, q->refusal.text);
        return;
    }
    struct ingest_entry *e = ingest_entry_new(q, r, records->n);
    const enum bus_rc rc = ingest_put_records(q, topic, records, e, &err);
    if (rc == BUS_FATAL) {
        ingest_lose(q, &err); /* answers and frees the entry, too */
        return;
    }
    if (rc != BUS_OK) {
        if (rc != BUS_POISON)
            ingest_on_refusal(q, &err);
        if (rc == BUS_RETRY)
            ingest_retry_later(q);
        ingest_respond_refused(q, e, rc, err.text);
    }
    ingest_entry_advance(q, e);
}

/* --- turns --- */

static void ingest_time_out(const struct ingest_queue *q, int64_t now_ms) {
    struct ingest_entry *e;
    LIST_FOREACH (e, &q->waiting, place) {
        if (now_ms - e->since_ms > q->conf.timeout_ms)
            ingest_respond(q, e, 503,
                           "the bus did not answer in time; the records may still be written");
    }
}

static void ingest_poll(struct ingest_queue *q) {
    struct err err;
    const bool had_waiting = !ingest_queue_is_empty(q);
    const enum bus_rc rc = q->bus->engine->poll(q->bus, 0, NULL, &err);
    if (rc == BUS_FATAL)
        ingest_lose(q, &err);
    else if (rc == BUS_RETRY)
        ingest_on_refusal(q, &err);
    else if (had_waiting && !q->refusal.text[0])
        outage_recovered(&q->outage);
}

void ingest_queue_serve(struct ingest_queue *q) {
    struct err err;
    const int64_t now_ms = clock_mono_ms();
    if (!q->bus && now_ms >= q->retry_ms && ingest_connect(q, &err) != BUS_OK)
        ingest_lose(q, &err);
    if (!q->bus)
        return;
    /* An idle bus that has a wake descriptor is polled too, to drain that. */
    if (ingest_queue_is_empty(q) && q->bus->wake < 0)
        return;
    ingest_poll(q);
    ingest_time_out(q, now_ms);
}

int ingest_queue_wait_ms(const struct ingest_queue *q, int idle_ms) {
    if (q->bus) {
        const bool owes = !ingest_queue_is_empty(q);
        if (owes && q->bus->wake < 0)
            return INGEST_DELIVERY_MS;
        return idle_ms;
    }
    const int64_t left_ms = q->retry_ms - clock_mono_ms();
    if (left_ms <= 0)
        return 0;
    return left_ms < idle_ms ? (int)left_ms : idle_ms;
}

int ingest_queue_wake_fd(const struct ingest_queue *q) {
    return q->bus ? q->bus->wake : -1;
}

bool ingest_queue_is_empty(const struct ingest_queue *q) {
    return LIST_EMPTY(&q->waiting);
}

const char *ingest_queue_fault(const struct ingest_queue *q) {
    const bool is_recent = clock_mono_ms() - q->refused_ms < INGEST_REFUSAL_MS;
    if (!q->bus || (q->refusal.text[0] && is_recent))
        return q->refusal.text;
    return NULL;
}

int ingest_queue_flush(struct ingest_queue *q, int64_t limit_ms, struct err *err) {
    if (!q->bus || ingest_queue_is_empty(q))
        return 0;
    if (limit_ms < 0)
        limit_ms = 0;
    if (q->bus->engine->flush(q->bus, (int)limit_ms, err) == BUS_OK)
        return 0;
    return -1;
}

void ingest_queue_release(struct ingest_queue *q) {
    ingest_close(q, "collect is shutting down");
}
