/* name: names that may become part of a URL, a file name or a topic name without escaping.
 * Owns nothing. Pure. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

/* In bytes. Kafka allows 249, and distlog appends .state or .dlq to some names. */
enum { NAME_MOST = 200 };

/* True if text consists of letters, digits, '.', '_' and '-', is neither "." nor "..", and has
 * 1 to NAME_MOST bytes. */
static inline bool name_is_valid(const char *text) {
    static const char letters[] = "0123456789._-"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const size_t length = strspn(text, letters);
    if (length == 0 || text[length] != '\0' || length > NAME_MOST)
        return false;
    const bool only_dots = strspn(text, ".") == length;
    return !only_dots || length > 2;
}
