/* bus_sqlite_clock: the clock of the embedded (SQLite) bus, which gives records their timestamps.
 * It is the boot clock plus an anchor stored in the file, so that all processes agree on it and it
 * does not step when the wall clock does. The first process of each boot sets the anchor to the
 * wall clock, but never to before the newest record.
 * Owns the boot id. One thread a handle. Callers: bus_sqlite*.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/buf.h"
#include "sqlite_db.h"

struct sqlite_clock {
    struct buf boot_id;
    int64_t anchor_ms; /* bus clock = anchor_ms + boot clock */
};

/* Within a write transaction: reads the anchor of this boot, and sets it first if this is the
 * first process since the machine was booted. Errors stick to db. */
void sqlite_clock_open(struct sqlite_clock *clock, struct sqlite_db *db);
void sqlite_clock_close(struct sqlite_clock *clock);
/* ms since 1970 UTC on the bus clock. */
int64_t sqlite_clock_now_ms(const struct sqlite_clock *clock);
