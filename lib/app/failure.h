/* failure: why this process is about to exit with an error. The log line is for people; the report
 * (X_DISTLOG_REASON, lib/adapter/os/notify.h) is for the supervisor that started the process.
 * Owns nothing. Main thread. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../adapter/os/notify.h"
#include "../base/log.h"

/* Logs the reason as an error, and reports it. notify may be NULL. */
void failure_report(const struct log *log, const struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
