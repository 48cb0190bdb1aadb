/* Tests of base/json_writer: the texts that it writes, and that jansson reads the same values from
 * them. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../lib/base/json_writer.h"
#include "../../lib/base/rng.h"

static void test_commas(void **state) {
    (void)state;
    BUF_LOCAL struct buf out = {0};
    struct json_writer w = {.out = &out};
    json_writer_object_begin(&w);
    json_writer_member_string(&w, "first", SPAN_LIT("a"));
    json_writer_key(&w, "list");
    json_writer_array_begin(&w);
    json_writer_int64(&w, 1);
    json_writer_object_begin(&w);
    json_writer_object_end(&w);
    json_writer_array_begin(&w);
    json_writer_array_end(&w);
    json_writer_string(&w, (struct span){0});
    json_writer_array_end(&w);
    json_writer_key(&w, "inner");
    json_writer_object_begin(&w);
    json_writer_member_raw(&w, "raw", SPAN_LIT("[1.50,true]"));
    json_writer_member_int64(&w, "n", -7);
    json_writer_object_end(&w);
    json_writer_key(&w, "when");
    json_writer_plain_begin(&w);
    buf_text(&out, "2026-01-01");
    json_writer_plain_end(&w);
    json_writer_member_string(&w, "last", SPAN_LIT(""));
    json_writer_object_end(&w);
    assert_string_equal(out.p, "{\"first\":\"a\",\"list\":[1,{},[],null],"
                               "\"inner\":{\"raw\":[1.50,true],\"n\":-7},"
                               "\"when\":\"2026-01-01\",\"last\":\"\"}");
}

/* No comma separates the text from what the buffer already holds. */
static void test_appends(void **state) {
    (void)state;
    BUF_LOCAL struct buf out = {0};
    buf_text(&out, "before ");
    struct json_writer first = {.out = &out}, second = {.out = &out};
    json_writer_array_begin(&first);
    json_writer_array_end(&first);
    buf_char(&out, '\n');
    json_writer_string(&second, SPAN_LIT("x"));
    assert_string_equal(out.p, "before []\n\"x\"");
}

static void test_escapes(void **state) {
    (void)state;
    BUF_LOCAL struct buf out = {0};
    struct json_writer w = {.out = &out};
    json_writer_object_begin(&w);
    json_writer_member_string(&w, "a", SPAN_LIT("\"\\/\b\f\n\r\t\0\x1f\x7f\xc3\xa9"));
    json_writer_object_end(&w);
    assert_string_equal(out.p, "{\"a\":\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\t"
                               "\\u0000\\u001f\x7f\xc3\xa9\"}");
}

static void test_numbers(void **state) {
    (void)state;
    static const int64_t numbers[] = {
        0, 9, 10, -1, -10, 4096, -999, INT64_MAX, INT64_MIN + 1, INT64_MIN};
    BUF_LOCAL struct buf out = {0};
    struct json_writer w = {.out = &out};
    json_writer_array_begin(&w);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_writer_int64(&w, numbers[i]);
    json_writer_array_end(&w);
    json_t *read = json_loadb(out.p, out.n, 0, NULL);
    assert_int_equal(json_array_size(read), sizeof numbers / sizeof *numbers);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_true(json_integer_value(json_array_get(read, i)) == numbers[i]);
    json_decref(read);
}

/* A random string of valid UTF-8, most of it characters that need care. */
static struct span random_string(struct rng *rng, char *bytes, size_t cap) {
    static const struct span pieces[] = {
        {"\"", 1},   {"\\", 1},    {"\0", 1},       {"\n", 1},
        {"\x1f", 1}, {"plain", 5}, {"\xc3\xa9", 2}, {"\xf0\x9f\x98\x80", 4}};
    size_t n = 0;
    for (int64_t left = rng_range(rng, 0, 10); left > 0; left--) {
        struct span piece = pieces[rng_range(rng, 0, sizeof pieces / sizeof *pieces - 1)];
        assert_true(n + piece.n <= cap);
        memcpy(bytes + n, piece.p, piece.n);
        n += piece.n;
    }
    return (struct span){bytes, n};
}

/* Writes a random value with the writer, and returns the same value built by jansson. */
static json_t *random_value(struct rng *rng, struct json_writer *w, int depth) {
    char bytes[64], key[16];
    switch (rng_range(rng, 0, depth < 5 ? 4 : 2)) {
    case 0: {
        struct span s = random_string(rng, bytes, sizeof bytes);
        json_writer_string(w, s);
        return json_stringn(s.p, s.n);
    }
    case 1: {
        int64_t number = rng_range(rng, -100000, 100000);
        json_writer_int64(w, number);
        return json_integer(number);
    }
    case 2:
        json_writer_raw(w, SPAN_LIT("{\"raw\":false}"));
        return json_pack("{s:b}", "raw", 0);
    case 3: {
        json_t *array = json_array();
        json_writer_array_begin(w);
        for (int64_t left = rng_range(rng, 0, 4); left > 0; left--)
            json_array_append_new(array, random_value(rng, w, depth + 1));
        json_writer_array_end(w);
        return array;
    }
    default: {
        json_t *object = json_object();
        json_writer_object_begin(w);
        for (int64_t left = rng_range(rng, 0, 4); left > 0; left--) {
            snprintf(key, sizeof key, "k%d", (int)left);
            json_writer_key(w, key);
            json_object_set_new(object, key, random_value(rng, w, depth + 1));
        }
        json_writer_object_end(w);
        return object;
    }
    }
}

static void test_jansson_reads_the_same(void **state) {
    (void)state;
    struct rng rng = {.state = 20261130};
    for (int i = 0; i < 2000; i++) {
        BUF_LOCAL struct buf out = {0};
        struct json_writer w = {.out = &out};
        json_t *expected = random_value(&rng, &w, 0);
        json_t *read = json_loadb(out.p, out.n,
                                  JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(read);
        assert_true(json_equal(read, expected));
        json_decref(read);
        json_decref(expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"commas stand between values, and nowhere else", test_commas, NULL, NULL, NULL},
        {"a writer appends to what the buffer holds", test_appends, NULL, NULL, NULL},
        {"strings are escaped", test_escapes, NULL, NULL, NULL},
        {"integers up to both limits", test_numbers, NULL, NULL, NULL},
        {"jansson reads back what was written", test_jansson_reads_the_same, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}
