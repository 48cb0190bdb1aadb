/* wake: tells waiting processes of this machine that something was committed. One touches a file,
 * the others watch it with inotify(7). Watching the database itself would not do: its WAL changes
 * before the commit is visible.
 * Owns the two descriptors. One thread a handle. Callers: bus_sqlite. Linux.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct wake {
    int file, watch; /* -1: not open */
};

/* Takes the open file. watch: this process will wait, too. */
void wake_open(struct wake *w, int file, bool watch);
/* Wakes all who watch the file. */
void wake_touch(struct wake *w);
/* Forgets the touches so far: call it before looking, so that none after the look is missed. */
void wake_drain(struct wake *w);
/* Waits up to ms for a touch since the last drain. False: a signal arrived. */
bool wake_wait(struct wake *w, int ms);
void wake_close(struct wake *w);
