/* kafka_wake: a pipe to which librdkafka writes when one of its queues has something, so that the
 * caller can wait with poll(2): the library's own waits don't notice a signal. Owns the pipe. One
 * thread. Callers: bus_kafka.c, kafka_consumer.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

struct kafka_wake {
    int read_fd, write_fd;
};

/* 0, or -1 with errno. Afterwards, in both cases, kafka_wake_close() is due. */
int kafka_wake_open(struct kafka_wake *w);
/* Closes the pipe, once no handle whose queue writes to it is open any more. */
void kafka_wake_close(struct kafka_wake *w);
/* From now on the pipe becomes readable when queue, of which this takes the reference, has
 * something. */
void kafka_wake_on(struct kafka_wake *w, rd_kafka_queue_t *queue);
/* Empties the pipe; to be done before the queue is looked at. */
void kafka_wake_drain(struct kafka_wake *w);
/* Waits for up to wait_ms until the pipe is readable, and empties it. False: time is up, or a
 * signal came. */
bool kafka_wake_wait(struct kafka_wake *w, int64_t wait_ms);
