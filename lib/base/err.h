/* err: an error message for a person: what failed, on what, why, and what to do about it.
 * A function that can fail takes a struct err *, fills it, and returns what its caller may do next.
 * Callers either log it or return it, never both. Owns its fixed buffer. One thread at a time.
 * libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct err {
    char text[768]; /* NUL-terminated; may contain control characters, which the log escapes */
};

/* Sets the text, which is cut off where the buffer ends. Always returns -1. */
int err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "PREFIX: " in front of the text: for the caller that knows the file or the address. Always
 * returns -1. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
