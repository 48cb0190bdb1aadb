/* kafka_wake: see kafka_wake.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_wake.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "../os/stop.h"

int kafka_wake_open(struct kafka_wake *w) {
    int fds[2] = {-1, -1};
    int rc = pipe2(fds, O_NONBLOCK | O_CLOEXEC);
    w->read_fd = fds[0];
    w->write_fd = fds[1];
    return rc;
}

void kafka_wake_close(struct kafka_wake *w) {
    close(w->read_fd);
    close(w->write_fd);
}

void kafka_wake_on(struct kafka_wake *w, rd_kafka_queue_t *queue) {
    rd_kafka_queue_io_event_enable(queue, w->write_fd, "", 1);
    rd_kafka_queue_destroy(queue);
}

void kafka_wake_drain(struct kafka_wake *w) {
    char sink[64];
    while (read(w->read_fd, sink, sizeof sink) > 0)
        continue;
}

bool kafka_wake_wait(struct kafka_wake *w, int64_t wait_ms) {
    if (wait_ms <= 0 || stop_asked())
        return false;
    struct pollfd p = {.fd = w->read_fd, .events = POLLIN};
    if (poll(&p, 1, (int)wait_ms) <= 0)
        return false;
    kafka_wake_drain(w);
    return true;
}
