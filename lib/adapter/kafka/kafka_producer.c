/* kafka_producer: see kafka_producer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_producer.h"

#include <stdio.h>

#include "kafka_errors.h"

enum {
    FRAME = 8192,       /* bytes that a batch adds to its only record, at the most */
    QUEUE_STEP_MS = 10, /* between attempts to put a record into a full queue */
};

int64_t kafka_producer_max_bytes(int64_t max_record) {
    return max_record + FRAME;
}

/* What a delivery report means for the writer. */
static enum bus_rc kafka_producer_verdict(rd_kafka_resp_err_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return BUS_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return BUS_POISON;
    default:
        return BUS_RETRY;
    }
}

/* Called from within rd_kafka_poll and rd_kafka_flush. */
static void kafka_producer_on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *client) {
    (void)rk;
    struct kafka_producer *p = ((struct kafka_client *)client)->owner;
    p->queued--;
    enum bus_rc rc = kafka_producer_verdict(m->err);
    if (rc == BUS_OK)
        kafka_client_clear_reason(&p->client);
    if (rc == BUS_POISON)
        snprintf(p->client.reason, sizeof p->client.reason, "topic %s: %s",
                 rd_kafka_topic_name(m->rkt), rd_kafka_err2str(m->err));
    if (p->delivered)
        p->delivered(p->ctx, (uint64_t)(uintptr_t)m->_private, rc, rd_kafka_err2str(m->err));
}

enum bus_rc kafka_producer_open(struct kafka_producer *p, struct err *err) {
    p->client = (struct kafka_client){.conf = p->conf,
                                      .kind = KAFKA_PRODUCER,
                                      .name = p->transactional_id,
                                      .max_bytes = kafka_producer_max_bytes(p->max_record),
                                      .owner = p,
                                      .delivered = kafka_producer_on_delivered};
    if (p->transactional_id)
        p->client.kind = KAFKA_TRANSACTIONAL_PRODUCER;
    return kafka_client_open(&p->client, err);
}

static rd_kafka_resp_err_t kafka_producer_queue(struct kafka_producer *p,
                                                const struct kafka_put *put) {
    const int32_t partition = put->partition < 0 ? RD_KAFKA_PARTITION_UA : put->partition;
    /* The fields themselves, because the macros of rdkafka.h don't parenthesise their arguments. */
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = put->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)put->key.p, put->key.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)put->value.p, put->value.n}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)put->tag},
    };
    rd_kafka_error_t *e = rd_kafka_produceva(p->client.rk, fields, sizeof fields / sizeof *fields);
    if (!e)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    rd_kafka_error_destroy(e);
    return code;
}

enum bus_rc kafka_producer_put(struct kafka_producer *p, const struct kafka_put *put,
                               struct err *err) {
    const char *brokers = p->conf->brokers;
    rd_kafka_resp_err_t code = kafka_producer_queue(p, put);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && p->transactional_id) {
        rd_kafka_poll(p->client.rk, QUEUE_STEP_MS);
        code = kafka_producer_queue(p, put);
    }
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        p->queued++;
        return BUS_OK;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        err_set(err, "kafka %s: the producer queue is full", brokers);
        return BUS_FULL;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        err_set(err,
                "a record of %zu bytes for topic %s exceeds message.max.bytes (check "
                "bus.kafka.properties)",
                put->value.n + put->key.n, put->topic);
        return BUS_POISON;
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        /* Partitions were added to the input: the next open adds as many to the state topic. */
        err_set(err, "kafka %s: topic %s has no partition %d", brokers, put->topic,
                (int)put->partition);
        return BUS_FATAL;
    default:
        kafka_errors_explain(&p->client, code, "write", err);
        if (p->transactional_id && !p->client.fatal)
            return BUS_ABORTED;
        return BUS_FATAL;
    }
}
