/* deadletter: the envelope of a record that can't be delivered, written and read. An envelope is
 * one JSON object:
 *     {"reason","topic","partition","offset","timestamp","key","value"}
 * key and value are strings where they are UTF-8, else "key_base64" and "value_base64"; null is
 * null. An envelope that holds only parts of them also has "truncated": the size of the whole
 * value. Owns nothing. Pure. Any thread. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/arena.h"
#include "../base/buf.h"

/* The most bytes that are left of a key and of a value once they don't fit as they are. */
enum { DEADLETTER_KEY_MAX = 1024, DEADLETTER_VALUE_MAX = 64 * 1024 };

struct deadletter {
    const char *reason;     /* why it can't be delivered; may quote bytes from outside */
    const char *topic;      /* where the record was read, or should have gone */
    int32_t partition;      /* -1: unknown */
    int64_t offset;         /* -1: unknown */
    int64_t ts_ms;          /* the record's timestamp, ms since 1970 UTC */
    struct span key, value; /* .p NULL: null */
    int64_t full_size;      /* deadletter_read: bytes of the whole value if key or value was
                               truncated, else -1. deadletter_write does not look at it. */
};

/* Appends the envelope of *d, in limit bytes if that is possible: if it would be larger, with no
 * more than DEADLETTER_KEY_MAX bytes of the key and as much of the value as fits, at most
 * DEADLETTER_VALUE_MAX bytes. It cannot fail. */
void deadletter_write(struct buf *out, const struct deadletter *d, size_t limit);
/* Reads an envelope back. What *d points to is in the arena or in the envelope. Unknown members are
 * ignored. 0, or -1 with err: it is no envelope, and d->full_size is -1. */
int deadletter_read(struct span envelope, struct arena *arena, struct deadletter *d,
                    struct err *err);
