/* utf8: recognizes well-formed UTF-8 (RFC 3629). The JSON scanner and the printing of foreign bytes
 * share this one definition. Owns nothing. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* True if the second byte of a sequence makes it overlong, a surrogate, or larger than U+10FFFF:
 * of the sequences that the other checks let through, only the second byte shows these. */
static inline bool utf8_is_out_of_range(unsigned char first, unsigned char second) {
    switch (first) {
    case 0xe0:
        return second < 0xa0;
    case 0xed:
        return second > 0x9f;
    case 0xf0:
        return second < 0x90;
    case 0xf4:
        return second > 0x8f;
    default:
        return false;
    }
}

/* The length (1 to 4) of the sequence that a first byte announces; 0 if none starts with it. */
static inline size_t utf8_announced(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first < 0xe0)
        return 2;
    return first < 0xf0 ? 3 : 4;
}

/* The length (1 to 4) of the well-formed sequence that starts at p, where n bytes are left. 0 if it
 * is truncated, overlong, a surrogate or larger than U+10FFFF, or if n is 0. */
static inline size_t utf8_sequence(const char *p, size_t n) {
    const unsigned char *bytes = (const unsigned char *)p;
    if (n == 0)
        return 0;
    const size_t length = utf8_announced(bytes[0]);
    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    if (length > 2 && utf8_is_out_of_range(bytes[0], bytes[1]))
        return 0;
    return length;
}

/* True if all n bytes at p are well-formed UTF-8. */
static inline bool utf8_valid(const char *p, size_t n) {
    size_t at = 0;
    while (at < n) {
        const size_t length = utf8_sequence(p + at, n - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}
