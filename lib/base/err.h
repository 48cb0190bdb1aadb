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

/* Sets the text; cut at the buffer's end, control characters escaped later by the log. Returns -1,
 * so that `return err_set(err, …)` reads well where -1 means failed. */
int err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " before what is there: the place that knows the file or the address adds it. */
void err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
