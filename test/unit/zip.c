/* Tests of adapter/codec/zip. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#include "../../lib/adapter/codec/zip.h"

/* Adds text compressed; bits as deflateInit2 wants them: 15 zlib, 31 gzip, -15 raw. */
static void compress_to(struct buf *out, struct span text, int bits) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, text.n);
    z.next_in = (Bytef *)(uintptr_t)text.p;
    z.avail_in = (uInt)text.n;
    z.next_out = (Bytef *)buf_room(out, room);
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += room - z.avail_out;
    deflateEnd(&z);
}

static void content_encodings_are_recognised(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum inflate_coding coding;
    } cases[] = {
        {NULL, INFLATE_NONE},       {"", INFLATE_NONE},           {"identity", INFLATE_NONE},
        {"gzip", INFLATE_GZIP},     {"GZIP", INFLATE_GZIP},       {"x-gzip", INFLATE_GZIP},
        {" X-GZip ", INFLATE_GZIP}, {"Deflate", INFLATE_DEFLATE}, {"br", INFLATE_UNKNOWN},
        {"zstd", INFLATE_UNKNOWN},  {"gzi", INFLATE_UNKNOWN},     {"gzip, gzip", INFLATE_UNKNOWN},
        {" ", INFLATE_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(inflate_coding_of(span_of(cases[i].name)), cases[i].coding);
}

static void output_is_bounded_by_the_limit(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 1000000};
    struct buf plain = {0}, packed = {0}, out = {0};
    struct err err;
    buf_text(&out, "kept:");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int bits = 15; bits <= 31; bits += 16) {
            enum inflate_coding coding = bits == 15 ? INFLATE_DEFLATE : INFLATE_GZIP;
            size_t n = sizes[i];
            buf_clear(&plain);
            buf_clear(&packed);
            for (size_t k = 0; k < n; k++)
                buf_char(&plain, (char)('a' + k % 7 + k / 1000 % 3));
            compress_to(&packed, buf_view(&plain), bits);
            out.n = 5;
            assert_int_equal(inflate_body(coding, buf_view(&packed), n, &out, &err), INPUT_OK);
            assert_int_equal(out.n, n + 5);
            assert_memory_equal(out.p, "kept:", 5);
            assert_memory_equal(out.p + 5, buf_view(&plain).p, n);
            if (!n)
                continue;
            out.n = 5;
            assert_int_equal(inflate_body(coding, buf_view(&packed), n - 1, &out, &err),
                             INPUT_LARGE);
            assert_true(out.n <= n + 5); /* what was decompressed, whatever the header claims */
        }
    buf_release(&plain);
    buf_release(&packed);
    buf_release(&out);
}

static void a_decompression_bomb_is_refused(void **state) {
    (void)state;
    struct buf plain = {0}, packed = {0}, out = {0};
    struct err err;
    memset(buf_room(&plain, 20 << 20), 'x', 20 << 20);
    plain.n = 20 << 20;
    compress_to(&packed, buf_view(&plain), 31);
    assert_true(packed.n < 30000);
    assert_int_equal(inflate_body(INFLATE_GZIP, buf_view(&packed), 1 << 20, &out, &err),
                     INPUT_LARGE);
    assert_string_equal(err.text, "the body is larger than 1048576 bytes when decompressed");
    assert_true(out.cap <= 4 << 20);
    buf_release(&plain);
    buf_release(&packed);
    buf_release(&out);
}

static void several_gzip_members_are_joined(void **state) {
    (void)state;
    struct buf packed = {0}, out = {0};
    struct err err;
    compress_to(&packed, SPAN_LIT("one,"), 31);
    compress_to(&packed, SPAN_LIT(""), 31);
    compress_to(&packed, SPAN_LIT("two"), 31);
    assert_int_equal(inflate_body(INFLATE_GZIP, buf_view(&packed), 7, &out, &err), INPUT_OK);
    assert_string_equal(out.p, "one,two");
    /* The limit applies to all members together. */
    buf_clear(&out);
    assert_int_equal(inflate_body(INFLATE_GZIP, buf_view(&packed), 6, &out, &err), INPUT_LARGE);
    /* zlib's format has one stream. */
    buf_clear(&packed);
    compress_to(&packed, SPAN_LIT("one,"), 15);
    buf_char(&packed, 'x');
    assert_int_equal(inflate_body(INFLATE_DEFLATE, buf_view(&packed), 99, &out, &err), INPUT_BAD);
    assert_string_equal(err.text, "unexpected data after the compressed body: 1 bytes");
    buf_release(&packed);
    buf_release(&out);
}

static void damaged_data_is_refused(void **state) {
    (void)state;
    struct buf packed = {0}, out = {0};
    struct err err;
    compress_to(&packed, SPAN_LIT("some text, some text, some text"), 31);
    /* Truncated anywhere, or with any byte damaged: never INPUT_OK with different data. */
    for (size_t n = 0; n < packed.n; n++) {
        buf_clear(&out);
        assert_int_equal(inflate_body(INFLATE_GZIP, (struct span){packed.p, n}, 1000, &out, &err),
                         INPUT_BAD);
        assert_string_equal(err.text, "the compressed body is truncated");
    }
    for (size_t at = 0; at < packed.n; at++) {
        buf_clear(&out);
        packed.p[at] = (char)(packed.p[at] ^ 0x15);
        if (inflate_body(INFLATE_GZIP, buf_view(&packed), 1000, &out, &err) == INPUT_OK)
            assert_string_equal(out.p, "some text, some text, some text");
        packed.p[at] = (char)(packed.p[at] ^ 0x15);
    }
    buf_char(&packed, 'x'); /* neither the end nor another member */
    assert_int_equal(inflate_body(INFLATE_GZIP, buf_view(&packed), 1000, &out, &err), INPUT_BAD);
    assert_int_equal(inflate_body(INFLATE_GZIP, SPAN_LIT("plain"), 1000, &out, &err), INPUT_BAD);
    assert_int_equal(inflate_body(INFLATE_GZIP, (struct span){NULL, 0}, 9, &out, &err), INPUT_BAD);
    buf_clear(&packed);
    compress_to(&packed, SPAN_LIT("raw"),
                -15); /* raw deflate, which some call deflate, lacks zlib's header */
    assert_int_equal(inflate_body(INFLATE_DEFLATE, buf_view(&packed), 9, &out, &err), INPUT_BAD);
    buf_release(&packed);
    buf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_encodings_are_recognised),
        cmocka_unit_test(output_is_bounded_by_the_limit),
        cmocka_unit_test(a_decompression_bomb_is_refused),
        cmocka_unit_test(several_gzip_members_are_joined),
        cmocka_unit_test(damaged_data_is_refused),
    };
    return cmocka_run_group_tests_name("inflate", tests, NULL, NULL);
}
