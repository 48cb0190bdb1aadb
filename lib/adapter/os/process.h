/* process: this program again, as a supervised child in a process group of its own. Its output
 * comes as lines, and what it reports of itself by systemd's notification protocol (notify.h) as
 * NAME=value pairs. A child is killed when its parent dies: nothing is lost by that at any moment
 * (distlog(7), GUARANTEES), and a child that is stopped or hangs ends too. Owns the pipes, the
 * notification socket and half-read lines. Main thread (the kernel ties the death signal to the
 * thread that forked). Linux. Callers: lib/app/supervisor.c, distlog.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "../../base/buf.h"
#include "notify.h"

enum { PROCESS_MOST = 32 };

/* Where a line of a child comes from. */
enum process_source {
    PROCESS_OUTPUT, /* its standard output */
    PROCESS_ERROR,  /* its standard error */
    PROCESS_NOTICE, /* NAME=value, as it reports it to $NOTIFY_SOCKET */
    PROCESS_SOURCES
};
enum { PROCESS_STREAMS = PROCESS_NOTICE }; /* those that are pipes */

/* One of a child's two pipes. */
struct process_stream {
    int fd;           /* -1: at its end */
    struct buf begun; /* what was read behind the last newline */
};

/* A zeroed struct is no process. */
struct process {
    pid_t pid; /* of it and of its group; 0: none, or ended and reaped */
    struct process_stream streams[PROCESS_STREAMS];
    struct notify_listener notices;
};

/* A whole line, without the newline; it is valid during the call. */
typedef void process_line(void *ctx, struct process *p, enum process_source source,
                          struct span text);

/* From now on this process leaves no core, and only root may trace it or read its
 * environment. */
void process_hide(void);
/* Runs this executable with argv (NULL-terminated, argv[0] included) and standard input /dev/null.
 * watchdog_ms: the child must send a keep-alive message this often; 0: none is expected. 0, or -1
 * with err. */
int process_start(struct process *p, const char *const *argv, int64_t watchdog_ms, struct err *err);
/* Waits up to wait_ms for output or notices of any of n processes (at most PROCESS_MOST), and hands
 * on every line; a signal ends the wait early. */
void process_read(struct process *const *all, size_t n, int wait_ms, process_line *line, void *ctx);
/* Whether it has ended and all of its output has been passed on. If so, *code is its exit code, or
 * 128 + the signal that ended it, and the process is none again. */
bool process_ended(struct process *p, int *code);
