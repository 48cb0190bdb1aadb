/* zip: see zip.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zip.h"

#define ZLIB_CONST /* next_in is only read */
#include <zlib.h>

#include "../../base/mem.h"

enum {
    ZIP_STEP = 64 * 1024, /* bytes that out grows by: what a body that claims much costs at first */
    ZIP_GZIP_FORMAT = 16, /* added to the window bits; otherwise it is the zlib format */
    ZIP_FAST = 1,         /* level: the network is rarely the bottleneck */
    ZIP_MEMORY = 8        /* zlib's default */
};

static bool zip_is_blank(char c) {
    return c == ' ' || c == '\t';
}

static struct span zip_trim(struct span s) {
    while (s.n > 0 && zip_is_blank(s.p[s.n - 1]))
        s.n--;
    while (s.n > 0 && zip_is_blank(*s.p)) {
        s.p++;
        s.n--;
    }
    return s;
}

enum inflate_coding inflate_coding_of(struct span content_encoding) {
    const struct span name = zip_trim(content_encoding);
    if (name.n == 0 || span_is_word(name, "identity"))
        return INFLATE_NONE;
    if (span_is_word(name, "gzip") || span_is_word(name, "x-gzip"))
        return INFLATE_GZIP;
    if (span_is_word(name, "deflate"))
        return INFLATE_DEFLATE;
    return INFLATE_UNKNOWN;
}

/* Inflates into at most want more bytes of out; returns zlib's code. */
static int zip_inflate_step(z_stream *z, size_t want, struct buf *out) {
    z->next_out = (Bytef *)buf_room(out, want);
    z->avail_out = (uInt)want;
    const int rc = inflate(z, Z_NO_FLUSH);
    out->n += want - z->avail_out;
    out->p[out->n] = '\0';
    if (rc == Z_MEM_ERROR)
        mem_abort();
    return rc;
}

/* Inflates to the end of one gzip member, or of the stream. from: where in out the body begins. */
static enum input_rc zip_inflate_member(z_stream *z, size_t from, size_t limit, struct buf *out,
                                        struct err *err) {
    for (;;) {
        size_t want = limit - (out->n - from);
        if (want < ZIP_STEP)
            want++; /* one byte more distinguishes "at the limit" from "above it" */
        else
            want = ZIP_STEP;
        const int rc = zip_inflate_step(z, want, out);
        if (out->n - from > limit) {
            err_set(err, "the body is larger than %zu bytes when decompressed", limit);
            return INPUT_LARGE;
        }
        if (rc == Z_STREAM_END)
            return INPUT_OK;
        if (rc == Z_NEED_DICT)
            return err_set(err, "the compressed body is damaged: it requires a dictionary");
        if (rc == Z_DATA_ERROR)
            return err_set(err, "the compressed body is damaged: %s", z->msg);
        if (z->avail_in == 0 && z->avail_out > 0)
            return err_set(err, "the compressed body is truncated");
    }
}

/* Inflates all members of a gzip body, or the one stream of a deflate body. */
static enum input_rc zip_inflate_members(z_stream *z, enum inflate_coding coding, size_t limit,
                                         struct buf *out, struct err *err) {
    const size_t from = out->n;
    for (;;) {
        const enum input_rc rc = zip_inflate_member(z, from, limit, out, err);
        if (rc != INPUT_OK || z->avail_in == 0)
            return rc;
        if (coding != INFLATE_GZIP)
            return err_set(err, "unexpected data after the compressed body: %u bytes", z->avail_in);
        inflateReset(z);
    }
}

enum input_rc inflate_body(enum inflate_coding coding, struct span body, size_t limit,
                           struct buf *out, struct err *err) {
    z_stream z = {0};
    int window_bits = MAX_WBITS;
    if (coding == INFLATE_GZIP)
        window_bits += ZIP_GZIP_FORMAT;
    if (inflateInit2(&z, window_bits) != Z_OK)
        mem_abort(); /* with these arguments it fails only without memory */
    if (body.p)
        z.next_in = (const Bytef *)body.p;
    else
        z.next_in = (const Bytef *)"";
    z.avail_in = (uInt)body.n;
    const enum input_rc rc = zip_inflate_members(&z, coding, limit, out, err);
    inflateEnd(&z);
    return rc;
}

void deflate_gzip(struct span body, struct buf *out) {
    z_stream z = {0};
    if (deflateInit2(&z, ZIP_FAST, Z_DEFLATED, MAX_WBITS + ZIP_GZIP_FORMAT, ZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        mem_abort();
    const size_t bound = deflateBound(&z, (uLong)body.n);
    z.next_in = (const Bytef *)body.p;
    z.avail_in = (uInt)body.n;
    z.next_out = (Bytef *)buf_room(out, bound);
    z.avail_out = (uInt)bound;
    deflate(&z, Z_FINISH); /* cannot fail: there is room for the worst case */
    out->n += z.total_out;
    deflateEnd(&z);
}
