/* shutdown: when a daemon leaves. It is asked to by SIGTERM or SIGINT (lib/adapter/os/stop.h), or
 * leaves by itself at the end of its input; whatever its engines do, it is gone 6 s after a signal.
 * Owns nothing. Main thread. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct shutdown_conf {
    bool no_follow; /* leave once everything in the input has been handled */
    bool drain;     /* when asked to stop, handle first what is in the input, for up to 4 s */
};

/* Makes sure that the process ends 6 s after the first signal, even within a library's call. */
void shutdown_arm(void);
/* Should the loop end? is_at_end: the last poll found nothing left to read. */
bool shutdown_is_due(const struct shutdown_conf *conf, bool is_at_end);
/* A stop was asked for 5 s ago or earlier: leave without the engine's answer. */
bool shutdown_is_overdue(void);
/* How many ms are left until then; the whole 5 s if no stop was asked for, never below 0. */
int64_t shutdown_left_ms(void);
