/* notify: see notify.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or a name in Linux's abstract space, which begins with '@'. False: it is neither. */
static bool notify_address(const char *name, struct sockaddr_un *address, socklen_t *length) {
    const size_t n = strlen(name);
    const bool is_abstract = name[0] == '@';
    if (name[0] != '/' && !is_abstract)
        return false;
    if (n >= sizeof address->sun_path)
        return false;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, n);
    if (is_abstract)
        address->sun_path[0] = '\0';
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (!is_abstract)
        ++*length; /* the NUL behind a path */
    return true;
}

/* The connected socket, or 0. */
static int notify_connect(const char *name) {
    struct sockaddr_un address;
    socklen_t length;
    if (!notify_address(name, &address, &length))
        return 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, (const struct sockaddr *)&address, length) != 0) {
        close(fd);
        return 0;
    }
    return fd;
}

/* How often the listener expects a keep-alive message: $WATCHDOG_USEC, unless it is meant for
 * another process. */
static int64_t notify_watchdog_ms(void) {
    const char *interval_us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!interval_us)
        return 0;
    if (pid && strtol(pid, NULL, 10) != getpid())
        return 0;
    return strtoll(interval_us, NULL, 10) / 1000;
}

void notify_open(struct notify *n) {
    *n = (struct notify){0};
    const char *name = getenv("NOTIFY_SOCKET");
    if (name)
        n->fd = notify_connect(name);
    if (n->fd > 0)
        n->watchdog_ms = notify_watchdog_ms();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_send(const struct notify *n, const char *format, ...) {
    if (!n || n->fd <= 0)
        return;
    char text[NOTIFY_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0)
        return;
    if ((size_t)length >= sizeof text)
        length = sizeof text - 1;
    const ssize_t sent = send(n->fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* see notify.h: a message that cannot be delivered at once is dropped */
}

void notify_alive(struct notify *n, int64_t now_ms) {
    if (!n || n->watchdog_ms == 0)
        return;
    if (now_ms - n->last_ms < n->watchdog_ms / 2)
        return;
    n->last_ms = now_ms;
    notify_send(n, "WATCHDOG=1");
}

void notify_close(struct notify *n) {
    if (n->fd > 0)
        close(n->fd);
    *n = (struct notify){0};
}

/* With nothing but the family given, the kernel picks a free name in its abstract space. */
static bool notify_bind(struct notify_listener *l) {
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    const int on = 1;
    if (setsockopt(l->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
        return false;
    if (bind(l->fd, (const struct sockaddr *)&any, sizeof any.sun_family) != 0)
        return false;
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    if (getsockname(l->fd, (struct sockaddr *)&address, &length) != 0)
        return false;
    const size_t n = length - offsetof(struct sockaddr_un, sun_path);
    if (n < 2 || n > sizeof l->address - 1)
        return false;
    snprintf(l->address, sizeof l->address, "@%.*s", (int)n - 1, address.sun_path + 1);
    return true;
}

int notify_listen(struct notify_listener *l, struct err *err) {
    l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd >= 0 && notify_bind(l))
        return 0;
    err_set(err, "cannot create a notification socket: %s", strerror(errno));
    notify_unlisten(l);
    return -1;
}

/* The kernel adds the sender's process id to each message. */
static pid_t notify_sender(struct msghdr *message) {
    struct ucred sender;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&sender, CMSG_DATA(c), sizeof sender);
            return sender.pid;
        }
    }
    return 0;
}

bool notify_receive(const struct notify_listener *l, pid_t from, char text[NOTIFY_MAX_BYTES]) {
    for (;;) {
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec part = {.iov_base = text, .iov_len = NOTIFY_MAX_BYTES - 1};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        const ssize_t got = recvmsg(l->fd, &message, MSG_CMSG_CLOEXEC);
        if (got < 0)
            return false;
        if (notify_sender(&message) == from) {
            text[got] = '\0';
            return true;
        }
    }
}

void notify_unlisten(struct notify_listener *l) {
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
