/* suggest: finds the name that the user probably meant. The caller offers the valid names one by
 * one; the hint is then ready to be appended to an error message. Owns a copy of the best name.
 * One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct suggest {
    const char *word;     /* what was typed; borrowed */
    size_t distance_less; /* a name must be less than this many edits away to become the hint */
    char hint[96];        /* "; did you mean 'NAME'?", or "" */
};

/* Starts with no hint. word must outlive s. */
void suggest_init(struct suggest *s, const char *word);
/* Makes the formatted name the hint if it is more similar than those before. A name of more than
 * 64 bytes never is. */
void suggest_offer(struct suggest *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
