/* kafka_detached: reading beside the group: a state topic, a stretch of an input, a group's lag.
 * Each call has a consumer of its own for as long as it takes, joins no group and commits nothing.
 * Owns nothing. Thread of the clients' owner. Callers: bus_kafka.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kafka_client.h"

/* The clients that are asked for offsets, both open and borrowed. */
struct kafka_detached {
    const struct bus *bus; /* whose alive is called while it reads */
    struct kafka_client *metadata;
    /* Where its view of a partition ends, reading ends: a consumer's view stops before the first
     * open transaction, of which a reader that has one itself can't await the end. */
    struct kafka_client *bound;
};

/* As port/bus.h says of replay(), restore() and lag(). All wait for as long as records come, and up
 * to 30 s for the next one. */
enum bus_rc kafka_detached_replay(const struct kafka_detached *d, const char *topic,
                                  int32_t partition, int64_t from_ms, int64_t to,
                                  bus_each_record *each, void *ctx, struct err *err);
enum bus_rc kafka_detached_restore(const struct kafka_detached *d, const char *topic,
                                   int32_t partition, bus_each_state *each, void *ctx,
                                   struct err *err);
enum bus_rc kafka_detached_lag(const struct kafka_detached *d, const char *group, const char *topic,
                               int64_t *left, struct err *err);
