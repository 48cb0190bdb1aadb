/* Tests of core/deadletter. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../lib/base/mem.h"
#include "../../lib/core/deadletter.h"

static const struct deadletter plain = {.reason = "node_id is missing",
                                        .topic = "nodes",
                                        .partition = 2,
                                        .offset = 41,
                                        .ts_ms = 1795502089120,
                                        .key = {"n", 1},
                                        .value = {"{\"a\":1}", 7}};

static void an_envelope_holds_the_whole_record(void **state) {
    (void)state;
    struct buf out = {0};
    deadletter_write(&out, &plain, 1000);
    assert_string_equal(out.p,
                        "{\"reason\":\"node_id is missing\",\"topic\":\"nodes\",\"partition\":2,"
                        "\"offset\":41,\"timestamp\":1795502089120,\"key\":\"n\","
                        "\"value\":\"{\\\"a\\\":1}\"}");
    buf_clear(&out);
    struct deadletter d = plain;
    d.key = (struct span){NULL, 0};
    d.value = SPAN_LIT("\xff\0");
    d.reason = "bad \xc3";
    deadletter_write(&out, &d, 1000);
    assert_string_equal(out.p, "{\"reason\":\"bad \\\\xc3\",\"topic\":\"nodes\",\"partition\":2,"
                               "\"offset\":41,\"timestamp\":1795502089120,\"key\":null,"
                               "\"value_base64\":\"/wA=\"}");
    buf_clear(&out);
    d.key = SPAN_LIT("\x80");
    d.value = (struct span){NULL, 0};
    deadletter_write(&out, &d, 1000);
    assert_non_null(strstr(out.p, "\"key_base64\":\"gA==\",\"value\":null}"));
    buf_release(&out);
}

/* n bytes that repeat unit. */
static char *repeat(const char *unit, size_t n) {
    char *text = mem_calloc(n + 1, 1);
    for (size_t i = 0; i < n; i++)
        text[i] = unit[i % strlen(unit)];
    return text;
}

static void a_large_value_is_truncated_to_fit(void **state) {
    (void)state;
    /* Plain text; bytes that grow sixfold when escaped; characters of two, three and four bytes
     * that straddle 64 KB and its halves; bytes that are not text. */
    static const char *const units[] = {
        "x", "\x01", "\xc3\xa9x", "\xe2\x82\xac", "\xf0\x9f\x98\x80xyz", "\xff"};
    enum { SIZE = 600 * 1000 };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        for (size_t limit = 20 * 1000; limit <= 500 * 1000; limit *= 5) {
            struct deadletter d = plain;
            char *bytes = repeat(units[i], SIZE);
            d.value = (struct span){bytes, SIZE};
            struct buf out = {0};
            deadletter_write(&out, &d, limit);
            assert_in_range(out.n, limit == 500 * 1000 ? 64 * 1024 : 1000, limit);
            json_t *read = json_loadb(out.p, out.n, JSON_ALLOW_NUL, NULL);
            assert_non_null(read);
            assert_int_equal(json_integer_value(json_object_get(read, "truncated")), SIZE);
            json_t *value = json_object_get(read, "value");
            assert_int_equal(value == NULL, *units[i] == '\xff');
            if (value) {
                size_t n = json_string_length(value);
                assert_in_range(n, 1, 64 * 1024);
                assert_memory_equal(json_string_value(value), bytes, n);
            }
            json_decref(read);
            buf_release(&out);
            free(bytes);
        }
}

static void a_long_key_is_truncated_to_fit(void **state) {
    (void)state;
    struct deadletter d = plain;
    char *bytes = repeat("k", 100 * 1000);
    struct buf out = {0};
    d.key = (struct span){bytes, 100 * 1000};
    deadletter_write(&out, &d, 50 * 1000);
    assert_in_range(out.n, 1024, 2000);
    assert_non_null(strstr(out.p, "\"value\":\"{\\\"a\\\":1}\",\"truncated\":7}"));
    free(bytes);
    buf_release(&out);
}

static int read_back(struct span envelope, struct arena *arena, struct deadletter *d) {
    struct err err = {""};
    int rc = deadletter_read(envelope, arena, d, &err);
    assert_int_equal(rc == 0, !err.text[0]);
    return rc;
}

static bool same(struct span a, struct span b) {
    return !a.p == !b.p && span_eq(a, b);
}

static void an_envelope_reads_back_byte_for_byte(void **state) {
    (void)state;
    static const struct span bytes[] = {
        {NULL, 0},         {"", 0},         {"plain", 5},          {"\"\\\n\0\x7f", 5},
        {"\xff\0\x80", 3}, {"\xc3\xa4", 2}, {"{\"a\": [1]}\n", 11}};
    enum { N = sizeof bytes / sizeof *bytes };
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < N; k++) {
            struct deadletter d = plain, got;
            struct buf out = {0};
            struct arena arena = {0};
            d.key = bytes[k];
            d.value = bytes[i];
            deadletter_write(&out, &d, 1000);
            assert_int_equal(read_back(buf_view(&out), &arena, &got), 0);
            assert_string_equal(got.reason, d.reason);
            assert_string_equal(got.topic, d.topic);
            assert_true(got.partition == 2 && got.offset == 41 && got.ts_ms == d.ts_ms &&
                        got.full_size == -1);
            assert_true(same(got.key, d.key) && same(got.value, d.value));
            buf_release(&out);
            arena_release(&arena);
        }
}

static void a_truncated_envelope_says_so(void **state) {
    (void)state;
    char *bytes = repeat("k", 100 * 1000);
    struct deadletter d = plain, got;
    struct arena arena = {0};
    struct buf out = {0};
    d.value = (struct span){bytes, 100 * 1000};
    deadletter_write(&out, &d, 70 * 1000);
    assert_int_equal(read_back(buf_view(&out), &arena, &got), 0);
    assert_true(got.full_size == 100 * 1000 && got.value.n == 64 * 1024 && got.key.n == 1);
    buf_clear(&out);
    d.key = d.value;
    d.value = SPAN_LIT("");
    deadletter_write(&out, &d, 50 * 1000);
    assert_int_equal(read_back(buf_view(&out), &arena, &got), 0);
    assert_true(got.full_size == 0 && got.key.n == 1024);
    buf_release(&out);
    arena_release(&arena);
    free(bytes);
}

/* Builds an envelope in which one member may be replaced or left out. */
static void invalid_envelopes_are_refused(void **state) {
    (void)state;
    static const char *const good[] = {
        "\"reason\":\"r\"", "\"topic\":\"t\"", "\"partition\":-1",         "\"offset\":-1",
        "\"timestamp\":-5", "\"key\":null",    "\"value_base64\":\"/w==\""};
    enum { N = sizeof good / sizeof *good };
    static const struct {
        size_t at;
        const char *instead;
        bool taken;
    } cases[] = {{N, "", true},
                 {0, "\"new\":{\"a\":[]},\"topic_base64\":1,\"_base64\":2,\"reason\":\"\"", true},
                 {0, "\"x\":1", false},
                 {0, "\"reason\":null", false},
                 {1, "\"topic\":\"\"", false},
                 {1, "\"topic\":\"a/b\"", false},
                 {1, "\"topic\":\"a\\u0000b\"", false},
                 {1, "\"topic\":\"a\",\"topic\":\"b\"", true},
                 {2, "\"partition\":2147483647", true},
                 {2, "\"partition\":2147483648", false},
                 {2, "\"partition\":-2", false},
                 {3, "\"offset\":99999999999999999", true},
                 {3, "\"offset\":9999999999999999999", false},
                 {3, "\"offset\":1e3", false},
                 {3, "\"offset\":\"7\"", false},
                 {4, "\"timestamp\":1.5", false},
                 {5, "\"key_base64\":\"\"", true},
                 {5, "\"key_base64\":null", false},
                 {5, "\"key\":\"a\",\"key_base64\":\"?\"", true},
                 {6, "\"value\":{}", false},
                 {6, "\"value_base64\":\"?\"", false},
                 {6, "\"value\":\"\",\"truncated\":-2", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct deadletter d;
        struct arena arena = {0};
        struct buf out = {0};
        buf_text(&out, " { ");
        for (size_t k = 0; k < N; k++)
            buf_printf(&out, "%s%s", k ? " , " : "", k == cases[i].at ? cases[i].instead : good[k]);
        buf_text(&out, "\n}\n");
        int rc = read_back(buf_view(&out), &arena, &d);
        if ((rc == 0) != cases[i].taken)
            fail_msg("%s: %d", out.p, rc);
        buf_release(&out);
        arena_release(&arena);
    }
    static const char *const none[] = {"", "[]", "7", "{", "{}", "{} {}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct deadletter d;
        struct arena arena = {0};
        assert_int_equal(read_back(span_of(none[i]), &arena, &d), -1);
        arena_release(&arena);
    }
    struct deadletter d;
    assert_int_equal(read_back((struct span){0}, &(struct arena){0}, &d), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_holds_the_whole_record),
        cmocka_unit_test(a_large_value_is_truncated_to_fit),
        cmocka_unit_test(a_long_key_is_truncated_to_fit),
        cmocka_unit_test(an_envelope_reads_back_byte_for_byte),
        cmocka_unit_test(a_truncated_envelope_says_so),
        cmocka_unit_test(invalid_envelopes_are_refused),
    };
    return cmocka_run_group_tests_name("deadletter", tests, NULL, NULL);
}
