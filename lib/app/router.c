/* router: see router.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "router.h"

#include "../adapter/os/clock.h"
#include "../base/mem.h"
#include "../core/topics.h"

/* Time stands still between confirmations that are more than 2 s apart (core/registry), so poll
 * well before that; but not for each of many deadlines that are close together. */
enum { ROUTER_MAX_WAIT_MS = 500, ROUTER_MIN_WAIT_MS = 20 };

void router_init(struct router *r, struct consumer *consumer, const struct conf *settings,
                 const struct log *log, const struct router_topics *topics) {
    const struct router_conf *conf = conf_section(settings, &router_section);
    const struct bus_conf *bus = conf_section(settings, &bus_section);
    *r = (struct router){.consumer = consumer,
                         .log = log,
                         .conf = conf,
                         .input = topics->input,
                         .max_record = (size_t)bus->max_record};
    topics_state(&r->state, conf->group);
    r->outputs[ROUTE_PROCESSED] = topics->processed;
    r->outputs[ROUTE_ALERTS] = topics->alerts;
    r->outputs[ROUTE_STATE] = r->state.p;
    const struct route_conf route = {.forward_unknown = strcmp(conf->unregistered, "forward") == 0,
                                     .style = router_style(conf),
                                     .offset_s = clock_offset_s};
    route_init(&r->route, &route, router_registry(conf));
}

void router_release(struct router *r) {
    route_release(&r->route);
    arena_release(&r->record);
    arena_release(&r->turn);
    buf_release(&r->state);
    free(r->alarms);
}

int router_check(const struct router *r, struct err *err) {
    const struct registry_conf *c = &r->conf->registry;
    if (c->forget && c->forget <= c->timeout + c->grace)
        return err_set(err, "pubsub.forget_after: expected 0 or more than heartbeat_timeout and"
                            " heartbeat_grace together");
    for (size_t i = 0; i < ROUTE_TOPICS; i++) {
        if (strcmp(r->input, r->outputs[i]) == 0)
            return err_set(err, "topic %s is both read and written; choose different topics",
                           r->input);
    }
    return 0;
}

struct bus_open router_open(const struct router *r) {
    return (struct bus_open){.group = r->conf->group, .input = r->input, .state = r->state.p};
}

int router_max_wait_ms(const struct router *r) {
    const int64_t next_ms = registry_next_due_ms(r->route.registry);
    if (next_ms < 0 || next_ms > ROUTER_MAX_WAIT_MS)
        return ROUTER_MAX_WAIT_MS;
    if (next_ms < ROUTER_MIN_WAIT_MS)
        return ROUTER_MIN_WAIT_MS;
    return (int)next_ms;
}

/* --- writing --- */

static enum bus_rc router_dead_letter(struct router *r, struct bus *bus, const char *topic,
                                      const struct bus_record *record, const char *reason,
                                      struct err *err) {
    r->staged[ROUTER_DEAD_LETTERS]++;
    return consumer_dead_letter(r->consumer, bus, topic, record, reason, err);
}

/* A record was put. */
static void router_note_put(struct router *r, const struct route_out *out) {
    if (out->topic == ROUTE_PROCESSED)
        r->staged[ROUTER_ROUTED]++;
    if (out->topic == ROUTE_ALERTS)
        r->staged[ROUTER_ALERTS]++;
}

static void router_add_alarm(struct router *r, struct span node) {
    r->alarms = mem_room(r->alarms, r->n_alarms, &r->cap_alarms, sizeof *r->alarms);
    r->alarms[r->n_alarms++] = arena_span(&r->turn, node);
}

/* Puts the output of the route's last step. record: the input of that step, or NULL. What a topic
 * refuses becomes a dead letter: the record itself, once, or the record that was made from it. */
static enum bus_rc router_put(struct router *r, struct bus *bus, const struct bus_record *record,
                              struct err *err) {
    bool is_dead = false; /* record has its dead letter */
    for (size_t i = 0; i < r->route.n; i++) {
        const struct route_out *out = &r->route.outs[i];
        const char *topic = r->outputs[out->topic];
        enum bus_rc rc = bus->engine->put(bus, topic, out->partition, out->key, out->value, 0, err);
        if (rc == BUS_OK) {
            router_note_put(r, out);
        } else if (rc == BUS_POISON && !out->forwarded) {
            const struct bus_record made = {
                .partition = -1, .offset = -1, .key = out->key, .value = out->value};
            rc = router_dead_letter(r, bus, topic, &made, err->text, err);
        } else if (rc == BUS_POISON && !is_dead) {
            rc = router_dead_letter(r, bus, r->input, record, err->text, err);
            is_dead = true;
        } else if (rc == BUS_POISON) {
            rc = BUS_OK;
        }
        if (rc != BUS_OK)
            return rc;
        if (out->alarm)
            router_add_alarm(r, out->key);
    }
    return BUS_OK;
}

/* Repeats a step, route_expire or route_save, until it has nothing to do, and puts its output. */
static enum bus_rc router_put_steps(struct router *r, struct bus *bus,
                                    bool (*step)(struct route *route), struct err *err) {
    while (step(&r->route)) {
        const enum bus_rc rc = router_put(r, bus, NULL, err);
        if (rc != BUS_OK)
            return rc;
    }
    return BUS_OK;
}

/* --- one record --- */

static void router_warn_multi_partition(struct router *r) {
    const struct span node = r->route.step.multi_partition;
    if (!node.p || r->warned_multi_partition)
        return;
    r->warned_multi_partition = true;
    log_warn(r->log,
             "records of node %.*s arrive on several partitions of %s, so its alerts follow the "
             "slowest of these. Key records by node_id; after adding partitions, have the nodes "
             "register again (logged for the first such node only)",
             SPAN_ARG(node), r->input);
}

static enum bus_rc router_unregistered(struct router *r, struct bus *bus,
                                       const struct bus_record *record, const struct event *e,
                                       struct err *err) {
    const bool keeps_letter = strcmp(r->conf->unregistered, "dead_letter") == 0;
    r->staged[ROUTER_UNREGISTERED]++;
    if (!r->warned_unregistered)
        log_warn(r->log,
                 "node %.*s is not registered: records of such nodes %s (pubsub.unregistered). A "
                 "node must first send a REGISTRATION with the key of its other records, its "
                 "node_id (logged for the first such node only)",
                 SPAN_ARG(e->node.text), keeps_letter ? "become dead letters" : "are dropped");
    r->warned_unregistered = true;
    if (!keeps_letter)
        return BUS_OK;
    return router_dead_letter(r, bus, r->input, record, "the node is not registered", err);
}

/* 0, or -1 with err: not a record that a node may send. */
static int router_parse(struct router *r, struct span value, struct event *e, struct err *err) {
    enum { REST_OF_ALERT = 512 }; /* bytes */
    if (event_parse(value, &r->record, e, err) != INPUT_OK || event_check_node(e, err) != INPUT_OK)
        return -1;
    if (e->kind != EVENT_REGISTRATION)
        return 0;
    /* An alert has the id in three members and in its key; escaped, a byte can take six. */
    const size_t alert_max = 24 * e->node.text.n + 6 * e->service.text.n + REST_OF_ALERT;
    if (alert_max > r->max_record)
        return err_set(err, "node_id and service_name are too long: an alert about the node would "
                            "exceed bus.max_record");
    return 0;
}

static enum bus_rc router_handle(struct router *r, struct bus *bus, const struct bus_record *record,
                                 int64_t now_ms, struct err *err) {
    const struct registry_at at = {record->partition, record->offset, record->ts_ms, now_ms};
    arena_clear(&r->record);
    r->staged[ROUTER_READ]++;
    /* Deadlines that passed before this record are reported before its own consequences. */
    registry_advance(r->route.registry, &at);
    const enum bus_rc rc = router_put_steps(r, bus, route_expire, err);
    if (rc != BUS_OK)
        return rc;
    struct event e;
    if (router_parse(r, record->value, &e, err) != 0)
        return router_dead_letter(r, bus, r->input, record, err->text, err);
    const struct span key = record->key.p ? record->key : e.node.text;
    const bool is_known = route_record(&r->route, &e, key, &at);
    router_warn_multi_partition(r);
    if (!is_known)
        return router_unregistered(r, bus, record, &e, err);
    return router_put(r, bus, record, err);
}

/* --- a turn --- */

/* Takes over the partitions of the batch: loads their nodes and has their records polled again. */
static enum turn_result router_take_over(struct router *r, const struct turn *turn,
                                         struct err *err) {
    uint64_t invalid;
    r->is_loaded = false;
    r->generation = turn->batch->generation;
    if (turn->batch->n)
        turn->bus->engine->undo(turn->bus);
    const enum bus_rc rc =
        router_load(turn->bus, r->state.p, r->input, turn->batch, r->route.registry, &invalid, err);
    if (rc != BUS_OK)
        return consumer_result(rc);
    r->is_loaded = true;
    if (invalid)
        log_warn(r->log, "skipped %" PRIu64 " invalid records of the state topic %s", invalid,
                 r->state.p);
    return TURN_REREAD;
}

static void router_begin_turn(struct router *r) {
    memset(r->staged, 0, sizeof r->staged);
    arena_clear(&r->turn);
    r->n_alarms = 0;
}

/* Advances the registry's time where the bus has confirmed that nothing is left to read. */
static void router_confirm(struct router *r, const struct bus_batch *batch) {
    for (size_t i = 0; i < batch->n_parts; i++) {
        const struct bus_part *part = &batch->parts[i];
        if (part->at_end)
            registry_confirm(r->route.registry, part->partition, part->asked_ms,
                             part->watermark_ms);
    }
}

/* Handles a batch and commits its consequences. Without records and without consequences there is
 * nothing to commit. */
static enum bus_rc router_work(struct router *r, const struct turn *turn, struct err *err) {
    struct bus *bus = turn->bus;
    const struct bus_batch *batch = turn->batch;
    for (size_t i = 0; i < batch->n; i++) {
        const enum bus_rc rc = router_handle(r, bus, &batch->records[i], batch->now_ms, err);
        if (rc != BUS_OK)
            return rc;
    }
    router_confirm(r, batch);
    enum bus_rc rc = router_put_steps(r, bus, route_expire, err);
    if (rc != BUS_OK)
        return rc;
    const uint64_t n_puts =
        r->staged[ROUTER_ROUTED] + r->staged[ROUTER_ALERTS] + r->staged[ROUTER_DEAD_LETTERS];
    if (batch->n == 0 && n_puts == 0)
        return BUS_OK;
    rc = router_put_steps(r, bus, route_save, err);
    if (rc != BUS_OK)
        return rc;
    return consumer_commit(r->consumer, bus, err);
}

enum turn_result router_turn(struct router *r, const struct turn *turn, struct err *err) {
    const bool is_changed = !r->is_loaded || turn->batch->generation != r->generation;
    if (turn->is_fresh || is_changed)
        return router_take_over(r, turn, err);
    router_begin_turn(r);
    const enum bus_rc rc = router_work(r, turn, err);
    if (rc != BUS_OK)
        return consumer_result(rc);
    for (size_t i = 0; i < ROUTER_COUNTS; i++)
        r->committed[i] += r->staged[i];
    return TURN_DONE;
}
