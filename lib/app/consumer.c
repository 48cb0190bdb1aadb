/* consumer: see consumer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer.h"

#include <assert.h>

#include "../adapter/os/clock.h"
#include "../adapter/os/stop.h"
#include "../base/escape.h"
#include "../core/deadletter.h"
#include "../core/topics.h"
#include "commit.h"

enum {
    CONSUMER_WAIT_MS = 1000, /* a poll; a signal ends it */
    CONSUMER_UNASSIGNED_MOST =
        20 /* polls in a row without a partition: more than a rebalance has */
};

void consumer_init(struct consumer *c, const struct consumer_conf *conf) {
    *c = (struct consumer){.conf = *conf, .state = CONSUMER_OPENING};
    outage_init(&c->outage, conf->log, conf->notify);
    shutdown_arm();
}

void consumer_release(struct consumer *c) {
    buf_release(&c->flow);
}

/* --- states --- */

static bool consumer_is_legal_move(enum consumer_state from, enum consumer_state to) {
    switch (to) {
    case CONSUMER_OPENING:
        return from == CONSUMER_READING || from == CONSUMER_STANDBY;
    case CONSUMER_STARTING:
        return from == CONSUMER_OPENING;
    case CONSUMER_READING:
        return from == CONSUMER_STARTING || from == CONSUMER_STANDBY;
    case CONSUMER_STANDBY:
        return from == CONSUMER_STARTING || from == CONSUMER_READING;
    case CONSUMER_LEAVING:
        return from != CONSUMER_LEAVING;
    }
    return false;
}

/* The STATUS while no outage lasts. */
static void consumer_set_status(struct consumer *c, const char *status) {
    c->outage.status = status;
    if (!c->outage.is_ongoing)
        notify_send(c->conf.notify, "READY=1\nSTATUS=%s", status);
}

static void consumer_enter(struct consumer *c, enum consumer_state state) {
    const struct log *log = c->conf.log;
    const enum consumer_state from = c->state;
    if (state == from)
        return;
    assert(consumer_is_legal_move(from, state));
    c->state = state;
    switch (state) {
    case CONSUMER_STARTING:
        c->is_fresh = true;
        c->rereads = false;
        break;
    case CONSUMER_READING:
        if (from == CONSUMER_STANDBY)
            log_info(log, "active: now reading as group %s", c->conf.open.group);
        consumer_set_status(c, c->flow.p);
        break;
    case CONSUMER_STANDBY:
        log_info(log, "standing by: another reader of group %s is active", c->conf.open.group);
        consumer_set_status(c, "standing by: another reader of the group is active");
        break;
    case CONSUMER_OPENING:
    case CONSUMER_LEAVING:
        break;
    }
}

/* --- opening --- */

static void consumer_introduce(struct consumer *c, const struct bus *bus) {
    if (!c->is_introduced)
        log_info(c->conf.log, "%s, %s", bus->place.p, c->flow.p);
    c->is_introduced = true;
}

/* BUS_RETRY: a stop was requested before the bus could be opened. */
static enum bus_rc consumer_open(struct consumer *c, struct bus **bus, struct err *err) {
    enum bus_rc rc = engines_open_bus(c->conf.settings, &c->conf.open, bus, err);
    while (rc == BUS_RETRY && !stop_asked()) {
        outage_report(&c->outage, err, outage_retrying);
        outage_sleep(&c->outage);
        rc = engines_open_bus(c->conf.settings, &c->conf.open, bus, err);
    }
    if (rc != BUS_OK)
        return rc;
    /* An outage that began while opening ends with the first poll that succeeds. */
    c->outage.place = (*bus)->place.p;
    consumer_introduce(c, *bus);
    consumer_enter(c, CONSUMER_STARTING);
    return BUS_OK;
}

/* --- one step of the loop --- */

void consumer_alive(void *ctx) {
    struct consumer *c = ctx;
    notify_alive(c->conf.notify, clock_mono_ms());
}

/* The bus answered: an outage, if one lasts, is over. After a failed turn only a turn that succeeds
 * proves that. */
static void consumer_recovered(struct consumer *c) {
    if (!c->last_turn_failed)
        outage_recovered(&c->outage);
}

static int consumer_wait_ms(const struct consumer *c) {
    if (c->rereads)
        return 0;
    if (c->state == CONSUMER_STANDBY || !c->conf.max_wait_ms)
        return CONSUMER_WAIT_MS;
    return c->conf.max_wait_ms(c->conf.ctx);
}

/* The records of a turn that failed come again, and show whether the outage is over; but not to a
 * reader whose partitions have gone to another one for good. */
static void consumer_note_partitions(struct consumer *c, size_t n) {
    c->unassigned_polls++;
    if (n > 0)
        c->unassigned_polls = 0;
    if (c->unassigned_polls >= CONSUMER_UNASSIGNED_MOST)
        c->last_turn_failed = false;
}

/* Handles what a batch reports besides its records. */
static void consumer_note_batch(struct consumer *c, const struct bus_batch *batch) {
    if (batch->lost)
        log_warn(c->conf.log,
                 "retention removed %" PRIu64 " records of %s before they were read; raise its "
                 "retention, or keep a reader running",
                 batch->lost, c->conf.open.input);
    consumer_enter(c, batch->standby ? CONSUMER_STANDBY : CONSUMER_READING);
    if (batch->standby)
        c->is_fresh = true;
    consumer_note_partitions(c, batch->n_parts);
    c->is_at_end = batch->n_parts > 0;
    for (size_t i = 0; i < batch->n_parts; i++) {
        if (!batch->parts[i].at_end)
            c->is_at_end = false;
    }
}

/* Remembers what a turn's result means for the next one. */
static enum turn_result consumer_note_result(struct consumer *c, const struct bus_batch *batch,
                                             enum turn_result result) {
    const bool failed_before = c->last_turn_failed;
    switch (result) {
    case TURN_DONE:
        c->is_fresh = false;
        if (batch->n)
            c->last_turn_failed = false;
        break;
    case TURN_REREAD:
        c->is_fresh = false;
        c->rereads = true;
        break;
    case TURN_ABORTED:
        c->is_fresh = true;
        c->last_turn_failed = true;
        /* One abort is normal; before a third attempt in a row, wait. */
        if (failed_before)
            return TURN_RETRY;
        break;
    case TURN_RETRY:
    case TURN_REOPEN:
        c->last_turn_failed = true;
        break;
    case TURN_STOP:
        break;
    }
    return result;
}

/* One poll, and the turn for what it returned. */
static enum turn_result consumer_step(struct consumer *c, struct bus *bus, struct err *err) {
    struct bus_batch batch = {0};
    const int wait_ms = consumer_wait_ms(c);
    c->rereads = false;
    c->is_at_end = false;
    consumer_alive(c);
    const enum bus_rc rc = bus->engine->poll(bus, wait_ms, &batch, err);
    if (rc == BUS_ABORTED)
        c->is_fresh = true;
    if (rc != BUS_OK)
        return consumer_result(rc);
    consumer_note_batch(c, &batch);
    const bool may_be_idle = c->conf.turns_when_idle && !batch.standby;
    if (batch.n == 0 && !may_be_idle)
        return TURN_DONE;
    const struct turn turn = {.bus = bus, .batch = &batch, .is_fresh = c->is_fresh};
    return consumer_note_result(c, &batch, c->conf.turn(c->conf.ctx, &turn, err));
}

enum consumer_verdict { CONSUMER_GOES_ON, CONSUMER_REOPENS, CONSUMER_LEFT, CONSUMER_FAILED };

/* What to do after a step that did not succeed; err says why. */
static enum consumer_verdict consumer_after_error(struct consumer *c, enum turn_result result,
                                                  struct err *err) {
    const bool is_fatal = result == TURN_REOPEN;
    /* If no poll ever succeeded, reopening the bus won't help. */
    const bool cannot_reopen = is_fatal && c->state == CONSUMER_STARTING;
    if (cannot_reopen || shutdown_is_overdue()) {
        err_prefix(err, "giving up");
        return CONSUMER_FAILED;
    }
    if (result != TURN_ABORTED) {
        outage_report(&c->outage, err, outage_retrying);
        outage_sleep(&c->outage);
    }
    if (shutdown_is_due(c->conf.shutdown, false)) {
        if (!is_fatal)
            return CONSUMER_LEFT;
        err->text[0] = '\0'; /* it has been logged already, as an outage */
        return CONSUMER_FAILED;
    }
    return is_fatal ? CONSUMER_REOPENS : CONSUMER_GOES_ON;
}

static enum consumer_verdict consumer_after(struct consumer *c, enum turn_result result,
                                            struct err *err) {
    switch (result) {
    case TURN_STOP:
        return CONSUMER_FAILED;
    case TURN_ABORTED:
    case TURN_RETRY:
    case TURN_REOPEN:
        return consumer_after_error(c, result, err);
    case TURN_DONE:
    case TURN_REREAD:
        break;
    }
    consumer_recovered(c);
    const bool is_at_end = c->is_at_end && result == TURN_DONE;
    return shutdown_is_due(c->conf.shutdown, is_at_end) ? CONSUMER_LEFT : CONSUMER_GOES_ON;
}

/* From opening the bus to closing it. */
static enum consumer_verdict consumer_session(struct consumer *c, struct err *err) {
    struct bus *bus;
    enum bus_rc rc = consumer_open(c, &bus, err);
    if (rc != BUS_OK && stop_asked())
        return CONSUMER_LEFT;
    if (rc != BUS_OK)
        return CONSUMER_FAILED;
    bus->alive = consumer_alive;
    bus->alive_ctx = c;
    enum consumer_verdict verdict;
    do {
        const enum turn_result result = consumer_step(c, bus, err);
        verdict = consumer_after(c, result, err);
    } while (verdict == CONSUMER_GOES_ON);
    c->outage.place = NULL; /* the handle owns it */
    bus->engine->close(bus);
    return verdict;
}

bool consumer_run(struct consumer *c, const char *flow, struct err *err) {
    buf_clear(&c->flow);
    escape_printable(&c->flow, span_of(flow));
    enum consumer_verdict verdict;
    do {
        consumer_enter(c, CONSUMER_OPENING);
        verdict = consumer_session(c, err);
    } while (verdict == CONSUMER_REOPENS);
    consumer_enter(c, CONSUMER_LEAVING);
    return verdict == CONSUMER_LEFT;
}

/* --- the end --- */

static void consumer_add_words(struct buf *line, const char *name) {
    for (const char *at = name; *at; at++) {
        if (*at == '_')
            buf_char(line, ' ');
        else
            buf_char(line, *at);
    }
}

void consumer_report_end(struct consumer *c, const struct total *totals) {
    BUF_LOCAL struct buf line = {0}, fields = {0};
    if (!totals) {
        notify_send(c->conf.notify, "STOPPING=1");
        return;
    }
    for (const struct total *total = totals; total->name; total++) {
        if (total > totals) {
            buf_text(&line, ", ");
            buf_char(&fields, ' ');
        }
        consumer_add_words(&line, total->name);
        buf_printf(&line, " %" PRIu64, total->value);
        buf_printf(&fields, "%s=%" PRIu64, total->name, total->value);
    }
    notify_send(c->conf.notify, "STOPPING=1\nX_DISTLOG_TOTALS=%s", fields.p);
    log_info(c->conf.log, "stopped: %s", line.p);
}

/* --- for turns --- */

enum turn_result consumer_result(enum bus_rc rc) {
    switch (rc) {
    case BUS_OK:
        return TURN_DONE;
    case BUS_ABORTED:
        return TURN_ABORTED;
    case BUS_FULL:
    case BUS_RETRY:
    case BUS_POISON:
        return TURN_RETRY;
    case BUS_FATAL:
        break;
    }
    return TURN_REOPEN;
}

enum bus_rc consumer_dead_letter(struct consumer *c, struct bus *bus, const char *topic,
                                 const struct bus_record *record, const char *reason,
                                 struct err *err) {
    const struct bus_conf *conf = conf_section(c->conf.settings, &bus_section);
    const struct deadletter letter = {.reason = reason,
                                      .topic = topic,
                                      .partition = record->partition,
                                      .offset = record->offset,
                                      .ts_ms = record->ts_ms,
                                      .key = record->key,
                                      .value = record->value};
    /* A key that the envelope would have to cut does not become the dead letter's own key. */
    struct span key = record->key;
    if (key.n > DEADLETTER_KEY_MAX)
        key = (struct span){0};
    BUF_LOCAL struct buf envelope = {0}, destination = {0};
    deadletter_write(&envelope, &letter, (size_t)conf->max_record - key.n);
    topics_dead_letters(&destination, c->conf.open.input);
    const enum bus_rc rc =
        bus->engine->put(bus, destination.p, -1, key, buf_view(&envelope), 0, err);
    if (rc != BUS_POISON)
        return rc;
    /* The dead-letter topic accepts less than bus.max_record. The stream must go on. */
    log_warn(c->conf.log,
             "dropped %s-%" PRId32 " offset %" PRId64 ": its dead letter does not fit into %s: %s",
             topic, record->partition, record->offset, destination.p, err->text);
    return BUS_OK;
}

enum bus_rc consumer_commit(struct consumer *c, struct bus *bus, struct err *err) {
    return commit_with_retries(bus, &c->outage, err);
}
