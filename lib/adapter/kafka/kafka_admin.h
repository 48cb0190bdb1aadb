/* kafka_admin: what is asked of a cluster beside producing and consuming: whether it responds,
 * which topics and partitions it has (and creating them), where partitions end, and where a group
 * continues. Owns nothing but the questions. Thread of the client's owner; each call waits up to
 * 5 s for the brokers (kafka_client_limit_ms), kafka_admin_topic() and kafka_admin_offsets() up to
 * twice that. Callers: bus_kafka.c, kafka_consumer.c, kafka_detached.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kafka_client.h"

/* BUS_OK once a broker has answered; else BUS_RETRY with err. */
enum bus_rc kafka_admin_reach(struct kafka_client *c, struct err *err);

/* A topic as it should be, if it has to be created. */
struct kafka_topic {
    const char *name;
    bool compact; /* keeps the newest record of each key, instead of all for bus.kafka.retention */
    bool broker_time;  /* the brokers set the timestamps of its records */
    int partitions;    /* 0: bus.kafka.partitions */
    int64_t max_bytes; /* the largest batch it takes */
};
/* Makes sure that a topic exists and has leaders: creates it if bus.kafka.create_topics allows.
 * *count: its partitions. BUS_FATAL with err: it is missing and may not be created; BUS_RETRY. */
enum bus_rc kafka_admin_topic(struct kafka_client *c, const struct kafka_topic *topic, int *count,
                              struct err *err);
/* Raises the number of a topic's partitions to count. BUS_OK also if another client has changed it
 * meanwhile. BUS_FATAL with err: it may not be changed. */
enum bus_rc kafka_admin_grow(struct kafka_client *c, const char *topic, int count, struct err *err);
/* Adds a topic's partitions (only >= 0: just that one) to list; none if the topic is missing. */
enum bus_rc kafka_admin_partitions(struct kafka_client *c, const char *topic, int32_t only,
                                   kafka_list *list, struct err *err);

/* For kafka_admin_offsets(), instead of a timestamp. */
enum { KAFKA_ADMIN_END = -1 };
/* Sets each element's offset to that of the first record whose timestamp (ms) is at least from_ms,
 * or to a negative one if there is none. KAFKA_ADMIN_END: to the partition's end as this handle
 * sees it, which is the high watermark if it reads uncommitted records, else the last stable
 * offset. Sends one request to each broker; on failure each element's err has the reason. */
enum bus_rc kafka_admin_offsets(struct kafka_client *c, kafka_list *list, int64_t from_ms,
                                struct err *err);

/* Where reading starts, for kafka_admin_positions(). */
struct kafka_start {
    rd_kafka_t *member; /* a consumer with the group.id whose commits count; NULL: no group */
    bool from_start;    /* without a group: at the first record instead of at the end */
};
/* Sets each element's offset to where reading starts: a group at its committed offset if the topic
 * still has that record, else at the first one that it has. If all are known, adds to *lost how
 * many records retention removed before the group read them; adds to *left how many are left.
 * Returns the library's error, for the caller to explain. */
rd_kafka_resp_err_t kafka_admin_positions(struct kafka_client *c, const struct kafka_start *start,
                                          kafka_list *list, uint64_t *lost, int64_t *left);
