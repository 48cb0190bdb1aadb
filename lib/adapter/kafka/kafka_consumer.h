/* kafka_consumer: the reading half: the assignment, positions, batches and ends of a reader's
 * partitions. Owns its handle and the batch that it last handed out. One thread; rebalances are
 * handled on it, from within kafka_consumer_poll() and kafka_consumer_close(). Callers:
 * bus_kafka.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kafka_admin.h"
#include "kafka_states.h"
#include "kafka_transaction.h"
#include "kafka_wake.h"

/* What is known of a partition that is ours, beside its bus_part. */
struct kafka_partition {
    /* The end that the consumer has reached; -1: it has not, or has read on since. */
    int64_t end;
    /* The group's committed offset; without one, where reading started; negative: not known yet. */
    int64_t committed;
};

struct kafka_consumer {
    /* Set up by bus_kafka.c, all borrowed. */
    const struct kafka_conf *conf;
    struct kafka_client *metadata; /* sees records that wait behind an open transaction */
    struct kafka_transaction *transaction;
    struct kafka_wake *wake;
    const char *group; /* "": none, reads all partitions */
    const char *input;
    bool from_start;
    size_t max_records; /* of a batch; 0: the consumer's choice */

    struct kafka_client client; /* open if client.rk */
    enum kafka_position position;
    rd_kafka_resp_err_t why; /* UNPOSITIONED, LOST: why the positions have to be read (again) */

    /* Our partitions, three times in the same order. An offset of `partitions` is the one after the
     * last record read since the last commit, RD_KAFKA_OFFSET_INVALID if none was. */
    kafka_list *partitions;
    struct kafka_partition *states;
    struct bus_part *reported; /* as poll() hands them out */
    uint32_t generation;
    uint64_t changes; /* how often the assignment changed or an end was reached */
    uint64_t lost;    /* records that retention removed, not reported yet */

    int64_t ends_asked_ms; /* when the brokers were last asked for the ends (monotonic) */
    int64_t ahead_ms;      /* how far the wall clock has ever been ahead of the boot clock */

    rd_kafka_message_t **messages; /* hold the bytes of records */
    struct bus_record *records;
    size_t n, capacity;
};

/* Opens the handle and joins the group, or takes all partitions of the input. BUS_RETRY or
 * BUS_FATAL with err; kafka_consumer_close() is due in every case. */
enum bus_rc kafka_consumer_open(struct kafka_consumer *c, struct err *err);
/* Closes the handle and frees what it owns; a consumer that was never opened is fine. quick: as
 * for kafka_client_close(). */
void kafka_consumer_close(struct kafka_consumer *c, bool quick);

/* As port/bus.h says of a reader's poll(). BUS_ABORTED after a transaction was interrupted. */
enum bus_rc kafka_consumer_poll(struct kafka_consumer *c, int wait_ms, struct bus_batch *batch,
                                struct err *err);
/* What a commit commits: the offsets after what was read, else the committed ones. A new list for
 * the caller to free. */
kafka_list *kafka_consumer_offsets(const struct kafka_consumer *c);
/* What was read is committed. */
void kafka_consumer_committed(struct kafka_consumer *c);
/* What was read does not count, and the next poll reads again from the group's commits. */
void kafka_consumer_undo(struct kafka_consumer *c);
/* The same, but the commits are looked up by that poll. why: for the report if that fails. */
void kafka_consumer_lose(struct kafka_consumer *c, rd_kafka_resp_err_t why);
