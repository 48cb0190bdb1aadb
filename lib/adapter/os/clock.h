/* clock: the time, as values. lib/core never calls it: the time comes in as an argument there.
 * Owns nothing. Any thread. POSIX clocks, plus Linux's CLOCK_BOOTTIME.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Wall clock, ms since 1970 UTC; may step. */
int64_t clock_wall_ms(void);
/* Monotonic, ms; stands still while the machine is suspended. */
int64_t clock_mono_ms(void);
/* Since boot, ms, suspension included; the same for all processes of the machine. */
int64_t clock_boot_ms(void);
/* How many seconds east of UTC this machine's zone is at that time. */
int32_t clock_offset_s(int64_t wall_ms);
/* Waits; returns early when a signal arrives. */
void clock_sleep_ms(int64_t ms);
