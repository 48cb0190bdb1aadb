/* units: numbers with a unit as people write them: durations (250ms, 5s, 7d), sizes (512KB, 10GB).
 * Owns nothing. Pure. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

/* One row of a table of units, which ends with a row without a name. */
struct unit {
    const char *name; /* "ms"; upper and lower case are the same */
    int64_t factor;   /* how many of the smallest unit make one */
};

/* Days to milliseconds, largest first. */
extern const struct unit units_durations[];
/* Terabytes to bytes, in powers of 1024, largest first. */
extern const struct unit units_sizes[];
/* Plain numbers. */
extern const struct unit units_none[];

/* Parses a whole number, perhaps negative, and one of the units; 0 needs no unit. *out is in the
 * smallest unit. Returns false, and leaves *out as it is, if text is anything else or if the result
 * does not fit. */
bool units_parse(const char *text, const struct unit *units, int64_t *out);
/* Parses a duration such as "5s" into milliseconds. Returns 0, or -1; *ms is then unchanged. */
int units_parse_ms(struct span text, int64_t *ms);
