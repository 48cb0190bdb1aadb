/* alert: prints what the alerts topic brings, a line each. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */

#include "../lib/core/event.h"
#include "line.h"
#include "reader.h"

struct alert_conf {
    const char *group;
    bool from_start;
};

static const struct opt alert_rows[] = {
    OPT(struct alert_conf, STRING, group, "", .flag = "group", .arg = "NAME",
        .help =
            "go on where this consumer group left off; empty: from now on, for this reader alone"),
    OPT(struct alert_conf, BOOL, from_start, "false", .flag = "from-start", .bits = OPT_FLAG_ONLY,
        .help = "without a group: begin with the oldest alert that is there"),
};
static const struct opt_section alert_section =
    OPT_SECTION("alert", "what alert prints", alert_rows, struct alert_conf);

struct alerting {
    const struct run *run;
    struct reader reader;
    struct arena arena; /* one turn's */
    struct buf lines;
};

static void add_alert(struct buf *lines, const struct event *e) {
    struct span what = e->kind == EVENT_ALERT ? e->alert.text : (struct span){0};
    if (span_is(what, "HEARTBEAT_MISSED"))
        line_add(lines, "ALERT: Node % missed its heartbeat!\n", e->node.text);
    else if (span_is(what, "HEARTBEAT_RECOVERED"))
        line_add(lines, "ALERT: Node % is back\n", e->node.text);
    else
        line_add(lines, "%: %, %\n", e->level.text, e->node.text, e->log_id.text);
}

/* The group moves on after the lines are out: a crash may print some again, and loses none. */
static enum bus_rc turn(void *ctx, struct bus *bus, const struct bus_batch *b, struct err *err) {
    struct alerting *a = ctx;
    for (size_t i = 0; i < b->n; i++) {
        const struct bus_record *r = &b->records[i];
        struct event e;
        if (event_parse(r->value, &a->arena, &e, err) == INPUT_OK)
            add_alert(&a->lines, &e);
        else
            log_info(&a->run->log, "%s-%" PRId32 " offset %" PRId64 " is not an alert: %s",
                     a->reader.how.input, r->partition, r->offset, err->text);
    }
    arena_clear(&a->arena);
    a->reader.failed = !line_write(a->run, &a->lines);
    return a->reader.failed ? BUS_OK : reader_commit(&a->reader, bus, err);
}

static int run_alert(struct run *run) {
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    const struct alert_conf *conf = conf_section(run->conf, &alert_section);
    const char *topic = run->argc ? run->argv[0] : topics->alerts;
    struct bus_open how = {.group = conf->group, .input = topic, .from_start = conf->from_start};
    struct alerting a = {.run = run,
                         .reader = {.how = how, .flow = topic, .turn = turn, .ctx = &a}};
    daemon_init(&a.reader.daemon, run);
    int code = reader_run(&a.reader);
    arena_release(&a.arena);
    buf_release(&a.lines);
    return code;
}

const struct cmd cmd_alert = {
    .name = "alert",
    .operands = "[ALERTS]",
    .max_operands = 1,
    .topics = true,
    .summary = "print alerts as they come",
    .sections = (const struct opt_section *const[]){&alert_section, &daemon_section, NULL},
    .aliases = (const struct cmd_alias[]){{"alert_system", NULL}, {NULL, NULL}},
    .run = run_alert,
};
