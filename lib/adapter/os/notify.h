/* notify: what a daemon reports to the process that started it, by systemd's notification protocol
 * (sd_notify(3)): datagrams of NAME=value lines to the socket in $NOTIFY_SOCKET. systemd listens
 * there for units of Type=notify, and so does `distlog up`, which uses the listening half below.
 * Without the variable nothing is sent.
 *
 * Beside systemd's variables, distlog's daemons send:
 *   X_DISTLOG_TOTALS=accepted=5 refused=1   what was counted since the start: with STOPPING=1, and
 *                                           at most once a second before
 *   X_DISTLOG_REASON=TEXT                   why the process is about to exit with an error
 *   X_DISTLOG_URL=http://127.0.0.1:9880     where collect listens
 *   X_DISTLOG_ROUTE=log.input               a tag that collect has a topic for
 *
 * Owns the sockets. Main thread. Linux. Callers: lib/app, cmd/, process.c, distlog.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "../../base/err.h"

/* notify_open fills it; a zeroed struct sends nothing. */
struct notify {
    int fd;              /* connected to the socket; 0: no listener */
    int64_t watchdog_ms; /* the listener expects a keep-alive message this often; 0: never */
    int64_t last_ms;     /* when notify_alive sent the last one, monotonic */
};

/* Connects to $NOTIFY_SOCKET, and takes the variables out of the environment, so that children do
 * not report in this process's name. A socket that cannot be reached is as good as none. */
void notify_open(struct notify *n);
/* Sends lines of NAME=value, such as "READY=1\nSTATUS=reading nodes". A message that cannot be
 * delivered at once is dropped: reporting never holds a daemon up. NULL sends nothing. */
void notify_send(const struct notify *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sends WATCHDOG=1 when half of watchdog_ms has passed since the last one. Call it in every turn of
 * the daemon's loop, and in long waits within a turn. now_ms: monotonic. NULL sends nothing. */
void notify_alive(struct notify *n, int64_t now_ms);
void notify_close(struct notify *n);

/* The listening half: a socket of its own for each process that may report. */
struct notify_listener {
    int fd;           /* non-blocking; readable when a message has come */
    char address[64]; /* what $NOTIFY_SOCKET has to be in the reporting process */
};

enum { NOTIFY_MAX_BYTES = 4096 }; /* longer messages are cut */

/* Listens at an address that the kernel chooses. 0, or -1 with err and fd -1. */
int notify_listen(struct notify_listener *l, struct err *err);
/* Takes the next message that the process `from` has sent into text, which is then
 * NUL-terminated; what others send, which any process of this machine may do, is dropped. False: no
 * message is left. */
bool notify_receive(const struct notify_listener *l, pid_t from, char text[NOTIFY_MAX_BYTES]);
/* An fd of -1 is fine. */
void notify_unlisten(struct notify_listener *l);
