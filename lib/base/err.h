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
/* The same as an expression with the value rc: `return err_as(BUS_FATAL, err, "…");`. Only a macro
 * can return any type, and only a comma operator can make an expression of two steps in standard C:
 * these two macros are the product's only ones. */
#define err_as(rc, ...) (err_set(__VA_ARGS__), (rc))
/* Puts "PREFIX: " in front of the text: for the caller that knows the file or the address. Always
 * returns -1. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same as an expression with the value rc. */
#define err_prefix_as(rc, ...) (err_prefix(__VA_ARGS__), (rc))
