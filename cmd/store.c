/* store: puts the processed records into the searchable index (lib/app/indexer), and prints a line
 * for each. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/adapter/os/stop.h"
#include "../lib/app/indexer.h"
#include "daemon.h"
#include "line.h"

struct storing {
    const struct run *run;
    struct consumer consumer;
    struct indexer indexer;
    bool is_quiet;
    struct buf stored, refused; /* lines of one turn */
};

static void store_add_line(void *ctx, const struct store_doc *doc) {
    struct storing *s = ctx;
    if (doc->verdict == STORE_POISON)
        line_add(&s->refused, "Error storing log: %\n", span_of(doc->reason));
    else if (doc->log_id.p)
        line_add(&s->stored, "Log stored successfully: %, %, %\n", doc->node, doc->log_id,
                 doc->level);
    else
        line_add(&s->stored, "Log stored successfully: %, %\n", doc->node, doc->type);
}

/* Stored documents are in the index whether or not the turn succeeds; refused ones come again
 * unless it does. */
static enum turn_result store_turn(void *ctx, const struct turn *turn, struct err *err) {
    struct storing *s = ctx;
    buf_clear(&s->stored);
    buf_clear(&s->refused);
    const enum turn_result result = indexer_turn(&s->indexer, turn, err);
    if (result == TURN_DONE)
        buf_span(&s->stored, buf_view(&s->refused));
    if (!s->is_quiet && !line_write(s->run, &s->stored)) {
        err_set(err, "%s", ""); /* line_write has logged why */
        return TURN_STOP;
    }
    return result;
}

static enum exit_code store_consume(struct storing *s) {
    struct err err;
    const enum store_rc rc = indexer_open_store(&s->indexer, &err);
    if (rc != STORE_OK && stop_asked())
        return EXIT_DONE;
    if (rc != STORE_OK) {
        cmd_fail(s->run, EXIT_FAILED, "%s", err.text);
        return EXIT_FAILED;
    }
    BUF_LOCAL struct buf flow = {0};
    buf_printf(&flow, "%s → %s", s->indexer.conf.input, s->indexer.store->place.p);
    const bool is_done = consumer_run(&s->consumer, flow.p, &err);
    /* So that a command after `store --no-follow` finds the documents. */
    if (is_done)
        indexer_refresh(&s->indexer);
    return daemon_conclude(s->run, is_done, &err);
}

static void store_report_end(struct storing *s) {
    const struct total totals[] = {{"stored", s->indexer.stored},
                                   {"already_there", s->indexer.existing},
                                   {"dead_letters", s->indexer.dead_letters},
                                   {NULL, 0}};
    consumer_report_end(&s->consumer, totals);
}

static int store_run(struct run *run) {
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    const struct store_conf *conf = conf_section(run->conf, &store_section);
    if (!*conf->group)
        return cmd_fail(run, EXIT_USAGE, "store.group: expected a name, got none");
    struct storing s = {.run = run, .is_quiet = conf->quiet};
    const struct indexer_conf indexer = {.settings = run->conf,
                                         .log = &run->log,
                                         .notify = run->notify,
                                         .group = conf->group,
                                         .input = run->argc ? run->argv[0] : topics->processed,
                                         .each = conf->quiet ? NULL : store_add_line,
                                         .ctx = &s};
    indexer_init(&s.indexer, &s.consumer, &indexer);
    struct consumer_conf consumer = daemon_consumer_conf(run);
    consumer.open = indexer_open(&s.indexer);
    consumer.turn = store_turn;
    consumer.ctx = &s;
    consumer_init(&s.consumer, &consumer);
    const enum exit_code code = store_consume(&s);
    indexer_release(&s.indexer);
    store_report_end(&s);
    consumer_release(&s.consumer);
    buf_release(&s.stored);
    buf_release(&s.refused);
    return (int)code;
}

const struct cmd cmd_store = {
    .name = "store",
    .operands = "[PROCESSED]",
    .max_operands = 1,
    .topics = true,
    .summary = "store the processed records in the searchable index",
    .sections = (const struct opt_section *const[]){&store_section, &daemon_section, NULL},
    .aliases = (const struct cmd_alias[]){{"log_storage", NULL}, {NULL, NULL}},
    .run = store_run,
};
