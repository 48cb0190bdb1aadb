/* Tests of lib/app/outage.c: what it logs, at which level, and how it names a duration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../lib/app/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The journal's format has the level in front. */
static const struct log journal = {
    .prefix = "distlog test", .level = LOG_INFO, .format = LOG_JOURNAL};
static struct outage outage;
static int log_end, real_stderr;

static int begin(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_end = ends[0];
    outage_init(&outage, &journal, NULL);
    return 0;
}

static void restore_stderr(void) {
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
}

static int end(void **state) {
    (void)state;
    close(log_end);
    return 0;
}

/* Everything logged so far is this; ends the capture. */
static void assert_logged(const char *expected) {
    char text[1024];
    restore_stderr();
    const ssize_t n = read(log_end, text, sizeof text - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void begin_outage(const char *reason) {
    struct err err;
    err_set(&err, "%s", reason);
    outage_report(&outage, &err, outage_retrying);
}

static void one_outage_is_logged_once(void **state) {
    (void)state;
    outage.place = "bus test";
    begin_outage("no answer");
    begin_outage("no route");
    outage.since_ms -= 11600;
    outage_recovered(&outage);
    outage_recovered(&outage);
    assert_logged("<4>distlog test: no answer; retrying\n"
                  "<6>distlog test: recovered: bus test (outage 12 s)\n");
}

static void a_second_outage_has_its_own_start(void **state) {
    (void)state;
    outage.place = "bus test";
    begin_outage("no answer");
    outage.since_ms -= 59600;
    outage_recovered(&outage);
    begin_outage("no answer");
    outage.since_ms -= 19600;
    outage_recovered(&outage);
    assert_logged("<4>distlog test: no answer; retrying\n"
                  "<6>distlog test: recovered: bus test (outage 60 s)\n"
                  "<4>distlog test: no answer; retrying\n"
                  "<6>distlog test: recovered: bus test (outage 20 s)\n");
}

static void the_place_may_be_unknown(void **state) {
    (void)state;
    begin_outage("no answer");
    outage.since_ms -= 19600;
    outage_recovered(&outage);
    assert_logged("<4>distlog test: no answer; retrying\n"
                  "<6>distlog test: recovered (outage 20 s)\n");
}

static void durations(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "outage 0.0 s"},    {49, "outage 0.0 s"},   {50, "outage 0.1 s"},
                 {449, "outage 0.4 s"},  {9949, "outage 9.9 s"}, {9950, "outage 10 s"},
                 {10499, "outage 10 s"}, {10500, "outage 11 s"}, {3600000, "outage 3600 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BUF_LOCAL struct buf text = {0};
        outage_add_duration(&text, cases[i].ms);
        assert_string_equal(text.p, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_outage_is_logged_once, begin, end),
        cmocka_unit_test_setup_teardown(a_second_outage_has_its_own_start, begin, end),
        cmocka_unit_test_setup_teardown(the_place_may_be_unknown, begin, end),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
