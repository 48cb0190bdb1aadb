/* shutdown: when a daemon exits. SIGTERM or SIGINT asks it to (lib/adapter/os/stop.h), or it exits
 * by itself at the end of its input. Whatever its engines do, it is gone 6 s after a signal.
 * Owns nothing. Main thread. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct shutdown_conf {
    bool no_follow; /* exit once the whole input has been processed */
    bool drain;     /* when asked to stop, process the backlog first, for up to 4 s */
};

/* Makes sure that the process ends 6 s after the first signal, even inside a library call. */
void shutdown_arm(void);
/* Should the loop end? is_at_end: the last poll found nothing left to read. */
bool shutdown_is_due(const struct shutdown_conf *conf, bool is_at_end);
/* A stop was requested at least 5 s ago: exit without waiting for the engine's answer. */
bool shutdown_is_overdue(void);
/* Milliseconds left until then: all 5,000 if no stop was requested, never below 0. */
int64_t shutdown_left_ms(void);
