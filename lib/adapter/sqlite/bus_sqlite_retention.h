/* bus_sqlite_retention: removes old records from the embedded (SQLite) bus, and finds out when it
 * is full. A pass is due every 30 s. The process that first finds it due claims it, and spends some
 * milliseconds on it in each of its polls until nothing is left to do.
 *
 * Age only counts time in which some process ran. Of the time between two passes at most
 * STEP_PASSES intervals count. The rest, in which the machine was off or suspended or one boot's
 * clock was ahead, is recorded as a row of the table gap, and ages no record and no group.
 *
 * Owns nothing. One thread a handle. Callers: bus_sqlite.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "bus_sqlite_clock.h"
#include "bus_sqlite_conf.h"
#include "sqlite_file.h"

enum sqlite_retention_phase {
    SQLITE_RETENTION_IDLE, /* between passes, or another process does the pass */
    SQLITE_RETENTION_PASS  /* this process has claimed a pass that is not finished */
};

struct sqlite_retention {
    struct sqlite_file *file;
    const struct sqlite_clock *clock;
    const struct sqlite_bus_conf *conf;

    bool full; /* when it was last measured */
    struct err full_reason;

    enum sqlite_retention_phase phase;
    int64_t check_at_ms; /* monotonic clock: when to check next whether a pass is due */
    bool over_max_size;  /* from max_size on, until the file is somewhat smaller again */
    /* For the current pass, on the bus clock: records before old_ms are older than max_age, those
     * before expired_ms are older than twice max_age. */
    int64_t old_ms, expired_ms;
};

/* The pointers are borrowed for the retention's life. */
void sqlite_retention_init(struct sqlite_retention *retention, struct sqlite_file *file,
                           const struct sqlite_clock *clock, const struct sqlite_bus_conf *conf);
/* Within a write transaction, on open: creates the tables and rows that retention needs if they are
 * missing, as in a new file and in one of distlog 0.1.0. Errors stick to the file. */
void sqlite_retention_prepare(struct sqlite_retention *retention);
/* Works on a pass for at most some milliseconds if one is due. Drops its errors: they do no harm,
 * because the next call tries again. */
void sqlite_retention_work(struct sqlite_retention *retention);
/* Sets full, and full_reason, which names the bound that was exceeded. */
void sqlite_retention_measure(struct sqlite_retention *retention);
