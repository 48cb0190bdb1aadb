/* zip: the HTTP content codings gzip and deflate, with zlib. Owns nothing. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/buf.h"
#include "../../core/input.h"

enum inflate_coding {
    INFLATE_NONE,    /* no header, or identity: the body is plain */
    INFLATE_GZIP,    /* gzip, x-gzip: one or more members (RFC 1952) */
    INFLATE_DEFLATE, /* deflate: the zlib format (RFC 1950) */
    INFLATE_UNKNOWN  /* anything else: 415 */
};

/* What a Content-Encoding names, in any letter case. .p NULL, without such a header, is
 * INFLATE_NONE; several codings in a row are INFLATE_UNKNOWN. */
enum inflate_coding inflate_coding_of(struct span content_encoding);
/* Appends the plain bytes of body, which is smaller than 4 GB, to out: at most limit of them,
 * whatever the body claims (one more where the limit is exceeded). coding is INFLATE_GZIP or
 * INFLATE_DEFLATE. INPUT_LARGE: above the limit. INPUT_BAD: damaged, truncated, or followed
 * by other data. Then err has the reason, and out holds a part. */
enum input_rc inflate_body(enum inflate_coding coding, struct span body, size_t limit,
                           struct buf *out, struct err *err);
/* Appends body, which is smaller than 4 GB, to out as one gzip member. */
void deflate_gzip(struct span body, struct buf *out);
