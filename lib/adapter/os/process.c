/* process: see process.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../base/arena.h"

enum {
    PROCESS_LINE_MAX_BYTES = 65536, /* longer lines are handed on in pieces */
    PROCESS_READ_BYTES = 16384,
    PROCESS_NOTICES_MOST = 1024 /* of one turn: one busy child must not delay the others */
};

/* A pipe whose reading end is the parent's. */
struct process_pipe {
    int read, write;
};

static void process_pipe_close(const struct process_pipe *pipe) {
    if (pipe->read >= 0)
        close(pipe->read);
    if (pipe->write >= 0)
        close(pipe->write);
}

/* No other child inherits it. */
static bool process_pipe_open(struct process_pipe *pipe) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *pipe = (struct process_pipe){.read = ends[0], .write = ends[1]};
    fcntl(pipe->read, F_SETFL, O_NONBLOCK);
    return true;
}

/* What a child needs to know between fork and exec. */
struct process_image {
    pid_t parent;
    struct process_pipe out, error;
    const char *const *argv;
    char **environment;
};

/* In the child, between fork and exec: only what is async-signal-safe. */
static _Noreturn void process_become(const struct process_image *image) {
    enum { CANNOT_RUN = 127 };
    const int null = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        _exit(CANNOT_RUN);
    /* A parent that died before prctl() would never cause the signal. */
    if (getppid() != image->parent)
        _exit(CANNOT_RUN);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        _exit(CANNOT_RUN);
    if (dup2(image->out.write, STDOUT_FILENO) < 0)
        _exit(CANNOT_RUN);
    if (dup2(image->error.write, STDERR_FILENO) < 0)
        _exit(CANNOT_RUN);
    execve("/proc/self/exe", (char *const *)image->argv, image->environment);
    _exit(CANNOT_RUN);
}

void process_hide(void) {
    prctl(PR_SET_DUMPABLE, 0);
}

static bool process_sets(const char *variable, const char *name) {
    const size_t n = strlen(name);
    return strncmp(variable, name, n) == 0 && variable[n] == '=';
}

/* This process's environment, in which the child finds its listener. In the arena. */
static char **process_environment(const struct process *p, int64_t watchdog_ms,
                                  struct arena *arena) {
    size_t count = 0, n = 0;
    while (environ[count])
        count++;
    char **all = arena_take(arena, (count + 3) * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        if (process_sets(environ[i], "NOTIFY_SOCKET") || process_sets(environ[i], "WATCHDOG_USEC"))
            continue;
        all[n++] = environ[i];
    }
    all[n++] = arena_printf(arena, "NOTIFY_SOCKET=%s", p->notices.address);
    if (watchdog_ms > 0)
        all[n++] = arena_printf(arena, "WATCHDOG_USEC=%lld", (long long)watchdog_ms * 1000);
    all[n] = NULL;
    return all;
}

/* Both pipes, or -1 with none. */
static int process_open_pipes(struct process_image *image) {
    if (!process_pipe_open(&image->out))
        return -1;
    if (process_pipe_open(&image->error))
        return 0;
    process_pipe_close(&image->out);
    return -1;
}

static pid_t process_fork(const struct process_image *image) {
    const pid_t pid = fork();
    if (pid == 0)
        process_become(image);
    return pid;
}

int process_start(struct process *p, const char *const *argv, int64_t watchdog_ms,
                  struct err *err) {
    struct process_image image = {.parent = getpid(), .argv = argv};
    struct arena arena = {0};
    if (notify_listen(&p->notices, err) != 0)
        return -1;
    if (process_open_pipes(&image) != 0) {
        err_set(err, "cannot start a process: %s", strerror(errno));
        notify_unlisten(&p->notices);
        return -1;
    }
    image.environment = process_environment(p, watchdog_ms, &arena);
    const pid_t pid = process_fork(&image);
    const int failure = errno;
    arena_release(&arena);
    if (pid < 0) {
        err_set(err, "cannot start a process: %s", strerror(failure));
        process_pipe_close(&image.out);
        process_pipe_close(&image.error);
        notify_unlisten(&p->notices);
        return -1;
    }
    setpgid(pid, pid); /* by parent and child: whichever runs first, kill() finds the group */
    close(image.out.write);
    close(image.error.write);
    p->pid = pid;
    p->streams[PROCESS_OUTPUT].fd = image.out.read;
    p->streams[PROCESS_ERROR].fd = image.error.read;
    return 0;
}

/* Hands on the whole lines that have been read; at the stream's end, or when it gets too long, also
 * the line that has only begun. */
static void process_hand_on(struct process *p, enum process_source source, bool is_at_end,
                            process_line *line, void *ctx) {
    struct buf *begun = &p->streams[source].begun;
    size_t at = 0;
    for (;;) {
        const char *end = memchr(begun->p + at, '\n', begun->n - at);
        if (!end)
            break;
        const size_t n = (size_t)(end - begun->p) - at;
        line(ctx, p, source, (struct span){begun->p + at, n});
        at += n + 1;
    }
    const size_t left = begun->n - at;
    if (left > 0 && (is_at_end || left > PROCESS_LINE_MAX_BYTES)) {
        line(ctx, p, source, (struct span){begun->p + at, left});
        at = begun->n;
    }
    memmove(begun->p, begun->p + at, begun->n - at);
    begun->n -= at;
}

static void process_read_stream(struct process *p, enum process_source source, process_line *line,
                                void *ctx) {
    struct process_stream *stream = &p->streams[source];
    const ssize_t got =
        read(stream->fd, buf_room(&stream->begun, PROCESS_READ_BYTES), PROCESS_READ_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    const bool is_at_end = got <= 0;
    if (!is_at_end)
        stream->begun.n += (size_t)got;
    process_hand_on(p, source, is_at_end, line, ctx);
    if (is_at_end) {
        close(stream->fd);
        stream->fd = -1;
        buf_release(&stream->begun);
    }
}

static void process_read_notices(struct process *p, process_line *line, void *ctx) {
    char text[NOTIFY_MAX_BYTES];
    for (int i = 0; i < PROCESS_NOTICES_MOST; i++) {
        if (!notify_receive(&p->notices, p->pid, text))
            return;
        struct span rest = span_of(text), pair;
        while (span_next(&rest, '\n', &pair)) {
            if (pair.n > 0)
                line(ctx, p, PROCESS_NOTICE, pair);
        }
    }
}

void process_read(struct process *const *all, size_t n, int wait_ms, process_line *line,
                  void *ctx) {
    struct pollfd fds[PROCESS_SOURCES * PROCESS_MOST];
    for (size_t i = 0; i < n; i++) {
        struct pollfd *own = &fds[i * PROCESS_SOURCES];
        for (size_t k = 0; k < PROCESS_SOURCES; k++)
            own[k] = (struct pollfd){.fd = -1, .events = POLLIN}; /* poll() passes over -1 */
        if (all[i]->pid == 0)
            continue;
        own[PROCESS_OUTPUT].fd = all[i]->streams[PROCESS_OUTPUT].fd;
        own[PROCESS_ERROR].fd = all[i]->streams[PROCESS_ERROR].fd;
        own[PROCESS_NOTICE].fd = all[i]->notices.fd;
    }
    if (poll(fds, PROCESS_SOURCES * n, wait_ms) <= 0)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct pollfd *own = &fds[i * PROCESS_SOURCES];
        if (own[PROCESS_OUTPUT].revents)
            process_read_stream(all[i], PROCESS_OUTPUT, line, ctx);
        if (own[PROCESS_ERROR].revents)
            process_read_stream(all[i], PROCESS_ERROR, line, ctx);
        /* Last and in any case: what a process reports before it ends is read in the same turn as
         * the end of its output, and so before process_ended() is true. */
        if (all[i]->pid != 0)
            process_read_notices(all[i], line, ctx);
    }
}

bool process_ended(struct process *p, int *code) {
    int status;
    if (p->pid == 0 || p->streams[PROCESS_OUTPUT].fd >= 0 || p->streams[PROCESS_ERROR].fd >= 0)
        return false;
    if (waitpid(p->pid, &status, WNOHANG) != p->pid)
        return false;
    if (WIFEXITED(status))
        *code = WEXITSTATUS(status);
    else
        *code = 128 + WTERMSIG(status);
    p->pid = 0;
    notify_unlisten(&p->notices);
    return true;
}
