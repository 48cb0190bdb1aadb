/* Tests of base/json: written by hand where the exact result matters, and compared with jansson on
 * generated texts, valid and damaged. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../lib/base/rng.h"
#include "../../lib/base/json.h"
#include "twin.h"

static struct arena arena;

static int scan(const char *text, size_t n, struct json_value *value, struct err *err) {
    size_t at = 0;
    struct span in = {text, n};
    int rc = json_scan(in, &at, JSON_DEPTH, &arena, value, NULL, NULL, err);
    if (rc == 0 && json_space(in, at) != n)
        return err_set(err, "expected the end at byte %zu", json_space(in, at));
    return rc;
}

static void valid_json_is_accepted(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "-0.0e+00",
        "1E9",
        "12345678901234567890123",
        "1e400",
        "true",
        "false",
        "null",
        "[[],{}]",
        "{\"\":1}",
        "{\"a\":1,\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
        "\"\x7f\"",
        "\"\xc3\xa9\xf0\x9f\x98\x80\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_value value;
        struct err err = {""};
        size_t n = strlen(texts[i]);
        if (scan(texts[i], n, &value, &err) != 0)
            fail_msg("%s: %s", texts[i], err.text);
        assert_ptr_equal(value.raw.p, texts[i]); /* no white space: nothing is copied */
        assert_int_equal(value.raw.n, n);
    }
}

static void invalid_json_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "expected a value (object, array, string, number, true, false, null) at byte 0, "
             "where the text ends"},
        {"{\"a\":1,}", "expected a key (a string) at byte 7"},
        {"{a:1}", "expected a key (a string) at byte 1"},
        {"{\"a\" 1}", "expected ':' at byte 5"},
        {"{\"a\":1 \"b\":2}", "expected ',' or '}' at byte 7"},
        {"[1 2]", "expected ',' or ']' at byte 3"},
        {"[1,]", "expected a value (object, array, string, number, true, false, null) at byte 3"},
        {"[", "expected a value (object, array, string, number, true, false, null) at byte 1, "
              "where the text ends"},
        {"\"abc", "expected '\"' at byte 4, where the text ends"},
        {"\"a\nb\"", "a control character must be escaped in a string at byte 2"},
        {"\"\\x\"", "unknown escape at byte 1"},
        {"\"\\", "expected the rest of an escape at byte 2, where the text ends"},
        {"\"\\u12g4\"", "expected \\u and four hexadecimal digits at byte 1"},
        {"\"\\u12", "expected \\u and four hexadecimal digits at byte 1"},
        {"\"\\ud800\"", "lone surrogate at byte 1"},
        {"\"\\ud800\\u0041\"", "lone surrogate at byte 1"},
        {"\"\\udc00\"", "lone surrogate at byte 1"},
        {"\"\\ud800\\ud800\"", "lone surrogate at byte 1"},
        {"\"\xff\"", "invalid UTF-8 at byte 1"},
        {"\"\xc0\x80\"", "invalid UTF-8 at byte 1"},
        {"\"\xed\xa0\x80\"", "invalid UTF-8 at byte 1"},
        {"\"\xf4\x90\x80\x80\"", "invalid UTF-8 at byte 1"},
        {"\"\xe2\x82", "invalid UTF-8 at byte 1"},
        {"01", "expected the end at byte 1"},
        {"-", "expected a digit at byte 1, where the text ends"},
        {"1.", "expected a digit at byte 2, where the text ends"},
        {"1.e5", "expected a digit at byte 2"},
        {"1e+", "expected a digit at byte 3, where the text ends"},
        {"+1", "expected a value (object, array, string, number, true, false, null) at byte 0"},
        {"NaN", "expected a value (object, array, string, number, true, false, null) at byte 0"},
        {"tru", "expected a value (object, array, string, number, true, false, null) at byte 0"},
        {"\xef\xbb\xbf{}",
         "expected a value (object, array, string, number, true, false, null) at byte 0"},
        {"{}//", "expected the end at byte 2"},
        {"[1]\v", "expected the end at byte 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_value value;
        struct err err = {""};
        if (scan(cases[i].text, strlen(cases[i].text), &value, &err) == 0)
            fail_msg("accepted: %s", cases[i].text);
        assert_string_equal(err.text, cases[i].error);
    }
    struct json_value value;
    struct err err;
    assert_int_equal(scan("[\0]", 3, &value, &err), -1);
    assert_int_equal(scan(NULL, 0, &value, &err), -1);
}

static void nesting_is_limited(void **state) {
    (void)state;
    char text[2 * (JSON_DEPTH + 1)];
    struct json_value value;
    struct err err;
    for (size_t depth = JSON_DEPTH; depth <= JSON_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(scan(text, 2 * depth, &value, &err), depth > JSON_DEPTH ? -1 : 0);
    }
    assert_string_equal(err.text, "objects and arrays nested too deeply at byte 64");
    /* Only nesting counts, not the number of arrays. */
    struct buf many = {0};
    buf_char(&many, '[');
    for (int i = 0; i < 1000; i++)
        buf_text(&many, i ? ",{}" : "{}");
    buf_char(&many, ']');
    assert_int_equal(scan(many.p, many.n, &value, &err), 0);
    buf_release(&many);
}

static void white_space_is_removed(void **state) {
    (void)state;
    static const char text[] =
        " \r\n{ \"a b\" : [ 1 , \" x \\\" y \" ] ,\t\"c\":{ } , \"d\" : 5 }\n x";
    static const char compact[] = "{\"a b\":[1,\" x \\\" y \"],\"c\":{},\"d\":5}";
    struct json_value value;
    struct err err;
    size_t at = 0;
    assert_int_equal(json_scan(SPAN_LIT(text), &at, JSON_DEPTH, &arena, &value, NULL, NULL, &err),
                     0);
    assert_true(span_is(value.raw, compact));
    assert_int_equal(at, sizeof text - 1 - 3); /* after the value, not after what follows it */
}

struct seen {
    char text[200];
    size_t left;
};

static bool see(void *ctx, const struct json_member *m, struct err *err) {
    struct seen *seen = ctx;
    size_t n = strlen(seen->text);
    snprintf(seen->text + n, sizeof seen->text - n, "%.*s=%.*s(%d);", SPAN_ARG(m->key),
             SPAN_ARG(m->value.raw), (int)m->value.type);
    if (--seen->left > 0)
        return true;
    err_set(err, "enough");
    return false;
}

static void members_of_the_object_are_reported(void **state) {
    (void)state;
    static const char text[] = "{\"a\":[1, {\"x\":2}],\"\\u0062\":\"s\",\"c\" :null,\"d\": 1e2}";
    struct json_value value;
    struct err err;
    struct seen seen = {.left = 99};
    size_t at = 0;
    assert_int_equal(json_scan(SPAN_LIT(text), &at, JSON_DEPTH, &arena, &value, see, &seen, &err),
                     0);
    assert_string_equal(seen.text, "a=[1,{\"x\":2}](1);b=\"s\"(2);c=null(6);d=1e2(3);");
    seen = (struct seen){.left = 2};
    at = 0;
    assert_int_equal(json_scan(SPAN_LIT(text), &at, JSON_DEPTH, &arena, &value, see, &seen, &err),
                     -1);
    assert_string_equal(err.text, "enough");
    /* Only an object's own members are reported. */
    seen = (struct seen){.left = 99};
    at = 0;
    assert_int_equal(
        json_scan(SPAN_LIT("[{\"a\":1}]"), &at, JSON_DEPTH, &arena, &value, see, &seen, &err), 0);
    assert_string_equal(seen.text, "");
}

static void strings_are_decoded(void **state) {
    (void)state;
    static const char plain[] = "\"plain\"";
    struct span text = json_decode(SPAN_LIT(plain), &arena);
    assert_ptr_equal(text.p, plain + 1);
    assert_true(span_is(text, "plain"));
    text = json_decode(
        SPAN_LIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t|\\u0041\\u00e9\\u20AC\\uD83D\\uDE00|\""), &arena);
    assert_true(span_is(text, "\"\\/\b\f\n\r\t|A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80|"));
    text = json_decode(SPAN_LIT("\"a\\u0000b\""), &arena);
    assert_true(span_eq(text, SPAN_LIT("a\0b")));
}

/* Places a structural byte at each offset within a word, because the scanner reads eight bytes at
 * a time. */
static void structural_bytes_are_found_in_every_lane(void **state) {
    (void)state;
    static const char *const odd[] = {"\\n", "\xc3\xa9", "\n", "\xff", "\\u0041", "\x1f", " ", "!"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (size_t before = 0; before < 20; before++)
            for (size_t behind = 0; behind < 20; behind++) {
                struct buf text = {0};
                buf_char(&text, '"');
                for (size_t k = 0; k < before; k++)
                    buf_char(&text, (char)(0x21 + 2 * k));
                for (char *p = text.p + 1; *p; p++)
                    *p = *p == '"' ? '~' : *p;
                buf_text(&text, odd[i]);
                for (size_t k = 0; k < behind; k++)
                    buf_char(&text, '~');
                buf_char(&text, '"');
                const char *differs = twin_differs(buf_view(&text), &arena);
                if (differs)
                    fail_msg("%s: %s", text.p, differs);
                buf_release(&text);
            }
    arena_clear(&arena);
}

static void make_space(struct rng *rng, struct buf *out) {
    static const char *const gaps[] = {"", "", "", " ", "\n", "\t \r\n"};
    buf_text(out, gaps[rng_range(rng, 0, 5)]);
}

static void make_string(struct rng *rng, struct buf *out) {
    static const char *const parts[] = {"a",
                                        "node_id",
                                        "\\\"",
                                        "\\\\",
                                        "\\u00e9",
                                        "\\ud83d\\ude00",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "{",
                                        " : ",
                                        "\\n",
                                        "\\u0000",
                                        "plain text of some length",
                                        "/",
                                        "\x7f"};
    buf_char(out, '"');
    for (int64_t n = rng_range(rng, 0, 4); n > 0; n--)
        buf_text(out, parts[rng_range(rng, 0, sizeof parts / sizeof *parts - 1)]);
    buf_char(out, '"');
}

static void make_value(struct rng *rng, struct buf *out, int depth) {
    static const char *const atoms[] = {"true", "false", "null", "0", "-1.5e3", "9007199254740993",
                                        "1E-2", "-0"};
    int64_t kind = rng_range(rng, 0, depth < 6 ? 5 : 2);
    if (kind <= 1) {
        buf_text(out, atoms[rng_range(rng, 0, sizeof atoms / sizeof *atoms - 1)]);
    } else if (kind == 2) {
        make_string(rng, out);
    } else {
        buf_char(out, kind == 3 ? '[' : '{');
        make_space(rng, out);
        for (int64_t n = rng_range(rng, 0, 4), i = 0; i < n; i++) {
            if (i)
                buf_char(out, ',');
            make_space(rng, out);
            if (kind != 3) {
                make_string(rng, out);
                make_space(rng, out);
                buf_char(out, ':');
                make_space(rng, out);
            }
            make_value(rng, out, depth + 1);
            make_space(rng, out);
        }
        buf_char(out, kind == 3 ? ']' : '}');
    }
}

static void damage(struct rng *rng, struct buf *text) {
    static const char bytes[] = "{}[]\",:\\ \n0123456789.eE+-truefalsn\xc3\x80\xff\x01\0";
    size_t at = (size_t)rng_range(rng, 0, (int64_t)text->n - 1);
    char byte = bytes[rng_range(rng, 0, sizeof bytes - 1)];
    switch (rng_range(rng, 0, 3)) {
    case 0:
        text->p[at] = byte;
        break;
    case 1: /* one byte less */
        memmove(text->p + at, text->p + at + 1, text->n - at);
        text->n--;
        break;
    case 2: /* one byte more */
        buf_room(text, 1);
        memmove(text->p + at + 1, text->p + at, text->n - at);
        text->p[at] = byte;
        text->n++;
        break;
    default:
        text->n = at;
    }
}

static void the_scanner_agrees_with_jansson(void **state) {
    (void)state;
    struct rng rng;
    struct buf text = {0}, bad = {0};
    rng.state = 20261124;
    for (int i = 0; i < 4000; i++) {
        buf_clear(&text);
        make_space(&rng, &text);
        make_value(&rng, &text, 0);
        make_space(&rng, &text);
        const char *differs = twin_differs(buf_view(&text), &arena);
        if (differs)
            fail_msg("%s: %s", text.p, differs);
        for (int k = 0; k < 5; k++) {
            buf_clear(&bad);
            buf_span(&bad, buf_view(&text));
            for (int64_t n = rng_range(&rng, 1, 2); n > 0 && bad.n > 0; n--)
                damage(&rng, &bad);
            differs = twin_differs(buf_view(&bad), &arena);
            if (differs)
                fail_msg("%.*s: %s", (int)bad.n, bad.p, differs);
        }
        arena_clear(&arena);
    }
    buf_release(&text);
    buf_release(&bad);
}

static int end(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static void values_are_found_by_path(void **state) {
    (void)state;
    struct buf deep = {0};
    struct span reply = SPAN_LIT(
        "{\"hits\" : {\"total\":2, \"hits\":[ {\"n\":1.50}, {\"n\":2}]},\"a.b\":3,\"s\":\"\"}");
    static const struct {
        const char *path, *found;
    } cases[] = {{"hits.total", "2"},
                 {"hits.none", NULL},
                 {"none.total", NULL},
                 {"s.t", NULL},
                 {"hits.total.x", NULL},
                 {"s", "\"\""},
                 {"hits.hits", "[{\"n\":1.50},{\"n\":2}]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span found = json_get(reply, cases[i].path, &arena);
        assert_true(cases[i].found ? span_is(found, cases[i].found) : !found.p);
    }
    struct span list = json_get(reply, "hits.hits", &arena);
    size_t at = 0;
    assert_true(span_is(json_item(list, &at, &arena), "{\"n\":1.50}"));
    assert_true(span_is(json_item(list, &at, &arena), "{\"n\":2}"));
    assert_null(json_item(list, &at, &arena).p);
    at = 0;
    assert_null(json_item(SPAN_LIT("[]"), &at, &arena).p);
    assert_null(json_item((struct span){0}, &at, &arena).p);
    assert_null(json_get(SPAN_LIT("{\"a\":"), "a", &arena).p);
    assert_null(json_get(SPAN_LIT(""), "a", &arena).p);
    /* A record of the maximum depth, within an answer. */
    buf_text(&deep, "{\"a\":{\"b\":");
    for (int i = 0; i < JSON_DEPTH; i++)
        buf_char(&deep, '[');
    for (int i = 0; i < JSON_DEPTH; i++)
        buf_char(&deep, ']');
    buf_text(&deep, "}}");
    assert_int_equal(json_get(buf_view(&deep), "a.b", &arena).n, 2 * JSON_DEPTH);
    buf_release(&deep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_json_is_accepted),
        cmocka_unit_test(invalid_json_is_refused),
        cmocka_unit_test(values_are_found_by_path),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(white_space_is_removed),
        cmocka_unit_test(members_of_the_object_are_reported),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(structural_bytes_are_found_in_every_lane),
        cmocka_unit_test(the_scanner_agrees_with_jansson),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, end);
}
