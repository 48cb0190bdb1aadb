/* process: this program again, as a supervised child in a process group of its own, its output as
 * lines. A child is killed when its parent dies: nothing is lost by that at any moment
 * (distlog(7), GUARANTEES), and a child that is stopped or hangs ends too. Owns the pipes and
 * half-read lines. Main thread (the kernel ties the death signal to the thread that forked). Linux.
 * Callers: cmd/up.c, distlog.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "../../base/buf.h"

enum { PROCESS_MOST = 32 };

/* A zeroed struct is no process. */
struct process {
    pid_t pid;           /* of it and of its group; 0: none, or ended and reaped */
    int fds[2];          /* its standard output and error; -1: at its end */
    struct buf lines[2]; /* what was read behind the last newline */
};

/* A whole line of its output, without the newline; stream: 1 output, 2 error. */
typedef void process_line(void *ctx, struct process *p, int stream, struct span text);

/* From now on this process leaves no core, and nobody but root may trace it or read its
 * environment. */
void process_hide(void);
/* Runs this executable with argv (NULL-terminated, argv[0] included), standard input /dev/null. 0,
 * or -1 with err. */
int process_start(struct process *p, char *const *argv, struct err *err);
/* Waits up to wait_ms for output of any of n processes (at most PROCESS_MOST), and hands on every
 * line; a signal ends the wait early. */
void process_read(struct process *const *all, size_t n, int wait_ms, process_line *line, void *ctx);
/* Has it ended, and has all its output been read? Then *code is its exit code, or 128 + the signal
 * that ended it, and the process is none again. */
bool process_ended(struct process *p, int *code);
