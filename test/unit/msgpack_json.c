/* Tests of adapter/codec/msgpack_json; msgpack-c packs the input.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <msgpack.h>

#include "../../lib/adapter/codec/msgpack_json.h"

static msgpack_sbuffer packed;
static msgpack_packer pk;
static struct buf out;
static struct err err;
static size_t limit = SIZE_MAX;

static void text(const char *s) {
    msgpack_pack_str_with_body(&pk, s, strlen(s));
}

static int convert(struct span body) {
    buf_clear(&out);
    buf_text(&out, "");
    err.text[0] = '\0';
    return msgpack_json(body, limit, &out, &err);
}

/* Converts what was packed, and clears it. */
static int convert_packed(void) {
    int rc = convert((struct span){packed.data, packed.size});
    msgpack_sbuffer_clear(&packed);
    return rc;
}

static void values_of_every_type_are_converted(void **state) {
    (void)state;
    msgpack_pack_map(&pk, 12);
    text("node_id"), text("caf\xc3\xa9 \"\n");
    text("nil"), msgpack_pack_nil(&pk);
    text("t"), msgpack_pack_true(&pk);
    text("f"), msgpack_pack_false(&pk);
    text("big"), msgpack_pack_uint64(&pk, UINT64_MAX);
    text("small"), msgpack_pack_int64(&pk, INT64_MIN);
    text("seven"), msgpack_pack_int(&pk, -7);
    text("d"), msgpack_pack_double(&pk, 0.1);
    text("e"), msgpack_pack_map(&pk, 0);
    text("a"), msgpack_pack_array(&pk, 3);
    msgpack_pack_int(&pk, 1), msgpack_pack_array(&pk, 0), msgpack_pack_map(&pk, 1);
    text("x"), msgpack_pack_array(&pk, 1), msgpack_pack_nil(&pk);
    text("bin"), msgpack_pack_bin_with_body(&pk, "by\0te", 5);
    msgpack_pack_bin_with_body(&pk, "", 0), text("");
    assert_int_equal(convert_packed(), 0);
    assert_string_equal(out.p,
                        "{\"node_id\":\"caf\xc3\xa9 \\\"\\n\",\"nil\":null,\"t\":true,\"f\":false,"
                        "\"big\":18446744073709551615,\"small\":-9223372036854775808,\"seven\":-7,"
                        "\"d\":0.1,\"e\":{},\"a\":[1,[],{\"x\":[null]}],\"bin\":\"by\\u0000te\","
                        "\"\":\"\"}\n");
}

static void integers_of_every_width_are_converted(void **state) {
    (void)state;
    /* Around each value at which the encoding becomes wider. */
    for (int bit = 0; bit < 64; bit++)
        for (int64_t around = -1; around <= 1; around++) {
            uint64_t u = (UINT64_C(1) << bit) + (uint64_t)around;
            int64_t s = bit < 63 ? -(int64_t)(UINT64_C(1) << bit) + around : INT64_MIN;
            struct buf want = {0};
            msgpack_pack_map(&pk, 1);
            text(""), msgpack_pack_array(&pk, 2);
            msgpack_pack_uint64(&pk, u), msgpack_pack_int64(&pk, s);
            assert_int_equal(convert_packed(), 0);
            buf_printf(&want, "{\"\":[%llu,%lld]}\n", (unsigned long long)u, (long long)s);
            assert_string_equal(out.p, want.p);
            buf_release(&want);
        }
}

static void doubles_keep_their_value(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0.0"},
                 {-0.0, "-0.0"},
                 {1, "1.0"},
                 {1e22, "1e+22"},
                 {5e-324, "4.94065645841247e-324"},
                 {0.3, "0.3"},
                 {1.0 / 3, "0.3333333333333333"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {123456789012345680.0, "1.2345678901234568e+17"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        msgpack_pack_map(&pk, 1);
        text("v"), msgpack_pack_double(&pk, cases[i].v);
        assert_int_equal(convert_packed(), 0);
        assert_memory_equal(out.p + 5, cases[i].text, strlen(cases[i].text));
        double back = strtod(out.p + 5, NULL);
        assert_memory_equal(&back, &cases[i].v, sizeof back);
    }
    msgpack_pack_map(&pk, 1);
    text("v"), msgpack_pack_float(&pk, 0.5f);
    assert_int_equal(convert_packed(), 0);
    assert_string_equal(out.p, "{\"v\":0.5}\n");
}

static void bodies_become_one_line_per_record(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *json;
    } cases[] = {
        {"\x80", 1, "{}\n"},
        {"\x90", 1, ""},
        {"\x92\x80\x81\xa1k\x01", 6, "{}\n{\"k\":1}\n"},
        {"\x80\x81\xa1k\x90\x80", 6, "{}\n{\"k\":[]}\n{}\n"},
        {"\x91\x80\x90\x92\x80\x80\x80", 7, "{}\n{}\n{}\n{}\n"},
        {"\xde\x00\x00\xdf\x00\x00\x00\x00\xdc\x00\x00\xdd\x00\x00\x00\x01\x80", 17,
         "{}\n{}\n{}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (convert((struct span){cases[i].bytes, cases[i].n}) != 0)
            fail_msg("%zu: %s", i, err.text);
        assert_string_equal(out.p, cases[i].json);
    }
}

static void malformed_msgpack_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *error;
    } cases[] = {
        {"", 0, "no record: the body is empty"},
        {"\x01", 1, "expected a map at byte 0 of the MessagePack"},
        {"\xc0", 1, "expected a map at byte 0 of the MessagePack"},
        {"\xa1x", 2, "expected a map at byte 1 of the MessagePack"},
        {"\x80\xc2", 2, "expected a map at byte 1 of the MessagePack"},
        {"\x92\x80\x05", 3, "expected a map at byte 2 of the MessagePack"},
        {"\x91\x90", 2, "expected a map at byte 1 of the MessagePack"},
        {"\x91\x91\x80", 3, "expected a map at byte 1 of the MessagePack"},
        {"\x81\x01\x01", 3, "a map key is not a string at byte 1 of the MessagePack"},
        {"\x81\x90\x01", 3, "a map key is not a string at byte 1 of the MessagePack"},
        {"\x81\x80\x01", 3, "a map key is not a string at byte 1 of the MessagePack"},
        {"\x81\xa1k\xa1\xff", 5, "a string is not valid UTF-8 at byte 4 of the MessagePack"},
        {"\x81\xa1\xff\x01", 4, "a string is not valid UTF-8 at byte 2 of the MessagePack"},
        {"\x81\xa1k\xc4\x01\x80", 6, "a string is not valid UTF-8 at byte 5 of the MessagePack"},
        {"\x81\xa1k\xd4\x01x", 6, "unsupported extension type at byte 5 of the MessagePack"},
        {"\x81\xa1k\xc7\x00\x01", 6, "unsupported extension type at byte 5 of the MessagePack"},
        {"\x81\xa1k\xca\x7f\xc0\x00\x00", 8, "NaN or infinity at byte 7 of the MessagePack"},
        {"\x81\xa1k\xca\x7f\x80\x00\x00", 8, "NaN or infinity at byte 7 of the MessagePack"},
        {"\x81\xa1k\xc1", 4, "invalid type byte at byte 3 of the MessagePack"},
        {"\x81\xa1k", 3, "the MessagePack is truncated: it ends within a value"},
        {"\x80\x81", 2, "the MessagePack is truncated: it ends within a value"},
        {"\x81\xa1k\xcf\x00", 5, "the MessagePack is truncated: it ends within a value"},
        {"\x81\xd9\xff", 3, "the MessagePack is truncated: it ends within a value"},
        /* Headers that claim four billion items: no memory is reserved for them. */
        {"\xdf\xff\xff\xff\xff\xa1k\x01", 8,
         "the MessagePack is truncated: it ends within a value"},
        {"\xdd\xff\xff\xff\xff\x80", 6, "the MessagePack is truncated: it ends within a value"},
        {"\x81\xa1k\xdb\xff\xff\xff\xff", 8,
         "the MessagePack is truncated: it ends within a value"},
        {"\x81\xa1k\xc9\xff\xff\xff\xff\x01", 9,
         "unsupported extension type at byte 7 of the MessagePack"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (convert((struct span){cases[i].bytes, cases[i].n}) != -1)
            fail_msg("%zu is taken: %s", i, out.p);
        assert_string_equal(err.text, cases[i].error);
        assert_true(out.cap <= 4096);
    }
}

static void nesting_is_limited(void **state) {
    (void)state;
    for (int in_array = 0; in_array <= 1; in_array++)
        for (int depth = 64; depth <= 65; depth++) {
            if (in_array)
                msgpack_pack_array(&pk, 1);
            for (int i = 1; i < depth; i++) {
                msgpack_pack_map(&pk, 1);
                text("k");
            }
            msgpack_pack_map(&pk, 0);
            assert_int_equal(convert_packed(), depth > 64 ? -1 : 0);
        }
    assert_non_null(strstr(err.text, "maps and arrays nested too deeply at byte "));
}

/* The output may be larger than the body, but not than the limit. */
static void output_is_bounded_by_the_limit(void **state) {
    (void)state;
    static const struct {
        const char *of, *head; /* many repetitions of `of`, after head */
        size_t as_json;
    } cases[] = {{"\x01", "\x81\xa1k\xda", 6}, {"\"", "\x81\xa1k\xda", 2},
                 {"\\", "\x81\xa1k\xda", 2},   {"m", "\x81\xa1k\xda", 1},
                 {"\xc2", "\x81\xa1k\xdc", 6}, {"\x7f", "\x81\xa1k\xdc", 4},
                 {"\x80", "\xdc", 3}};
    enum { MANY = 10000 };
    char body[16 + MANY];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].head);
        memcpy(body, cases[i].head, n);
        body[n] = (char)(MANY >> 8), body[n + 1] = (char)(MANY & 255);
        memset(body + n + 2, cases[i].of[0], MANY);
        struct span all = {body, n + 2 + MANY};
        limit = cases[i].as_json * MANY + 10;
        assert_int_equal(convert(all), 0);
        limit = cases[i].as_json * MANY - 20;
        buf_release(&out);
        assert_int_equal(convert(all), INPUT_LARGE);
        assert_non_null(
            strstr(err.text, "larger as JSON than collect.max_inflated allows at byte "));
        assert_true(out.n <= limit + 100);
    }
    limit = SIZE_MAX;
}

static int begin(void **state) {
    (void)state;
    msgpack_sbuffer_init(&packed);
    msgpack_packer_init(&pk, &packed, msgpack_sbuffer_write);
    return 0;
}

static int end(void **state) {
    (void)state;
    msgpack_sbuffer_destroy(&packed);
    buf_release(&out);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_are_converted),
        cmocka_unit_test(integers_of_every_width_are_converted),
        cmocka_unit_test(doubles_keep_their_value),
        cmocka_unit_test(bodies_become_one_line_per_record),
        cmocka_unit_test(malformed_msgpack_is_refused),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(output_is_bounded_by_the_limit),
    };
    return cmocka_run_group_tests_name("msgpack_json", tests, begin, end);
}
