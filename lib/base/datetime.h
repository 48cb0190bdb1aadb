/* datetime: points in time as people and records write them. Times are milliseconds since 1970 UTC;
 * a time zone is its offset in seconds east of UTC. Owns nothing. Pure: the current time comes in
 * as an argument. Any thread. libc's calendar (gmtime_r, timegm).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "buf.h"

enum datetime_style {
    DATETIME_LOCAL,  /* 2026-11-24 06:34:49 */
    DATETIME_RFC3339 /* 2026-11-24T06:34:49.120+01:00, Z for offset 0 */
};

/* Appends ms to out, in the zone offset_s. A time whose year would not have four digits becomes the
 * nearest that has. */
void datetime_format(struct buf *out, int64_t ms, int32_t offset_s, enum datetime_style style);
/* Parses a record's timestamp, which must name its zone: RFC 3339, or ISO 8601 with 'T' or ' ', Z
 * or ±HH[:]MM, and a fraction of any length. Returns false if text is anything else; *ms is then
 * unchanged. */
bool datetime_parse_zoned(struct span text, int64_t *ms);
/* Parses what a user gives to --since: "15m" (that long before now_ms), "2026-11-24" or "2026-11-24
 * 06:34[:49]" (in the zone offset_s), or a timestamp with a zone. Returns 0, or -1 with err. */
int datetime_parse(struct span text, int64_t now_ms, int32_t offset_s, int64_t *ms,
                   struct err *err);
/* Appends pattern to out with the UTC date of ms for %Y, %m, %d and %H ("logs-%Y.%m.%d"). */
void datetime_pattern(struct buf *out, const char *pattern, int64_t ms);
