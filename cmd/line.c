/* line: see line.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "line.h"
#include "../lib/base/escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

bool line_write(const struct run *run, struct buf *lines) {
    struct span all = buf_view(lines);
    errno = 0;
    bool ok = fwrite(all.p, 1, all.n, stdout) == all.n && fflush(stdout) == 0;
    if (!ok)
        log_info(&run->log, "standard output can't be written: %s", strerror(errno));
    buf_clear(lines);
    return ok;
}

void line_add(struct buf *lines, const char *format, ...) {
    va_list args;
    va_start(args, format);
    for (size_t n; *format; format += n + 1) {
        n = strcspn(format, "%");
        buf_add(lines, format, n);
        if (!format[n])
            break;
        escape_printable(lines, va_arg(args, struct span));
    }
    va_end(args);
}

void line_json(struct buf *lines, struct span json) {
    size_t plain = 0;
    for (size_t i = 0; i < json.n; i++) {
        const unsigned char *c = (const unsigned char *)json.p + i;
        bool c1 = c[0] == 0xc2 && i + 1 < json.n && c[1] >= 0x80 && c[1] < 0xa0;
        if (c[0] != 0x7f && !c1)
            continue;
        buf_add(lines, json.p + plain, i - plain);
        buf_printf(lines, "\\u00%02x", c1 ? c[1] : c[0]);
        i += c1;
        plain = i + 1;
    }
    buf_add(lines, json.p + plain, json.n - plain);
}
