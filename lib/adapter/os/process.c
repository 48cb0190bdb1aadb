/* process: see process.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer lines are handed on in pieces. */
enum { LINE_MAX_BYTES = 65536, CHUNK = 16384 };

/* In the child, between fork and exec: only what is async-signal-safe. */
static _Noreturn void become(pid_t parent, const int ends[4], char *const *argv) {
    int null = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    /* The parent may have died before prctl: then nobody would ever send the signal. */
    if (null >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
        dup2(null, STDIN_FILENO) >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0 &&
        dup2(ends[3], STDERR_FILENO) >= 0)
        execv("/proc/self/exe", argv);
    _exit(127);
}

void process_hide(void) {
    prctl(PR_SET_DUMPABLE, 0);
}

int process_start(struct process *p, char *const *argv, struct err *err) {
    int ends[4] = {-1, -1, -1, -1}; /* two pipes that no other child inherits */
    pid_t self = getpid();
    p->pid = pipe2(ends, O_CLOEXEC) == 0 && pipe2(ends + 2, O_CLOEXEC) == 0 ? fork() : -1;
    if (p->pid == 0)
        become(self, ends, argv);
    bool failed = p->pid < 0;
    if (failed)
        err_set(err, "no new process: %s", strerror(errno));
    else
        setpgid(p->pid, p->pid); /* here too: whoever comes first, the group is there for kill() */
    for (int i = 0; i < 4; i++)
        if (ends[i] >= 0 && (failed || i % 2))
            close(ends[i]);
        else if (ends[i] >= 0)
            fcntl(p->fds[i / 2] = ends[i], F_SETFL, O_NONBLOCK);
    if (failed)
        p->pid = 0;
    return failed ? -1 : 0;
}

/* Reads what is there of one stream and hands on its whole lines; at its end also a half one. */
static void read_stream(struct process *p, size_t which, process_line *line, void *ctx) {
    struct buf *b = &p->lines[which];
    ssize_t got = read(p->fds[which], buf_room(b, CHUNK), CHUNK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    b->n += got > 0 ? (size_t)got : 0;
    size_t at = 0;
    for (char *end; (end = memchr(b->p + at, '\n', b->n - at)); at = (size_t)(end - b->p) + 1)
        line(ctx, p, (int)which + 1, (struct span){b->p + at, (size_t)(end - b->p) - at});
    if (at < b->n && (got <= 0 || b->n - at > LINE_MAX_BYTES)) {
        line(ctx, p, (int)which + 1, (struct span){b->p + at, b->n - at});
        at = b->n;
    }
    memmove(b->p, b->p + at, b->n - at);
    b->n -= at;
    if (got <= 0) {
        close(p->fds[which]);
        p->fds[which] = -1;
        buf_release(b);
    }
}

void process_read(struct process *const *all, size_t n, int wait_ms, process_line *line,
                  void *ctx) {
    struct pollfd fds[2 * PROCESS_MOST];
    for (size_t i = 0; i < 2 * n; i++) /* poll() passes over what is negative */
        fds[i] =
            (struct pollfd){.fd = all[i / 2]->pid ? all[i / 2]->fds[i % 2] : -1, .events = POLLIN};
    if (poll(fds, 2 * n, wait_ms) <= 0)
        return;
    for (size_t i = 0; i < 2 * n; i++)
        if (fds[i].revents)
            read_stream(all[i / 2], i % 2, line, ctx);
}

bool process_ended(struct process *p, int *code) {
    int status;
    if (!p->pid || p->fds[0] >= 0 || p->fds[1] >= 0 || waitpid(p->pid, &status, WNOHANG) != p->pid)
        return false;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    p->pid = 0;
    return true;
}
