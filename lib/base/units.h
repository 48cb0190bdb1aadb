/* units: numbers with a unit as people write them: durations (250ms, 5s, 7d), sizes (512KB, 10GB).
 * Owns nothing. Pure. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

/* One row of a table of units, which ends with a row without a name. */
struct unit {
    const char *name; /* "ms"; compared without regard to letter case */
    int64_t factor;   /* to the smallest unit */
};

/* Days to milliseconds, largest first. */
extern const struct unit units_durations[];
/* Terabytes to bytes, in powers of 1024, largest first. */
extern const struct unit units_sizes[];
/* No unit at all. */
extern const struct unit units_none[];

/* Parses digits and one of the units; a 0 needs no unit. False if text is no such number, or
 * if the result does not fit; *out is then unchanged. */
bool units_parse(const char *text, const struct unit *units, int64_t *out);
/* Parses a duration such as "5s" into milliseconds. Returns 0, or -1. */
int units_parse_ms(struct span text, int64_t *ms);
