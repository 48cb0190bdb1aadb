/* up: the whole pipeline on one machine: alert, store, pubsub and collect as supervised children,
 * and with --demo three simulated nodes. Owns the supervisor. Main thread. SPDX-License-Identifier:
 * Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/app/supervisor.h"
#include "../lib/base/arena.h"
#include "line.h"

enum {
    UP_WAIT_MS = 200,
    UP_SILENT_FROM_MS = 6500, /* after the start of the demo's second node: between two of its
                                 posts */
    UP_SILENT_MS = 12000
};

struct up_conf {
    bool demo;
    int64_t run_for, watchdog; /* ms */
};

static const struct opt rows[] = {
    OPT(struct up_conf, BOOL, demo, "false", .flag = "demo", .bits = OPT_FLAG_ONLY,
        .help = "also run three simulated nodes, one of which goes silent for 12 s and recovers"),
    OPT_ROW("for", struct up_conf, MS, run_for, "0", .flag = "for", .bits = OPT_FLAG_ONLY,
            .help = "exit after this time; 0: never"),
    /* A stage responds also while it waits for its engine. */
    OPT(struct up_conf, MS, watchdog, "90s", .max = 86400000,
        .help = "kill and restart a stage that has not responded for this long; 0: never"),
};
static const struct opt_section up_section =
    OPT_SECTION("up", "running the whole pipeline", rows, struct up_conf);

enum { UP_ALERT, UP_STORE, UP_PUBSUB, UP_COLLECT, UP_PAYMENT, UP_ORDER, UP_SERVICE, UP_STAGES };
enum { UP_BASE = UP_PAYMENT, UP_SILENT = UP_ORDER };

enum { UP_ALERT_LEVEL, UP_STORE_LEVEL, UP_PUBSUB_LEVEL, UP_COLLECT_LEVEL, UP_NODE_LEVEL };

/* Back to front, so that each stage starts after the one that it feeds. */
static const struct stage up_plan[UP_STAGES] = {
    [UP_ALERT] = {.title = "alert", .command = "alert", .level = UP_ALERT_LEVEL, .reports = true},
    [UP_STORE] = {.title = "store",
                  .command = "store",
                  .level = UP_STORE_LEVEL,
                  .reports = true,
                  .counts = true},
    [UP_PUBSUB] = {.title = "pubsub",
                   .command = "pubsub",
                   .level = UP_PUBSUB_LEVEL,
                   .reports = true,
                   .counts = true},
    [UP_COLLECT] = {.title = "collect",
                    .command = "collect",
                    .level = UP_COLLECT_LEVEL,
                    .reports = true,
                    .counts = true},
    [UP_PAYMENT] = {.title = "payment", .command = "node", .level = UP_NODE_LEVEL},
    [UP_ORDER] = {.title = "order", .command = "node", .level = UP_NODE_LEVEL},
    [UP_SERVICE] = {.title = "service", .command = "node", .level = UP_NODE_LEVEL},
};

/* The terminal colour of a level's lines. */
static const char *const up_colours[] = {[UP_ALERT_LEVEL] = "31",
                                         [UP_STORE_LEVEL] = "32",
                                         [UP_PUBSUB_LEVEL] = "35",
                                         [UP_COLLECT_LEVEL] = "36",
                                         [UP_NODE_LEVEL] = "33"};

/* Which of the stages' totals the last line shows, and under which label. */
static const struct {
    const char *name, *label;
} up_totals[] = {{"accepted", "accepted"}, {"refused", "refused"},
                 {"routed", "routed"},     {"alerts", "alerts"},
                 {"stored", "stored"},     {"dead_letters", "dead letters"}};

/* The demo's second node goes silent once. */
enum up_silence { UP_TALKS, UP_IS_SILENT, UP_IS_BACK };

struct up {
    const struct run *run;
    struct stage stages[UP_STAGES];
    struct supervisor supervisor;
    bool has_colour, is_ready;
    unsigned announced; /* which of collect's starts was announced as ready */
    enum up_silence silence;
    struct arena args; /* the texts among the stages' arguments */
};

/* --- what the stages write --- */

static void up_on_line(void *ctx, const struct stage *stage, enum process_source source,
                       struct span text) {
    const struct up *u = ctx;
    FILE *stream = stdout;
    BUF_LOCAL struct buf line = {0}, own = {0};
    if (source == PROCESS_ERROR) {
        stream = stderr;
        /* The line already starts with the stage's name. */
        buf_printf(&own, "distlog %s: ", stage->command);
        if (text.n >= own.n && memcmp(text.p, own.p, own.n) == 0)
            text = (struct span){text.p + own.n, text.n - own.n};
    }
    if (u->has_colour)
        buf_printf(&line, "\033[%sm%-7s |\033[0m ", up_colours[stage->level], stage->title);
    else
        buf_printf(&line, "%-7s | ", stage->title);
    line_add(&line, "%\n", text);
    fwrite(line.p, 1, line.n, stream);
}

/* --- how the stages are started --- */

/* Where the demo's nodes post, as collect reported it. */
static const char *up_url(struct up *u) {
    const struct stage *collect = &u->stages[UP_COLLECT];
    return arena_printf(&u->args, "%s/%s", stage_note(collect, STAGE_URL),
                        stage_note(collect, STAGE_ROUTE));
}

static void up_add_node_args(struct up *u, const struct stage *node, struct supervisor_args *args) {
    /* An ERROR would end the silence without a HEARTBEAT_RECOVERED. */
    const char *weights = "INFO=65,WARN=25,ERROR=10";
    if (node == &u->stages[UP_SILENT])
        weights = "INFO=65,WARN=25";
    const char *const words[] = {"--name", node->title, "--keep-going", "--weights",
                                 weights,  "--url",     up_url(u)};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        supervisor_arg(args, words[i]);
}

/* Every stage gets up's own configuration. */
static void up_add_args(void *ctx, const struct stage *stage, struct supervisor_args *args) {
    struct up *u = ctx;
    supervisor_arg(args, "-c");
    if (u->run->config_file)
        supervisor_arg(args, u->run->config_file);
    else
        supervisor_arg(args, "");
    for (char **override = u->run->overrides; *override; override++) {
        supervisor_arg(args, "-o");
        supervisor_arg(args, *override);
    }
    if (stage->level < UP_COLLECT_LEVEL)
        supervisor_arg(args, "--drain");
    if (stage->level == UP_NODE_LEVEL)
        up_add_node_args(u, stage, args);
}

/* --- while they run --- */

/* Logs where to post whenever collect becomes ready: its port may have changed. */
static void up_announce(struct up *u) {
    const struct stage *collect = &u->stages[UP_COLLECT];
    if (collect->phase != STAGE_READY || u->announced == collect->starts)
        return;
    u->announced = collect->starts;
    log_info(&u->run->log, "ready: post records to %s, find them with `distlog search ERROR`",
             up_url(u));
}

/* up itself may be a service. */
static void up_notify(struct up *u) {
    notify_alive(u->run->notify, clock_mono_ms());
    if (u->is_ready || !supervisor_is_ready(&u->supervisor, UP_NODE_LEVEL))
        return;
    u->is_ready = true;
    notify_send(u->run->notify, "READY=1\nSTATUS=running");
}

/* Suspends one node for a while, as if its machine hung. */
static void up_play_silence(struct up *u, int64_t now_ms) {
    const struct stage *node = &u->stages[UP_SILENT];
    if (node->phase != STAGE_READY || u->supervisor.is_stopping)
        return;
    const int64_t age_ms = now_ms - node->started_ms;
    if (u->silence == UP_TALKS && age_ms >= UP_SILENT_FROM_MS) {
        log_info(&u->run->log, "suspending the %s node for %d s (SIGSTOP)", node->title,
                 UP_SILENT_MS / 1000);
        kill(-node->process.pid, SIGSTOP);
        u->silence = UP_IS_SILENT;
    } else if (u->silence == UP_IS_SILENT && age_ms >= UP_SILENT_FROM_MS + UP_SILENT_MS) {
        log_info(&u->run->log, "resuming the %s node (SIGCONT)", node->title);
        kill(-node->process.pid, SIGCONT);
        u->silence = UP_IS_BACK;
    }
}

static void up_supervise(struct up *u, int64_t run_for_ms) {
    int64_t end_ms = INT64_MAX;
    if (run_for_ms)
        end_ms = clock_mono_ms() + run_for_ms;
    while (supervisor_turn(&u->supervisor, UP_WAIT_MS)) {
        const int64_t now_ms = clock_mono_ms();
        if (stop_asked() || now_ms >= end_ms)
            supervisor_stop(&u->supervisor, SUPERVISOR_OK);
        up_announce(u);
        up_notify(u);
        up_play_silence(u, now_ms);
        if (fflush(stdout) != 0 && !u->supervisor.is_stopping) {
            log_error(&u->run->log, "cannot write standard output: %s", strerror(errno));
            supervisor_stop(&u->supervisor, SUPERVISOR_FAILED);
        }
    }
}

/* --- the command --- */

static void up_print_totals(const struct up *u) {
    const struct buf *uncounted = &u->supervisor.uncounted;
    for (size_t i = 0; i < sizeof up_totals / sizeof up_totals[0]; i++) {
        if (i > 0)
            printf(", ");
        printf("%s %" PRIu64, up_totals[i].label,
               supervisor_total(&u->supervisor, up_totals[i].name));
    }
    printf("\n");
    if (uncounted->n > 0)
        log_warn(&u->run->log, "totals are incomplete: no final counters from %s", uncounted->p);
}

static enum exit_code up_exit_code(const struct up *u) {
    switch (u->supervisor.outcome) {
    case SUPERVISOR_OK:
        return EXIT_DONE;
    case SUPERVISOR_MISCONFIGURED:
        return EXIT_USAGE;
    case SUPERVISOR_FAILED:
        break;
    }
    return EXIT_FAILED;
}

static bool up_wants_colour(void) {
    const char *no_colour = getenv("NO_COLOR");
    if (no_colour && *no_colour)
        return false;
    return isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
}

static int run_up(struct run *run) {
    const struct up_conf *conf = conf_section(run->conf, &up_section);
    struct up u = {.run = run, .has_colour = up_wants_colour()};
    memcpy(u.stages, up_plan, sizeof up_plan);
    u.supervisor = (struct supervisor){.log = &run->log,
                                       .stages = u.stages,
                                       .n = UP_BASE,
                                       .watchdog_ms = conf->watchdog,
                                       .add_args = up_add_args,
                                       .on_line = up_on_line,
                                       .ctx = &u};
    if (conf->demo)
        u.supervisor.n = UP_STAGES;
    up_supervise(&u, conf->run_for);
    up_print_totals(&u);
    const enum exit_code code = up_exit_code(&u);
    supervisor_release(&u.supervisor);
    arena_release(&u.args);
    return (int)code;
}

const struct cmd cmd_up = {
    .name = "up",
    .summary = "run collect, pubsub, store and alert together",
    .sections = (const struct opt_section *const[]){&up_section, NULL},
    .run = run_up,
};
