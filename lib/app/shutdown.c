/* shutdown: see shutdown.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "shutdown.h"

#include "../adapter/os/clock.h"
#include "../adapter/os/stop.h"

/* A drain ends after 4 s, so that the last commit fits into the 5 s after which every daemon
 * exits, whatever its engines do. */
enum { SHUTDOWN_DRAIN_MS = 4000, SHUTDOWN_LIMIT_MS = 5000, SHUTDOWN_KILL_S = 6 };

void shutdown_arm(void) {
    stop_within(SHUTDOWN_KILL_S);
}

/* Since the signal; 0 before it. */
static int64_t shutdown_passed_ms(void) {
    if (!stop_asked())
        return 0;
    return clock_mono_ms() - stop_asked_ms();
}

bool shutdown_is_due(const struct shutdown_conf *conf, bool is_at_end) {
    if (!stop_asked())
        return is_at_end && conf->no_follow;
    if (!conf->drain || is_at_end)
        return true;
    return shutdown_passed_ms() >= SHUTDOWN_DRAIN_MS;
}

bool shutdown_is_overdue(void) {
    return shutdown_left_ms() == 0;
}

int64_t shutdown_left_ms(void) {
    const int64_t left_ms = SHUTDOWN_LIMIT_MS - shutdown_passed_ms();
    return left_ms > 0 ? left_ms : 0;
}
