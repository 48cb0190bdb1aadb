/* Tests of base/datetime. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "../../lib/base/rng.h"
#include "../../lib/base/datetime.h"

static const int64_t MOMENT = 1795502089120; /* 2026-11-24T06:34:49.120Z */

static const char *format(int64_t ms, int32_t offset_s, enum datetime_style style) {
    static char text[64];
    struct buf b = {0};
    datetime_format(&b, ms, offset_s, style);
    snprintf(text, sizeof text, "%s", b.p);
    buf_release(&b);
    return text;
}

static void times_are_formatted_in_every_style(void **state) {
    (void)state;
    assert_string_equal(format(MOMENT, 0, DATETIME_LOCAL), "2026-11-24 06:34:49");
    assert_string_equal(format(MOMENT, 3600, DATETIME_LOCAL), "2026-11-24 07:34:49");
    assert_string_equal(format(MOMENT, 0, DATETIME_RFC3339), "2026-11-24T06:34:49.120Z");
    assert_string_equal(format(MOMENT, 3600, DATETIME_RFC3339), "2026-11-24T07:34:49.120+01:00");
    assert_string_equal(format(MOMENT, -9000, DATETIME_RFC3339), "2026-11-24T04:04:49.120-02:30");
    assert_string_equal(format(0, 0, DATETIME_RFC3339), "1970-01-01T00:00:00.000Z");
    assert_string_equal(format(-1, 0, DATETIME_RFC3339), "1969-12-31T23:59:59.999Z");
    /* Timestamps that another producer may have set. */
    assert_string_equal(format(INT64_MAX, 3600, DATETIME_LOCAL), "9999-12-31 23:59:59");
    assert_string_equal(format(INT64_MIN, -3600, DATETIME_LOCAL), "0000-01-01 00:00:00");
}

static void dates_agree_with_the_c_library(void **state) {
    (void)state;
    struct rng rng;
    rng.state = 5;
    for (int i = 0; i < 20000; i++) {
        int64_t s = rng_range(&rng, -62167219200, 253402300799), ms;
        time_t t = (time_t)s;
        struct tm tm;
        char want[64];
        gmtime_r(&t, &tm);
        snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.000Z", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        const char *text = format(s * 1000, 0, DATETIME_RFC3339);
        assert_string_equal(text, want);
        assert_true(datetime_parse_zoned(span_of(text), &ms));
        assert_true(ms == s * 1000);
    }
}

static void offsets_from_utc_are_parsed(void **state) {
    (void)state;
    static const char *const same[] = {
        "2026-11-24T06:34:49.120Z",       "2026-11-24t06:34:49.12z",
        "2026-11-24 06:34:49,120999999Z", "2026-11-24T07:34:49.120+01:00",
        "2026-11-24T07:34:49.120+0100",   "2026-11-24T04:04:49.1200000000000000000001-02:30",
    };
    int64_t ms;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(datetime_parse_zoned(span_of(same[i]), &ms));
        assert_true(ms == MOMENT);
    }
    assert_true(datetime_parse_zoned(SPAN_LIT("2016-12-31T23:59:60Z"), &ms));
    assert_true(ms == 1483228800000);
    assert_true(datetime_parse_zoned(SPAN_LIT("2024-02-29T00:00Z"), &ms));
    assert_true(ms == 1709164800000);
    static const char *const bad[] = {
        "",
        "2026-11-24",
        "2026-11-24 06:34:49",
        "2026-11-24T06:34:49",
        "2026-11-24T06:34:49+1",
        "2026-11-24T06:34:49+01",
        "2026-11-24T06:34:49Z ",
        "2026-11-24T06:34:49.Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T06:60:00Z",
        "2026-11-24T06:00:61Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-24T06:34:49+24:00",
        "2026-11-24T06:34:49+01:60",
        "26-11-24T06:34:49Z",
        "2026-1-24T06:34:49Z",
        "x",
        "2026-11-24T06:34:49.120-02:3",
        "2026-11-23T30:34:49.120Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (datetime_parse_zoned(span_of(bad[i]), &ms))
            fail_msg("taken: %s", bad[i]);
    assert_false(datetime_parse_zoned(SPAN_LIT("2026-11-24\0006:34:49Z"), &ms));
}

static void dates_and_ages_are_parsed(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"15m", MOMENT - 15 * 60000},
        {"7d", MOMENT - 7 * 86400000LL},
        {"2026-11-24", 1795478400000 - 3600000},
        {"2026-11-24 07:34", 1795502040000},
        {"2026-11-24 07:34:49", 1795502089000},
        {"2026-11-24T07:34:49.120", MOMENT},
        {"2026-11-24T06:34:49.120Z", MOMENT},
    };
    struct err err = {""};
    int64_t ms;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(datetime_parse(span_of(cases[i].text), MOMENT, 3600, &ms, &err), 0);
        assert_true(ms == cases[i].ms);
    }
    static const char *const bad[] = {"",    "yesterday", "2026-11", "2026-11-24 7:34",
                                      "15x", "15 m",      "-5m"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(datetime_parse(span_of(bad[i]), MOMENT, 3600, &ms, &err), -1);
    assert_non_null(strstr(err.text, "'-5m' is not a time: expected how long ago (15m, 2h, 7d)"));
}

static void index_patterns_are_expanded(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"logs", "logs"}, {"logs-%Y.%m.%d", "logs-2026.11.24"}, {"%H%", "06%"}, {"%%x%z", "%%x%z"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        datetime_pattern(&b, cases[i][0], MOMENT);
        assert_string_equal(b.p, cases[i][1]);
        buf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_formatted_in_every_style),
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(offsets_from_utc_are_parsed),
        cmocka_unit_test(dates_and_ages_are_parsed),
        cmocka_unit_test(index_patterns_are_expanded),
    };
    return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}
