/* deflate: packs a body as gzip (zlib), fast rather than small.
 * Owns nothing between calls. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"

/* Adds body to out as one gzip member (RFC 1952). */
void deflate_gzip(struct span body, struct buf *out);
