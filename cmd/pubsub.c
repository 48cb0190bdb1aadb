/* pubsub: routes the nodes' records, and prints an alarm when a node goes quiet (lib/app/router).
 * Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/app/router.h"
#include "daemon.h"
#include "line.h"

struct pubsub {
    const struct run *run;
    struct consumer consumer;
    struct router router;
    struct buf lines;
};

/* The alarms are on the bus by now, so nothing is lost if standard output fails (logged). */
static void pubsub_print(struct pubsub *p) {
    const struct router *r = &p->router;
    for (size_t i = 0; i < r->n_alarms; i++)
        line_add(&p->lines, "ALERT: Node % missed its heartbeat!\n", r->alarms[i]);
    if (p->lines.n)
        line_write(p->run, &p->lines);
}

static enum turn_result pubsub_turn(void *ctx, const struct turn *turn, struct err *err) {
    struct pubsub *p = ctx;
    const enum turn_result result = router_turn(&p->router, turn, err);
    if (result == TURN_DONE)
        pubsub_print(p);
    return result;
}

static int pubsub_max_wait_ms(void *ctx) {
    const struct pubsub *p = ctx;
    return router_max_wait_ms(&p->router);
}

static struct router_topics pubsub_topics(const struct run *run) {
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    if (run->argc == 3)
        return (struct router_topics){
            .input = run->argv[0], .processed = run->argv[1], .alerts = run->argv[2]};
    return (struct router_topics){
        .input = topics->input, .processed = topics->processed, .alerts = topics->alerts};
}

static void pubsub_report_end(struct pubsub *p) {
    const uint64_t *counts = p->router.committed;
    const struct total totals[] = {{"read", counts[ROUTER_READ]},
                                   {"routed", counts[ROUTER_ROUTED]},
                                   {"alerts", counts[ROUTER_ALERTS]},
                                   {"dead_letters", counts[ROUTER_DEAD_LETTERS]},
                                   {"unregistered", counts[ROUTER_UNREGISTERED]},
                                   {NULL, 0}};
    consumer_report_end(&p->consumer, totals);
}

static enum exit_code pubsub_consume(struct pubsub *p, const struct router_topics *topics) {
    BUF_LOCAL struct buf flow = {0};
    buf_printf(&flow, "%s → %s, %s", topics->input, topics->processed, topics->alerts);
    struct consumer_conf conf = daemon_consumer_conf(p->run);
    conf.open = router_open(&p->router);
    conf.turn = pubsub_turn;
    conf.turns_when_idle = true;
    conf.max_wait_ms = pubsub_max_wait_ms;
    conf.ctx = p;
    consumer_init(&p->consumer, &conf);
    struct err err;
    const bool is_done = consumer_run(&p->consumer, flow.p, &err);
    const enum exit_code code = daemon_conclude(p->run, is_done, &err);
    pubsub_report_end(p);
    consumer_release(&p->consumer);
    return code;
}

static int pubsub_run(struct run *run) {
    if (run->argc != 0 && run->argc != 3)
        return cmd_fail(run, EXIT_USAGE, "expected all three topics, IN PROCESSED ALERTS, or none");
    struct pubsub p = {.run = run};
    const struct router_topics topics = pubsub_topics(run);
    router_init(&p.router, &p.consumer, run->conf, &run->log, &topics);
    struct err err;
    enum exit_code code = EXIT_USAGE;
    if (router_check(&p.router, &err) == 0)
        code = pubsub_consume(&p, &topics);
    else
        cmd_fail(run, EXIT_USAGE, "%s", err.text);
    router_release(&p.router);
    buf_release(&p.lines);
    return (int)code;
}

const struct cmd cmd_pubsub = {
    .name = "pubsub",
    .operands = "[IN PROCESSED ALERTS]",
    .max_operands = 3,
    .topics = true,
    .summary = "route the records of nodes, and alert when a node goes quiet",
    .sections = (const struct opt_section *const[]){&router_section, &daemon_section, NULL},
    .aliases = (const struct cmd_alias[]){{"pub_sub_model", NULL}, {NULL, NULL}},
    .run = pubsub_run,
};
