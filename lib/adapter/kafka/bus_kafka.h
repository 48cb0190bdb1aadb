/* bus_kafka: what the files of the Kafka engine share: the handle. bus_kafka.c opens and closes it
 * and writes; bus_kafka_read.c polls, commits and follows the group; bus_kafka_look.c reads beside
 * the group. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kafka_client.h"

extern const struct bus_engine bus_kafka;

struct kafka_bus {
    struct bus base;
    const struct kafka_conf *conf;
    struct bus_open how;
    char *transactional_id;

    /* consumer: in the group, read_committed. ask: for topics and ends, seeing records that wait
     * behind an open transaction: a writer's producer, else a probe of its own. */
    struct kafka_client consumer, producer, probe, *ask;
    kafka_list *known; /* topics that were seen to be there */

    /* The parts: offset is the one after the last record of this turn, RD_KAFKA_OFFSET_INVALID:
     * none. */
    kafka_list *parts;
    struct bus_part *told; /* the same in the same order, as poll tells it */
    int64_t *ends;         /* and where the consumer reached the end, -1: it is not there */
    /* and the group's committed offset; without one, where reading started; below 0: not known yet
     */
    int64_t *group_offsets;
    int64_t asked_ms; /* when the brokers were last asked for the ends (monotonic) */
    uint32_t generation;
    rd_kafka_resp_err_t
        why;       /* the positions must be read again from the group's commits, because */
    bool assigned; /* the library consumes parts */
    bool turn;     /* records were handed out since the last commit or undo */
    bool news;     /* this poll has brought other parts, or reached an end */
    bool moved;    /* a rebalance took partitions while a turn was open */
    uint64_t lost;
    int64_t ahead_ms; /* how far the wall clock is, or was, ahead of the boot clock */
    int wake[2];      /* a pipe: librdkafka writes when the consumer, or a writer's producer, has
                         something */

    rd_kafka_message_t **messages; /* behind the spans of the last batch */
    struct bus_record *records;
    size_t n, cap;

    bool in_transaction, offsets_sent, committing;
    bool sending; /* a thread has the handle, and writes to sent how a transaction took the offsets
                   */
    int sent[2];
    rd_kafka_queue_t
        *commit;     /* brings the answer to a commit of offsets alone; NULL: none is due */
    bool failed;     /* the last poll or commit brought no success */
    uint64_t queued; /* writers: put and not delivered yet */
};

/* bus_kafka.c: from now on the pipe is written to when queue, which is taken, has something;
 * empties the pipe, before the queue is looked at. */
void kafka_wake(struct kafka_bus *b, rd_kafka_queue_t *queue);
void kafka_awake(struct kafka_bus *b);

/* bus_kafka_read.c */
enum bus_rc kafka_read_start(struct kafka_bus *b, struct err *err);
enum bus_rc kafka_read_poll(struct kafka_bus *b, int wait_ms, struct bus_batch *batch,
                            struct err *err);
enum bus_rc kafka_read_commit(struct bus *bus, struct err *err);
void kafka_read_undo(struct bus *bus);
/* Frees what the last batch points to. */
void kafka_read_forget(struct kafka_bus *b);

/* bus_kafka_look.c: as port/bus.h says. */
enum bus_rc kafka_look_restore(struct bus *bus, const char *topic, int32_t partition,
                               bus_each_state *each, void *ctx, struct err *err);
enum bus_rc kafka_look_replay(struct bus *bus, const char *topic, int32_t partition,
                              int64_t from_ms, int64_t to, bus_each_record *each, void *ctx,
                              struct err *err);
enum bus_rc kafka_look_lag(struct bus *bus, const char *group, const char *topic, int64_t *left,
                           struct err *err);

/* Sets each element's offset to where the group that member is in (NULL: none) goes on: at its
 * commit if the topic still has it, else at what the topic still has. Adds to *lost what is gone of
 * what it had not read, to *left what is there. bus_kafka_read.c */
rd_kafka_resp_err_t kafka_positions(struct kafka_bus *b, rd_kafka_t *member, kafka_list *list,
                                    uint64_t *lost, int64_t *left);
/* A message as the port tells it; its bytes are the message's. */
struct bus_record kafka_record(const rd_kafka_message_t *m);
