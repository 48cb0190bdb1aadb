/* stop: has somebody asked this process to end?
 * Owns the handlers of SIGTERM and SIGINT: the first sets the flag, the second ends the process at
 * once (a signal handler has no argument, hence the static variables).
 * Main thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Installs the handlers without SA_RESTART, so that a waiting call returns EINTR; ignores SIGPIPE.
 */
void stop_install(void);
/* Whoever is told to stop from now on and has not ended after that time ends at once, with exit
 * status 1: for libraries whose calls wait longer than they were asked to. */
void stop_within(unsigned seconds);
/* True from the first TERM or INT on. */
bool stop_asked(void);
/* When that was, by the clock of clock_mono_ms; 0: not yet. */
int64_t stop_asked_ms(void);
