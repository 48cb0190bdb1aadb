/* when: points in time as people and records write them. All times are ms since 1970 UTC; the time
 * zone comes in as an offset. Owns nothing. Pure. Any thread. libc's calendar (gmtime_r, timegm).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "buf.h"

enum datetime_style {
    DATETIME_LOCAL,  /* 2026-11-24 06:34:49 */
    DATETIME_RFC3339 /* 2026-11-24T06:34:49.120+01:00, Z for offset 0 */
};

/* Adds ms in the zone that is offset_s seconds east of UTC. */
void datetime_format(struct buf *out, int64_t ms, int32_t offset_s, enum datetime_style style);
/* A record's timestamp that names its zone (RFC 3339, or ISO 8601 with 'T' or ' ', Z or ±HH[:]MM,
 * fraction of any length): true and *ms. Without a zone, or nonsense: false. */
bool datetime_parse_zoned(struct span text, int64_t *ms);
/* What a user gives to --since: "15m" (that long before now), "2026-11-24", "2026-11-24 06:34[:49]"
 * (local: offset_s), or one with a zone. 0, or -1 with err: what was expected. */
int datetime_parse(struct span text, int64_t now_ms, int32_t offset_s, int64_t *ms,
                   struct err *err);
/* "logs-%Y.%m.%d" with the UTC date of ms; %Y %m %d %H only. */
void datetime_pattern(struct buf *out, const char *pattern, int64_t ms);
