/* bus_kafka: the engine for Apache Kafka: the handle that port/bus.h describes, put together from
 * the modules beside it. A writer has a producer; a reader has a consumer, and a producer once it
 * puts something. Owns all of them. One thread a handle. Callers: lib/engines.c hands it out.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "../../base/mem.h"
#include "../../base/rng.h"
#include "../os/clock.h"
#include "../os/stop.h"
#include "kafka_admin.h"
#include "kafka_consumer.h"
#include "kafka_detached.h"
#include "kafka_errors.h"
#include "kafka_transaction.h"
#include "kafka_wake.h"

struct kafka_bus {
    struct bus base;
    const struct kafka_conf *conf;
    struct bus_open how;
    char *transactional_id; /* NULL: this handle never commits */
    struct kafka_wake wake;
    struct kafka_client metadata_client; /* readers */
    struct kafka_client *metadata;       /* that one, or a writer's producer */
    struct kafka_producer producer;
    struct kafka_consumer consumer;
    struct kafka_transaction transaction;
    kafka_list *known;   /* topics that were seen to exist */
    enum bus_rc last_rc; /* of a reader's last poll or commit */
};

extern const struct bus_engine bus_kafka;

/* --- opening --- */

/* The transactional.id. Where one handle at a time commits, the group's, so that the next one
 * fences it; where the instance has a lasting name, that of the instance. Otherwise one of its own:
 * KIP-447 fences by the group's generation, and a second producer of the same id would kill the
 * first. */
static char *bus_kafka_transactional_id(const struct bus_open *how, const struct kafka_conf *conf) {
    struct buf id = {0};
    if (!how->input) {
        buf_text(&id, how->group);
    } else if (*conf->instance) {
        buf_printf(&id, "%s-%s", how->group, conf->instance);
    } else {
        char host[256] = "";
        gethostname(host, sizeof host - 1);
        buf_printf(&id, "%s-%s-%ld-%08llx", how->group, host, (long)getpid(),
                   (unsigned long long)(rng_os() & 0xffffffffu));
    }
    return id.p;
}

/* Makes sure that a topic exists; asks once a topic. partitions: of a new one; 0: as the settings
 * say. Records of nodes have the time at which they came in, from collect or Fluentd. All others
 * get the brokers' time: with that of a clock far behind, the brokers would delete them at once as
 * too old. */
static enum bus_rc bus_kafka_ensure_topic(struct kafka_bus *b, const char *name, int partitions,
                                          int *count, struct err *err) {
    if (rd_kafka_topic_partition_list_find(b->known, name, 0))
        return BUS_OK;
    const bool is_state = partitions > 0;
    const bool is_of_nodes = b->how.delivered || (b->how.state && name == b->how.input);
    struct kafka_topic topic = {.name = name,
                                .compact = is_state,
                                .broker_time = !is_state && !is_of_nodes,
                                .partitions = partitions,
                                .max_bytes = kafka_producer_max_bytes(b->how.max_record)};
    enum bus_rc rc = kafka_admin_topic(b->metadata, &topic, count, err);
    if (rc == BUS_OK)
        rd_kafka_topic_partition_list_add(b->known, name, 0);
    return rc;
}

/* The input and the state topic. */
static enum bus_rc bus_kafka_ensure_topics(struct kafka_bus *b, struct err *err) {
    enum bus_rc rc = BUS_OK;
    int inputs = 1;
    int states = 0;
    if (b->how.input)
        rc = bus_kafka_ensure_topic(b, b->how.input, 0, &inputs, err);
    if (rc != BUS_OK || !b->how.state)
        return rc;
    /* The state topic needs as many partitions as the input, to which some may have been added. */
    rc = bus_kafka_ensure_topic(b, b->how.state, inputs, &states, err);
    if (rc == BUS_OK && states < inputs)
        rc = kafka_admin_grow(b->metadata, b->how.state, inputs, err);
    return rc;
}

static enum bus_rc bus_kafka_open_writer(struct kafka_bus *b, struct err *err) {
    b->metadata = &b->producer.client;
    enum bus_rc rc = kafka_producer_open(&b->producer, err);
    if (rc != BUS_OK)
        return rc;
    kafka_wake_on(&b->wake, rd_kafka_queue_get_main(b->producer.client.rk));
    b->base.wake = b->wake.read_fd;
    rc = kafka_admin_reach(b->metadata, err);
    if (rc == BUS_OK)
        rc = bus_kafka_ensure_topics(b, err);
    return rc;
}

static enum bus_rc bus_kafka_open_reader(struct kafka_bus *b, struct err *err) {
    /* librdkafka wants a group; nothing is committed under it. */
    b->metadata_client = (struct kafka_client){
        .conf = b->conf, .kind = KAFKA_METADATA_CLIENT, .name = "distlog-probe"};
    b->metadata = &b->metadata_client;
    b->consumer.metadata = b->metadata;
    enum bus_rc rc = kafka_client_open(b->metadata, err);
    if (rc == BUS_OK)
        rc = kafka_admin_reach(b->metadata, err);
    if (rc == BUS_OK)
        rc = bus_kafka_ensure_topics(b, err);
    if (rc != BUS_OK || !b->how.group)
        return rc;
    if (b->how.input)
        return kafka_consumer_open(&b->consumer, err);
    return kafka_transaction_open(&b->transaction, err);
}

/* Fills in what the modules need to know. */
static void bus_kafka_setup(struct kafka_bus *b, const struct conf *conf,
                            const struct bus_open *how) {
    b->base = (struct bus){.engine = &bus_kafka, .wake = -1};
    b->conf = conf_section(conf, &kafka_section);
    b->how = *how;
    b->known = rd_kafka_topic_partition_list_new(8);
    buf_printf(&b->base.place, "bus kafka %s", b->conf->brokers);
    if (how->group && *how->group)
        b->transactional_id = bus_kafka_transactional_id(how, b->conf);
    b->producer = (struct kafka_producer){.conf = b->conf,
                                          .transactional_id = b->transactional_id,
                                          .max_record = how->max_record,
                                          .delivered = how->delivered,
                                          .ctx = how->ctx,
                                          .client = {.conf = b->conf}};
    b->consumer = (struct kafka_consumer){.conf = b->conf,
                                          .transaction = &b->transaction,
                                          .wake = &b->wake,
                                          .group = how->group,
                                          .input = how->input,
                                          .from_start = how->from_start,
                                          .max_records = how->max_records,
                                          .client = {.conf = b->conf}};
}

static void bus_kafka_close(struct bus *bus) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    /* The answer to a commit is still due, and the library would wait for it without a limit: leave
     * the handle to the end of the process. */
    if (!b || !kafka_transaction_can_close(&b->transaction))
        return;
    kafka_transaction_abandon(&b->transaction);
    const bool is_in_a_hurry = b->last_rc != BUS_OK && stop_asked();
    kafka_consumer_close(&b->consumer, b->consumer.client.fatal || is_in_a_hurry);
    kafka_client_close(&b->producer.client, false);
    kafka_client_close(&b->metadata_client, true);
    kafka_transaction_close(&b->transaction);
    kafka_wake_close(&b->wake);
    rd_kafka_topic_partition_list_destroy(b->known);
    buf_release(&b->base.place);
    free(b->transactional_id);
    free(b);
}

static enum bus_rc bus_kafka_open(const struct conf *conf, const struct bus_open *how,
                                  struct bus **out, struct err *err) {
    struct kafka_bus *b = mem_calloc(1, sizeof *b);
    bus_kafka_setup(b, conf, how);
    int no_wake = kafka_wake_open(&b->wake);
    int no_answer = kafka_transaction_init(&b->transaction, &b->producer, &b->consumer.client);
    const bool is_writer = !how->group && how->delivered;
    enum bus_rc rc;
    if (no_wake || no_answer) {
        err_set(err, "kafka %s: cannot create a pipe: %s (check ulimit -n, or LimitNOFILE)",
                b->conf->brokers, strerror(errno));
        rc = BUS_FATAL;
    } else if (is_writer) {
        rc = bus_kafka_open_writer(b, err);
    } else {
        rc = bus_kafka_open_reader(b, err);
    }
    if (rc == BUS_OK)
        *out = &b->base;
    else
        bus_kafka_close(&b->base);
    return rc;
}

/* --- what the engine does --- */

static enum bus_rc bus_kafka_given_up(const struct kafka_bus *b, struct err *err) {
    if (b->producer.client.fatal)
        return kafka_errors_given_up(&b->producer.client, err);
    return kafka_errors_given_up(&b->consumer.client, err);
}

static enum bus_rc bus_kafka_poll(struct bus *bus, int wait_ms, struct bus_batch *batch,
                                  struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    rd_kafka_t *producer = b->producer.client.rk;
    const bool is_reader = b->consumer.client.rk;
    if (!is_reader)
        kafka_wake_drain(&b->wake);
    if (producer && !is_reader && b->producer.queued > 0)
        rd_kafka_poll(producer, wait_ms);
    else if (producer)
        rd_kafka_poll(producer, 0);
    if (b->producer.client.fatal || b->consumer.client.fatal)
        return bus_kafka_given_up(b, err);
    if (is_reader) {
        b->last_rc = kafka_consumer_poll(&b->consumer, wait_ms, batch, err);
        return b->last_rc;
    }
    if (batch)
        *batch = (struct bus_batch){.now_ms = clock_wall_ms()};
    return BUS_OK;
}

static void bus_kafka_undo(struct bus *bus) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    kafka_transaction_undo(&b->transaction);
    if (b->consumer.client.rk)
        kafka_consumer_undo(&b->consumer);
}

static enum bus_rc bus_kafka_try_put(struct kafka_bus *b, const struct kafka_put *put,
                                     struct err *err) {
    const size_t size = put->key.n + put->value.n;
    if ((int64_t)size > b->how.max_record) {
        err_set(err, "a record of %zu bytes for topic %s exceeds bus.max_record", size, put->topic);
        return BUS_POISON;
    }
    int count = 0;
    enum bus_rc rc = bus_kafka_ensure_topic(b, put->topic, 0, &count, err);
    if (rc == BUS_OK && b->transactional_id)
        rc = kafka_transaction_begin(&b->transaction, err);
    if (rc == BUS_OK)
        rc = kafka_producer_put(&b->producer, put, err);
    return rc;
}

static enum bus_rc bus_kafka_put(struct bus *bus, const char *topic, int32_t partition,
                                 struct span key, struct span value, uint64_t tag,
                                 struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    const struct kafka_put put = {topic, partition, key, value, tag};
    enum bus_rc rc = bus_kafka_try_put(b, &put, err);
    if (!b->transactional_id || rc == BUS_OK || rc == BUS_POISON || rc == BUS_FATAL)
        return rc;
    /* Whatever the reason, a reader's record was not put: drop the transaction, so that the reader
     * continues from its committed offsets. */
    bus_kafka_undo(bus);
    return BUS_ABORTED;
}

static enum bus_rc bus_kafka_commit_all(struct kafka_bus *b, struct err *err) {
    if (!b->consumer.client.rk)
        return kafka_transaction_commit(&b->transaction, NULL, err);
    KAFKA_LOCAL kafka_list *offsets = kafka_consumer_offsets(&b->consumer);
    enum bus_rc rc = kafka_transaction_commit(&b->transaction, offsets, err);
    if (rc == BUS_OK)
        kafka_consumer_committed(&b->consumer);
    if (rc == BUS_ABORTED)
        kafka_consumer_lose(&b->consumer, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    return rc;
}

static enum bus_rc bus_kafka_commit(struct bus *bus, struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    if (!b->transactional_id)
        return BUS_OK; /* a reader without a group has nothing to commit */
    b->last_rc = bus_kafka_commit_all(b, err);
    return b->last_rc;
}

static enum bus_rc bus_kafka_flush(struct bus *bus, int limit_ms, struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    rd_kafka_flush(b->producer.client.rk, limit_ms); /* brings the delivery reports */
    if (b->producer.client.fatal)
        return bus_kafka_given_up(b, err);
    if (b->producer.queued == 0)
        return BUS_OK;
    err_set(err, "kafka %s: %llu records are not yet acknowledged", b->conf->brokers,
            (unsigned long long)b->producer.queued);
    return BUS_RETRY;
}

static struct kafka_detached bus_kafka_detached(struct kafka_bus *b) {
    struct kafka_detached d = {.bus = &b->base, .metadata = b->metadata, .bound = b->metadata};
    if (b->consumer.client.rk && kafka_transaction_is_open(&b->transaction))
        d.bound = &b->consumer.client;
    return d;
}

static enum bus_rc bus_kafka_restore(struct bus *bus, const char *topic, int32_t partition,
                                     bus_each_state *each, void *ctx, struct err *err) {
    struct kafka_detached d = bus_kafka_detached((struct kafka_bus *)bus);
    return kafka_detached_restore(&d, topic, partition, each, ctx, err);
}

static enum bus_rc bus_kafka_replay(struct bus *bus, const char *topic, int32_t partition,
                                    int64_t from_ms, int64_t to, bus_each_record *each, void *ctx,
                                    struct err *err) {
    struct kafka_detached d = bus_kafka_detached((struct kafka_bus *)bus);
    return kafka_detached_replay(&d, topic, partition, from_ms, to, each, ctx, err);
}

static enum bus_rc bus_kafka_lag(struct bus *bus, const char *group, const char *topic,
                                 int64_t *left, struct err *err) {
    struct kafka_detached d = bus_kafka_detached((struct kafka_bus *)bus);
    return kafka_detached_lag(&d, group, topic, left, err);
}

const struct bus_engine bus_kafka = {
    .name = "kafka",
    .open = bus_kafka_open,
    .poll = bus_kafka_poll,
    .put = bus_kafka_put,
    .commit = bus_kafka_commit,
    .undo = bus_kafka_undo,
    .flush = bus_kafka_flush,
    .restore = bus_kafka_restore,
    .replay = bus_kafka_replay,
    .lag = bus_kafka_lag,
    .close = bus_kafka_close,
};
