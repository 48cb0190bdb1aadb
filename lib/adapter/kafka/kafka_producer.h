/* kafka_producer: the writing half: records into librdkafka's queue, and their delivery reports
 * back to the writer. Idempotent with acks=all; with a transactional.id, part of the transactions
 * of kafka_transaction.c. Owns its handle. One thread. Callers: bus_kafka.c, kafka_transaction.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kafka_client.h"

/* Set up by bus_kafka.c: all but client and queued. */
struct kafka_producer {
    const struct kafka_conf *conf;
    const char *transactional_id; /* borrowed; NULL: no transactions */
    int64_t max_record;           /* bytes of key and value together */
    /* As in port/bus.h; NULL for readers. */
    void (*delivered)(void *ctx, uint64_t tag, enum bus_rc rc, const char *why);
    void *ctx;

    struct kafka_client client; /* open if client.rk */
    uint64_t queued;            /* records put and not reported yet */
};

/* A record of max_record bytes as a batch, which is what limits of brokers apply to. */
int64_t kafka_producer_max_bytes(int64_t max_record);
/* As kafka_client_open(). A transactional producer is not ready yet: kafka_transaction.c. */
enum bus_rc kafka_producer_open(struct kafka_producer *p, struct err *err);
/* The record to be written; partition < 0: by key. Its bytes are copied. */
struct kafka_put {
    const char *topic;
    int32_t partition;
    struct span key, value;
    uint64_t tag;
};
/* Queues a record. A full queue: BUS_FULL without transactions; with them this waits for space,
 * because a reader has no one to shed load to. BUS_POISON: larger than the brokers take. Other
 * failures: BUS_ABORTED with transactions, BUS_FATAL without, or if the handle was given up. */
enum bus_rc kafka_producer_put(struct kafka_producer *p, const struct kafka_put *put,
                               struct err *err);
