/* err: see err.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *e, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    return -1;
}

int err_prefix(struct err *e, const char *format, ...) {
    static const char separator[] = ": ";
    const struct err before = *e;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    if (n < 0)
        return -1;
    const size_t used = (size_t)n + sizeof separator - 1;
    if (used + 1 < sizeof e->text) {
        const size_t left = sizeof e->text - used - 1;
        snprintf(e->text + n, sizeof e->text - (size_t)n, "%s%.*s", separator, (int)left,
                 before.text);
    }
    return -1;
}
