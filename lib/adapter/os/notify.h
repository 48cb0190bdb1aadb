/* notify: what a daemon reports to whoever started it, by systemd's notification protocol
 * (sd_notify(3)): datagrams of NAME=value lines to the socket in $NOTIFY_SOCKET. systemd listens
 * there for units of Type=notify, and so does `distlog up`. Without the variable nothing is sent.
 * Owns the socket. Main thread. Linux. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/span.h"

/* notify_open fills it; a zeroed struct sends nothing. */
struct notify {
    int fd;              /* connected to the socket; 0: nobody listens */
    int64_t watchdog_ms; /* the listener expects a sign of life this often; 0: never */
    int64_t last_ms;     /* when notify_alive sent the last one, monotonic */
};

/* Connects to $NOTIFY_SOCKET, and takes the variables out of the environment, so that children do
 * not report in this process's name. A socket that cannot be reached is as good as none. */
void notify_open(struct notify *n);
/* Sends lines of NAME=value, such as "READY=1\nSTATUS=reading nodes". A message that cannot be
 * delivered at once is dropped: reporting never holds a daemon up. */
void notify_send(const struct notify *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sends WATCHDOG=1 when half of watchdog_ms has passed since the last one. Call it in every turn of
 * the daemon's loop, and in long waits within a turn. now_ms: monotonic. */
void notify_alive(struct notify *n, int64_t now_ms);
void notify_close(struct notify *n);
