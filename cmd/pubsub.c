/* pubsub: routes what the nodes sent, and tells when one goes quiet. A turn is one poll: all that
 * follows from its records, and from the time that the bus has proved to have passed, becomes
 * visible with one commit. What did not happen (BUS_ABORTED) and what changes hands is forgotten
 * and loaded again from the bus. Owns the router. Main thread. SPDX-License-Identifier: Apache-2.0
 */

#include "../lib/adapter/os/clock.h"
#include "../lib/core/route.h"
#include "line.h"
#include "pubsub_state.h"
#include "reader.h"

/* Time stands still between two confirmations further apart than 2 s (core/registry), so ask well
 * before that; and not for each of many deadlines that are close together. */
enum { LONGEST_WAIT_MS = 500, SHORTEST_WAIT_MS = 20 };

enum count { READ, ROUTED, ALERTS, DEAD, UNREGISTERED, COUNTS };

struct pubsub {
    const struct run *run;
    const struct pubsub_conf *conf;
    struct reader reader;
    struct bus *bus; /* the turn's */
    const char *input, *topics[ROUTE_TOPICS];
    struct buf state_topic;
    size_t max_record;
    struct route route;
    struct arena arena; /* one record's */
    struct buf lines;
    uint64_t turn[COUNTS], all[COUNTS]; /* what is staged, what is committed */
    uint32_t generation;                /* whose registry is loaded */
    bool told_spread, told_unregistered;
};

/* --- writing --- */

static enum bus_rc bury(struct pubsub *p, const char *topic, const struct bus_record *record,
                        const char *reason, struct err *err) {
    p->turn[DEAD]++;
    return reader_bury(&p->reader, p->bus, topic, record, reason, err);
}

/* Puts what the router's last step led to; record: the one it was about, or NULL. What its topic
 * does not take is a dead letter: the record itself, once, or what was made of it. */
static enum bus_rc put_outs(struct pubsub *p, const struct bus_record *record, struct err *err) {
    bool buried = false;
    for (size_t i = 0; i < p->route.n; i++) {
        const struct route_out *out = &p->route.outs[i];
        const char *topic = p->topics[out->topic];
        enum bus_rc rc =
            p->bus->engine->put(p->bus, topic, out->partition, out->key, out->value, 0, err);
        if (rc == BUS_OK) {
            p->turn[ROUTED] += out->topic == ROUTE_PROCESSED;
            p->turn[ALERTS] += out->topic == ROUTE_ALERTS;
        } else if (rc == BUS_POISON && out->forwarded) {
            rc = buried ? BUS_OK : bury(p, p->input, record, err->text, err);
            buried = true;
        } else if (rc == BUS_POISON) {
            struct bus_record made = {
                .partition = -1, .offset = -1, .key = out->key, .value = out->value};
            rc = bury(p, topic, &made, err->text, err);
        }
        if (rc != BUS_OK)
            return rc;
        if (out->alarm)
            line_add(&p->lines, "ALERT: Node % missed its heartbeat!\n", out->key);
    }
    return BUS_OK;
}

/* Takes steps, route_expire or route_save, until none is left, and puts what they lead to. */
static enum bus_rc put_steps(struct pubsub *p, bool (*step)(struct route *r), struct err *err) {
    enum bus_rc rc = BUS_OK;
    while (rc == BUS_OK && step(&p->route))
        rc = put_outs(p, NULL, err);
    return rc;
}

/* --- reading --- */

static void tell_spread(struct pubsub *p) {
    struct span node = p->route.step.spread;
    if (!node.p || p->told_spread)
        return;
    p->told_spread = true;
    log_info(
        &p->run->log,
        "records of node %.*s come on several partitions of %s: its alarms go by the one that is"
        " behind. Key records by node_id; after partitions were added, have the nodes register"
        " again (said for the first node only)",
        SPAN_ARG(node), p->input);
}

static enum bus_rc unregistered(struct pubsub *p, const struct bus_record *record,
                                const struct event *e, struct err *err) {
    bool dead = strcmp(p->conf->unregistered, "dead_letter") == 0;
    p->turn[UNREGISTERED]++;
    if (!p->told_unregistered)
        log_info(&p->run->log,
                 "node %.*s is not registered: such records are %s. A node registers first, under "
                 "the key of its"
                 " records, its node_id (said for the first node only; pubsub.unregistered)",
                 SPAN_ARG(e->node.text), dead ? "dead letters" : "dropped");
    p->told_unregistered = true;
    return dead ? bury(p, p->input, record, "the node is not registered", err) : BUS_OK;
}

/* 0, or -1 with err: what no node may send. */
static int judge(const struct pubsub *p, struct span value, struct arena *arena, struct event *e,
                 struct err *err) {
    enum { FIXED = 512 }; /* the rest of an alert */
    if (event_parse(value, arena, e, err) != INPUT_OK || event_of_node(e, err) != INPUT_OK)
        return -1;
    /* An alert has the id three times, and once more as its key. */
    if (e->kind == EVENT_REGISTRATION &&
        24 * e->node.text.n + 6 * e->service.text.n + FIXED > p->max_record)
        return err_set(
            err, "node_id and service_name are so long that alerts would exceed bus.max_record");
    return 0;
}

static enum bus_rc handle(struct pubsub *p, const struct bus_record *record, int64_t now_ms,
                          struct err *err) {
    struct registry_at at = {record->partition, record->offset, record->ts_ms, now_ms};
    struct event e;
    arena_clear(&p->arena);
    p->turn[READ]++;
    registry_pass(p->route.registry, &at);
    enum bus_rc rc = put_steps(p, route_expire, err);
    if (rc != BUS_OK)
        return rc;
    if (judge(p, record->value, &p->arena, &e, err) != 0)
        return bury(p, p->input, record, err->text, err);
    bool routed = route_record(&p->route, &e, record->key.p ? record->key : e.node.text, &at);
    tell_spread(p);
    return routed ? put_outs(p, record, err) : unregistered(p, record, &e, err);
}

/* --- a turn --- */

/* Takes over the partitions of b: their nodes are loaded, and their records polled again. */
static enum bus_rc take_over(struct pubsub *p, const struct bus_batch *b, struct err *err) {
    uint64_t garbage;
    p->reader.again = true;
    p->generation = b->generation;
    if (b->n)
        p->bus->engine->undo(p->bus);
    enum bus_rc rc =
        pubsub_load(p->bus, p->state_topic.p, p->input, b, p->route.registry, &garbage, err);
    p->reader.fresh = rc != BUS_OK;
    if (rc == BUS_OK && garbage)
        log_info(&p->run->log, "%" PRIu64 " records of %s made no sense and were passed over",
                 garbage, p->state_topic.p);
    return rc;
}

/* All that follows from a batch, up to the commit. */
static enum bus_rc work(struct pubsub *p, const struct bus_batch *b, struct err *err) {
    enum bus_rc rc = BUS_OK;
    memset(p->turn, 0, sizeof p->turn);
    buf_clear(&p->lines);
    for (size_t i = 0; i < b->n && rc == BUS_OK; i++)
        rc = handle(p, &b->records[i], b->now_ms, err);
    if (rc != BUS_OK)
        return rc;
    for (size_t i = 0; i < b->n_parts; i++) {
        const struct bus_part *part = &b->parts[i];
        if (part->at_end)
            registry_confirm(p->route.registry, part->partition, part->asked_ms,
                             part->watermark_ms);
    }
    rc = put_steps(p, route_expire, err);
    if (rc != BUS_OK || !(b->n || p->turn[ALERTS] || p->turn[ROUTED] || p->turn[DEAD]))
        return rc;
    rc = put_steps(p, route_save, err);
    return rc == BUS_OK ? reader_commit(&p->reader, p->bus, err) : rc;
}

static enum bus_rc turn(void *ctx, struct bus *bus, const struct bus_batch *b, struct err *err) {
    struct pubsub *p = ctx;
    p->bus = bus;
    if (p->reader.fresh || b->generation != p->generation)
        return take_over(p, b, err);
    enum bus_rc rc = work(p, b, err);
    if (rc != BUS_OK)
        return rc;
    for (size_t i = 0; i < COUNTS; i++)
        p->all[i] += p->turn[i];
    if (p->lines.n)
        line_write(p->run, &p->lines); /* says itself what went wrong; the alerts are in the bus */
    int64_t next = registry_next(p->route.registry);
    p->reader.wait_ms = next < 0 || next > LONGEST_WAIT_MS ? LONGEST_WAIT_MS
                        : next < SHORTEST_WAIT_MS          ? SHORTEST_WAIT_MS
                                                           : (int)next;
    return BUS_OK;
}

/* --- the command --- */

/* 0, or -1 with err: what can't be meant. */
static int check(const struct pubsub *p, struct err *err) {
    const struct pubsub_conf *c = p->conf;
    if (p->run->argc != 0 && p->run->argc != 3)
        return err_set(err, "name all three topics, IN PROCESSED ALERTS, or none");
    if (c->registry.forget && c->registry.forget <= c->registry.timeout + c->registry.grace)
        return err_set(err, "pubsub.forget_after: expected 0 or more than heartbeat_timeout and"
                            " heartbeat_grace together");
    for (size_t i = 0; i < ROUTE_TOPICS; i++)
        if (strcmp(p->input, p->topics[i]) == 0)
            return err_set(err, "the topic %s would be read and written", p->input);
    return 0;
}

static void setup(struct pubsub *p, struct run *run) {
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    const struct bus_conf *bus = conf_section(run->conf, &bus_section);
    bool named = run->argc == 3;
    *p = (struct pubsub){
        .run = run,
        .conf = conf_section(run->conf, &pubsub_section),
        .reader = {.wait_ms = LONGEST_WAIT_MS, .idle = true, .turn = turn, .ctx = p}};
    p->input = named ? run->argv[0] : topics->input;
    buf_printf(&p->state_topic, "%s.state", p->conf->group);
    p->topics[ROUTE_PROCESSED] = named ? run->argv[1] : topics->processed;
    p->topics[ROUTE_ALERTS] = named ? run->argv[2] : topics->alerts;
    p->topics[ROUTE_STATE] = p->state_topic.p;
    p->max_record = (size_t)bus->max_record;
    struct route_conf conf = {.forward_unknown = strcmp(p->conf->unregistered, "forward") == 0,
                              .style = pubsub_style(p->conf),
                              .offset_s = clock_offset_s};
    route_init(&p->route, &conf, pubsub_registry(p->conf));
    p->reader.how = (struct bus_open){
        .group = p->conf->group, .input = p->input, .state = p->topics[ROUTE_STATE]};
    daemon_init(&p->reader.daemon, run);
}

static int run_pubsub(struct run *run) {
    struct pubsub p;
    struct err err;
    BUF_LOCAL struct buf flow = {0};
    int code = EXIT_USAGE;
    setup(&p, run);
    buf_printf(&flow, "%s → %s, %s", p.input, p.topics[ROUTE_PROCESSED], p.topics[ROUTE_ALERTS]);
    p.reader.flow = flow.p;
    if (check(&p, &err) == 0) {
        code = reader_run(&p.reader);
        /* `up` reads this line: "name N" pairs. */
        log_info(&run->log,
                 "stopped: read %" PRIu64 ", routed %" PRIu64 ", alerts %" PRIu64
                 ", dead letters %" PRIu64 ", unregistered %" PRIu64,
                 p.all[READ], p.all[ROUTED], p.all[ALERTS], p.all[DEAD], p.all[UNREGISTERED]);
    } else
        log_info(&run->log, "%s", err.text);
    route_release(&p.route);
    arena_release(&p.arena);
    buf_release(&p.lines);
    buf_release(&p.state_topic);
    return code;
}

const struct cmd cmd_pubsub = {
    .name = "pubsub",
    .operands = "[IN PROCESSED ALERTS]",
    .max_operands = 3,
    .topics = true,
    .summary = "route records of nodes, and tell when a node goes quiet",
    .sections = (const struct opt_section *const[]){&pubsub_section, &daemon_section, NULL},
    .aliases = (const struct cmd_alias[]){{"pub_sub_model", NULL}, {NULL, NULL}},
    .run = run_pubsub,
};
