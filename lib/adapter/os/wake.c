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
    NET_MS = 1000, /* a touch that got lost is made up for after this */
    BLIND_MS = 20  /* the same where inotify is not to be had (fs.inotify.max_user_instances) */
};

void wake_open(struct wake *w, int file, bool watch) {
    char name[32];
    *w = (struct wake){.file = file, .watch = watch ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1};
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    if (w->watch >= 0 && inotify_add_watch(w->watch, name, IN_MODIFY | IN_ATTRIB) < 0) {
        close(w->watch);
        w->watch = -1;
    }
}

void wake_touch(struct wake *w) {
    futimens(w->file, NULL); /* needs no space on a full disk; if it fails, NET_MS helps */
}

void wake_drain(struct wake *w) {
    char events[1024];
    while (w->watch >= 0 && read(w->watch, events, sizeof events) > 0)
        continue;
}

bool wake_wait(struct wake *w, int ms) {
    int net = w->watch >= 0 ? NET_MS : BLIND_MS;
    struct pollfd fd = {.fd = w->watch, .events = POLLIN};
    return poll(&fd, 1, ms < net ? ms : net) >= 0 || errno != EINTR;
}

void wake_close(struct wake *w) {
    if (w->file >= 0)
        close(w->file);
    if (w->watch >= 0)
        close(w->watch);
}
