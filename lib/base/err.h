/* err: the text of what went wrong, for a person: what failed, on what, why, what can be done.
 * Owns its fixed buffer. A function that can fail takes a struct err *, fills it, and returns what
 * the caller may do next; only cmd/ prints it. Log it or return it, never both.
 * One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct err {
    char text[768];
};

/* Sets the text; cut at the buffer's end, control characters escaped later by the log. Returns -1.
 */
int err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with what the caller's caller may do next: `return err_as(BUS_FATAL, err, …)`. */
#define err_as(rc, ...) (err_set(__VA_ARGS__), (rc))
/* Puts "prefix: " before what is there: the place that knows the file or the address adds it.
 * Returns -1. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define err_prefix_as(rc, ...) (err_prefix(__VA_ARGS__), (rc))
