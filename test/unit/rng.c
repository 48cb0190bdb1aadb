/* Tests of base/rng and core/backoff. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/base/rng.h"
#include "../../lib/core/backoff.h"

static void the_generator_matches_known_outputs(void **state) {
    (void)state;
    /* SplitMix64's well-known first outputs for this seed. */
    static const uint64_t first[] = {6457827717110365317u, 3203168211198807973u,
                                     9817491932198370423u, 4593380528125082431u};
    struct rng r;
    r.state = 1234567;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        assert_true(rng_next(&r) == first[i]);
}

static void ranges_are_covered_evenly(void **state) {
    (void)state;
    struct rng r;
    unsigned seen[5] = {0};
    r.state = 1;
    for (int i = 0; i < 5000; i++) {
        int64_t v = rng_range(&r, -2, 2);
        assert_in_range(v + 2, 0, 4);
        seen[v + 2]++;
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(seen[i], 850, 1150); /* repeatable: the seed is fixed */
    assert_int_equal(rng_range(&r, 7, 7), 7);
    rng_range(&r, INT64_MIN, INT64_MAX); /* all of them: must not divide by zero */
}

static void uuids_are_valid_and_distinct(void **state) {
    (void)state;
    struct rng r;
    char a[37], b[37];
    r.state = 1;
    for (int i = 0; i < 100; i++) {
        rng_uuid4(&r, a);
        for (int k = 0; k < 36; k++)
            if (k == 8 || k == 13 || k == 18 || k == 23)
                assert_int_equal(a[k], '-');
            else
                assert_non_null(strchr("0123456789abcdef", a[k]));
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_int_equal(a[36], '\0');
    }
    rng_uuid4(&r, b);
    assert_string_not_equal(a, b);
}

static void waits_double_up_to_the_maximum(void **state) {
    (void)state;
    struct backoff b = {.rng = {1}, .base_ms = 100, .max_ms = 1000};
    static const int64_t most[] = {100, 200, 400, 800, 1000, 1000, 1000};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        assert_in_range(backoff_next(&b), most[i] / 2, most[i]);
    b.tries = 0;
    assert_in_range(backoff_next(&b), 50, 100);
    b.tries = UINT32_MAX - 1; /* after days of retries */
    assert_in_range(backoff_next(&b), 500, 1000);
}

/* Clients that failed together must not retry together: the waits of one step are spread over its
 * whole range, and two clients draw different ones. */
static void waits_are_spread_over_their_range(void **state) {
    (void)state;
    struct backoff a = {.rng = {1}, .base_ms = 1000, .max_ms = 1000}, b = a;
    unsigned seen[501] = {0}, distinct = 0, fifths[5] = {0}, same = 0;
    b.rng.state = 2;
    for (int i = 0; i < 5000; i++) {
        int64_t wait = backoff_next(&a);
        assert_in_range(wait, 500, 1000);
        distinct += seen[wait - 500]++ == 0;
        fifths[wait == 1000 ? 4 : (wait - 500) / 100]++;
        same += wait == backoff_next(&b);
    }
    assert_in_range(distinct, 490, 501); /* repeatable: the seeds are fixed */
    for (int i = 0; i < 5; i++)
        assert_in_range(fifths[i], 850, 1150);
    assert_in_range(same, 0, 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_matches_known_outputs),
        cmocka_unit_test(ranges_are_covered_evenly),
        cmocka_unit_test(uuids_are_valid_and_distinct),
        cmocka_unit_test(waits_double_up_to_the_maximum),
        cmocka_unit_test(waits_are_spread_over_their_range),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
