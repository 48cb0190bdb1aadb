/* nearest: the name that somebody probably meant. The names are offered one by one; the hint is
 * ready to stand behind an error. Owns a copy of the best name. One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct suggest {
    const char *word; /* borrowed */
    size_t far;       /* from this distance on a name is a guess */
    char hint[96];    /* "; the nearest is 'NAME'", or "" */
};

void suggest_init(struct suggest *n, const char *word);
/* Is this name nearer than those before? Longer ones than 64 bytes never are. */
void suggest_offer(struct suggest *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
