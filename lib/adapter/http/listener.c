/* listener: see listener.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket that listens on a, or -1 with errno. */
static int listen_on(const struct addrinfo *a) {
    int one = 1, zero = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd); /* as freeaddrinfo, it leaves errno alone when it works */
    return -1;
}

/* The first address of host that can be listened on: -1 with errno, 0 there if host has none. */
static int listen_first(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int fd = -1, none = getaddrinfo(host, port, &hints, &found);
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = listen_on(a);
    if (found)
        freeaddrinfo(found);
    if (none)
        errno = 0;
    return fd;
}

/* What the socket is really bound to. */
static void look(int fd, const char *host, struct buf *address, bool *loopback) {
    char ip[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    struct sockaddr_storage room;
    struct sockaddr *a = (struct sockaddr *)&room;
    socklen_t n = sizeof room;
    if (getsockname(fd, a, &n) == 0)
        getnameinfo(a, n, ip, sizeof ip, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    *loopback = strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0;
    buf_printf(address, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int listener_open(const char *text, struct buf *address, bool *loopback, bool *hopeless,
                  struct err *err) {
    char host[256], port[6];
    int end = 0;
    *hopeless = true;
    if ((sscanf(text, "[%255[^]]]:%5[0-9]%n", host, port, &end) < 2 &&
         sscanf(text, "%255[^][:]:%5[0-9]%n", host, port, &end) < 2) ||
        text[end] || strtol(port, NULL, 10) > 65535)
        return err_set(
            err, "'%s' is not an address to listen on: HOST:PORT, [IPV6]:PORT or *:PORT expected",
            text);
    bool every = strcmp(host, "*") == 0;
    int fd = listen_first(every ? "::" : host, port);
    if (every && fd < 0)
        fd = listen_first("0.0.0.0", port); /* a machine without IPv6 */
    if (fd < 0 && errno == 0)
        return err_set(err, "'%s': no such host", host);
    *hopeless = false;
    if (fd < 0)
        return err_set(err, "cannot listen on %s: %s", text, strerror(errno));
    look(fd, host, address, loopback);
    return fd;
}
