/* stop: whether this process was asked to stop.
 * Owns the handlers of SIGTERM and SIGINT: the first signal sets a flag, the second one ends the
 * process at once. Main thread; stop_asked and stop_asked_ms any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Installs the handlers without SA_RESTART, so that a waiting call returns EINTR; ignores SIGPIPE.
 */
void stop_install(void);
/* From now on the process ends with exit status 1 this long after the first signal, if it has not
 * ended by itself: some libraries' calls wait longer than they were asked to. 0: never. */
void stop_within(unsigned seconds);
/* True from the first SIGTERM or SIGINT on. */
bool stop_asked(void);
/* When that was, by the clock of clock_mono_ms; 0: not yet. */
int64_t stop_asked_ms(void);
