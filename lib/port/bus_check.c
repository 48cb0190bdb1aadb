/* bus_check: asserts the contract of bus.h around any engine, in tests and with DEV=1. What it
 * finds is a bug of the engine or of the caller, so it says which rule was broken and aborts. It
 * owns the handle that it wraps, and hands out copies of what the engine lends, freed when the loan
 * ends, so that a sanitizer sees who keeps a span for too long. One thread a handle. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <stdio.h>
#include <time.h>

#include "../base/mem.h"

/* The newest offset that was seen in one partition. */
struct place {
    int32_t partition;
    int64_t offset;
};

struct check {
    struct bus bus;
    struct bus *inner;
    bool reader;
    size_t max_records;
    bool fatal; /* BUS_FATAL was answered */
    struct bus_record *records;
    size_t n_records;
    struct place *places;
    size_t n_places;
    uint32_t generation;
};

/* Not assert(3): that one vanishes with NDEBUG, and this file is linked where it is wanted. */
static void must(bool holds, const struct check *c, const char *rule) {
    if (holds)
        return;
    fprintf(stderr, "bus_check: engine %s: %s\n", c->inner->engine->name, rule);
    abort();
}

/* Every answer with a text has one, and after BUS_FATAL there is only close. */
static enum bus_rc answer(struct check *c, enum bus_rc rc, const struct err *err) {
    must(rc == BUS_OK || err->text[0], c, "an error without a text");
    c->fatal |= rc == BUS_FATAL;
    if (rc == BUS_ABORTED)
        c->n_places = 0; /* the same records come again */
    return rc;
}

static struct check *enter(struct bus *bus, struct err *err) {
    struct check *c = (struct check *)bus;
    must(!c->fatal, c, "used after BUS_FATAL");
    err->text[0] = '\0';
    return c;
}

static struct span lend(struct span s) {
    return s.p ? (struct span){mem_strndup(s.p, s.n), s.n} : s;
}

static void end_loan(struct check *c) {
    for (size_t i = 0; i < c->n_records; i++) {
        free((char *)c->records[i].key.p);
        free((char *)c->records[i].value.p);
    }
    free(c->records);
    c->records = NULL;
    c->n_records = 0;
}

static struct place *find_place(struct check *c, int32_t partition) {
    for (size_t i = 0; i < c->n_places; i++)
        if (c->places[i].partition == partition)
            return &c->places[i];
    c->places = mem_realloc(c->places, c->n_places + 1, sizeof *c->places);
    c->places[c->n_places] = (struct place){.partition = partition, .offset = -1};
    return &c->places[c->n_places++];
}

static void check_record(struct check *c, const struct bus_batch *batch,
                         const struct bus_record *r) {
    bool owned = false;
    for (size_t i = 0; i < batch->n_parts; i++)
        owned |= batch->parts[i].partition == r->partition;
    must(owned, c, "a record of a partition that the batch does not list");
    struct place *at = find_place(c, r->partition);
    must(r->offset > at->offset, c, "offsets of a partition out of order");
    must(r->key.p || r->key.n == 0, c, "a null key with a length");
    must(r->value.p || r->value.n == 0, c, "a null value with a length");
    at->offset = r->offset;
}

static int64_t mono_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void check_batch(struct check *c, struct bus_batch *batch, int64_t begun_ms) {
    must(!batch->standby || (batch->n == 0 && batch->n_parts == 0), c, "a standby that reads");
    must(!c->max_records || batch->n <= c->max_records, c, "more than max_records");
    for (size_t i = 0; i < batch->n_parts; i++)
        must(!batch->parts[i].at_end ||
                 (batch->parts[i].asked_ms >= begun_ms && batch->parts[i].asked_ms <= mono_ms()),
             c, "at_end without an answer of this poll");
    if (batch->generation != c->generation) /* new owners begin where the group has committed */
        c->n_places = 0;
    c->generation = batch->generation;
    for (size_t i = 0; i < batch->n; i++)
        check_record(c, batch, &batch->records[i]);
    c->records = mem_calloc(batch->n, sizeof *c->records);
    c->n_records = batch->n;
    for (size_t i = 0; i < batch->n; i++) {
        c->records[i] = batch->records[i];
        c->records[i].key = lend(batch->records[i].key);
        c->records[i].value = lend(batch->records[i].value);
    }
    batch->records = c->records;
}

static enum bus_rc poll(struct bus *bus, int wait_ms, struct bus_batch *batch, struct err *err) {
    struct check *c = enter(bus, err);
    must(batch || !c->reader, c, "a reader polls without a batch");
    end_loan(c);
    int64_t begun_ms = mono_ms();
    enum bus_rc rc = answer(c, c->inner->engine->poll(c->inner, wait_ms, batch, err), err);
    if (rc == BUS_OK && batch)
        check_batch(c, batch, begun_ms);
    return rc;
}

static enum bus_rc put(struct bus *bus, const char *topic, int32_t partition, struct span key,
                       struct span value, uint64_t tag, struct err *err) {
    struct check *c = enter(bus, err);
    must(*topic && partition >= -1, c, "put() without a topic, or to a partition below -1");
    return answer(c, c->inner->engine->put(c->inner, topic, partition, key, value, tag, err), err);
}

static enum bus_rc commit(struct bus *bus, struct err *err) {
    struct check *c = enter(bus, err);
    must(c->reader, c, "a writer commits");
    enum bus_rc rc = answer(c, c->inner->engine->commit(c->inner, err), err);
    if (rc != BUS_RETRY)
        end_loan(c);
    return rc;
}

static void undo(struct bus *bus) {
    struct check *c = enter(bus, &(struct err){0});
    must(c->reader, c, "a writer undoes");
    end_loan(c);
    c->n_places = 0; /* the same records come again */
    c->inner->engine->undo(c->inner);
}

static enum bus_rc flush(struct bus *bus, int limit_ms, struct err *err) {
    struct check *c = enter(bus, err);
    must(!c->reader, c, "a reader flushes");
    return answer(c, c->inner->engine->flush(c->inner, limit_ms, err), err);
}

struct restoring {
    struct check *c;
    bus_each_state *each;
    void *ctx;
    int32_t partition;
};

static bool restored(void *ctx, int32_t partition, struct span key, struct span value) {
    struct restoring *r = ctx;
    must(key.p && value.p, r->c, "restore() hands on a null");
    must(r->partition < 0 || r->partition == partition, r->c, "restore() of another partition");
    return r->each(r->ctx, partition, key, value);
}

static enum bus_rc restore(struct bus *bus, const char *topic, int32_t partition,
                           bus_each_state *each, void *ctx, struct err *err) {
    struct check *c = enter(bus, err);
    struct restoring r = {.c = c, .each = each, .ctx = ctx, .partition = partition};
    return answer(c, c->inner->engine->restore(c->inner, topic, partition, restored, &r, err), err);
}

struct replaying {
    struct check *c;
    bus_each_record *each;
    void *ctx;
    int32_t partition;
    int64_t to, last; /* last: meaningful with one partition only */
};

static bool replayed(void *ctx, const struct bus_record *record) {
    struct replaying *r = ctx;
    must(r->partition < 0 || r->partition == record->partition, r->c,
         "replay() of another partition");
    must(r->to < 0 || record->offset < r->to, r->c, "replay() beyond the end");
    must(r->partition < 0 || record->offset > r->last, r->c, "replay() out of order");
    r->last = record->offset;
    return r->each(r->ctx, record);
}

static enum bus_rc replay(struct bus *bus, const char *topic, int32_t partition, int64_t from_ms,
                          int64_t to, bus_each_record *each, void *ctx, struct err *err) {
    struct check *c = enter(bus, err);
    struct replaying r = {
        .c = c, .each = each, .ctx = ctx, .partition = partition, .to = to, .last = -1};
    return answer(
        c, c->inner->engine->replay(c->inner, topic, partition, from_ms, to, replayed, &r, err),
        err);
}

static enum bus_rc lag(struct bus *bus, const char *group, const char *topic, int64_t *left,
                       struct err *err) {
    struct check *c = enter(bus, err);
    enum bus_rc rc = answer(c, c->inner->engine->lag(c->inner, group, topic, left, err), err);
    must(rc != BUS_OK || *left >= 0, c, "a lag below nothing");
    return rc;
}

static void close_check(struct bus *bus) {
    struct check *c = (struct check *)bus;
    if (!c)
        return;
    end_loan(c);
    c->inner->engine->close(c->inner);
    free(c->places);
    free(c);
}

static const struct bus_engine check_engine = {.name = "check",
                                               .poll = poll,
                                               .put = put,
                                               .commit = commit,
                                               .undo = undo,
                                               .flush = flush,
                                               .restore = restore,
                                               .replay = replay,
                                               .lag = lag,
                                               .close = close_check};

struct bus *bus_check(struct bus *inner, const struct bus_open *how) {
    struct check *c = mem_calloc(1, sizeof *c);
    c->bus.engine = &check_engine;
    c->bus.wake = inner->wake;
    c->bus.place = inner->place;
    c->inner = inner;
    must(inner->place.n > 0, c, "a bus without a place");
    c->reader = how->group != NULL;
    c->max_records = how->max_records;
    return &c->bus;
}
