/* deadletter: the envelope of a record that can't be delivered (CONTRACT §8).
 * Owns nothing. Pure. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"

struct deadletter {
    const char *reason, *topic;
    int32_t partition;
    int64_t offset, ts_ms;
    struct span key, value; /* .p NULL: null */
};

/* Adds
 * {"reason","topic","partition","offset","timestamp","key"|"key_base64","value"|"value_base64"}:
 * key and value as JSON strings where they are UTF-8, else in base64; null is null. If the envelope
 * would be larger than limit bytes: only the first 64 KB of the value (less if limit asks for it)
 * and "truncated":<its full size>; the key is then cut at 1 KB. */
void deadletter_write(struct buf *out, const struct deadletter *d, size_t limit);
