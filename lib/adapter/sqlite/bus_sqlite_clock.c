/* bus_sqlite_clock: see bus_sqlite_clock.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite_clock.h"

#include "../../conf/file.h"
#include "../os/clock.h"

enum { BOOT_ID_BYTES = 64 };

static const char set_anchor[] =
    "UPDATE meta"
    " SET boot_id = ?1,"
    "     anchor_ms = max(?2, (SELECT coalesce(max(last_ms), 0) FROM topic)) - ?3"
    " WHERE boot_id <> ?1";

void sqlite_clock_open(struct sqlite_clock *clock, struct sqlite_db *db) {
    struct err err;
    if (file_read(&clock->boot_id, "/proc/sys/kernel/random/boot_id", BOOT_ID_BYTES, &err) != 0)
        sqlite_db_fail(db, "%s", err.text);
    sqlite_db_run(db, set_anchor, sqlite_string(clock->boot_id.p), sqlite_int(clock_wall_ms()),
                  sqlite_int(clock_boot_ms()));
    clock->anchor_ms = sqlite_db_run(db, "SELECT anchor_ms FROM meta");
}

void sqlite_clock_close(struct sqlite_clock *clock) {
    buf_release(&clock->boot_id);
}

int64_t sqlite_clock_now_ms(const struct sqlite_clock *clock) {
    return clock->anchor_ms + clock_boot_ms();
}
