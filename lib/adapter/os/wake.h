/* wake: wakes waiting processes of this machine after a commit. The committing process touches a
 * file, the others watch it with inotify(7). Watching the database itself would not do: its WAL
 * changes before the commit is visible.
 * Owns the two descriptors. One thread a handle. Callers: lib/adapter/sqlite. Linux.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct wake {
    int file, watch; /* -1: not open */
};

/* Takes ownership of the open file. watch: this process will wait, too. */
void wake_open(struct wake *w, int file, bool watch);
/* Wakes every process that watches the file. */
void wake_touch(struct wake *w);
/* Forgets the touches so far. Call it before reading the database, so that no touch after the read
 * is missed. */
void wake_drain(struct wake *w);
/* Waits for a touch since the last drain, for up to ms, but at most a second. False: a signal
 * arrived. */
bool wake_wait(struct wake *w, int ms);
void wake_close(struct wake *w);
