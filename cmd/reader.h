/* reader: the loop of a daemon that reads one topic and handles batch after batch: pubsub, store
 * and alert. Opens the bus, opens it again when it must be, says what happens to it, and knows when
 * to leave. Owns the bus. Main thread. Callers: cmd/ only. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "daemon.h"

struct reader {
    struct daemon daemon; /* daemon_init has made it ready */
    struct bus_open how;
    const char *flow; /* for the daemon's first line */
    int wait_ms;      /* the longest poll of an active reader; turn may change it; 0: a second */
    bool idle;        /* turn is called for batches without a record too */
    /* Handles a batch, which has at least one record, and commits it. What it returns is what the
     * bus last answered: BUS_RETRY if it was waited for until it was time to leave. */
    enum bus_rc (*turn)(void *ctx, struct bus *bus, const struct bus_batch *batch, struct err *err);
    void *ctx;
    bool failed; /* turn sets it, and has said why: leave, exit 1 */
    bool again;  /* turn sets it: it has undone the batch, whose records come again */
    bool fresh;  /* the bus was opened, undone or another reader's since turn set this to false */
};

/* Reads until it is time to leave. Returns the exit code. */
int reader_run(struct reader *r);
/* Puts a record of topic into the dead letters of the input. reason may be err's own text. */
enum bus_rc reader_bury(struct reader *r, struct bus *bus, const char *topic,
                        const struct bus_record *record, const char *reason, struct err *err);
/* Commits, waiting while the bus answers "later", until it is time to leave. */
enum bus_rc reader_commit(struct reader *r, struct bus *bus, struct err *err);
