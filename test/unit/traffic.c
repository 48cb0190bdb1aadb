/* traffic: what a simulated node sends, and when. Time is simulated too.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/app/traffic.h"

enum { WALL = 1000000 }; /* the wall clock is that far ahead of the monotonic one */

static const struct traffic_conf plain = {.service = "Payment",
                                          .message = "Sample log message from {node_id}",
                                          .weights = {80, 15, 5},
                                          .heartbeat_ms = 5000,
                                          .interval_ms = 1000};

static struct traffic_now at(int64_t ms) {
    return (struct traffic_now){.mono_ms = ms, .wall_ms = WALL + ms};
}

/* Takes the event that is due at its time into out (cleared first). */
static enum traffic_kind next(struct traffic *t, struct buf *out) {
    enum traffic_kind kind;
    struct traffic_now now = at(traffic_due(t));
    buf_clear(out);
    assert_true(traffic_take(t, &now, out, &kind));
    return kind;
}

static void keys_are_in_the_documented_order(void **state) {
    struct traffic_conf c = plain;
    struct traffic t;
    struct buf out = {0};
    (void)state;
    traffic_init(&t, &c, "node_01", 1, 0);
    assert_int_equal(next(&t, &out), TRAFFIC_REGISTRATION);
    assert_string_equal(out.p, "{\"node_id\":\"node_01\",\"message_type\":\"REGISTRATION\","
                               "\"service_name\":\"Payment\",\"timestamp\":\"1970-01-01 "
                               "00:16:40\"}");
    memcpy(c.weights, (int64_t[]){1, 0, 0}, sizeof c.weights);
    assert_int_equal(next(&t, &out), TRAFFIC_INFO);
    /* the 36 characters of the UUID are removed */
    memmove(out.p + 19, out.p + 55, out.n - 55 + 1);
    assert_string_equal(out.p, "{\"log_id\":\"node_01_\",\"node_id\":\"node_01\",\"log_level\":"
                               "\"INFO\",\"message\":\"Sample log message from node_01\","
                               "\"message_type\":\"LOG\",\"service_name\":\"Payment\","
                               "\"timestamp\":\"1970-01-01 00:16:41\"}");
    c.style = DATETIME_RFC3339;
    t.next_log_ms = 9000;
    assert_int_equal(next(&t, &out), TRAFFIC_HEARTBEAT);
    assert_string_equal(out.p, "{\"node_id\":\"node_01\",\"message_type\":\"HEARTBEAT\","
                               "\"status\":\"UP\",\"timestamp\":\"1970-01-01T00:16:45.000Z\"}");
    struct traffic_now now = at(6000);
    buf_clear(&out);
    assert_true(traffic_goodbye(&t, &now, &out));
    assert_string_equal(out.p, "{\"node_id\":\"node_01\",\"message_type\":\"HEARTBEAT\","
                               "\"status\":\"DOWN\",\"timestamp\":\"1970-01-01T00:16:46.000Z\"}");
    assert_false(traffic_goodbye(&t, &now, &out));
    assert_true(traffic_due(&t) == INT64_MAX);
    buf_release(&out);
}

/* The number behind key in a record. */
static long number(const char *json, const char *key) {
    const char *found = strstr(json, key);
    assert_non_null(found);
    long n = 0;
    for (const char *p = found + strlen(key); *p >= '0' && *p <= '9'; p++)
        n = n * 10 + (*p - '0');
    return n;
}

static void warn_and_error_have_their_fields(void **state) {
    struct traffic_conf c = plain;
    struct traffic t;
    struct buf out = {0};
    long low = 1000, high = 0;
    (void)state;
    c.keep_going = true;
    memcpy(c.weights, (int64_t[]){0, 1, 1}, sizeof c.weights);
    traffic_init(&t, &c, "n", 7, 0);
    for (int i = 0; i < 4000; i++) {
        enum traffic_kind kind = next(&t, &out);
        if (kind == TRAFFIC_WARN) {
            long took = number(out.p, "\"message_type\":\"LOG\",\"response_time_ms\":");
            long limit = number(out.p, ",\"threshold_limit_ms\":");
            assert_in_range(took, 100, 1000);
            assert_in_range(limit, 300, 800);
            low = limit < low ? limit : low;
            high = limit > high ? limit : high;
            assert_non_null(strstr(out.p, ",\"service_name\":\"Payment\",\"timestamp\":"));
        } else if (kind == TRAFFIC_ERROR) {
            long code =
                number(out.p, "\"message_type\":\"LOG\",\"error_details\":{\"error_code\":");
            assert_in_range(code, 20, 100);
            assert_non_null(strstr(out.p, ",\"error_message\":\"Sample error message\"},"
                                          "\"service_name\":\"Payment\",\"timestamp\":"));
        }
    }
    assert_in_range(low, 300, 305);
    assert_in_range(high, 795, 800);
    buf_release(&out);
}

static void log_levels_follow_their_weights(void **state) {
    struct traffic_conf c = plain;
    struct traffic t;
    struct buf out = {0};
    int seen[6] = {0};
    (void)state;
    c.keep_going = true;
    traffic_init(&t, &c, "n", 42, 0);
    while (seen[TRAFFIC_INFO] + seen[TRAFFIC_WARN] + seen[TRAFFIC_ERROR] < 20000)
        seen[next(&t, &out)]++;
    /* Six standard deviations around 16000, 3000 and 1000. */
    assert_in_range(seen[TRAFFIC_INFO], 16000 - 340, 16000 + 340);
    assert_in_range(seen[TRAFFIC_WARN], 3000 - 303, 3000 + 303);
    assert_in_range(seen[TRAFFIC_ERROR], 1000 - 185, 1000 + 185);
    assert_in_range(seen[TRAFFIC_REGISTRATION], seen[TRAFFIC_ERROR], seen[TRAFFIC_ERROR] + 1);
    buf_release(&out);
}

static void a_node_ends_after_its_first_error(void **state) {
    struct traffic_conf c = plain;
    struct traffic t;
    struct buf out = {0};
    struct traffic_now now = at(90000);
    (void)state;
    memcpy(c.weights, (int64_t[]){0, 0, 1}, sizeof c.weights);
    traffic_init(&t, &c, "n", 1, 0);
    assert_int_equal(next(&t, &out), TRAFFIC_REGISTRATION);
    assert_int_equal(next(&t, &out), TRAFFIC_ERROR);
    assert_true(t.ended);
    assert_true(traffic_due(&t) == INT64_MAX);
    assert_false(traffic_goodbye(&t, &now, &out)); /* it has ended without one */
    c.keep_going = true;
    traffic_init(&t, &c, "n", 1, 0);
    assert_int_equal(next(&t, &out), TRAFFIC_REGISTRATION);
    assert_int_equal(next(&t, &out), TRAFFIC_ERROR);
    assert_int_equal(next(&t, &out), TRAFFIC_REGISTRATION);
    assert_true(traffic_due(&t) == 2000);
    buf_release(&out);
}

static void a_node_ends_after_the_given_number_of_logs(void **state) {
    struct traffic_conf c = plain;
    struct traffic t;
    struct buf out = {0};
    struct traffic_now now = at(90000);
    (void)state;
    memcpy(c.weights, (int64_t[]){1, 0, 0}, sizeof c.weights);
    c.count = 7;
    traffic_init(&t, &c, "n", 1, 500);
    int logs = 0, beats = 0;
    assert_true(traffic_due(&t) == 500);
    while (!t.ended) {
        enum traffic_kind kind = next(&t, &out);
        logs += kind == TRAFFIC_INFO;
        beats += kind == TRAFFIC_HEARTBEAT;
    }
    assert_int_equal(logs, 7);
    assert_int_equal(beats, 1);
    assert_true(traffic_goodbye(&t, &now, &out));
    buf_release(&out);
}

static void a_seed_repeats_the_records_and_a_pause_is_not_caught_up(void **state) {
    struct traffic_conf c = plain;
    struct traffic a, b, other;
    struct buf x = {0}, y = {0}, z = {0};
    struct traffic_now now = at(60000);
    enum traffic_kind kind;
    (void)state;
    c.weights[TRAFFIC_ERROR] = 0;
    traffic_init(&a, &c, "n", 5, 0);
    traffic_init(&b, &c, "n", 5, 0);
    traffic_init(&other, &c, "n", 6, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(next(&a, &x), next(&b, &y));
        next(&other, &z);
        assert_string_equal(x.p, y.p);
    }
    assert_string_not_equal(x.p, z.p);
    for (int i = 0; i < 2; i++) /* a heartbeat and a log, not 12 and 60 */
        assert_true(traffic_take(&a, &now, &x, &kind));
    assert_false(traffic_take(&a, &now, &x, &kind));
    assert_true(traffic_due(&a) == 61000);
    buf_release(&x);
    buf_release(&y);
    buf_release(&z);
}

static void texts_of_the_user_are_escaped(void **state) {
    struct traffic_conf c = plain;
    struct traffic t;
    struct buf out = {0};
    (void)state;
    c.service = "a\"b";
    c.message = "{node_id}\n{node_id}{x}";
    memcpy(c.weights, (int64_t[]){1, 0, 0}, sizeof c.weights);
    traffic_init(&t, &c, "ü\\", 1, 0);
    next(&t, &out);
    assert_non_null(strstr(out.p, "{\"node_id\":\"ü\\\\\","));
    assert_non_null(strstr(out.p, "\"service_name\":\"a\\\"b\""));
    next(&t, &out);
    assert_non_null(strstr(out.p, "\"message\":\"ü\\\\\\nü\\\\{x}\""));
    buf_release(&out);
}

static void weights_are_checked(void **state) {
    struct err err;
    int64_t w[TRAFFIC_LEVELS];
    char info[] = "INFO", warn[] = "WARN", debug[] = "DEBUG";
    char zero[] = "0", ten[] = "10", minus[] = "-1", much[] = "1000001", none[] = "";
    (void)state;
    struct str_map map = {(char *[]){warn, info}, (char *[]){ten, zero}, 2};
    assert_int_equal(traffic_weights(&map, w, &err), 0);
    assert_true(w[TRAFFIC_INFO] == 0 && w[TRAFFIC_WARN] == 10 && w[TRAFFIC_ERROR] == 0);
    char *bad[] = {minus, much, none};
    for (size_t i = 0; i < 3; i++) {
        map.values[1] = bad[i];
        assert_int_equal(traffic_weights(&map, w, &err), -1);
        assert_non_null(strstr(err.text, "INFO"));
    }
    map.values[0] = map.values[1] = zero;
    assert_int_equal(traffic_weights(&map, w, &err), -1);
    map.keys[0] = debug;
    assert_int_equal(traffic_weights(&map, w, &err), -1);
    assert_non_null(strstr(err.text, "DEBUG"));
}

static void presets_name_node_and_service(void **state) {
    const char *service = NULL;
    (void)state;
    assert_string_equal(traffic_preset("order", &service), "node_02");
    assert_string_equal(service, "Order");
    assert_null(traffic_preset("Order", &service));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_in_the_documented_order),
        cmocka_unit_test(warn_and_error_have_their_fields),
        cmocka_unit_test(log_levels_follow_their_weights),
        cmocka_unit_test(a_node_ends_after_its_first_error),
        cmocka_unit_test(a_node_ends_after_the_given_number_of_logs),
        cmocka_unit_test(a_seed_repeats_the_records_and_a_pause_is_not_caught_up),
        cmocka_unit_test(texts_of_the_user_are_escaped),
        cmocka_unit_test(weights_are_checked),
        cmocka_unit_test(presets_name_node_and_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
