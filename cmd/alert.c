/* alert: prints the records of the alerts topic, a line each. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/core/event.h"
#include "daemon.h"
#include "line.h"

struct alert_conf {
    const char *group;
    bool from_start;
};

static const struct opt alert_rows[] = {
    OPT(struct alert_conf, STRING, group, "", .flag = "group", .arg = "NAME",
        .help = "consumer group to resume; empty: print new alerts only, and store no position"),
    OPT(struct alert_conf, BOOL, from_start, "false", .flag = "from-start", .bits = OPT_FLAG_ONLY,
        .help = "without a group: start with the oldest alert on the bus"),
};
static const struct opt_section alert_section =
    OPT_SECTION("alert", "what alert prints", alert_rows, struct alert_conf);

struct alerting {
    const struct run *run;
    const char *input;
    struct consumer consumer;
    struct arena arena; /* one turn's */
    struct buf lines;
};

static void alert_add_line(struct buf *lines, const struct event *e) {
    struct span what = {0};
    if (e->kind == EVENT_ALERT)
        what = e->alert.text;
    if (span_is(what, "HEARTBEAT_MISSED"))
        line_add(lines, "ALERT: Node % missed its heartbeat!\n", e->node.text);
    else if (span_is(what, "HEARTBEAT_RECOVERED"))
        line_add(lines, "ALERT: Node % is back\n", e->node.text);
    else
        line_add(lines, "%: %, %\n", e->level.text, e->node.text, e->log_id.text);
}

static void alert_add_record(struct alerting *a, const struct bus_record *record) {
    struct event e;
    struct err err;
    if (event_parse(record->value, &a->arena, &e, &err) == INPUT_OK)
        alert_add_line(&a->lines, &e);
    else
        log_warn(&a->run->log,
                 "skipped %s-%" PRId32 " offset %" PRId64 ", which is not an alert: %s", a->input,
                 record->partition, record->offset, err.text);
}

/* Commits after the lines are printed: a crash may repeat some of them, but loses none. */
static enum turn_result alert_turn(void *ctx, const struct turn *turn, struct err *err) {
    struct alerting *a = ctx;
    const struct bus_batch *batch = turn->batch;
    for (size_t i = 0; i < batch->n; i++)
        alert_add_record(a, &batch->records[i]);
    arena_clear(&a->arena);
    if (!line_write(a->run, &a->lines)) {
        err_set(err, "%s", ""); /* line_write has logged why */
        return TURN_STOP;
    }
    return consumer_result(consumer_commit(&a->consumer, turn->bus, err));
}

static int alert_run(struct run *run) {
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    const struct alert_conf *conf = conf_section(run->conf, &alert_section);
    const char *input = run->argc ? run->argv[0] : topics->alerts;
    struct alerting a = {.run = run, .input = input};
    struct consumer_conf consumer = daemon_consumer_conf(run);
    consumer.open =
        (struct bus_open){.group = conf->group, .input = input, .from_start = conf->from_start};
    consumer.turn = alert_turn;
    consumer.ctx = &a;
    consumer_init(&a.consumer, &consumer);
    struct err err;
    const bool is_done = consumer_run(&a.consumer, input, &err);
    const enum exit_code code = daemon_conclude(run, is_done, &err);
    consumer_report_end(&a.consumer, NULL);
    consumer_release(&a.consumer);
    arena_release(&a.arena);
    buf_release(&a.lines);
    return (int)code;
}

const struct cmd cmd_alert = {
    .name = "alert",
    .operands = "[ALERTS]",
    .max_operands = 1,
    .topics = true,
    .summary = "print alerts as they arrive",
    .sections = (const struct opt_section *const[]){&alert_section, &daemon_section, NULL},
    .aliases = (const struct cmd_alias[]){{"alert_system", NULL}, {NULL, NULL}},
    .run = alert_run,
};
