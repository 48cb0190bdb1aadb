/* log: diagnostics on standard error as `distlog COMMAND: message`, control characters escaped.
 * Owns nothing but the prefix it was given. Used by cmd/ only: below it, errors are values.
 * One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct log {
    const char *prefix; /* "distlog store", borrowed for the log's life */
};

/* One line, one write, so that lines of several processes never mix. */
void log_say(const struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
