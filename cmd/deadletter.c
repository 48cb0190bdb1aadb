/* deadletter: lists, shows and retries the records that could not be delivered
 * (lib/app/redelivery). Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/app/redelivery.h"
#include "../lib/base/datetime.h"
#include "daemon.h"
#include "line.h"

enum { DEADLETTER_FLUSH_BYTES = 64 * 1024 }; /* a long list is written in pieces of this size */

struct deadletter_conf {
    bool raw;
};

static const struct opt deadletter_rows[] = {
    OPT(struct deadletter_conf, BOOL, raw, "false", .flag = "raw", .bits = OPT_FLAG_ONLY,
        .help = "show prints the bytes of the record only"),
};
static const struct opt_section deadletter_section =
    OPT_SECTION("deadletter", "what deadletter prints", deadletter_rows, struct deadletter_conf);

enum deadletter_verb { DEADLETTER_LIST, DEADLETTER_SHOW, DEADLETTER_RETRY, DEADLETTER_NO_VERB };

struct deadletter_run {
    const struct run *run;
    enum deadletter_verb verb;
    const char *operand; /* a topic or a letter; NULL: the topics of pubsub and store */
    bool raw;
    struct redelivery redelivery;
    struct buf lines;
    bool failed; /* the reason was logged */
};

/* --- what is printed --- */

static void deadletter_add_time(struct buf *lines, int64_t ms) {
    datetime_format(lines, ms, clock_offset_s(ms), DATETIME_RFC3339);
}

static void deadletter_flush(struct deadletter_run *d) {
    if (!line_write(d->run, &d->lines))
        d->failed = true;
}

static bool deadletter_list(void *ctx, const struct redelivery_letter *l) {
    struct deadletter_run *d = ctx;
    const bool is_broken = l->condition == REDELIVERY_BROKEN;
    struct span origin = SPAN_LIT("-"), key = origin, reason = span_of(l->problem);
    if (!is_broken) {
        origin = span_of(l->origin);
        reason = span_of(l->letter.reason);
    }
    if (!is_broken && l->letter.key.p)
        key = l->letter.key;
    line_add(&d->lines, "%\t", span_of(l->name));
    deadletter_add_time(&d->lines, l->at_ms);
    line_add(&d->lines, "\t%\t%\t%\n", origin, key, reason);
    if (d->lines.n >= DEADLETTER_FLUSH_BYTES)
        deadletter_flush(d);
    return !d->failed;
}

static struct span deadletter_or_null(struct span bytes) {
    if (bytes.p)
        return bytes;
    return SPAN_LIT("(null)");
}

static void deadletter_add_letter(struct buf *lines, const struct redelivery_letter *l) {
    line_add(lines, "letter  %, ", span_of(l->name));
    deadletter_add_time(lines, l->at_ms);
    line_add(lines, "\nreason  %\norigin  %", span_of(l->letter.reason), span_of(l->origin));
    if (l->letter.offset >= 0) {
        buf_text(lines, ", ");
        deadletter_add_time(lines, l->letter.ts_ms);
    }
    line_add(lines, "\nkey     %\n\n%\n", deadletter_or_null(l->letter.key),
             deadletter_or_null(l->letter.value));
}

static bool deadletter_show(void *ctx, const struct redelivery_letter *l) {
    struct deadletter_run *d = ctx;
    if (l->problem)
        log_warn(&d->run->log, "%s: %s", l->name, l->problem);
    d->failed = l->condition == REDELIVERY_BROKEN;
    if (d->failed)
        return false;
    if (d->raw)
        buf_span(&d->lines, l->letter.value);
    else
        deadletter_add_letter(&d->lines, l);
    return true;
}

/* --- the command --- */

static enum bus_rc deadletter_handle(struct deadletter_run *d, const char *operand,
                                     struct err *err) {
    struct redelivery *r = &d->redelivery;
    if (d->verb == DEADLETTER_RETRY)
        return redelivery_retry(r, operand, err);
    redelivery_each *each = d->verb == DEADLETTER_LIST ? deadletter_list : deadletter_show;
    return redelivery_walk(r, operand, each, d, err);
}

/* Opens the bus and handles the operand or, without one, the dead letters of pubsub and store. */
static enum bus_rc deadletter_handle_all(struct deadletter_run *d, struct err *err) {
    const struct topics_conf *topics = conf_section(d->run->conf, &topics_section);
    const char *operands[] = {topics->input, topics->processed, NULL};
    if (d->operand) {
        operands[0] = d->operand;
        operands[1] = NULL;
    }
    enum bus_rc rc =
        redelivery_open(&d->redelivery, d->run->conf, d->verb == DEADLETTER_RETRY, err);
    for (size_t i = 0; operands[i]; i++) {
        if (rc != BUS_OK || d->failed || stop_asked())
            break;
        rc = deadletter_handle(d, operands[i], err);
    }
    return rc;
}

/* Logs the result. Returns the exit code. */
static enum exit_code deadletter_conclude(const struct deadletter_run *d) {
    const struct log *log = &d->run->log;
    const struct redelivery *r = &d->redelivery;
    const bool found_none = !r->found && !d->failed && !stop_asked();
    if (found_none && r->only)
        log_info(log, "no dead letter %s", r->only);
    else if (found_none)
        log_info(log, "no dead letters");
    if (r->kept)
        log_warn(log,
                 "%" PRIu64 " records could not be retried and remain in the dead-letter queue",
                 r->kept);
    if (stop_asked())
        log_warn(log, "interrupted before the end");
    else if (r->has_more)
        log_warn(log, "more dead letters remain; run `distlog deadletter retry` again");
    const bool is_missing = found_none && r->only;
    const bool is_incomplete = r->kept || r->has_more || stop_asked();
    if (d->failed || is_missing || is_incomplete)
        return EXIT_FAILED;
    return EXIT_DONE;
}

static enum exit_code deadletter_execute(struct deadletter_run *d) {
    struct err err;
    if (deadletter_handle_all(d, &err) != BUS_OK) {
        cmd_fail(d->run, EXIT_FAILED, "%s", err.text);
        d->failed = true;
    }
    if (d->verb == DEADLETTER_RETRY)
        buf_printf(&d->lines, "Retried dead letters: %" PRIu64 "\n", d->redelivery.sent);
    if (d->lines.n)
        deadletter_flush(d);
    return deadletter_conclude(d);
}

static enum deadletter_verb deadletter_verb(const char *text) {
    static const char *const verbs[] = {
        [DEADLETTER_LIST] = "list", [DEADLETTER_SHOW] = "show", [DEADLETTER_RETRY] = "retry"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(text, verbs[i]) == 0)
            return (enum deadletter_verb)i;
    }
    return DEADLETTER_NO_VERB;
}

/* False: the operands are invalid (logged). */
static bool deadletter_check_operands(const struct deadletter_run *d) {
    const struct log *log = &d->run->log;
    if (d->verb == DEADLETTER_NO_VERB) {
        log_error(log, "unknown action '%s'; expected list, show or retry", d->run->argv[0]);
        return false;
    }
    const bool names_letter = d->operand && redelivery_is_letter(d->operand);
    if (d->verb == DEADLETTER_SHOW && !names_letter) {
        log_error(log, "show: missing LETTER; run `distlog deadletter list` for the names");
        return false;
    }
    return true;
}

static int deadletter_main(struct run *run) {
    const struct deadletter_conf *conf = conf_section(run->conf, &deadletter_section);
    struct deadletter_run d = {.run = run,
                               .verb = deadletter_verb(run->argv[0]),
                               .operand = run->argv[1],
                               .raw = conf->raw};
    if (!deadletter_check_operands(&d))
        return EXIT_USAGE;
    if (!daemon_has_bus(run))
        return EXIT_FAILED;
    shutdown_arm();
    redelivery_init(&d.redelivery, &run->log);
    const enum exit_code code = deadletter_execute(&d);
    redelivery_release(&d.redelivery);
    buf_release(&d.lines);
    return (int)code;
}

const struct cmd cmd_deadletter = {
    .name = "deadletter",
    .operands = "list|show|retry [TOPIC|LETTER]",
    .min_operands = 1,
    .max_operands = 2,
    .topics = true,
    .summary = "list, show and retry records that could not be delivered",
    .sections = (const struct opt_section *const[]){&deadletter_section, NULL},
    .run = deadletter_main,
};
