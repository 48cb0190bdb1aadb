/* redelivery: see redelivery.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "redelivery.h"

#include "../adapter/os/stop.h"
#include "../base/mem.h"
#include "../core/topics.h"
#include "commit.h"

static const char redelivery_group[] = "distlog-deadletter";

enum {
    REDELIVERY_BYTES_MAX = 64 << 20, /* of envelopes in one retry; what it holds is less */
    REDELIVERY_BATCH = 200,          /* letters sent in one transaction */
    REDELIVERY_WAIT_MS = 1000        /* a poll while another retry is running */
};

/* A letter to send again. Its strings are in redelivery.texts. */
struct redelivery_item {
    const char *name, *mark, *topic;
    int32_t partition;
    struct span key, value; /* .p NULL: null */
};

void redelivery_init(struct redelivery *r, const struct log *log) {
    *r = (struct redelivery){.log = log};
    outage_init(&r->outage, log, NULL);
    topics_state(&r->state, redelivery_group);
}

void redelivery_release(struct redelivery *r) {
    if (r->bus)
        r->bus->engine->close(r->bus);
    map_release(&r->done);
    arena_release(&r->arena);
    arena_release(&r->texts);
    buf_release(&r->state);
    buf_release(&r->topic);
    free(r->items);
}

/* --- opening --- */

static bool redelivery_on_mark(void *ctx, int32_t partition, struct span key, struct span value) {
    struct redelivery *r = ctx;
    (void)partition;
    (void)value;
    map_put(&r->done, key, r);
    return true;
}

/* Waits until no other retry owns the group. */
static enum bus_rc redelivery_wait_for_group(struct redelivery *r, struct err *err) {
    bool is_reported = false;
    while (!stop_asked()) {
        struct bus_batch batch = {0};
        const enum bus_rc rc = r->bus->engine->poll(r->bus, REDELIVERY_WAIT_MS, &batch, err);
        if (rc != BUS_OK || !batch.standby)
            return rc;
        if (!is_reported)
            log_info(r->log,
                     "waiting: another `distlog deadletter retry` is running, or was killed and "
                     "still has its lease");
        is_reported = true;
    }
    return BUS_OK;
}

enum bus_rc redelivery_open(struct redelivery *r, const struct conf *settings, bool for_retry,
                            struct err *err) {
    struct bus_open open = {0};
    if (for_retry) {
        open.group = redelivery_group;
        open.state = r->state.p;
    }
    enum bus_rc rc = engines_open_bus(settings, &open, &r->bus, err);
    if (rc == BUS_OK) {
        r->outage.place = r->bus->place.p;
        if (for_retry)
            rc = redelivery_wait_for_group(r, err);
    }
    if (rc != BUS_OK)
        return rc;
    return r->bus->engine->restore(r->bus, r->state.p, -1, redelivery_on_mark, r, err);
}

/* --- walking --- */

bool redelivery_is_letter(const char *operand) {
    return topics_letter_source(operand).p != NULL;
}

static void redelivery_parse_operand(struct redelivery *r, const char *operand) {
    struct span source = topics_letter_source(operand);
    r->only = NULL;
    if (source.p)
        r->only = operand;
    else
        source = topics_dead_letters_source(operand);
    if (!source.p)
        source = span_of(operand);
    buf_clear(&r->topic);
    topics_dead_letters(&r->topic, arena_span(&r->arena, source).p);
    arena_clear(&r->arena);
}

/* A position on the bus; or the topic alone for a record that pubsub made and could not put. */
static const char *redelivery_position(struct redelivery *r, const char *topic, int32_t partition,
                                       int64_t offset) {
    if (offset < 0)
        return topic;
    BUF_LOCAL struct buf position = {0};
    topics_position(&position, topic, partition, offset);
    return arena_span(&r->arena, buf_view(&position)).p;
}

/* A letter's key in the state topic. Topic names have no blanks, and the timestamp distinguishes
 * the letter from one at the same offset of a topic that was deleted and created again. */
static const char *redelivery_mark(struct redelivery *r, const struct bus_record *record) {
    return arena_printf(&r->arena, "%s %" PRId32 " %" PRId64 " %" PRId64, r->topic.p,
                        record->partition, record->offset, record->ts_ms);
}

/* Reads a letter. If the result is not REDELIVERY_WHOLE, err says why. */
static enum redelivery_condition redelivery_read(struct span envelope, struct arena *arena,
                                                 struct deadletter *letter, struct err *err) {
    if (deadletter_read(envelope, arena, letter, err) != 0)
        return REDELIVERY_BROKEN;
    if (letter->full_size < 0)
        return REDELIVERY_WHOLE;
    if (letter->full_size == (int64_t)letter->value.n)
        err_set(err, "incomplete: the key was too long to keep");
    else
        err_set(err, "incomplete: only the first %zu of %" PRId64 " bytes were kept",
                letter->value.n, letter->full_size);
    return REDELIVERY_CUT;
}

static bool redelivery_on_record(void *ctx, const struct bus_record *record) {
    struct redelivery *r = ctx;
    struct redelivery_letter l = {
        .name = redelivery_position(r, r->topic.p, record->partition, record->offset),
        .mark = redelivery_mark(r, record),
        .at_ms = record->ts_ms,
        .size = record->value.n};
    const bool is_done = map_remove(&r->done, span_of(l.mark)) != NULL;
    const bool is_asked_for = !r->only || strcmp(r->only, l.name) == 0;
    bool goes_on = true;
    if (is_asked_for && !is_done) {
        struct err problem;
        l.condition = redelivery_read(record->value, &r->arena, &l.letter, &problem);
        if (l.condition != REDELIVERY_WHOLE)
            l.problem = problem.text;
        if (l.condition != REDELIVERY_BROKEN)
            l.origin = redelivery_position(r, l.letter.topic, l.letter.partition, l.letter.offset);
        r->found++;
        goes_on = r->each(r->ctx, &l);
    }
    arena_clear(&r->arena);
    return goes_on && !stop_asked();
}

enum bus_rc redelivery_walk(struct redelivery *r, const char *operand, redelivery_each *each,
                            void *ctx, struct err *err) {
    redelivery_parse_operand(r, operand);
    r->each = each;
    r->ctx = ctx;
    return r->bus->engine->replay(r->bus, r->topic.p, -1, 0, -1, redelivery_on_record, r, err);
}

/* --- retrying --- */

/* The letter can't be sent and stays where it is. */
static void redelivery_keep(struct redelivery *r, const char *name, const char *problem) {
    log_warn(r->log, "cannot retry %s: %s", name, problem);
    r->kept++;
}

static struct span redelivery_copy(struct redelivery *r, struct span bytes) {
    if (!bytes.p)
        return bytes;
    return arena_span(&r->texts, bytes);
}

static bool redelivery_collect(void *ctx, const struct redelivery_letter *l) {
    struct redelivery *r = ctx;
    if (r->collected >= REDELIVERY_BYTES_MAX)
        r->has_more = true;
    if (r->has_more)
        return true;
    if (l->problem) {
        redelivery_keep(r, l->name, l->problem);
        return true;
    }
    r->collected += l->size;
    r->items = mem_room(r->items, r->n_items, &r->cap_items, sizeof *r->items);
    r->items[r->n_items++] =
        (struct redelivery_item){.name = redelivery_copy(r, span_of(l->name)).p,
                                 .mark = redelivery_copy(r, span_of(l->mark)).p,
                                 .topic = redelivery_copy(r, span_of(l->letter.topic)).p,
                                 .partition = l->letter.partition,
                                 .key = redelivery_copy(r, l->letter.key),
                                 .value = redelivery_copy(r, l->letter.value)};
    return true;
}

static enum bus_rc redelivery_put_mark(struct redelivery *r, struct span mark, struct span value,
                                       struct err *err) {
    return r->bus->engine->put(r->bus, r->state.p, -1, mark, value, 0, err);
}

/* Puts one letter's record on the partition of its key or, without a key, on its old one, and marks
 * the letter as done. *n counts the records sent. */
static enum bus_rc redelivery_send(struct redelivery *r, const struct redelivery_item *item,
                                   uint64_t *n, struct err *err) {
    const int32_t partition = item->key.p ? -1 : item->partition;
    const enum bus_rc rc =
        r->bus->engine->put(r->bus, item->topic, partition, item->key, item->value, 0, err);
    if (rc == BUS_POISON) {
        redelivery_keep(r, item->name, err->text);
        return BUS_OK;
    }
    if (rc != BUS_OK)
        return rc;
    ++*n;
    return redelivery_put_mark(r, span_of(item->mark), SPAN_LIT("sent"), err);
}

/* Sends n items in one transaction, which is not committed after a signal. */
static enum bus_rc redelivery_send_batch(struct redelivery *r, const struct redelivery_item *items,
                                         size_t n, struct err *err) {
    uint64_t sent = 0;
    for (size_t i = 0; i < n; i++) {
        if (stop_asked())
            return BUS_OK;
        const enum bus_rc rc = redelivery_send(r, &items[i], &sent, err);
        if (rc != BUS_OK)
            return rc;
    }
    const enum bus_rc rc = commit_with_retries(r->bus, &r->outage, err);
    if (rc != BUS_OK)
        return rc;
    outage_recovered(&r->outage);
    r->sent += sent;
    return BUS_OK;
}

static enum bus_rc redelivery_send_all(struct redelivery *r, struct err *err) {
    for (size_t at = 0; at < r->n_items && !stop_asked(); at += REDELIVERY_BATCH) {
        const size_t left = r->n_items - at;
        const size_t n = left < REDELIVERY_BATCH ? left : REDELIVERY_BATCH;
        const enum bus_rc rc = redelivery_send_batch(r, r->items + at, n, err);
        if (rc != BUS_OK)
            return rc;
    }
    return BUS_OK;
}

/* Removes the marks of this topic's letters that the walk did not find: they no longer exist. */
static enum bus_rc redelivery_remove_old_marks(struct redelivery *r, struct err *err) {
    const struct span topic = buf_view(&r->topic);
    struct span mark;
    void *value;
    size_t at = 0;
    while (map_next(&r->done, &at, &mark, &value)) {
        const bool is_longer = mark.n > topic.n;
        if (!is_longer || memcmp(mark.p, topic.p, topic.n) != 0 || mark.p[topic.n] != ' ')
            continue;
        const enum bus_rc rc = redelivery_put_mark(r, mark, (struct span){0}, err);
        if (rc != BUS_OK)
            return rc;
    }
    return commit_with_retries(r->bus, &r->outage, err);
}

enum bus_rc redelivery_retry(struct redelivery *r, const char *operand, struct err *err) {
    enum bus_rc rc = redelivery_walk(r, operand, redelivery_collect, r, err);
    if (rc == BUS_OK)
        rc = redelivery_send_all(r, err);
    r->n_items = 0;
    r->collected = 0;
    arena_clear(&r->texts);
    if (rc != BUS_OK || stop_asked())
        return rc;
    return redelivery_remove_old_marks(r, err);
}
