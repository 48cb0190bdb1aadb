/* consumer: the loop of every reader of a topic. Opens the bus, polls it, hands each batch to a
 * turn, opens the bus again when it must, and leaves when it is time to. Logs outages, standby and
 * what retention removed unread; reports to the service manager.
 *
 * A turn is everything that follows from one batch, up to and including its commit: it happens as a
 * whole or not at all.
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
    /* What was known about the partitions is void, because the bus was opened, another reader was
     * active, or a turn was aborted: load it again. Stays set until a turn succeeds. */
    bool is_fresh;
};

/* What a turn has come to, and with it what the consumer does next. Where err is mentioned, the
 * turn has filled it. */
enum turn_result {
    TURN_DONE,    /* handled and committed, or there was nothing to do */
    TURN_REREAD,  /* the turn has called undo(): its records come again, at once */
    TURN_ABORTED, /* the bus dropped it (err): its records come again */
    TURN_RETRY,   /* the bus did not answer (err): go on after a wait, or leave if it is time to */
    TURN_REOPEN,  /* the bus is of no use any more (err): open it again */
    TURN_STOP     /* leave, failed (err; its text is empty if the turn has logged why) */
};

/* Handles a batch that has records; with turns_when_idle also one without. */
typedef enum turn_result consumer_turn(void *ctx, const struct turn *turn, struct err *err);

/* A number that a daemon reports when it ends. */
struct total {
    const char *name; /* words joined by '_' */
    uint64_t value;
};

enum consumer_state {
    CONSUMER_OPENING,  /* there is no bus yet, or not any more */
    CONSUMER_STARTING, /* it is open, but no poll has succeeded: a fatal error would come again */
    CONSUMER_READING,  /* this reader is active */
    CONSUMER_STANDBY,  /* another reader of the group is */
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
    struct buf flow; /* what it reads and where that goes: for the first line and the STATUS */
    enum consumer_state state;
    bool is_introduced;    /* the first line was logged */
    bool is_fresh;         /* as in struct turn */
    bool rereads;          /* the last turn ended with TURN_REREAD */
    bool is_at_end;        /* the last poll found nothing left in any partition */
    bool last_turn_failed; /* so that a successful poll does not prove recovery: only a turn does */
    unsigned unassigned_polls; /* in a row that found no partition to be this reader's */
};

void consumer_init(struct consumer *c, const struct consumer_conf *conf);
/* Reads until it is time to leave. flow ("nodes → processed_logs") describes it for people and is
 * copied. True: asked to leave or at the end of the input, and everything that was handled is
 * committed; false: failed, with err as of TURN_STOP. */
bool consumer_run(struct consumer *c, const char *flow, struct err *err);
/* Tells the service manager that the daemon ends, and with which totals: a list that ends with a
 * NULL name. With a list, logs it as well. */
void consumer_report_end(struct consumer *c, const struct total *totals);
void consumer_release(struct consumer *c);

/* For turns. */
/* Puts a record of topic into the dead letters of the input, for reason, which may be err's own
 * text. BUS_OK also if it does not fit there either (logged); else what put() answered. */
enum bus_rc consumer_dead_letter(struct consumer *c, struct bus *bus, const char *topic,
                                 const struct bus_record *record, const char *reason,
                                 struct err *err);
/* Commits, waiting as long as the bus answers BUS_RETRY, until it is time to leave without. */
enum bus_rc consumer_commit(struct consumer *c, struct bus *bus, struct err *err);
/* An engine has answered: an outage, if one lasts, is over; but after a turn that failed only a
 * turn that succeeds shows that. */
void consumer_recovered(struct consumer *c);
/* A sign of life for the service manager. ctx: the consumer, so that this can be the alive of a
 * bus or a store. */
void consumer_alive(void *ctx);
/* What a turn comes to after the bus answered rc to its last call. */
enum turn_result consumer_result(enum bus_rc rc);
