/* supervisor: runs stages, which are commands of this program, as child processes: starts them
 * level by level, restarts those that crash, kills those that hang, and stops them from the top
 * level down. What it knows of a stage comes from the stage's notifications
 * (lib/adapter/os/notify.h) and exit code, never from its output, which is passed on as lines.
 * Owns the children. Main thread. Callers: cmd/up.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../adapter/os/process.h"
#include "../base/log.h"

/* An exit code that every command of this program shares: wrong usage or configuration, so that
 * another start would not help. */
enum { SUPERVISOR_EXIT_MISCONFIGURED = 2 };

enum stage_phase {
    STAGE_STOPPED,  /* not running: not started yet, or ended while the supervisor stops */
    STAGE_STARTING, /* running, and has not reported READY=1 */
    STAGE_READY,    /* running; it may still wait for its engine */
    STAGE_STOPPING, /* running, and was sent SIGTERM */
    STAGE_BACKOFF,  /* ended by itself; restarted at start_ms */
    STAGE_FAILED    /* ended; not restarted */
};

/* What a stage last reported. */
enum stage_note { STAGE_STATUS, STAGE_REASON, STAGE_URL, STAGE_ROUTE, STAGE_TOTALS, STAGE_NOTES };

struct stage {
    /* Set by the caller, for the supervisor's life. */
    const char *title;   /* in messages */
    const char *command; /* argv[1] */
    int level;           /* stages are listed in ascending order of their levels */
    bool reports;        /* it sends notifications; other stages count as ready once started */
    bool counts;         /* it reports totals when it stops */

    struct process process;
    enum stage_phase phase;
    unsigned starts;        /* number of starts */
    unsigned failed_starts; /* the last ones in a row that failed */
    int64_t start_ms;       /* BACKOFF: when to start it */
    int64_t started_ms;     /* the last start */
    int64_t alive_ms;       /* its last notification */
    int64_t stop_ms;        /* STOPPING: when it was sent SIGTERM, later SIGKILL */
    bool was_ready;         /* since its last start */
    bool is_leaving;        /* it has reported STOPPING=1: its totals are final */
    struct buf notes[STAGE_NOTES];
};

/* A sum over all stages and all their runs. */
struct supervisor_total {
    char name[32];
    uint64_t value;
};
enum { SUPERVISOR_TOTALS = 16 };

enum supervisor_outcome {
    SUPERVISOR_OK,           /* every stage stopped cleanly */
    SUPERVISOR_FAILED,       /* a stage failed, or had to be killed */
    SUPERVISOR_MISCONFIGURED /* a stage can't run with these settings */
};

/* A growing list of arguments; the texts live as long as the supervisor. */
struct supervisor_args {
    const char **items;
    size_t n, cap;
};
void supervisor_arg(struct supervisor_args *args, const char *text);

struct supervisor {
    /* Set by the caller. All times are monotonic, in ms. */
    const struct log *log;
    struct stage *stages;
    size_t n;            /* of stages, at most PROCESS_MOST */
    int64_t watchdog_ms; /* a stage that reports is killed after this long without a notification;
                            0: never */
    /* Adds the arguments of a stage after argv[1]. */
    void (*add_args)(void *ctx, const struct stage *stage, struct supervisor_args *args);
    /* Called for each line that a stage writes to its standard output or error. */
    void (*on_line)(void *ctx, const struct stage *stage, enum process_source source,
                    struct span text);
    void *ctx;

    int64_t watched_ms; /* when it last looked at the signs of life */
    bool is_stopping;
    enum supervisor_outcome outcome; /* the first that was not OK */
    struct supervisor_total totals[SUPERVISOR_TOTALS];
    struct buf uncounted; /* stages that ended without their final totals: "pubsub, store" */
};

/* Does what is due and waits up to wait_ms for output and notifications of the stages. False: it
 * was stopping, and every stage has ended. */
bool supervisor_turn(struct supervisor *s, int wait_ms);
/* Begins to stop. The first outcome that is not SUPERVISOR_OK is kept. */
void supervisor_stop(struct supervisor *s, enum supervisor_outcome outcome);
/* True: all stages below this level are ready. */
bool supervisor_is_ready(const struct supervisor *s, int below_level);
/* The sum of what all stages reported under this name. */
uint64_t supervisor_total(const struct supervisor *s, const char *name);
/* A stage's latest report since its last start; "" if there is none. */
const char *stage_note(const struct stage *stage, enum stage_note note);
/* Frees what the supervisor owns, after supervisor_turn returned false. */
void supervisor_release(struct supervisor *s);
