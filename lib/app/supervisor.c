/* supervisor: see supervisor.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "supervisor.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>

#include "../adapter/os/clock.h"
#include "../base/escape.h"
#include "../base/mem.h"

enum {
    SUPERVISOR_QUICK_MS = 1000,     /* a stage that ended sooner failed to start */
    SUPERVISOR_FAILED_STARTS = 3,   /* after this many in a row, give up */
    SUPERVISOR_FIRST_WAIT_MS = 250, /* before a restart; doubles with each failed start */
    SUPERVISOR_HOLD_MS = 5000,      /* a stage that takes longer to get ready, because its engine
                                       does not answer, holds up the levels above no longer */
    SUPERVISOR_START_MS = 90000,    /* the watchdog of a stage that is not ready yet: what systemd
                                       allows, too */
    SUPERVISOR_LEAVE_MS = 10000     /* every command leaves within 5 s of a SIGTERM; a loaded
                                       machine may need longer */
};

/* --- phases --- */

/* From which phases a stage may come into a phase, as bits. */
static const unsigned supervisor_moves[] = {
    [STAGE_STOPPED] =
        1U << STAGE_STARTING | 1U << STAGE_READY | 1U << STAGE_STOPPING | 1U << STAGE_BACKOFF,
    [STAGE_STARTING] = 1U << STAGE_STOPPED | 1U << STAGE_BACKOFF,
    [STAGE_READY] = 1U << STAGE_STARTING,
    [STAGE_STOPPING] = 1U << STAGE_STARTING | 1U << STAGE_READY,
    [STAGE_BACKOFF] = 1U << STAGE_STARTING | 1U << STAGE_READY,
    [STAGE_FAILED] =
        1U << STAGE_STOPPED | 1U << STAGE_STARTING | 1U << STAGE_READY | 1U << STAGE_BACKOFF,
};

static void stage_set_phase(struct stage *stage, enum stage_phase phase) {
    assert(supervisor_moves[phase] & 1U << stage->phase);
    stage->phase = phase;
}

static bool stage_is_running(const struct stage *stage) {
    switch (stage->phase) {
    case STAGE_STARTING:
    case STAGE_READY:
    case STAGE_STOPPING:
        return true;
    case STAGE_STOPPED:
    case STAGE_BACKOFF:
    case STAGE_FAILED:
        break;
    }
    return false;
}

const char *stage_note(const struct stage *stage, enum stage_note note) {
    return buf_view(&stage->notes[note]).p;
}

void supervisor_stop(struct supervisor *s, enum supervisor_outcome outcome) {
    s->is_stopping = true;
    if (s->outcome == SUPERVISOR_OK)
        s->outcome = outcome;
}

/* --- what stages report --- */

static void stage_on_ready(struct stage *stage) {
    stage->was_ready = true;
    if (stage->phase == STAGE_STARTING)
        stage_set_phase(stage, STAGE_READY);
}

static void stage_on_notice(struct stage *stage, struct span notice) {
    static const char *const names[] = {[STAGE_STATUS] = "STATUS",
                                        [STAGE_REASON] = "X_DISTLOG_REASON",
                                        [STAGE_URL] = "X_DISTLOG_URL",
                                        [STAGE_ROUTE] = "X_DISTLOG_ROUTE",
                                        [STAGE_TOTALS] = "X_DISTLOG_TOTALS"};
    struct span value = notice, name;
    stage->alive_ms = clock_mono_ms();
    if (!span_next(&value, '=', &name))
        return;
    if (span_is(notice, "READY=1"))
        stage_on_ready(stage);
    if (span_is(notice, "STOPPING=1"))
        stage->is_leaving = true;
    for (size_t i = 0; i < STAGE_NOTES; i++) {
        if (!span_is(name, names[i]))
            continue;
        buf_clear(&stage->notes[i]);
        escape_printable(&stage->notes[i], value);
    }
}

static void supervisor_on_line(void *ctx, struct process *p, enum process_source source,
                               struct span text) {
    const struct supervisor *s = ctx;
    struct stage *stage = s->stages;
    while (&stage->process != p)
        stage++;
    if (source == PROCESS_NOTICE)
        stage_on_notice(stage, text);
    else
        s->on_line(s->ctx, stage, source, text);
}

/* --- totals --- */

static void supervisor_add_total(struct supervisor *s, struct span name, uint64_t value) {
    for (size_t i = 0; i < SUPERVISOR_TOTALS; i++) {
        struct supervisor_total *total = &s->totals[i];
        if (!total->name[0])
            snprintf(total->name, sizeof total->name, "%.*s", SPAN_ARG(name));
        if (span_is(name, total->name)) {
            total->value += value;
            return;
        }
    }
}

/* A stage has ended: adds its "accepted=5 refused=1" to the sums. What it reported before a crash
 * counts too, but is noted as incomplete. */
static void supervisor_count(struct supervisor *s, const struct stage *stage) {
    struct span rest = buf_view(&stage->notes[STAGE_TOTALS]), pair;
    while (span_next(&rest, ' ', &pair)) {
        struct span value = pair, name;
        const bool is_pair = span_next(&value, '=', &name) && value.p;
        if (is_pair && name.n > 0 && span_is_digits(value))
            supervisor_add_total(s, name, strtoull(value.p, NULL, 10));
    }
    if (!stage->counts || !stage->was_ready || stage->is_leaving)
        return;
    if (s->uncounted.n > 0)
        buf_text(&s->uncounted, ", ");
    buf_text(&s->uncounted, stage->title);
}

uint64_t supervisor_total(const struct supervisor *s, const char *name) {
    for (size_t i = 0; i < SUPERVISOR_TOTALS; i++) {
        if (strcmp(s->totals[i].name, name) == 0)
            return s->totals[i].value;
    }
    return 0;
}

/* --- starting --- */

void supervisor_arg(struct supervisor_args *args, const char *text) {
    args->items = mem_room(args->items, args->n, &args->cap, sizeof *args->items);
    args->items[args->n++] = text;
}

/* Reports of the stage's previous run must not be taken for reports of the new one. */
static void stage_forget(struct stage *stage) {
    for (size_t i = 0; i < STAGE_NOTES; i++)
        buf_clear(&stage->notes[i]);
    stage->was_ready = false;
    stage->is_leaving = false;
}

static void supervisor_start(struct supervisor *s, struct stage *stage, int64_t now_ms) {
    struct supervisor_args args = {0};
    struct err err;
    stage_forget(stage);
    supervisor_arg(&args, "distlog");
    supervisor_arg(&args, stage->command);
    s->add_args(s->ctx, stage, &args);
    supervisor_arg(&args, NULL);
    int64_t watchdog_ms = 0;
    if (stage->reports)
        watchdog_ms = s->watchdog_ms;
    const int rc = process_start(&stage->process, args.items, watchdog_ms, &err);
    free(args.items);
    if (rc != 0) {
        log_error(s->log, "cannot start %s: %s", stage->title, err.text);
        stage_set_phase(stage, STAGE_FAILED);
        supervisor_stop(s, SUPERVISOR_FAILED);
        return;
    }
    stage_set_phase(stage, STAGE_STARTING);
    stage->starts++;
    stage->started_ms = now_ms;
    stage->alive_ms = now_ms;
    if (!stage->reports)
        stage_on_ready(stage);
}

static bool stage_is_due(const struct stage *stage, int64_t now_ms) {
    if (stage->phase == STAGE_STOPPED)
        return true;
    return stage->phase == STAGE_BACKOFF && now_ms >= stage->start_ms;
}

bool supervisor_is_ready(const struct supervisor *s, int below_level) {
    for (const struct stage *stage = s->stages; stage < s->stages + s->n; stage++) {
        if (stage->level < below_level && stage->phase != STAGE_READY)
            return false;
    }
    return true;
}

/* May stages of this level start? What they hand on waits in the bus for a stage that is late. */
static bool supervisor_may_start(const struct supervisor *s, int level, int64_t now_ms) {
    for (const struct stage *stage = s->stages; stage < s->stages + s->n; stage++) {
        const bool is_late =
            stage->phase == STAGE_STARTING && now_ms - stage->started_ms >= SUPERVISOR_HOLD_MS;
        if (stage->level < level && stage->phase != STAGE_READY && !is_late)
            return false;
    }
    return true;
}

/* Starts the stages above levels that are all ready or late. */
static void supervisor_start_due(struct supervisor *s, int64_t now_ms) {
    for (struct stage *stage = s->stages; stage < s->stages + s->n; stage++) {
        if (s->is_stopping || !supervisor_may_start(s, stage->level, now_ms))
            return;
        if (stage_is_due(stage, now_ms))
            supervisor_start(s, stage, now_ms);
    }
}

/* --- running --- */

/* How long a stage may go without a heartbeat; INT64_MAX: without limit. Before it is ready it may
 * be waiting for an engine's first answer, and sends none meanwhile. */
static int64_t supervisor_silence_most_ms(const struct supervisor *s, const struct stage *stage) {
    if (!stage->reports || s->watchdog_ms == 0)
        return INT64_MAX;
    if (stage->phase == STAGE_READY)
        return s->watchdog_ms;
    if (stage->phase == STAGE_STARTING)
        return s->watchdog_ms > SUPERVISOR_START_MS ? s->watchdog_ms : SUPERVISOR_START_MS;
    return INT64_MAX;
}

/* If this process was suspended, or its own output was blocked (a terminal after Ctrl-S), it has
 * not read what the stages write, and they may be blocked, too: their watchdog time starts now. A
 * stage reports each half of watchdog_ms, so a quarter of it remains as a margin. */
static void supervisor_excuse(struct supervisor *s, int64_t now_ms) {
    const bool was_away = now_ms - s->watched_ms > s->watchdog_ms / 4;
    s->watched_ms = now_ms;
    if (!was_away)
        return;
    for (struct stage *stage = s->stages; stage < s->stages + s->n; stage++)
        stage->alive_ms = now_ms;
}

/* Kills stages that hang; they are restarted as after any crash. */
static void supervisor_watch(struct supervisor *s, int64_t now_ms) {
    supervisor_excuse(s, now_ms);
    for (struct stage *stage = s->stages; stage < s->stages + s->n; stage++) {
        if (now_ms - stage->alive_ms < supervisor_silence_most_ms(s, stage))
            continue;
        log_warn(s->log, "%s has not responded for %" PRId64 " ms (up.watchdog); killing it",
                 stage->title, now_ms - stage->alive_ms);
        stage->alive_ms = now_ms; /* the signal takes a moment: log this once */
        kill(-stage->process.pid, SIGKILL);
    }
}

static void supervisor_restart_later(const struct supervisor *s, struct stage *stage, int code,
                                     int64_t now_ms) {
    const int wait_ms = SUPERVISOR_FIRST_WAIT_MS << stage->failed_starts;
    stage->start_ms = now_ms + wait_ms;
    stage_set_phase(stage, STAGE_BACKOFF);
    if (code > 128)
        log_warn(s->log, "%s was killed by signal %d; restarting in %d ms", stage->title,
                 code - 128, wait_ms);
    else
        log_warn(s->log, "%s exited with code %d; restarting in %d ms", stage->title, code,
                 wait_ms);
}

static void supervisor_on_crash(struct supervisor *s, struct stage *stage, int code,
                                int64_t now_ms) {
    const char *reason = stage_note(stage, STAGE_REASON);
    if (!*reason)
        reason = "it reported no reason";
    if (now_ms - stage->started_ms < SUPERVISOR_QUICK_MS)
        stage->failed_starts++;
    else
        stage->failed_starts = 0;
    if (code == SUPERVISOR_EXIT_MISCONFIGURED) {
        log_error(s->log, "%s is misconfigured: %s", stage->title, reason);
        stage_set_phase(stage, STAGE_FAILED);
        supervisor_stop(s, SUPERVISOR_MISCONFIGURED);
    } else if (stage->failed_starts >= SUPERVISOR_FAILED_STARTS) {
        log_error(s->log, "%s failed to start %u times in a row: %s", stage->title,
                  stage->failed_starts, reason);
        stage_set_phase(stage, STAGE_FAILED);
        supervisor_stop(s, SUPERVISOR_FAILED);
    } else {
        supervisor_restart_later(s, stage, code, now_ms);
    }
}

static void supervisor_on_end(struct supervisor *s, struct stage *stage, int code, int64_t now_ms) {
    supervisor_count(s, stage);
    if (stage->phase == STAGE_STOPPING && code != 0) {
        log_error(s->log, "%s did not stop cleanly (exit code %d)", stage->title, code);
        supervisor_stop(s, SUPERVISOR_FAILED);
    }
    if (s->is_stopping)
        stage_set_phase(stage, STAGE_STOPPED);
    else
        supervisor_on_crash(s, stage, code, now_ms);
}

/* --- stopping --- */

static void stage_terminate(struct stage *stage, int64_t now_ms) {
    /* Resume it first, if it was suspended: a SIGCONT after the SIGTERM would undo the SIGSTOP with
     * which a leak checker or a debugger inspects a process that is about to exit, and that process
     * would hang. */
    kill(-stage->process.pid, SIGCONT);
    kill(-stage->process.pid, SIGTERM);
    stage_set_phase(stage, STAGE_STOPPING);
    stage->stop_ms = now_ms;
}

static void supervisor_stop_stage(struct supervisor *s, struct stage *stage, int64_t now_ms) {
    if (stage->phase != STAGE_STOPPING) {
        stage_terminate(stage, now_ms);
    } else if (now_ms >= stage->stop_ms + SUPERVISOR_LEAVE_MS) {
        log_error(s->log, "%s did not stop within %d s; killing it", stage->title,
                  SUPERVISOR_LEAVE_MS / 1000);
        kill(-stage->process.pid, SIGKILL);
        stage->stop_ms = now_ms;
        supervisor_stop(s, SUPERVISOR_FAILED);
    }
}

/* A level is stopped when all above it have ended. False: all have. */
static bool supervisor_stop_next(struct supervisor *s, int64_t now_ms) {
    int level = -1;
    for (struct stage *stage = s->stages; stage < s->stages + s->n; stage++) {
        if (stage->phase == STAGE_BACKOFF)
            stage_set_phase(stage, STAGE_STOPPED);
        if (stage_is_running(stage))
            level = stage->level; /* the stages are in order of their levels */
    }
    for (struct stage *stage = s->stages; stage < s->stages + s->n; stage++) {
        if (stage->level == level && stage_is_running(stage))
            supervisor_stop_stage(s, stage, now_ms);
    }
    return level >= 0;
}

/* --- the turn --- */

static void supervisor_read(struct supervisor *s, int wait_ms) {
    struct process *all[PROCESS_MOST];
    int code;
    assert(s->n <= PROCESS_MOST);
    for (size_t i = 0; i < s->n; i++)
        all[i] = &s->stages[i].process;
    process_read(all, s->n, wait_ms, supervisor_on_line, s);
    for (struct stage *stage = s->stages; stage < s->stages + s->n; stage++) {
        if (process_ended(&stage->process, &code))
            supervisor_on_end(s, stage, code, clock_mono_ms());
    }
}

bool supervisor_turn(struct supervisor *s, int wait_ms) {
    const int64_t now_ms = clock_mono_ms();
    if (!s->is_stopping)
        supervisor_start_due(s, now_ms);
    else if (!supervisor_stop_next(s, now_ms))
        return false;
    supervisor_read(s, wait_ms);
    /* After reading: if this process itself was suspended, what the stages reported meanwhile
     * waits in the sockets. */
    supervisor_watch(s, clock_mono_ms());
    return true;
}

void supervisor_release(struct supervisor *s) {
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < STAGE_NOTES; k++)
            buf_release(&s->stages[i].notes[k]);
    }
    buf_release(&s->uncounted);
}
