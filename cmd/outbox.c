/* outbox: see outbox.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/base/mem.h"

enum {
    DELIVERY_MS = 10, /* a turn while the bus still owes deliveries and does not wake us */
    DOUBT_MS = 10000  /* how long a refused record speaks against the bus */
};

static void daemon_init(struct daemon *d, const struct run *run) {
    *d =
        (struct daemon){.run = run, .backoff = {.rng = {rng_os()}, .base_ms = 100, .max_ms = 5000}};
    stop_within(6);
}

static void daemon_introduce(struct daemon *d, const struct bus *bus, const char *flow) {
    if (!d->introduced)
        log_info(&d->run->log, "%s, %s", bus->place.p, flow);
    d->introduced = true;
}

static void daemon_well(struct daemon *d) {
    if (d->in_trouble)
        log_info(&d->run->log, "it works again");
    d->in_trouble = false;
    d->backoff.tries = 0;
}

/* A request whose records are with the bus. Its address is the tag of each of its puts. */
struct outbox_entry {
    LIST_ENTRY(outbox_entry) place;
    struct http_request *request; /* NULL: settled, the bus still owes deliveries */
    size_t left;                  /* deliveries to come */
    size_t records;
    int64_t since_ms;
};

static void entry_settle(struct outbox *o, struct outbox_entry *e, unsigned status,
                         const char *why) {
    if (e->request)
        o->settle(o->ctx, e->request, status, why);
    e->request = NULL;
}

static void entry_end(struct outbox *o, struct outbox_entry *e, unsigned status, const char *why) {
    entry_settle(o, e, status, why);
    LIST_REMOVE(e, place);
    free(e);
}

/* One delivery less to wait for; the last one settles. */
static void entry_one_less(struct outbox *o, struct outbox_entry *e) {
    if (--e->left > 0)
        return;
    if (e->request && e->records) {
        o->accepted += e->records;
        o->trouble.text[0] = '\0';
    }
    entry_end(o, e, 200, NULL);
}

static void trouble(struct outbox *o, const struct err *err) {
    if (!o->daemon.in_trouble)
        log_info(&o->daemon.run->log, "%s; answering 503 until it works", err->text);
    o->daemon.in_trouble = true;
    o->trouble = *err;
    o->trouble_ms = clock_mono_ms();
}

static void on_delivered(void *ctx, uint64_t tag, enum bus_rc rc, const char *why) {
    struct outbox *o = ctx;
    struct outbox_entry *e = (struct outbox_entry *)(uintptr_t)tag;
    if (rc != BUS_OK) {
        struct err err;
        err_set(&err, "the bus did not take a record: %s", why);
        if (rc != BUS_POISON)
            trouble(o, &err);
        entry_settle(o, e, rc == BUS_POISON ? 413 : 503, err.text);
    }
    entry_one_less(o, e);
}

/* Closes the handle; whoever waits is told why. */
static void drop(struct outbox *o, const char *why) {
    if (o->bus)
        o->bus->engine->close(o->bus);
    o->bus = NULL;
    for (struct outbox_entry *e; (e = LIST_FIRST(&o->waiting));)
        entry_end(o, e, 503, why);
}

static void put_off(struct outbox *o) {
    o->retry_ms = clock_mono_ms() + backoff_next(&o->daemon.backoff);
}

/* The handle, if there is one, is of no use: a new one is opened later. */
static void lose(struct outbox *o, const struct err *err) {
    drop(o, err->text);
    trouble(o, err);
    put_off(o);
}

static enum bus_rc connect_bus(struct outbox *o, struct err *err) {
    enum bus_rc rc = engines_open_bus(o->daemon.run->conf, &o->how, &o->bus, err);
    if (rc != BUS_OK)
        return rc;
    daemon_introduce(&o->daemon, o->bus, o->flow);
    o->trouble.text[0] = '\0'; /* that it works is said when it has taken a record */
    return rc;
}

bool outbox_open(struct outbox *o, const struct run *run) {
    struct err err;
    daemon_init(&o->daemon, run);
    o->how = (struct bus_open){.bounded = true, .delivered = on_delivered, .ctx = o};
    enum bus_rc rc = connect_bus(o, &err);
    if (rc == BUS_FATAL)
        log_info(&run->log, "%s", err.text);
    else if (rc != BUS_OK)
        lose(o, &err);
    return rc != BUS_FATAL;
}

/* Queues one record. When the queue is full, what is in it is written first. */
static enum bus_rc put(struct outbox *o, const char *topic, const struct ingest_record *record,
                       const struct outbox_entry *e, struct err *err) {
    const struct bus_engine *engine = o->bus->engine;
    uint64_t tag = (uintptr_t)e;
    enum bus_rc rc = engine->put(o->bus, topic, -1, record->key, record->json, tag, err);
    if (rc != BUS_FULL)
        return rc;
    if (engine->poll(o->bus, 0, NULL, err) == BUS_FATAL)
        return BUS_FATAL;
    return engine->put(o->bus, topic, -1, record->key, record->json, tag, err);
}

void outbox_put(struct outbox *o, struct http_request *r, const char *topic,
                const struct ingest_records *records) {
    struct err err;
    enum bus_rc rc = BUS_OK;
    if (!o->bus || (o->trouble.text[0] && clock_mono_ms() < o->retry_ms)) {
        o->settle(o->ctx, r, 503, o->trouble.text);
        return;
    }
    struct outbox_entry *e = mem_calloc(1, sizeof *e);
    *e = (struct outbox_entry){.request = r, .records = records->n, .since_ms = clock_mono_ms()};
    LIST_INSERT_HEAD(&o->waiting, e, place);
    e->left = 1; /* ours: it must not settle before all are put */
    for (size_t i = 0; i < records->n && e->request; i++) {
        rc = put(o, topic, &records->items[i], e, &err);
        if (rc != BUS_OK)
            break;
        e->left++;
    }
    if (rc == BUS_FATAL) {
        lose(o, &err);
        return;
    }
    if (rc != BUS_OK && rc != BUS_POISON)
        trouble(o, &err);
    if (rc == BUS_RETRY)
        put_off(o);
    if (rc != BUS_OK)
        entry_settle(o, e, rc == BUS_POISON ? 413 : 503, err.text);
    entry_one_less(o, e);
}

void outbox_serve(struct outbox *o) {
    struct err err;
    int64_t now = clock_mono_ms();
    if (!o->bus && now >= o->retry_ms && connect_bus(o, &err) != BUS_OK)
        lose(o, &err);
    bool waiting = !LIST_EMPTY(&o->waiting);
    if (!o->bus || (!waiting && o->bus->wake < 0))
        return; /* what wakes us is to be taken off */
    enum bus_rc rc = o->bus->engine->poll(o->bus, 0, NULL, &err);
    if (rc == BUS_FATAL)
        lose(o, &err);
    else if (rc == BUS_RETRY)
        trouble(o, &err);
    else if (waiting && !o->trouble.text[0])
        daemon_well(&o->daemon);
    struct outbox_entry *e;
    LIST_FOREACH (e, &o->waiting, place)
        if (now - e->since_ms > o->patience_ms)
            entry_settle(o, e, 503, "the bus does not answer; the records may still be written");
}

int outbox_wait_ms(const struct outbox *o, int idle_ms) {
    int64_t wait = !LIST_EMPTY(&o->waiting) && o->bus && o->bus->wake < 0 ? DELIVERY_MS : idle_ms;
    int64_t until = o->retry_ms - clock_mono_ms();
    if (!o->bus && until < wait)
        wait = until > 0 ? until : 0;
    return (int)wait;
}

const char *outbox_trouble(const struct outbox *o) {
    bool doubt = o->trouble.text[0] && clock_mono_ms() - o->trouble_ms < DOUBT_MS;
    return !o->bus || doubt ? o->trouble.text : NULL;
}

bool outbox_flush(struct outbox *o, int64_t limit_ms) {
    struct err err;
    if (!o->bus || LIST_EMPTY(&o->waiting))
        return true;
    if (o->bus->engine->flush(o->bus, limit_ms > 0 ? (int)limit_ms : 0, &err) == BUS_OK)
        return true;
    log_info(&o->daemon.run->log, "left without the bus's answer: %s", err.text);
    return false;
}

void outbox_release(struct outbox *o) {
    drop(o, "collect ends");
}
