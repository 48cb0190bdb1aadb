/* utf8: is this UTF-8 (RFC 3629)? The one definition, for the JSON scan and for printing.
 * Owns nothing. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Length (1..4) of the well-formed sequence that starts at p with n bytes left; 0 if there is none:
 * truncated, overlong, a surrogate, past U+10FFFF, or n is 0. */
static inline size_t utf8_sequence(const char *p, size_t n) {
    const unsigned char *u = (const unsigned char *)p;
    if (n == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    if (u[0] < 0xc2 || u[0] > 0xf4)
        return 0;
    size_t len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return len;
}

/* Are these n bytes well-formed UTF-8 from end to end? */
static inline bool utf8_valid(const char *p, size_t n) {
    for (size_t i = 0, len; i < n; i += len)
        if ((len = utf8_sequence(p + i, n - i)) == 0)
            return false;
    return true;
}
