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

static void test_whole(void **state) {
    (void)state;
    struct buf out = {0};
    deadletter_write(&out, &plain, 1000);
    assert_string_equal(out.p, "{\"reason\":\"node_id is missing\",\"topic\":\"nodes\",\"partition\":2,"
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
    char *text = mem_new(n + 1, 1);
    for (size_t i = 0; i < n; i++) text[i] = unit[i % strlen(unit)];
    return text;
}

static void test_cut(void **state) {
    (void)state;
    /* Plain, escaped sixfold, characters of two, three and four bytes with 64 KB and its halves in
     * the middle of one, not text at all. */
    static const char *const units[] = {"x",   "\x01", "\xc3\xa9x", "\xe2\x82\xac", "\xf0\x9f\x98\x80xyz",
                                        "\xff"};
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

static void test_long_key(void **state) {
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_long_key),
    };
    return cmocka_run_group_tests_name("deadletter", tests, NULL, NULL);
}
