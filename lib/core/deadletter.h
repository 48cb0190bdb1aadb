/* deadletter: the envelope of a record that can't be delivered, written and read.
 * Owns nothing. Pure. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/arena.h"
#include "../base/buf.h"

/* Bytes that are left of a key when it and the value don't fit. */
enum { DEADLETTER_KEY = 1024 };

struct deadletter {
    const char *reason, *topic;
    int32_t partition;
    int64_t offset, ts_ms;
    struct span key, value; /* .p NULL: null */
    int64_t
        full; /* deadletter_read: -1, or value or key was cut, and the value had so many bytes */
};

/* Adds
 * {"reason","topic","partition","offset","timestamp","key"|"key_base64","value"|"value_base64"}:
 * key and value as JSON strings where they are UTF-8, else in base64; null is null. If the envelope
 * would be larger than limit bytes: only the first 64 KB of the value (less if limit asks for it)
 * and "truncated":<its full size>; the key is then cut at 1 KB. */
void deadletter_write(struct buf *out, const struct deadletter *d, size_t limit);
/* Reads an envelope back: what *d points to is in the arena or in the envelope. Members that it
 * does not know are passed over. -1 with err: it is none. */
int deadletter_read(struct span envelope, struct arena *arena, struct deadletter *d,
                    struct err *err);
