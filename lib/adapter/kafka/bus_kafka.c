/* bus_kafka: Apache Kafka behind the bus door: opening, writing, closing. The producer is
 * idempotent with acks=all; a reader that writes does so in transactions that carry its offsets
 * (KIP-98, KIP-447). Owns its librdkafka handles; their threads are the library's, every callback
 * comes on the caller's. One thread a handle, but for send_offsets in bus_kafka_read.c. Callers:
 * lib/engines.c hands it out. SPDX-License-Identifier: Apache-2.0 */
#include "bus_kafka.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../../base/mem.h"
#include "../../base/rng.h"
#include "../os/stop.h"
#include "../os/clock.h"

enum {
    BEGIN_MS = 10000,
    CLOSE_MS = 3000,
    FRAME = 8192 /* of a record of the largest size, in a batch */
};

/* Called from within poll and flush. */
static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *client) {
    (void)rk;
    struct kafka_bus *b = ((struct kafka_client *)client)->owner;
    b->queued--;
    bool large = m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    if (!m->err)
        *b->producer.said = '\0';
    if (large)
        snprintf(b->producer.said, sizeof b->producer.said, "topic %s: %s",
                 rd_kafka_topic_name(m->rkt), rd_kafka_err2str(m->err));
    if (b->how.delivered) /* not for a reader */
        b->how.delivered(b->how.ctx, (uint64_t)(uintptr_t)m->_private,
                         large    ? BUS_POISON
                         : m->err ? BUS_RETRY
                                  : BUS_OK,
                         rd_kafka_err2str(m->err));
}

/* transactional.id: the group's where one handle at a time commits, lasting where the instance has
 * a lasting name; else one of its own, for KIP-447 fences by the group's generation, and a second
 * producer of the same id kills the first. */
static char *transactional_id(const struct kafka_bus *b) {
    struct buf id = {0};
    if (!b->how.input) {
        buf_text(&id, b->how.group);
    } else if (*b->conf->instance) {
        buf_printf(&id, "%s-%s", b->how.group, b->conf->instance);
    } else {
        char host[256] = "";
        gethostname(host, sizeof host - 1);
        buf_printf(&id, "%s-%s-%ld-%08llx", b->how.group, host, (long)getpid(),
                   (unsigned long long)(rng_os() & 0xffffffffu));
    }
    return id.p;
}

static enum bus_rc open_producer(struct kafka_bus *b, struct err *err) {
    b->producer = (struct kafka_client){.conf = b->conf,
                                        .kind = b->transactional_id ? KAFKA_COPIER : KAFKA_WRITER,
                                        .name = b->transactional_id,
                                        .largest = b->how.max_record + FRAME,
                                        .owner = b,
                                        .delivered = on_delivered};
    return kafka_client_open(&b->producer, err);
}

/* Opens the producer of transactions; what an earlier one of its id left open is ended first. */
static enum bus_rc open_copier(struct kafka_bus *b, struct err *err) {
    enum bus_rc rc = open_producer(b, err);
    if (rc != BUS_OK)
        return rc;
    rd_kafka_error_t *e = rd_kafka_init_transactions(b->producer.rk, kafka_limit(BEGIN_MS));
    if (!e)
        return BUS_OK;
    rd_kafka_poll(b->producer.rk, 0); /* brings the reason */
    rc = kafka_client_error(&b->producer, rd_kafka_error_code(e), "begin transactions", err);
    kafka_client_close(&b->producer, true); /* the next call tries with another one */
    rd_kafka_error_destroy(e);
    return rc;
}

/* The topic is there; asked once a topic. partitions: of one that is made, 0: as the settings say.
 * Records of nodes bring the time at which they came in, from collect or Fluentd. What others put
 * has the brokers' time: with that of a clock far behind, the brokers would delete it at once as
 * too old. */
static enum bus_rc ensure(struct kafka_bus *b, const char *topic, bool compact, int partitions,
                          int *has, struct err *err) {
    if (rd_kafka_topic_partition_list_find(b->known, topic, 0))
        return BUS_OK;
    bool of_nodes = b->how.delivered || (b->how.state && topic == b->how.input);
    enum bus_rc rc = kafka_client_topic(b->ask, topic, compact, !compact && !of_nodes, partitions,
                                        b->how.max_record + FRAME, has, err);
    if (rc == BUS_OK)
        rd_kafka_topic_partition_list_add(b->known, topic, 0);
    return rc;
}

void kafka_wake(struct kafka_bus *b, rd_kafka_queue_t *queue) {
    rd_kafka_queue_io_event_enable(queue, b->wake[1], "", 1);
    rd_kafka_queue_destroy(queue);
}

void kafka_awake(struct kafka_bus *b) {
    char sink[64];
    while (read(b->wake[0], sink, sizeof sink) > 0)
        continue;
}

static enum bus_rc open_all(struct kafka_bus *b, struct err *err) {
    bool writer = !b->how.group && b->how.delivered;
    /* The probe's group is only for librdkafka, which wants one; nothing is committed under it. */
    b->probe = (struct kafka_client){.conf = b->conf, .kind = KAFKA_PROBE, .name = "distlog-probe"};
    b->ask = writer ? &b->producer : &b->probe;
    enum bus_rc rc = writer ? open_producer(b, err) : kafka_client_open(&b->probe, err);
    if (rc == BUS_OK && writer)
        kafka_wake(b, rd_kafka_queue_get_main(b->producer.rk));
    b->base.wake = writer ? b->wake[0] : -1;
    if (rc == BUS_OK)
        rc = kafka_client_reach(b->ask, err);
    int has = 1, states = 0;
    if (rc == BUS_OK && b->how.input)
        rc = ensure(b, b->how.input, false, 0, &has, err);
    /* The state has as many partitions as the input, which may have got more since. */
    if (rc == BUS_OK && b->how.state)
        rc = ensure(b, b->how.state, true, has, &states, err);
    if (rc == BUS_OK && states < has && b->how.state)
        rc = kafka_client_grow(b->ask, b->how.state, has, err);
    if (rc != BUS_OK || !b->how.group)
        return rc;
    return b->how.input ? kafka_read_start(b, err) : open_copier(b, err);
}

static void bus_kafka_close(struct bus *bus) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    /* Time was up before the answer to a commit, for which the library would wait: the process ends
     * it. */
    if (!b || b->commit || b->sending)
        return;
    if (b->in_transaction && !b->producer.fatal && !b->committing)
        rd_kafka_error_destroy(rd_kafka_abort_transaction(b->producer.rk, kafka_limit(CLOSE_MS)));
    kafka_read_forget(b);
    /* To take leave of brokers that don't answer takes 5 s. */
    kafka_client_close(&b->consumer, b->consumer.fatal || (b->failed && stop_asked()));
    kafka_client_close(&b->producer, false);
    kafka_client_close(&b->probe, true);
    close(b->wake[0]);
    close(b->wake[1]);
    close(b->sent[0]);
    close(b->sent[1]);
    rd_kafka_topic_partition_list_destroy(b->parts);
    rd_kafka_topic_partition_list_destroy(b->known);
    free(b->messages);
    free(b->records);
    free(b->told);
    free(b->ends);
    free(b->group_offsets);
    buf_release(&b->base.place);
    free(b->transactional_id);
    free(b);
}

static enum bus_rc bus_kafka_open(const struct conf *conf, const struct bus_open *how,
                                  struct bus **out, struct err *err) {
    struct kafka_bus *b = mem_calloc(1, sizeof *b);
    b->base = (struct bus){.engine = &bus_kafka, .wake = -1};
    b->conf = conf_section(conf, &kafka_section);
    b->how = *how;
    b->parts = rd_kafka_topic_partition_list_new(8);
    b->known = rd_kafka_topic_partition_list_new(8);
    buf_printf(&b->base.place, "bus kafka %s", b->conf->brokers);
    if (how->group && *how->group)
        b->transactional_id = transactional_id(b);
    b->wake[0] = b->wake[1] = b->sent[0] = b->sent[1] = -1;
    enum bus_rc rc = BUS_FATAL;
    if (pipe2(b->wake, O_NONBLOCK | O_CLOEXEC) == 0 && pipe2(b->sent, O_CLOEXEC) == 0)
        rc = open_all(b, err);
    else
        err_set(err, "kafka %s: no pipe: %s", b->conf->brokers, strerror(errno));
    if (rc == BUS_OK)
        *out = &b->base;
    else
        bus_kafka_close(&b->base);
    return rc;
}

/* Begins a transaction; a reader's producer comes with its first. */
static enum bus_rc begin(struct kafka_bus *b, struct err *err) {
    enum bus_rc rc = b->producer.rk ? BUS_OK : open_copier(b, err);
    if (rc != BUS_OK)
        return rc;
    rd_kafka_error_t *e = rd_kafka_begin_transaction(b->producer.rk);
    b->in_transaction = !e;
    if (!e)
        return BUS_OK;
    rd_kafka_poll(b->producer.rk, 0);
    kafka_client_error(&b->producer, rd_kafka_error_code(e), "begin a transaction", err);
    rc = rd_kafka_error_is_fatal(e) ? BUS_FATAL : BUS_ABORTED;
    rd_kafka_error_destroy(e);
    return rc;
}

static rd_kafka_resp_err_t produce(struct kafka_bus *b, const char *topic, int32_t partition,
                                   struct span key, struct span value, uint64_t tag) {
    const rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION,
         .u.i32 = partition < 0 ? RD_KAFKA_PARTITION_UA : partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.p, key.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.p, value.n}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)tag},
    };
    rd_kafka_error_t *e = rd_kafka_produceva(b->producer.rk, vus, sizeof vus / sizeof *vus);
    rd_kafka_resp_err_t code = e ? rd_kafka_error_code(e) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(e);
    return code;
}

static enum bus_rc put(struct kafka_bus *b, const char *topic, int32_t partition, struct span key,
                       struct span value, uint64_t tag, struct err *err) {
    if ((int64_t)(key.n + value.n) > b->how.max_record)
        return err_as(BUS_POISON, err, "%zu bytes are more than bus.max_record", key.n + value.n);
    int has = 0;
    enum bus_rc rc = ensure(b, topic, false, 0, &has, err);
    if (rc == BUS_OK && b->transactional_id && !b->in_transaction)
        rc = begin(b, err);
    if (rc != BUS_OK)
        return rc;
    rd_kafka_resp_err_t code;
    /* A reader has no one to shed load to: it waits for the brokers to take some. */
    while ((code = produce(b, topic, partition, key, value, tag)) ==
               RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           b->transactional_id)
        rd_kafka_poll(b->producer.rk, 10);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        b->queued++;
        return BUS_OK;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return err_as(BUS_FULL, err, "kafka %s: the queue to the brokers is full",
                      b->conf->brokers);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return err_as(BUS_POISON, err,
                      "%zu bytes are more than the brokers take (message.max.bytes)",
                      value.n + key.n);
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: /* the input got more: the next open gives the state
                                                  as many */
        return err_as(BUS_FATAL, err, "kafka %s: topic %s has no partition %d", b->conf->brokers,
                      topic, (int)partition);
    default:
        kafka_client_error(&b->producer, code, "write", err);
        return b->transactional_id && !b->producer.fatal ? BUS_ABORTED : BUS_FATAL;
    }
}

/* Whatever keeps a reader's record out: its turn has not happened, and it reads again from its
 * commits. */
static enum bus_rc bus_kafka_put(struct bus *bus, const char *topic, int32_t partition,
                                 struct span key, struct span value, uint64_t tag,
                                 struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    enum bus_rc rc = put(b, topic, partition, key, value, tag, err);
    if (!b->transactional_id || rc == BUS_OK || rc == BUS_POISON || rc == BUS_FATAL)
        return rc;
    kafka_read_undo(bus);
    return BUS_ABORTED;
}

static enum bus_rc given_up(struct kafka_bus *b, struct err *err) {
    return err_as(BUS_FATAL, err, "kafka %s: %s", b->conf->brokers,
                  b->producer.fatal ? b->producer.said : b->consumer.said);
}

static enum bus_rc bus_kafka_poll(struct bus *bus, int wait_ms, struct bus_batch *batch,
                                  struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    if (!b->consumer.rk)
        kafka_awake(b);
    if (b->producer.rk)
        rd_kafka_poll(b->producer.rk, b->consumer.rk || b->queued == 0 ? 0 : wait_ms);
    if (b->producer.fatal || b->consumer.fatal)
        return given_up(b, err);
    if (b->consumer.rk)
        return kafka_read_poll(b, wait_ms, batch, err);
    if (batch)
        *batch = (struct bus_batch){.now_ms = clock_wall_ms()};
    return BUS_OK;
}

static enum bus_rc bus_kafka_flush(struct bus *bus, int limit_ms, struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    rd_kafka_flush(b->producer.rk, limit_ms); /* serves on_delivered */
    if (b->producer.fatal)
        return given_up(b, err);
    if (b->queued == 0)
        return BUS_OK;
    return err_as(BUS_RETRY, err, "kafka %s: %llu records are not acknowledged yet",
                  b->conf->brokers, (unsigned long long)b->queued);
}

const struct bus_engine bus_kafka = {
    .name = "kafka",
    .open = bus_kafka_open,
    .poll = bus_kafka_poll,
    .put = bus_kafka_put,
    .commit = kafka_read_commit,
    .undo = kafka_read_undo,
    .flush = bus_kafka_flush,
    .restore = kafka_look_restore,
    .replay = kafka_look_replay,
    .lag = kafka_look_lag,
    .close = bus_kafka_close,
};
