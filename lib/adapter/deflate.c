/* deflate: see deflate.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deflate.h"

#include <zlib.h>

#include "../base/mem.h"

void deflate_gzip(struct span body, struct buf *out) {
    z_stream z = {0};
    /* 16 above the window bits asks for gzip's header; level 1: the network is rarely the
     * bottleneck. */
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) mem_die();
    size_t bound = deflateBound(&z, (uLong)body.n);
    z.next_in = (Bytef *)(uintptr_t)body.p;
    z.avail_in = (uInt)body.n; /* a bulk body: some MB */
    z.next_out = (Bytef *)buf_room(out, bound);
    z.avail_out = (uInt)bound;
    deflate(&z, Z_FINISH); /* cannot fail: the output has room for the worst case */
    out->n += z.total_out;
    deflateEnd(&z);
}
