/* log: diagnostics on standard error, one line each, with control characters escaped: as text
 * (`distlog COMMAND: message`), as text with the priorities that systemd's journal reads (`<4>…`),
 * or as a JSON object. Used by cmd/ and lib/app/ only: below them, errors are values.
 * Owns nothing. Any thread, as long as the struct log does not change. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From the most to the least important. */
enum log_level {
    LOG_ERROR, /* something failed and needs an action to recover */
    LOG_WARN,  /* work continues, but needs attention */
    LOG_INFO,  /* what an operator wants to see: starts, stops, recoveries */
    LOG_DEBUG  /* details for finding a fault */
};

enum log_format {
    LOG_TEXT,
    LOG_JOURNAL, /* LOG_TEXT with a priority in front */
    LOG_JSON     /* {"time":RFC 3339,"level":"warn","source":PREFIX,"message":TEXT} */
};

struct log {
    const char *prefix;   /* "distlog store"; UTF-8, borrowed for the log's life */
    enum log_level level; /* less important messages are dropped */
    enum log_format format;
};

/* The log of a program that has not read its settings yet: level info, as text, or for the journal
 * if standard error is its socket (systemd sets $JOURNAL_STREAM). */
struct log log_default(const char *prefix);
/* Writes one line with one write(), so that lines of several processes do not mix. A message of
 * 2,048 bytes or more is cut off. */
void log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(log, ...) log_write(log, LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...)  log_write(log, LOG_WARN, __VA_ARGS__)
#define log_info(log, ...)  log_write(log, LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write(log, LOG_DEBUG, __VA_ARGS__)
