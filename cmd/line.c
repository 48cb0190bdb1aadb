/* line: see line.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include "../lib/base/escape.h"

bool line_write(const struct run *run, struct buf *lines) {
    const struct span all = buf_view(lines);
    errno = 0;
    const bool is_written = fwrite(all.p, 1, all.n, stdout) == all.n && fflush(stdout) == 0;
    if (!is_written)
        log_error(&run->log, "cannot write standard output: %s", strerror(errno));
    buf_clear(lines);
    return is_written;
}

void line_add(struct buf *lines, const char *format, ...) {
    va_list args;
    va_start(args, format);
    for (;;) {
        const size_t n = strcspn(format, "%");
        buf_add(lines, format, n);
        if (!format[n])
            break;
        escape_printable(lines, va_arg(args, struct span));
        format += n + 1;
    }
    va_end(args);
}

/* The length of a control character that JSON does not escape: DEL, or in UTF-8 one of C1. 0: text
 * does not begin with one. */
static size_t line_control_length(struct span text) {
    const unsigned char *c = (const unsigned char *)text.p;
    if (c[0] == 0x7f)
        return 1;
    if (c[0] == 0xc2 && text.n > 1 && c[1] >= 0x80 && c[1] < 0xa0)
        return 2;
    return 0;
}

void line_json(struct buf *lines, struct span json) {
    size_t plain = 0, i = 0;
    while (i < json.n) {
        const size_t n = line_control_length((struct span){json.p + i, json.n - i});
        if (n == 0) {
            i++;
            continue;
        }
        buf_add(lines, json.p + plain, i - plain);
        /* The last byte is the character's number. */
        buf_printf(lines, "\\u00%02x", (unsigned char)json.p[i + n - 1]);
        i += n;
        plain = i;
    }
    buf_add(lines, json.p + plain, json.n - plain);
}
