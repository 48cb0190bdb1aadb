/* clock: see clock.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <time.h>

static int64_t clock_read_ms(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t); /* cannot fail for the ids below */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void) {
    return clock_read_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void) {
    return clock_read_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void) {
    return clock_read_ms(CLOCK_BOOTTIME);
}

int32_t clock_offset_s(int64_t wall_ms) {
    time_t s = (time_t)(wall_ms / 1000);
    struct tm local;
    if (!localtime_r(&s, &local))
        return 0;
    return (int32_t)local.tm_gmtoff;
}

void clock_sleep_ms(int64_t ms) {
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}
