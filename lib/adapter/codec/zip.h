/* zip: HTTP content codings of a body, done and undone with zlib.
 * Owns nothing. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../core/input.h"
#include "../../base/buf.h"

enum inflate_coding {
    INFLATE_NONE,    /* no header, or identity: the body stands as it is */
    INFLATE_GZIP,    /* gzip, x-gzip: one or more members (RFC 1952) */
    INFLATE_DEFLATE, /* deflate: the zlib format (RFC 1950) */
    INFLATE_UNKNOWN  /* anything else: 415 */
};

/* What a Content-Encoding (.p NULL: no such header) asks for, in any letter case. Several codings
 * in a row are INFLATE_UNKNOWN. */
enum inflate_coding inflate_coding_of(struct span content_encoding);
/* Adds the plain bytes to out: at most limit of them, whatever body, which is smaller than 4 GB,
 * claims. coding is INFLATE_GZIP or INFLATE_DEFLATE. INPUT_BAD: damaged, truncated, or something
 * behind the end. On anything but INPUT_OK out holds a part of them. */
enum input_rc inflate_body(enum inflate_coding coding, struct span body, size_t limit,
                           struct buf *out, struct err *err);
/* Adds body to out as one gzip member (RFC 1952). */
void deflate_gzip(struct span body, struct buf *out);
