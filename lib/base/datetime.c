/* datetime: see datetime.h. The parser takes one part after another off the front of a span.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datetime.h"

#include <time.h>

#include "units.h"

/* The first and the last millisecond whose year has four digits. Times from outside, such as a
 * bus's timestamps, are clamped to this range before they are formatted. */
static const int64_t DATETIME_FIRST_MS = -62167219200000, DATETIME_LAST_MS = 253402300799999;

static int64_t datetime_clamp(int64_t ms) {
    if (ms < DATETIME_FIRST_MS)
        return DATETIME_FIRST_MS;
    if (ms > DATETIME_LAST_MS)
        return DATETIME_LAST_MS;
    return ms;
}

/* The date and time of day in the zone; *rest_ms: the milliseconds of the second. */
static struct tm datetime_civil(int64_t ms, int32_t offset_s, int *rest_ms) {
    const int64_t local_ms = datetime_clamp(datetime_clamp(ms) + (int64_t)offset_s * 1000);
    /* Division rounds toward zero: count from the first time, so that nothing is negative. */
    const int64_t since_first_ms = local_ms - DATETIME_FIRST_MS;
    *rest_ms = (int)(since_first_ms % 1000);
    const time_t seconds = since_first_ms / 1000 + DATETIME_FIRST_MS / 1000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return tm;
}

void datetime_format(struct buf *out, int64_t ms, int32_t offset_s, enum datetime_style style) {
    int rest_ms;
    const struct tm tm = datetime_civil(ms, offset_s, &rest_ms);
    const char separator = style == DATETIME_LOCAL ? ' ' : 'T';
    buf_printf(out, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               separator, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (style == DATETIME_LOCAL)
        return;
    buf_printf(out, ".%03d", rest_ms);
    const int offset_minutes = abs(offset_s) / 60;
    if (offset_minutes == 0)
        buf_char(out, 'Z');
    else
        buf_printf(out, "%c%02d:%02d", offset_s < 0 ? '-' : '+', offset_minutes / 60,
                   offset_minutes % 60);
}

/* Takes count digits; false if they are missing or their value is not within low..high. */
static bool datetime_take_number(struct span *s, size_t count, int low, int high, int *value) {
    if (s->n < count || !span_is_digits((struct span){s->p, count}))
        return false;
    *value = 0;
    for (size_t i = 0; i < count; i++)
        *value = *value * 10 + (s->p[i] - '0');
    *s = (struct span){s->p + count, s->n - count};
    return *value >= low && *value <= high;
}

/* Takes one byte if it is in set. */
static bool datetime_take_one(struct span *s, const char *set) {
    if (s->n == 0 || *s->p == '\0' || !strchr(set, *s->p))
        return false;
    *s = (struct span){s->p + 1, s->n - 1};
    return true;
}

/* YYYY-MM-DD */
static bool datetime_take_date(struct span *s, struct tm *tm) {
    if (!datetime_take_number(s, 4, 0, 9999, &tm->tm_year) || !datetime_take_one(s, "-"))
        return false;
    if (!datetime_take_number(s, 2, 1, 12, &tm->tm_mon) || !datetime_take_one(s, "-"))
        return false;
    if (!datetime_take_number(s, 2, 1, 31, &tm->tm_mday))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon--;
    /* timegm turns the 29th of February of a common year into the first of March. */
    struct tm normalized = *tm;
    timegm(&normalized);
    return normalized.tm_mday == tm->tm_mday;
}

/* A fraction of a second of any length; what is below a millisecond is dropped. */
static bool datetime_take_fraction(struct span *s, int *ms) {
    int digit;
    if (!datetime_take_number(s, 1, 0, 9, &digit))
        return false;
    int digit_ms = 100;
    do {
        *ms += digit * digit_ms;
        digit_ms /= 10;
    } while (datetime_take_number(s, 1, 0, 9, &digit));
    return true;
}

/* HH:MM, HH:MM:SS or HH:MM:SS.fraction. A leap second (60) becomes the second that follows it. */
static bool datetime_take_time(struct span *s, struct tm *tm, int *ms) {
    if (!datetime_take_number(s, 2, 0, 23, &tm->tm_hour) || !datetime_take_one(s, ":"))
        return false;
    if (!datetime_take_number(s, 2, 0, 59, &tm->tm_min))
        return false;
    if (!datetime_take_one(s, ":"))
        return true;
    if (!datetime_take_number(s, 2, 0, 60, &tm->tm_sec))
        return false;
    if (!datetime_take_one(s, ".,"))
        return true;
    return datetime_take_fraction(s, ms);
}

/* Z, ±HHMM or ±HH:MM */
static bool datetime_take_zone(struct span *s, int32_t *offset_s) {
    int hours, minutes;
    *offset_s = 0;
    if (datetime_take_one(s, "Zz"))
        return true;
    const bool is_west = s->n > 0 && *s->p == '-';
    if (!datetime_take_one(s, "+-") || !datetime_take_number(s, 2, 0, 23, &hours))
        return false;
    datetime_take_one(s, ":");
    if (!datetime_take_number(s, 2, 0, 59, &minutes))
        return false;
    *offset_s = (hours * 60 + minutes) * 60;
    if (is_west)
        *offset_s = -*offset_s;
    return true;
}

static int64_t datetime_ms(struct tm *tm, int rest_ms, int32_t offset_s) {
    return (timegm(tm) - offset_s) * INT64_C(1000) + rest_ms;
}

bool datetime_parse_zoned(struct span text, int64_t *ms) {
    struct tm tm = {0};
    int rest_ms = 0;
    int32_t offset_s;
    if (!datetime_take_date(&text, &tm) || !datetime_take_one(&text, "Tt "))
        return false;
    if (!datetime_take_time(&text, &tm, &rest_ms) || !datetime_take_zone(&text, &offset_s))
        return false;
    if (text.n > 0)
        return false;
    *ms = datetime_ms(&tm, rest_ms, offset_s);
    return true;
}

/* A date, or a date and a time of day, in the zone offset_s. */
static bool datetime_parse_local(struct span text, int32_t offset_s, int64_t *ms) {
    struct tm tm = {0};
    int rest_ms = 0;
    if (!datetime_take_date(&text, &tm))
        return false;
    if (text.n > 0) {
        if (!datetime_take_one(&text, "Tt ") || !datetime_take_time(&text, &tm, &rest_ms))
            return false;
    }
    if (text.n > 0)
        return false;
    *ms = datetime_ms(&tm, rest_ms, offset_s);
    return true;
}

int datetime_parse(struct span text, int64_t now_ms, int32_t offset_s, int64_t *ms,
                   struct err *err) {
    if (datetime_parse_zoned(text, ms) || datetime_parse_local(text, offset_s, ms))
        return 0;
    int64_t ago_ms;
    if (units_parse_ms(text, &ago_ms) == 0 && ago_ms >= 0) {
        *ms = now_ms - ago_ms;
        return 0;
    }
    return err_set(err,
                   "'%.*s' is not a time: expected how long ago (15m, 2h, 7d), a date (2026-11-24),"
                   " or a date and time (\"2026-11-24 06:34:49\", 2026-11-24T06:34:49Z)",
                   SPAN_ARG(text));
}

void datetime_pattern(struct buf *out, const char *pattern, int64_t ms) {
    int rest_ms;
    const struct tm tm = datetime_civil(ms, 0, &rest_ms);
    for (const char *p = pattern; *p; p++) {
        const char field = *p == '%' ? p[1] : '\0';
        switch (field) {
        case 'Y':
            buf_printf(out, "%04d", tm.tm_year + 1900);
            break;
        case 'm':
            buf_printf(out, "%02d", tm.tm_mon + 1);
            break;
        case 'd':
            buf_printf(out, "%02d", tm.tm_mday);
            break;
        case 'H':
            buf_printf(out, "%02d", tm.tm_hour);
            break;
        default:
            buf_char(out, *p);
            continue;
        }
        p++; /* the field's letter */
    }
}
