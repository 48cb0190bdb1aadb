/* zip: see zip.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zip.h"

#define ZLIB_CONST /* next_in is only read */
#include <zlib.h>

#include "../../base/mem.h"

/* How much room is made at a time: the most that a small body that claims to be large costs. */
enum { STEP = 64 * 1024 };

enum inflate_coding inflate_coding_of(struct span name) {
    for (; name.n && strchr(" \t", name.p[name.n - 1]);)
        name.n--;
    for (; name.n && strchr(" \t", *name.p); name.n--)
        name.p++;
    if (!name.n || span_is_word(name, "identity"))
        return INFLATE_NONE;
    if (span_is_word(name, "gzip") || span_is_word(name, "x-gzip"))
        return INFLATE_GZIP;
    return span_is_word(name, "deflate") ? INFLATE_DEFLATE : INFLATE_UNKNOWN;
}

/* Inflates until the end of one member or stream. */
static enum input_rc one(z_stream *z, size_t from, size_t limit, struct buf *out, struct err *err) {
    for (;;) {
        /* One byte more than the limit allows tells "at the limit" from "above it". */
        size_t left = limit - (out->n - from), want = left < STEP ? left + 1 : STEP;
        z->next_out = (Bytef *)buf_room(out, want);
        z->avail_out = (uInt)want;
        int rc = inflate(z, Z_NO_FLUSH);
        out->n += want - z->avail_out;
        out->p[out->n] = '\0';
        if (out->n - from > limit)
            return err_as(INPUT_LARGE, err, "the body is larger than %zu bytes when decompressed",
                          limit);
        if (rc == Z_STREAM_END)
            return INPUT_OK;
        if (rc == Z_MEM_ERROR)
            mem_abort();
        if (rc == Z_NEED_DICT)
            return err_set(err, "the compressed body is damaged: it needs a dictionary");
        if (rc == Z_DATA_ERROR)
            return err_set(err, "the compressed body is damaged: %s", z->msg);
        if (z->avail_in == 0 && z->avail_out > 0)
            return err_set(err, "the compressed body is truncated");
    }
}

enum input_rc inflate_body(enum inflate_coding coding, struct span body, size_t limit,
                           struct buf *out, struct err *err) {
    enum { GZIP_ONLY = 16 };
    size_t from = out->n;
    z_stream z = {0};
    if (inflateInit2(&z, coding == INFLATE_GZIP ? MAX_WBITS + GZIP_ONLY : MAX_WBITS) != Z_OK)
        mem_abort(); /* the only way it fails with these arguments */
    z.next_in = (const Bytef *)(body.p ? body.p : "");
    z.avail_in = (uInt)body.n;
    enum input_rc rc;
    while ((rc = one(&z, from, limit, out, err)) == INPUT_OK && z.avail_in &&
           coding == INFLATE_GZIP)
        inflateReset(&z);
    if (rc == INPUT_OK && z.avail_in)
        rc = err_set(err, "the compressed body has %u bytes behind its end", z.avail_in);
    inflateEnd(&z);
    return rc;
}

void deflate_gzip(struct span body, struct buf *out) {
    z_stream z = {0};
    /* 16 above the window bits asks for gzip's header; level 1: the network is rarely the
     * bottleneck. */
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        mem_abort();
    size_t bound = deflateBound(&z, (uLong)body.n);
    z.next_in = (Bytef *)(uintptr_t)body.p;
    z.avail_in = (uInt)body.n; /* a bulk body: some MB */
    z.next_out = (Bytef *)buf_room(out, bound);
    z.avail_out = (uInt)bound;
    deflate(&z, Z_FINISH); /* cannot fail: the output has room for the worst case */
    out->n += z.total_out;
    deflateEnd(&z);
}
