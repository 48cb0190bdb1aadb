/* daemon: what pubsub, store and alert have in common: open the bus with patience, say trouble once
 * and once when it is over, and know when to leave. Owns the trouble's state. Main thread. Callers:
 * cmd/ only. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../lib/core/backoff.h"
#include "../lib/engines.h"
#include "cmd.h"

struct daemon {
    const struct run *run;
    struct backoff backoff;
    bool in_trouble; /* something was said and is not over yet */
    bool in_doubt;   /* the last batch failed: only one that does not can show that the trouble is
                        over */
    bool introduced; /* the first line was printed */
};

/* How a daemon leaves: at once when asked to (false), or after reading what is there. */
struct daemon_conf {
    bool no_follow; /* --no-follow: exit 0 once everything there has been handled */
    bool drain;     /* --drain: on TERM or INT handle what is there first, up to 4 s */
};
extern const struct opt_section daemon_section;

void daemon_init(struct daemon *d, const struct run *run);
/* Opens the bus, waiting with backoff while it answers BUS_RETRY; prints the first line (`bus kafka
 * localhost:9092, <flow>`). NULL when stopped meanwhile or on BUS_FATAL (said). */
struct bus *daemon_bus(struct daemon *d, const struct bus_open *how, const char *flow);
/* Prints that first line, once. */
void daemon_introduce(struct daemon *d, const struct bus *bus, const char *flow);
struct store *daemon_store(struct daemon *d);
/* For commands that look at what is there: is there a bus? Opening would make one, and an empty one
 * would answer "nothing" to a wrong path. False: said. */
bool daemon_has_bus(const struct run *run);
/* Something answered "later": says so once, waits with backoff (returns early on a signal). False:
 * time to leave without its answer. */
bool daemon_trouble(struct daemon *d, const struct err *err);
/* It worked: says so once if there was trouble, and no doubt. */
void daemon_well(struct daemon *d);
/* True when the loop should end: asked to stop (and, with --drain, at_end or out of time), or
 * at_end with --no-follow. at_end: the last poll found nothing left in any part. */
bool daemon_done(struct daemon *d, bool at_end);
/* True when a stop was asked more than 5 s ago: leave without the engine, exit EXIT_FAILED. */
bool daemon_overdue(void);
