/* kafka_client: one librdkafka handle: made from the settings, its errors told so that a user can
 * act on them, and the few things asked of a cluster outside a consumer's or producer's work: is a
 * topic there (and make it), where does a partition end. Owns the handle and the last reason that
 * the library gave. One thread a client. Callers: bus_kafka.c, bus_kafka_look.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "../../port/bus.h"

/* Partitions, and a place in each. */
typedef rd_kafka_topic_partition_list_t kafka_list;
static inline void kafka_list_free(kafka_list **l) {
    rd_kafka_topic_partition_list_destroy(*l);
}
/* Before the declaration of a local list: it is freed when its scope ends, by whatever way. */
#define KAFKA_LOCAL __attribute__((cleanup(kafka_list_free)))

struct kafka_conf {
    const char *brokers;
    bool create_topics;
    int64_t partitions, replication;
    int64_t retention; /* ms */
    const char *instance;
    struct str_map properties;
};
extern const struct opt_section kafka_section;

/* The owner fills the first part and zeroes the rest. */
struct kafka_client {
    const struct kafka_conf *conf;
    enum {                   /* what it is for: kafka_client.c has the properties of each kind */
           KAFKA_WRITER = 1, /* an idempotent producer */
           KAFKA_COPIER =
               2, /* the transactional producer beside a reader; name: its transactional.id */
           KAFKA_READER = 4, /* a consumer; name: its group */
           KAFKA_LOOKER = 8, /* a consumer beside a group; name: the group to look at */
           KAFKA_PROBE = 16  /* only asks, and sees what waits behind an open transaction */
    } kind;
    const char *name; /* until it is open */
    int64_t largest;  /* producers: bytes of a request */
    void *owner; /* for the callbacks: each NULL, or called from poll and flush, with the client */
    void (*delivered)(rd_kafka_t *rk, const rd_kafka_message_t *m, void *client);
    void (*rebalanced)(rd_kafka_t *rk, rd_kafka_resp_err_t what, kafka_list *parts, void *client);

    rd_kafka_t *rk;
    char said[400]; /* why the last connection failed, in the library's words */
    bool fatal;     /* the library gave this handle up; said tells why */
};

/* BUS_OK, or BUS_FATAL: a property that librdkafka refuses (err names it). Connects later. The
 * user's bus.kafka.properties win over the kind's. */
enum bus_rc kafka_client_open(struct kafka_client *c, struct err *err);
/* Fine on a zeroed struct. quick: don't wait for the cluster. */
void kafka_client_close(struct kafka_client *c, bool quick);

/* How long the library may wait where it could wait for ms: less once a stop was asked, for the
 * brokers may hang, and a daemon leaves within 5 s. */
int kafka_limit(int ms);

/* Fills err with what code means for the user: the brokers, the reason, the setting to change.
 * BUS_FATAL for what waiting won't mend (no right, unsupported), else BUS_RETRY. doing: "read
 * nodes". */
enum bus_rc kafka_client_error(const struct kafka_client *c, rd_kafka_resp_err_t code,
                               const char *doing, struct err *err);
/* Waits for the cluster to answer. */
enum bus_rc kafka_client_reach(struct kafka_client *c, struct err *err);

/* Makes sure that a topic is there: makes it with the settings' partitions, replication and
 * retention (partitions > 0: with that many) if bus.kafka.create_topics allows. stamped: the
 * brokers give the records their time. *has: how many partitions it has. BUS_FATAL: it is not there
 * and may not be made. */
enum bus_rc kafka_client_topic(struct kafka_client *c, const char *topic, bool compact,
                               bool stamped, int partitions, int64_t largest, int *has,
                               struct err *err);
/* Gives a topic that many partitions, which are more than it has. BUS_FATAL: it may not be changed.
 */
enum bus_rc kafka_client_grow(struct kafka_client *c, const char *topic, int partitions,
                              struct err *err);
/* Adds a topic's partitions (only >= 0: that one) to list; none if the topic is not there. */
enum bus_rc kafka_client_partitions(struct kafka_client *c, const char *topic, int32_t only,
                                    kafka_list *list, struct err *err);
/* Sets each element's offset to the partition's end as this handle sees it: the high watermark if
 * it reads uncommitted records, else the last stable offset; with `at` >= 0 to the first record of
 * that timestamp (ms) or later. One question to each broker; each element's err tells why there is
 * no answer. */
enum bus_rc kafka_client_ends(struct kafka_client *c, kafka_list *parts, int64_t at,
                              struct err *err);
