/* wake: see wake.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WAKE_NET_MS = 1000, /* the longest wait, so that a touch that got lost delays no longer */
    WAKE_BLIND_MS = 20  /* the same without inotify (fs.inotify.max_user_instances is used up) */
};

/* -1 if the file can't be watched. */
static int wake_watch(int file) {
    char name[32];
    const int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch < 0)
        return -1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    if (inotify_add_watch(watch, name, IN_MODIFY | IN_ATTRIB) >= 0)
        return watch;
    close(watch);
    return -1;
}

void wake_open(struct wake *w, int file, bool watch) {
    *w = (struct wake){.file = file, .watch = -1};
    if (watch)
        w->watch = wake_watch(file);
}

void wake_touch(struct wake *w) {
    /* It needs no space on a full disk. If it fails, the others wait for WAKE_NET_MS. */
    futimens(w->file, NULL);
}

void wake_drain(struct wake *w) {
    char events[1024];
    if (w->watch < 0)
        return;
    while (read(w->watch, events, sizeof events) > 0)
        continue;
}

bool wake_wait(struct wake *w, int ms) {
    struct pollfd fd = {.fd = w->watch, .events = POLLIN};
    int longest_ms = WAKE_NET_MS;
    if (w->watch < 0)
        longest_ms = WAKE_BLIND_MS;
    if (ms > longest_ms)
        ms = longest_ms;
    return poll(&fd, 1, ms) >= 0 || errno != EINTR;
}

void wake_close(struct wake *w) {
    if (w->file >= 0)
        close(w->file);
    if (w->watch >= 0)
        close(w->watch);
}
