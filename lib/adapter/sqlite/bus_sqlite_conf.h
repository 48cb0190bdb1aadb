/* bus_sqlite_conf: the settings of the embedded (SQLite) bus; their rows are in bus_sqlite.c.
 * Owns nothing: the texts belong to the struct conf. Read-only. Callers: bus_sqlite*.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct sqlite_bus_conf {
    const char *path;
    int64_t max_age;  /* ms */
    int64_t max_size; /* bytes */
    int64_t min_free; /* bytes left on the disk */
};
