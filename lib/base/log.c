/* log: see log.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "buf.h"

void log_say(const struct log *log, const char *format, ...) {
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    BUF_LOCAL struct buf line = {0};
    buf_printf(&line, "%s: ", log->prefix);
    buf_printable(&line, span_of(text));
    buf_char(&line, '\n');
    for (size_t at = 0; at < line.n;) {
        ssize_t wrote = write(STDERR_FILENO, line.p + at, line.n - at);
        if (wrote < 0 && errno != EINTR)
            break; /* standard error is gone: there is no place left to say so */
        at += wrote > 0 ? (size_t)wrote : 0;
    }
}
