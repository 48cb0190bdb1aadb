/* consumer: the loop of every reader of a topic. Opens the bus, polls it, hands each batch to a
 * turn, reopens the bus after a fatal error, and returns when it is time to exit. Logs outages,
 * standby and records that retention removed unread; reports to the service manager.
 *
 * A turn is everything that follows from one batch, up to and including its commit. It takes effect
 * as a whole or not at all.
 *
 * Owns the bus and the outage. Main thread.
 * Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../engines.h"
#include "outage.h"
#include "shutdown.h"

/* What a turn is given. */
struct turn {
    struct bus *bus; /* for puts, consumer_dead_letter and consumer_commit */
    const struct bus_batch *batch;
    /* The bus was opened, another reader was active, or a turn was aborted: whatever was known
     * about the partitions is stale and must be loaded again. Stays set until a turn succeeds. */
    bool is_fresh;
};

/* The outcome of a turn, which decides what the consumer does next. Where err is mentioned, the
 * turn has set it. */
enum turn_result {
    TURN_DONE,    /* handled and committed, or there was nothing to do */
    TURN_REREAD,  /* the turn has called undo(): its records come again, at once */
    TURN_ABORTED, /* the bus aborted it (err): its records come again */
    TURN_RETRY,   /* the bus did not answer (err): go on after a wait, or exit if it is time to */
    TURN_REOPEN,  /* the handle is unusable (err): open the bus again */
    TURN_STOP     /* failed: exit (err; its text is empty if the turn has logged why) */
};

/* Handles a batch that has records; with turns_when_idle also one without. */
typedef enum turn_result consumer_turn(void *ctx, const struct turn *turn, struct err *err);

/* A count that a daemon reports when it stops. */
struct total {
    const char *name; /* words joined by '_' */
    uint64_t value;
};

enum consumer_state {
    CONSUMER_OPENING,  /* the bus is not open */
    CONSUMER_STARTING, /* it is open, but no poll has succeeded: a fatal error would come again */
    CONSUMER_READING,  /* this reader is active */
    CONSUMER_STANDBY,  /* another reader of the group is active */
    CONSUMER_LEAVING
};

/* Set by the caller of consumer_init; whatever is pointed to must outlive the consumer. */
struct consumer_conf {
    struct conf *settings; /* which bus to open, and how */
    const struct log *log;
    struct notify *notify; /* to the service manager */
    const struct shutdown_conf *shutdown;
    struct bus_open open; /* the group and what it reads */
    consumer_turn *turn;
    void *ctx;            /* for turn and max_wait_ms */
    bool turns_when_idle; /* turn wants batches without records, too */
    /* The longest that an active reader's next poll may wait; NULL: 1 s. */
    int (*max_wait_ms)(void *ctx);
};

struct consumer {
    struct consumer_conf conf;
    struct outage outage;
    struct buf flow; /* "nodes → processed_logs": for the first log line and the STATUS */
    enum consumer_state state;
    bool is_introduced;    /* the first line was logged */
    bool is_fresh;         /* as in struct turn */
    bool rereads;          /* the last turn ended with TURN_REREAD */
    bool is_at_end;        /* the last poll found nothing left in any partition */
    bool last_turn_failed; /* so that a successful poll does not prove recovery: only a turn does */
    unsigned unassigned_polls; /* in a row that found no partition to be this reader's */
};

void consumer_init(struct consumer *c, const struct consumer_conf *conf);
/* Reads until it is time to exit. flow ("nodes → processed_logs") describes it for people and is
 * copied. True: asked to stop or at the end of the input, and everything that was handled is
 * committed; false: failed, with err as for TURN_STOP. */
bool consumer_run(struct consumer *c, const char *flow, struct err *err);
/* Reports to the service manager that the daemon stops, and its totals: a list that ends with a
 * NULL name, which is logged as well; or NULL for a daemon that counts nothing. */
void consumer_report_end(struct consumer *c, const struct total *totals);
void consumer_release(struct consumer *c);

/* For turns. */
/* Puts a record of topic into the input's dead-letter topic, for reason, which may be err's own
 * text. Returns what put() answered, but BUS_OK where the letter does not fit into that topic
 * either: the record is then dropped with a warning. */
enum bus_rc consumer_dead_letter(struct consumer *c, struct bus *bus, const char *topic,
                                 const struct bus_record *record, const char *reason,
                                 struct err *err);
/* Commits, retrying as long as the bus answers BUS_RETRY, until the limit for stopping is over. */
enum bus_rc consumer_commit(struct consumer *c, struct bus *bus, struct err *err);
/* Sends a keep-alive to the service manager. ctx: the consumer, so that this can be the alive of a
 * bus or a store. */
void consumer_alive(void *ctx);
/* The outcome of a turn to whose last call the bus answered rc. */
enum turn_result consumer_result(enum bus_rc rc);
