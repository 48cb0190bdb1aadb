/* listener: see listener.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER_PORT_MAX = 65535 };

/* HOST and PORT of an address in text. */
struct listener_address {
    char host[256], port[6];
};

/* Reads [HOST]:PORT or HOST:PORT. False: it is neither. */
static bool listener_parse(const char *text, struct listener_address *a) {
    int end = 0;
    int n = sscanf(text, "[%255[^]]]:%5[0-9]%n", a->host, a->port, &end);
    if (n < 2)
        n = sscanf(text, "%255[^][:]:%5[0-9]%n", a->host, a->port, &end);
    if (n < 2 || text[end])
        return false;
    return strtol(a->port, NULL, 10) <= LISTENER_PORT_MAX;
}

/* A socket that listens on a, or -1 with errno. */
static int listener_on(const struct addrinfo *a) {
    const int on = 1, off = 0;
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd); /* like freeaddrinfo, it leaves errno alone when it succeeds */
    return -1;
}

/* Listens on the first address of host that allows it. -1 with errno, which is 0 if host has no
 * address. */
static int listener_on_first(const char *host, const char *port) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        errno = 0;
        return -1;
    }
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = listener_on(a);
    freeaddrinfo(found);
    return fd;
}

/* Listens on an address; "*" is every one. */
static int listener_on_address(const struct listener_address *a) {
    if (strcmp(a->host, "*") != 0)
        return listener_on_first(a->host, a->port);
    const int fd = listener_on_first("::", a->port);
    if (fd >= 0)
        return fd;
    return listener_on_first("0.0.0.0", a->port); /* a machine without IPv6 */
}

/* Finds out what the socket is really bound to. */
static void listener_describe(int fd, const char *host, struct buf *address, bool *is_loopback) {
    char ip[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    struct sockaddr_storage room;
    struct sockaddr *a = (struct sockaddr *)&room;
    socklen_t n = sizeof room;
    if (getsockname(fd, a, &n) == 0)
        getnameinfo(a, n, ip, sizeof ip, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    *is_loopback = strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0;
    if (strchr(host, ':'))
        buf_printf(address, "[%s]:%s", host, port);
    else
        buf_printf(address, "%s:%s", host, port);
}

int listener_open(const char *text, struct buf *address, bool *is_loopback, bool *is_config_error,
                  struct err *err) {
    struct listener_address a;
    *is_config_error = true;
    if (!listener_parse(text, &a))
        return err_set(
            err, "'%s' is not an address to listen on; expected HOST:PORT, [IPV6]:PORT or *:PORT",
            text);
    const int fd = listener_on_address(&a);
    if (fd < 0 && errno == 0)
        return err_set(err, "host '%s' not found", a.host);
    *is_config_error = false;
    if (fd < 0)
        return err_set(err, "cannot listen on %s: %s", text, strerror(errno));
    listener_describe(fd, a.host, address, is_loopback);
    return fd;
}
