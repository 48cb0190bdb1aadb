/* failure: see failure.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "../base/buf.h"
#include "../base/escape.h"

enum { FAILURE_REASON_BYTES = 2048 };

void failure_report(const struct log *log, const struct notify *notify, const char *format, ...) {
    char reason[FAILURE_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    log_error(log, "%s", reason);
    /* A line break in the text would start another variable of the message. */
    BUF_LOCAL struct buf printable = {0};
    escape_printable(&printable, span_of(reason));
    notify_send(notify, "X_DISTLOG_REASON=%s", buf_view(&printable).p);
}
