/* when: see when.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "datetime.h"

#include <time.h>

#include "units.h"

/* The first and the last millisecond whose year has four digits: what comes from outside (a bus
 * timestamp, say) is held within them. */
static const int64_t FIRST_MS = -62167219200000, LAST_MS = 253402300799999;

static int64_t held(int64_t ms) {
    return ms < FIRST_MS ? FIRST_MS : ms > LAST_MS ? LAST_MS : ms;
}

/* The date and time of day in the zone; *ms: what is left. */
static struct tm civil(int64_t at_ms, int32_t offset_s, int *ms) {
    struct tm tm;
    int64_t since = held(held(at_ms) + (int64_t)offset_s * 1000) - FIRST_MS; /* never negative */
    *ms = (int)(since % 1000);
    gmtime_r(&(time_t){since / 1000 + FIRST_MS / 1000}, &tm);
    return tm;
}

void datetime_format(struct buf *out, int64_t ms, int32_t offset_s, enum datetime_style style) {
    int rest, minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
    struct tm tm = civil(ms, offset_s, &rest);
    buf_printf(out, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               style == DATETIME_LOCAL ? ' ' : 'T', tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (style == DATETIME_LOCAL)
        return;
    buf_printf(out, ".%03d", rest);
    if (minutes)
        buf_printf(out, "%c%02d:%02d", offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
    else
        buf_char(out, 'Z');
}

/* Takes count digits off the front of s; false if they are not there or not within low..high. */
static bool take_number(struct span *s, size_t count, int low, int high, int *to) {
    if (s->n < count || !span_is_digits((struct span){s->p, count}))
        return false;
    for (*to = 0; count; count--, s->n--)
        *to = *to * 10 + (*s->p++ - '0');
    return *to >= low && *to <= high;
}

/* Takes one byte off the front of s if it is one of set. */
static bool take_one(struct span *s, const char *set) {
    if (s->n == 0 || !*s->p || !strchr(set, *s->p))
        return false;
    *s = (struct span){s->p + 1, s->n - 1};
    return true;
}

static bool take_date(struct span *s, struct tm *tm) {
    if (!take_number(s, 4, 0, 9999, &tm->tm_year) || !take_one(s, "-") ||
        !take_number(s, 2, 1, 12, &tm->tm_mon) || !take_one(s, "-") ||
        !take_number(s, 2, 1, 31, &tm->tm_mday))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon--;
    struct tm real = *tm;
    timegm(&real); /* makes the first of March of a 29th of February that is not there */
    return real.tm_mday == tm->tm_mday;
}

/* HH:MM, perhaps :SS, perhaps a fraction of any length; a leap second is the next one. */
static bool take_time(struct span *s, struct tm *tm, int *ms) {
    if (!take_number(s, 2, 0, 23, &tm->tm_hour) || !take_one(s, ":") ||
        !take_number(s, 2, 0, 59, &tm->tm_min))
        return false;
    if (!take_one(s, ":"))
        return true;
    if (!take_number(s, 2, 0, 60, &tm->tm_sec))
        return false;
    if (!take_one(s, ".,"))
        return true;
    int digit, worth = 1000;
    while (take_number(s, 1, 0, 9, &digit))
        *ms += digit * (worth /= 10);
    return worth < 1000; /* there was one */
}

static bool take_zone(struct span *s, int32_t *offset_s) {
    int hours, minutes;
    *offset_s = 0;
    if (take_one(s, "Zz"))
        return true;
    bool west = s->n && *s->p == '-';
    if (!take_one(s, "+-") || !take_number(s, 2, 0, 23, &hours))
        return false;
    take_one(s, ":");
    if (!take_number(s, 2, 0, 59, &minutes))
        return false;
    *offset_s = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

/* A date and perhaps a time of day, in the zone offset_s unless the text names one. zoned: it must;
 * else it must not. */
static bool take_all(struct span s, bool zoned, int32_t offset_s, int64_t *ms) {
    struct tm tm = {0};
    int rest = 0;
    if (!take_date(&s, &tm))
        return false;
    if ((zoned || s.n) && !(take_one(&s, "Tt ") && take_time(&s, &tm, &rest)))
        return false;
    if ((zoned && !take_zone(&s, &offset_s)) || s.n)
        return false;
    *ms = (timegm(&tm) - offset_s) * INT64_C(1000) + rest;
    return true;
}

bool datetime_parse_zoned(struct span text, int64_t *ms) {
    return take_all(text, true, 0, ms);
}

int datetime_parse(struct span text, int64_t now_ms, int32_t offset_s, int64_t *ms,
                   struct err *err) {
    int64_t ago;
    if (datetime_parse_zoned(text, ms) || take_all(text, false, offset_s, ms))
        return 0;
    if (units_parse_ms(text, &ago) == 0 && ago >= 0) {
        *ms = now_ms - ago;
        return 0;
    }
    return err_set(err,
                   "'%.*s' is not a time: expected how long ago (15m, 2h, 7d), a date (2026-11-24),"
                   " or a date and time (\"2026-11-24 06:34:49\", 2026-11-24T06:34:49Z)",
                   SPAN_ARG(text));
}

void datetime_pattern(struct buf *out, const char *pattern, int64_t ms) {
    int rest;
    struct tm tm = civil(ms, 0, &rest);
    for (const char *p = pattern; *p; p++) {
        bool field = *p == '%' && p[1] && strchr("YmdH", p[1]);
        if (!field)
            buf_char(out, *p);
        else if (*++p == 'Y')
            buf_printf(out, "%04d", tm.tm_year + 1900);
        else
            buf_printf(out, "%02d",
                       *p == 'm'   ? tm.tm_mon + 1
                       : *p == 'd' ? tm.tm_mday
                                   : tm.tm_hour);
    }
}
