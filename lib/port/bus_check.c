/* bus_check: asserts the contract of bus.h around any engine, in tests and in builds with DEV=1. A
 * broken rule is a bug of the engine or of its caller, so the check writes the rule to standard
 * error and aborts. It owns the handle that it wraps, and lends out copies of what the engine
 * lends, which it frees when the loan ends, so that a sanitizer finds code that keeps a span for
 * too long. One thread a handle. libc only. SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <stdio.h>
#include <time.h>

#include "../base/mem.h"

/* The newest offset that was seen in one partition. */
struct bus_check_position {
    int32_t partition;
    int64_t offset;
};

struct bus_check {
    struct bus bus; /* first, so that the handle is the check */
    struct bus *inner;
    bool is_reader;
    bool is_fatal; /* BUS_FATAL was returned: only close() may follow */
    size_t max_records;
    struct bus_record *loan; /* copies of the records of the last batch */
    size_t n_loan;
    struct bus_check_position *positions; /* since the last transaction that did not happen */
    size_t n_positions;
    uint32_t generation;
};

/* Not assert(3), which vanishes with NDEBUG: this file is linked only where it is wanted. */
static void bus_check_must(bool holds, const struct bus_check *c, const char *rule) {
    if (holds)
        return;
    fprintf(stderr, "bus_check: engine %s: %s\n", c->inner->engine->name, rule);
    abort();
}

/* --- what holds for every call --- */

/* Begins a call. */
static struct bus_check *bus_check_enter(struct bus *bus, struct err *err) {
    struct bus_check *c = (struct bus_check *)bus;
    bus_check_must(!c->is_fatal, c, "used after BUS_FATAL");
    err->text[0] = '\0';
    c->inner->alive = bus->alive;
    c->inner->alive_ctx = bus->alive_ctx;
    return c;
}

/* The same records may come again. */
static void bus_check_rewind(struct bus_check *c) {
    c->n_positions = 0;
}

/* Ends a call that returns rc. */
static enum bus_rc bus_check_leave(struct bus_check *c, enum bus_rc rc, const struct err *err) {
    bus_check_must(rc == BUS_OK || err->text[0], c, "an error without a text");
    if (rc == BUS_FATAL)
        c->is_fatal = true;
    if (rc == BUS_ABORTED)
        bus_check_rewind(c);
    return rc;
}

/* --- batches --- */

static struct span bus_check_copy(struct span s) {
    if (!s.p)
        return s;
    return (struct span){mem_strndup(s.p, s.n), s.n};
}

static void bus_check_end_loan(struct bus_check *c) {
    for (size_t i = 0; i < c->n_loan; i++) {
        free((char *)c->loan[i].key.p);
        free((char *)c->loan[i].value.p);
    }
    free(c->loan);
    c->loan = NULL;
    c->n_loan = 0;
}

/* Replaces the batch's records by copies of them. */
static void bus_check_lend(struct bus_check *c, struct bus_batch *batch) {
    c->loan = mem_calloc(batch->n, sizeof *c->loan);
    c->n_loan = batch->n;
    for (size_t i = 0; i < batch->n; i++) {
        c->loan[i] = batch->records[i];
        c->loan[i].key = bus_check_copy(batch->records[i].key);
        c->loan[i].value = bus_check_copy(batch->records[i].value);
    }
    batch->records = c->loan;
}

/* The position in a partition, which is added if it is new. */
static struct bus_check_position *bus_check_position_of(struct bus_check *c, int32_t partition) {
    for (size_t i = 0; i < c->n_positions; i++)
        if (c->positions[i].partition == partition)
            return &c->positions[i];
    c->positions = mem_realloc(c->positions, c->n_positions + 1, sizeof *c->positions);
    struct bus_check_position *position = &c->positions[c->n_positions++];
    *position = (struct bus_check_position){.partition = partition, .offset = -1};
    return position;
}

static bool bus_check_owns(const struct bus_batch *batch, int32_t partition) {
    for (size_t i = 0; i < batch->n_parts; i++)
        if (batch->parts[i].partition == partition)
            return true;
    return false;
}

static void bus_check_record(struct bus_check *c, const struct bus_batch *batch,
                             const struct bus_record *r) {
    struct bus_check_position *position = bus_check_position_of(c, r->partition);
    bus_check_must(bus_check_owns(batch, r->partition), c,
                   "a record of a partition that the batch does not list");
    bus_check_must(r->offset > position->offset, c, "offsets of a partition out of order");
    bus_check_must(r->key.p || r->key.n == 0, c, "a null key with a length");
    bus_check_must(r->value.p || r->value.n == 0, c, "a null value with a length");
    position->offset = r->offset;
}

static int64_t bus_check_mono_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* called_ms: when the poll was called. */
static void bus_check_part(const struct bus_check *c, const struct bus_part *part,
                           int64_t called_ms) {
    if (!part->at_end)
        return;
    const bool is_fresh = part->asked_ms >= called_ms && part->asked_ms <= bus_check_mono_ms();
    bus_check_must(is_fresh, c, "at_end without an answer of this poll");
}

static void bus_check_batch(struct bus_check *c, struct bus_batch *batch, int64_t called_ms) {
    const bool is_empty = batch->n == 0 && batch->n_parts == 0;
    bus_check_must(!batch->standby || is_empty, c, "a standby that reads");
    bus_check_must(!c->max_records || batch->n <= c->max_records, c, "more than max_records");
    for (size_t i = 0; i < batch->n_parts; i++)
        bus_check_part(c, &batch->parts[i], called_ms);
    if (batch->generation != c->generation)
        bus_check_rewind(c); /* new owners begin where the group has committed */
    c->generation = batch->generation;
    for (size_t i = 0; i < batch->n; i++)
        bus_check_record(c, batch, &batch->records[i]);
    bus_check_lend(c, batch);
}

/* --- the functions of a handle --- */

static enum bus_rc bus_check_poll(struct bus *bus, int wait_ms, struct bus_batch *batch,
                                  struct err *err) {
    struct bus_check *c = bus_check_enter(bus, err);
    bus_check_must(batch || !c->is_reader, c, "a reader polls without a batch");
    bus_check_end_loan(c);
    const int64_t called_ms = bus_check_mono_ms();
    const enum bus_rc rc = c->inner->engine->poll(c->inner, wait_ms, batch, err);
    bus_check_leave(c, rc, err);
    if (rc == BUS_OK && batch)
        bus_check_batch(c, batch, called_ms);
    return rc;
}

static enum bus_rc bus_check_put(struct bus *bus, const char *topic, int32_t partition,
                                 struct span key, struct span value, uint64_t tag,
                                 struct err *err) {
    struct bus_check *c = bus_check_enter(bus, err);
    bus_check_must(*topic && partition >= -1, c,
                   "put() without a topic, or to a partition below -1");
    const enum bus_rc rc = c->inner->engine->put(c->inner, topic, partition, key, value, tag, err);
    return bus_check_leave(c, rc, err);
}

static enum bus_rc bus_check_commit(struct bus *bus, struct err *err) {
    struct bus_check *c = bus_check_enter(bus, err);
    bus_check_must(c->is_reader, c, "a writer commits");
    const enum bus_rc rc = c->inner->engine->commit(c->inner, err);
    if (rc != BUS_RETRY)
        bus_check_end_loan(c);
    return bus_check_leave(c, rc, err);
}

static void bus_check_undo(struct bus *bus) {
    struct err err;
    struct bus_check *c = bus_check_enter(bus, &err);
    bus_check_must(c->is_reader, c, "a writer undoes");
    bus_check_end_loan(c);
    bus_check_rewind(c);
    c->inner->engine->undo(c->inner);
}

static enum bus_rc bus_check_flush(struct bus *bus, int limit_ms, struct err *err) {
    struct bus_check *c = bus_check_enter(bus, err);
    bus_check_must(!c->is_reader, c, "a reader flushes");
    return bus_check_leave(c, c->inner->engine->flush(c->inner, limit_ms, err), err);
}

/* What a walk of restore() or replay() promises, and whom to call. */
struct bus_check_walk {
    struct bus_check *c;
    bus_each_state *each_state;
    bus_each_record *each_record;
    void *ctx;
    int32_t partition;
    int64_t to;          /* of replay() */
    int64_t last_offset; /* of replay(), with one partition only */
};

static bool bus_check_on_state(void *ctx, int32_t partition, struct span key, struct span value) {
    const struct bus_check_walk *walk = ctx;
    const bool is_asked_for = walk->partition < 0 || walk->partition == partition;
    bus_check_must(key.p && value.p, walk->c, "restore() passes a null key or value");
    bus_check_must(is_asked_for, walk->c, "restore() of another partition");
    return walk->each_state(walk->ctx, partition, key, value);
}

static enum bus_rc bus_check_restore(struct bus *bus, const char *topic, int32_t partition,
                                     bus_each_state *each, void *ctx, struct err *err) {
    struct bus_check *c = bus_check_enter(bus, err);
    struct bus_check_walk walk = {.c = c, .each_state = each, .ctx = ctx, .partition = partition};
    const enum bus_rc rc =
        c->inner->engine->restore(c->inner, topic, partition, bus_check_on_state, &walk, err);
    return bus_check_leave(c, rc, err);
}

static bool bus_check_on_record(void *ctx, const struct bus_record *record) {
    struct bus_check_walk *walk = ctx;
    const bool is_of_all = walk->partition < 0;
    bus_check_must(is_of_all || walk->partition == record->partition, walk->c,
                   "replay() of another partition");
    bus_check_must(walk->to < 0 || record->offset < walk->to, walk->c, "replay() beyond the end");
    bus_check_must(is_of_all || record->offset > walk->last_offset, walk->c,
                   "replay() out of order");
    walk->last_offset = record->offset;
    return walk->each_record(walk->ctx, record);
}

static enum bus_rc bus_check_replay(struct bus *bus, const char *topic, int32_t partition,
                                    int64_t from_ms, int64_t to, bus_each_record *each, void *ctx,
                                    struct err *err) {
    struct bus_check *c = bus_check_enter(bus, err);
    struct bus_check_walk walk = {.c = c,
                                  .each_record = each,
                                  .ctx = ctx,
                                  .partition = partition,
                                  .to = to,
                                  .last_offset = -1};
    const enum bus_rc rc = c->inner->engine->replay(c->inner, topic, partition, from_ms, to,
                                                    bus_check_on_record, &walk, err);
    return bus_check_leave(c, rc, err);
}

static enum bus_rc bus_check_lag(struct bus *bus, const char *group, const char *topic,
                                 int64_t *left, struct err *err) {
    struct bus_check *c = bus_check_enter(bus, err);
    const enum bus_rc rc = c->inner->engine->lag(c->inner, group, topic, left, err);
    bus_check_must(rc != BUS_OK || *left >= 0, c, "a negative lag");
    return bus_check_leave(c, rc, err);
}

static void bus_check_close(struct bus *bus) {
    struct bus_check *c = (struct bus_check *)bus;
    if (!c)
        return;
    bus_check_end_loan(c);
    c->inner->engine->close(c->inner);
    free(c->positions);
    free(c);
}

static const struct bus_engine bus_check_engine = {.name = "check",
                                                   .poll = bus_check_poll,
                                                   .put = bus_check_put,
                                                   .commit = bus_check_commit,
                                                   .undo = bus_check_undo,
                                                   .flush = bus_check_flush,
                                                   .restore = bus_check_restore,
                                                   .replay = bus_check_replay,
                                                   .lag = bus_check_lag,
                                                   .close = bus_check_close};

struct bus *bus_check(struct bus *inner, const struct bus_open *how) {
    struct bus_check *c = mem_calloc(1, sizeof *c);
    c->bus.engine = &bus_check_engine;
    c->bus.wake = inner->wake;
    c->bus.place = inner->place;
    c->inner = inner;
    c->is_reader = how->group != NULL;
    c->max_records = how->max_records;
    bus_check_must(inner->place.n > 0, c, "a bus without a place");
    return &c->bus;
}
