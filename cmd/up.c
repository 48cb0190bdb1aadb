/* up: the whole flow on one machine: alert, store, pubsub and collect as supervised children, with
 * --demo three simulated nodes too. Owns the children and the counts they leave with. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/os/process.h"
#include "../lib/base/mem.h"
#include "../lib/adapter/os/stop.h"
#include "line.h"

enum {
    QUICK_MS = 1000, /* a child that lived shorter has failed at its start */
    QUICK_MOST = 3,  /* so often in a row: starting it again will not help */
    LEAVE_MS =
        10000, /* every command leaves within 5 s of a TERM; a loaded machine may need longer */
    NAP_MS = 200,
    FIRST_WAIT_MS =
        250, /* before a crashed child is started again; doubles with each failed start */
    SILENT_FROM_MS =
        6500, /* of the demo's second node, after its start: between two of its posts */
    SILENT_MS = 12000
};

struct up_conf {
    bool demo;
    int64_t run_for;
};

static const struct opt rows[] = {
    OPT(struct up_conf, BOOL, demo, "false", .flag = "demo", .bits = OPT_FLAG_ONLY,
        .help = "three simulated nodes too, one of which falls silent for 12 s and comes back"),
    OPT_ROW("for", struct up_conf, MS, run_for, "0", .flag = "for", .bits = OPT_FLAG_ONLY,
            .help = "end after that time; 0: never"),
};
static const struct opt_section up_section =
    OPT_SECTION("up", "how the whole flow is run", rows, struct up_conf);

struct stage {
    const char *title, *command, *colour;
    int level; /* stages start level by level upwards, and stop downwards */
    struct process process;
    bool ready, counted; /* has said its first line, its last */
    unsigned quick;      /* failed starts in a row */
    int64_t started_ms, start_ms,
        told_ms;     /* monotonic; start_ms: not before; told_ms: TERM was sent, or 0 */
    struct buf last; /* line on standard error */
};

enum { ALERT_LEVEL, STORE_LEVEL, PUBSUB_LEVEL, COLLECT_LEVEL, NODE_LEVEL };

/* Back to front, so that whoever is asked to take something is there. */
static const struct stage plan[] = {
    {"alert", "alert", "31", .level = ALERT_LEVEL},
    {"store", "store", "32", .level = STORE_LEVEL},
    {"pubsub", "pubsub", "35", .level = PUBSUB_LEVEL},
    {"collect", "collect", "36", .level = COLLECT_LEVEL},
    {"payment", "node", "33", .level = NODE_LEVEL},
    {"order", "node", "33", .level = NODE_LEVEL},
    {"service", "node", "33", .level = NODE_LEVEL},
};
enum { STAGES = sizeof plan / sizeof plan[0], BASE = 4, QUIET = 5 };

/* What the stages count, and say in their last line: "stopped: read 12, routed 13, alerts 2, …". */
static const char *const counts[] = {"accepted", "refused", "routed",
                                     "alerts",   "stored",  "dead letters"};
enum { COUNTS = sizeof counts / sizeof counts[0] };

struct up {
    const struct run *run;
    struct stage stages[STAGES];
    size_t n; /* of stages: all, or without the nodes */
    bool colour, stopping;
    int code;
    unsigned long long totals[COUNTS];
    struct buf url, missing; /* where to post; stages that left without their counts */
    enum { TALKS, SILENT, BACK } silence;
};

static void stop(struct up *u, int code) {
    u->stopping = true;
    if (u->code == EXIT_DONE)
        u->code = code;
}

static void count(struct up *u, struct stage *s, const char *said) {
    s->counted = true;
    for (size_t i = 0; i < COUNTS; i++) {
        char label[32];
        snprintf(label, sizeof label, " %s ", counts[i]);
        const char *at = strstr(said, label);
        if (at && s->level < NODE_LEVEL)
            u->totals[i] += strtoull(at + strlen(label), NULL, 10);
    }
}

/* collect's first line ends with "…, http://127.0.0.1:9880, log.input → nodes": the demo's nodes
 * post there. False: not this one. */
static bool learn_url(struct up *u, const char *said) {
    const char *url = strstr(said, ", http");
    if (!url)
        return false;
    size_t n = strcspn(url += 2, ",");
    const char *tag = url[n] ? url + n + 2 : "";
    buf_clear(&u->url);
    buf_printf(&u->url, "%.*s/%.*s", (int)n, url, (int)strcspn(tag, " "), tag);
    log_info(&u->run->log, "ready: post records to %s, look for them with `distlog search ERROR`",
             u->url.p);
    return true;
}

static void on_line(void *ctx, struct process *p, int stream, struct span text) {
    struct up *u = ctx;
    struct stage *s = u->stages;
    while (&s->process != p)
        s++;
    BUF_LOCAL struct buf line = {0}, own = {0};
    buf_printf(&own, "distlog %s: ", s->command);
    if (stream == 2 && text.n >= own.n && memcmp(text.p, own.p, own.n) == 0)
        text = (struct span){text.p + own.n, text.n - own.n};
    if (u->colour)
        buf_printf(&line, "\033[%sm%-7s |\033[0m ", s->colour, s->title);
    else
        buf_printf(&line, "%-7s | ", s->title);
    line_add(&line, "%\n", text);
    fwrite(line.p, 1, line.n, stream == 1 ? stdout : stderr);
    if (stream == 2) {
        buf_clear(&s->last);
        buf_printable(&s->last, text);
        const char *said = s->last.p ? s->last.p : "";
        if (strncmp(said, "stopped: ", 9) == 0)
            count(u, s, said);
        s->ready = s->ready || s->level != COLLECT_LEVEL || learn_url(u, said);
    }
}

/* Starts the command with up's own configuration. */
static void start(struct up *u, struct stage *s) {
    size_t n = 0, overrides = 0;
    struct err err;
    while (u->run->overrides[overrides])
        overrides++;
    const char **argv = mem_calloc(2 * overrides + 16, sizeof *argv);
    argv[n++] = "distlog";
    argv[n++] = s->command;
    argv[n++] = "-c";
    argv[n++] = u->run->config_file ? u->run->config_file : "";
    for (size_t i = 0; i < overrides; i++) {
        argv[n++] = "-o";
        argv[n++] = u->run->overrides[i];
    }
    /* An ERROR would end the silence without a word about coming back. */
    const char *weights = s == &u->stages[QUIET] ? "INFO=65,WARN=25" : "INFO=65,WARN=25,ERROR=10";
    const char *const node[] = {"--name", s->title, "--keep-going", "--weights",
                                weights,  "--url",  u->url.p};
    if (s->level < COLLECT_LEVEL)
        argv[n++] = "--drain";
    for (size_t i = 0; s->level == NODE_LEVEL && i < sizeof node / sizeof *node; i++)
        argv[n++] = node[i];
    s->ready = s->counted = false;
    s->told_ms = 0;
    s->started_ms = clock_mono_ms();
    if (process_start(&s->process, (char *const *)argv, &err) != 0) {
        log_info(&u->run->log, "cannot start %s: %s", s->title, err.text);
        stop(u, EXIT_FAILED);
    }
    free(argv);
}

/* A stage is started when all of the levels below have said their first line. */
static void start_due(struct up *u, int64_t now_ms) {
    for (struct stage *s = u->stages; s < u->stages + u->n && !u->stopping; s++) {
        for (struct stage *below = u->stages; below < s; below++)
            if (below->level < s->level && !below->ready)
                return;
        if (!s->process.pid && now_ms >= s->start_ms)
            start(u, s);
    }
}

/* Front to back: a level is told to stop when all above it have ended. False: all have. */
static bool stop_next(struct up *u, int64_t now_ms) {
    int level = -1;
    for (struct stage *s = u->stages; s < u->stages + u->n; s++)
        if (s->process.pid)
            level = s->level; /* the stages are in order of their levels */
    for (struct stage *s = u->stages; s < u->stages + u->n; s++) {
        if (!s->process.pid || s->level != level)
            continue;
        if (!s->told_ms) {
            /* Goes on first, if it is the silent one: a SIGCONT that comes late takes back the
             * SIGSTOP by which a leak checker or debugger looks at a process that is about to
             * leave, and it would hang.
             */
            kill(-s->process.pid, SIGCONT);
            kill(-s->process.pid, SIGTERM);
            s->told_ms = now_ms;
        } else if (now_ms >= s->told_ms + LEAVE_MS) {
            log_info(&u->run->log, "%s does not end; killing it", s->title);
            kill(-s->process.pid, SIGKILL);
            s->told_ms = now_ms;
            stop(u, EXIT_FAILED);
        }
    }
    return level >= 0;
}

static void on_crash(struct up *u, struct stage *s, int code, int64_t now_ms) {
    const char *last = s->last.n ? s->last.p : "it said nothing";
    s->quick = now_ms - s->started_ms < QUICK_MS ? s->quick + 1 : 0;
    if (code == EXIT_USAGE) {
        log_info(&u->run->log, "%s cannot run like this: %s", s->title, last);
        stop(u, EXIT_USAGE);
    } else if (s->quick >= QUICK_MOST) {
        log_info(&u->run->log, "%s failed %u times at its start: %s", s->title, s->quick, last);
        stop(u, EXIT_FAILED);
    } else {
        int wait_ms = FIRST_WAIT_MS << s->quick;
        s->start_ms = now_ms + wait_ms;
        log_info(&u->run->log, "%s %s %d; starting it again in %d ms", s->title,
                 code > 128 ? "was killed by signal" : "ended with exit code",
                 code > 128 ? code - 128 : code, wait_ms);
    }
}

static void on_end(struct up *u, struct stage *s, int code, int64_t now_ms) {
    if (s->level >= STORE_LEVEL && s->level <= COLLECT_LEVEL && s->ready && !s->counted)
        buf_printf(&u->missing, "%s%s", u->missing.n ? ", " : "", s->title);
    if (s->told_ms && code != EXIT_DONE) {
        log_info(&u->run->log, "%s did not stop cleanly (exit code %d)", s->title, code);
        stop(u, EXIT_FAILED);
    } else if (!u->stopping)
        on_crash(u, s, code, now_ms);
    s->ready = false;
}

/* One node falls silent for a while: stopped, as a hung machine would be. */
static void play_silence(struct up *u, int64_t now_ms) {
    struct stage *s = &u->stages[QUIET];
    if (u->n <= QUIET || !s->process.pid || u->stopping || u->silence == BACK)
        return;
    if (now_ms < s->started_ms + SILENT_FROM_MS + (u->silence == SILENT ? SILENT_MS : 0))
        return;
    if (u->silence == TALKS)
        log_info(&u->run->log, "the node of %s falls silent for %d s now (SIGSTOP)", s->title,
                 SILENT_MS / 1000);
    else
        log_info(&u->run->log, "the node of %s goes on (SIGCONT)", s->title);
    kill(-s->process.pid, u->silence == TALKS ? SIGSTOP : SIGCONT);
    u->silence++;
}

static void supervise(struct up *u, int64_t run_for) {
    struct process *all[STAGES];
    int64_t end_ms = run_for ? clock_mono_ms() + run_for : INT64_MAX;
    for (size_t i = 0; i < u->n; i++)
        all[i] = &u->stages[i].process;
    for (;;) {
        int64_t now_ms = clock_mono_ms();
        int code;
        if (stop_asked() || now_ms >= end_ms)
            u->stopping = true;
        if (!u->stopping)
            start_due(u, now_ms);
        else if (!stop_next(u, now_ms))
            return;
        play_silence(u, now_ms);
        process_read(all, u->n, NAP_MS, on_line, u);
        for (struct stage *s = u->stages; s < u->stages + u->n; s++)
            if (process_ended(&s->process, &code))
                on_end(u, s, code, clock_mono_ms());
        if (fflush(stdout) != 0 && !u->stopping) {
            log_info(&u->run->log, "cannot write to standard output");
            stop(u, EXIT_FAILED);
        }
    }
}

static int run_up(struct run *run) {
    const struct up_conf *conf = conf_section(run->conf, &up_section);
    struct up u = {.run = run, .n = conf->demo ? STAGES : BASE};
    const char *no_color = getenv("NO_COLOR");
    u.colour = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) && !(no_color && *no_color);
    memcpy(u.stages, plan, sizeof plan);
    supervise(&u, conf->run_for);
    for (size_t i = 0; i < COUNTS; i++)
        printf("%s%s %llu", i ? ", " : "", counts[i], u.totals[i]);
    printf("\n");
    if (u.missing.n)
        log_info(&run->log, "counts are missing, because these left without them: %s", u.missing.p);
    for (size_t i = 0; i < STAGES; i++)
        buf_release(&u.stages[i].last);
    buf_release(&u.url);
    buf_release(&u.missing);
    return u.code;
}

const struct cmd cmd_up = {
    .name = "up",
    .summary = "run collect, pubsub, store and alert together",
    .sections = (const struct opt_section *const[]){&up_section, NULL},
    .run = run_up,
};
