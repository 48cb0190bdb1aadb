/* log: see log.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "datetime.h"
#include "escape.h"

enum { LOG_MESSAGE_BYTES = 2048 }; /* with its NUL; a longer message is cut off */

/* The name of each level, and its number in syslog(3). */
static const struct {
    const char *name;
    int priority;
} log_levels[] = {
    [LOG_ERROR] = {"error", 3},
    [LOG_WARN] = {"warn", 4},
    [LOG_INFO] = {"info", 6},
    [LOG_DEBUG] = {"debug", 7},
};

/* systemd names the journal's socket as DEVICE:INODE. A child whose standard error was redirected
 * inherits the variable, but not the socket. */
static bool log_is_to_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat error_stream;
    if (!stream || fstat(STDERR_FILENO, &error_stream) != 0)
        return false;
    char own[64];
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)error_stream.st_dev,
             (uintmax_t)error_stream.st_ino);
    return strcmp(stream, own) == 0;
}

struct log log_default(const char *prefix) {
    struct log log = {.prefix = prefix, .level = LOG_INFO, .format = LOG_TEXT};
    if (log_is_to_journal())
        log.format = LOG_JOURNAL;
    return log;
}

static int64_t log_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void log_add_json(struct buf *line, const struct log *log, enum log_level level,
                         const char *text) {
    BUF_LOCAL struct buf message = {0};
    escape_printable(&message, span_of(text)); /* JSON requires valid UTF-8 */
    buf_text(line, "{\"time\":\"");
    datetime_format(line, log_now_ms(), 0, DATETIME_RFC3339);
    buf_printf(line, "\",\"level\":\"%s\",\"source\":", log_levels[level].name);
    escape_json(line, span_of(log->prefix));
    buf_text(line, ",\"message\":");
    escape_json(line, buf_view(&message));
    buf_char(line, '}');
}

static void log_add_text(struct buf *line, const struct log *log, enum log_level level,
                         const char *text) {
    if (log->format == LOG_JOURNAL)
        buf_printf(line, "<%d>", log_levels[level].priority);
    buf_printf(line, "%s: ", log->prefix);
    escape_printable(line, span_of(text));
}

/* Gives up if standard error does not accept the line: there is no other place to report that. */
static void log_output(struct span line) {
    size_t at = 0;
    while (at < line.n) {
        const ssize_t written = write(STDERR_FILENO, line.p + at, line.n - at);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0)
            at += (size_t)written;
    }
}

void log_write(const struct log *log, enum log_level level, const char *format, ...) {
    if (level > log->level)
        return;
    char text[LOG_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    BUF_LOCAL struct buf line = {0};
    if (log->format == LOG_JSON)
        log_add_json(&line, log, level, text);
    else
        log_add_text(&line, log, level, text);
    buf_char(&line, '\n');
    log_output(buf_view(&line));
}
