/* Tests of base/buf, escape, base64, arena, err and utf8.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/base/arena.h"
#include "../../lib/base/buf.h"
#include "../../lib/base/base64.h"
#include "../../lib/base/err.h"
#include "../../lib/base/escape.h"
#include "../../lib/base/utf8.h"

static void test_grows(void **state) {
    (void)state;
    struct buf b = {0};
    assert_true(span_is(buf_view(&b), ""));
    for (int i = 0; i < 1000; i++) {
        buf_char(&b, (char)('a' + i % 26));
        assert_int_equal(b.p[b.n], '\0');
    }
    assert_int_equal(b.n, 1000);
    assert_int_equal(b.p[999], 'a' + 999 % 26);
    buf_clear(&b);
    assert_true(span_is(buf_view(&b), ""));
    buf_printf(&b, "%s-%d", "x", 7);
    buf_text(&b, ",");
    buf_add(&b, NULL, 0);
    buf_span(&b, (struct span){"yz", 1});
    assert_string_equal(b.p, "x-7,y");
    memcpy(buf_room(&b, 3), "abc", 4);
    b.n += 3;
    assert_string_equal(b.p, "x-7,yabc");
    buf_release(&b);
    assert_null(b.p);
}

static void test_quotes(void **state) {
    (void)state;
    struct buf b = {0};
    escape_json(&b, SPAN_LIT("a\"b\\c\n\t\r\x01\x1f\0\x7f\xc3\xa9"));
    assert_string_equal(b.p, "\"a\\\"b\\\\c\\n\\t\\u000d\\u0001\\u001f\\u0000\x7f\xc3\xa9\"");
    buf_clear(&b);
    escape_json(&b, (struct span){NULL, 0});
    escape_json(&b, SPAN_LIT(""));
    assert_string_equal(b.p, "null\"\"");
    buf_clear(&b);
    /* Controls of both blocks, DEL, a broken sequence; a character beyond them stays. */
    escape_printable(&b, SPAN_LIT("a\n\t\x1b[1m\0\x7f\xc2\x9b\xc2\xa0\xff\xc3"));
    assert_string_equal(b.p, "a\\n\\t\\x1b[1m\\x00\\x7f\\xc2\\x9b\xc2\xa0\\xff\\xc3");
    buf_release(&b);
}

static void test_base64(void **state) {
    (void)state;
    /* RFC 4648, section 10. */
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        base64_encode(&b, span_of(cases[i][0]));
        assert_true(span_is(buf_view(&b), cases[i][1]));
        buf_clear(&b);
        assert_true(base64_decode(&b, span_of(cases[i][1])));
        assert_true(span_is(buf_view(&b), cases[i][0]));
        buf_release(&b);
    }
    static const char *const none[] = {
        "Z", "Zg", "Zg=", "Zg===", "=", "====", "Zm9v=", "Zm 9", "Z=9v", "Zm9v\n", "Zm-_"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct buf b = {0};
        if (base64_decode(&b, span_of(none[i])))
            fail_msg("%s is taken", none[i]);
        buf_release(&b);
    }
}

static void test_utf8(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xe2\x82",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xf0\x90\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
}

static void test_arena(void **state) {
    (void)state;
    struct arena a = {0};
    struct span copy = arena_span(&a, SPAN_LIT("hello"));
    char *many[100];
    for (size_t i = 0; i < 100; i++) {
        many[i] = arena_take(&a, i * 100);
        memset(many[i], (int)i, i * 100);
        assert_int_equal((uintptr_t)many[i] % _Alignof(max_align_t), 0);
    }
    char *large = arena_take(&a, 1 << 20);
    memset(large, 'x', 1 << 20);
    for (size_t i = 1; i < 100; i++) {
        assert_int_equal(many[i][0], i);
        assert_int_equal(many[i][i * 100 - 1], i);
    }
    assert_string_equal(copy.p, "hello");
    assert_true(a.used > 1 << 20);
    arena_clear(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_take(&a, 0));
    arena_release(&a);
}

static void test_err(void **state) {
    (void)state;
    struct err e;
    assert_int_equal(err_set(&e, "no %s", "luck"), -1);
    err_prefix(&e, "line %d", 3);
    assert_string_equal(e.text, "line 3: no luck");
    /* Neither a long text nor a long prefix writes past the end. */
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    err_set(&e, "%s", long_text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    err_prefix(&e, "p");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(e.text, "p: xxx", 6);
    err_prefix(&e, "%s", long_text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows), cmocka_unit_test(test_quotes), cmocka_unit_test(test_base64),
        cmocka_unit_test(test_utf8),  cmocka_unit_test(test_arena),  cmocka_unit_test(test_err),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
