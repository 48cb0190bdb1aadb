/* kafka_client: one librdkafka handle: opened with the properties of its purpose and of the
 * settings, closed, and the last reason that the library gave for a failed connection. Owns the
 * handle. One thread a client: the library has threads of its own, but calls back on the thread
 * that polls. Callers: the other files of this folder.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "../../port/bus.h"

/* Partitions, each with an offset and an error. */
typedef rd_kafka_topic_partition_list_t kafka_list;
static inline void kafka_list_free(kafka_list **l) {
    rd_kafka_topic_partition_list_destroy(*l);
}
/* Before the declaration of a local list: frees it when its scope ends, by whatever way. */
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

/* What a handle is for, as bits: kafka_client.c has a table of the properties of each kind. */
enum kafka_kind {
    KAFKA_PRODUCER = 1,               /* idempotent, without transactions */
    KAFKA_TRANSACTIONAL_PRODUCER = 2, /* commits its records with a group's offsets */
    KAFKA_CONSUMER = 4,               /* a member of its group, or of none; read_committed */
    KAFKA_DETACHED_CONSUMER = 8,      /* never joins its group; read_committed */
    /* Only asks questions, and sees records that wait behind an open transaction. */
    KAFKA_METADATA_CLIENT = 16
};

/* The owner fills the first part and zeroes the rest. The library keeps a pointer to the struct
 * while it is open. */
struct kafka_client {
    const struct kafka_conf *conf; /* borrowed until close */
    enum kafka_kind kind;
    /* The transactional.id, or the group.id, which every consumer must have; borrowed during
     * open. */
    const char *name;
    int64_t max_bytes; /* producers: of a request */
    void *owner;       /* for the callbacks */
    /* NULL, or called from within poll, flush and close, on their thread; client is this struct. */
    void (*delivered)(rd_kafka_t *rk, const rd_kafka_message_t *m, void *client);
    void (*rebalanced)(rd_kafka_t *rk, rd_kafka_resp_err_t what, kafka_list *parts, void *client);

    rd_kafka_t *rk;   /* NULL while closed */
    char reason[400]; /* why the last connection failed, in the library's words; "" if none did */
    bool fatal;       /* the handle is useless, for that reason: it can only be closed */
};

/* Creates the handle; it connects later, in the background. The user's bus.kafka.properties win
 * over the kind's. BUS_OK, or BUS_FATAL with err: librdkafka refuses a property, which err names.
 */
enum bus_rc kafka_client_open(struct kafka_client *c, struct err *err);
/* Frees the handle; a struct that is zeroed or closed is fine. quick: a consumer does not
 * announce that it leaves its group, which may take 5 s where the brokers don't answer. */
void kafka_client_close(struct kafka_client *c, bool quick);

/* Declares the handle useless for this reason. */
void kafka_client_give_up(struct kafka_client *c, const char *reason);
/* After an answer of the brokers: an old reason must not explain a later failure. */
void kafka_client_clear_reason(struct kafka_client *c);

/* How many ms the library may wait where it could wait for ms: fewer once a stop was asked,
 * because brokers may hang, and a daemon has 5 s to stop. At least 100. */
int kafka_client_limit_ms(int ms);

/* A message as the port defines records; its bytes stay the message's. */
struct bus_record kafka_client_record(const rd_kafka_message_t *m);
