/* bus_kafka_look: reading Kafka beside the group: the state topic, a stretch of the input, a
 * group's lag. Each call has a consumer of its own for as long as it takes and commits nothing.
 * SPDX-License-Identifier: Apache-2.0 */

#include "../../base/map.h"
#include "../../base/mem.h"
#include "../os/stop.h"
#include "bus_kafka.h"
#include "../os/clock.h"

enum {
    /* An open transaction of a process that died is ended by the brokers after
     * transaction.timeout.ms (10 s); until then what is committed can't be told from what is not.
     */
    PATIENCE_MS = 30000
};

/* Reads one partition from where `at` stands to `to` and hands each record on. */
static enum bus_rc read_part(struct kafka_bus *b, const rd_kafka_topic_partition_t *at, int64_t to,
                             bus_each_record *each, void *ctx, struct err *err) {
    struct kafka_client c = {.conf = b->conf, .kind = KAFKA_LOOKER, .name = "distlog-look"};
    enum bus_rc rc = kafka_client_open(&c, err);
    if (rc != BUS_OK)
        return rc;
    KAFKA_LOCAL kafka_list *one = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(one, at->topic, at->partition)->offset = at->offset;
    rd_kafka_poll_set_consumer(c.rk);
    rd_kafka_assign(c.rk, one);
    int64_t next = at->offset, until = clock_mono_ms() + PATIENCE_MS;
    for (bool go = true; go && next < to && rc == BUS_OK;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c.rk, 100);
        if (m && !m->err) {
            struct bus_record record = kafka_record(m);
            next = record.offset + 1;
            go = record.offset >= to || each(ctx, &record);
            until = clock_mono_ms() + PATIENCE_MS;
        } else if (m && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            next = m->offset; /* past the markers of transactions, which are no records */
        } else if (m &&
                   m->err !=
                       RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED && /* its group is but a name */
                   kafka_client_error(&c, m->err, "read", err) == BUS_FATAL) {
            rc = BUS_FATAL;
        } else if (clock_mono_ms() > until || stop_asked()) {
            rc =
                kafka_client_error(&c, RD_KAFKA_RESP_ERR__TIMED_OUT,
                                   "read on: a transaction stays open, or the broker is away", err);
        }
        if (m)
            rd_kafka_message_destroy(m);
    }
    kafka_client_close(&c, true);
    return rc;
}

enum bus_rc kafka_look_replay(struct bus *bus, const char *topic, int32_t partition,
                              int64_t from_ms, int64_t to, bus_each_record *each, void *ctx,
                              struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    KAFKA_LOCAL kafka_list *starts = rd_kafka_topic_partition_list_new(8);
    enum bus_rc rc = kafka_client_partitions(b->ask, topic, partition, starts, err);
    KAFKA_LOCAL kafka_list *ends = rd_kafka_topic_partition_list_copy(starts);
    /* Not past this handle's own open transaction: it would wait for itself. */
    if (rc == BUS_OK)
        rc = kafka_client_ends(b->in_transaction ? &b->consumer : b->ask, ends, -1, err);
    if (rc == BUS_OK)
        rc = kafka_client_ends(b->ask, starts, from_ms > 0 ? from_ms : 0, err);
    for (int i = 0; rc == BUS_OK && i < starts->cnt; i++) {
        int64_t end = ends->elems[i].offset;
        /* A negative start: there is no record of that time or later. */
        if (starts->elems[i].offset >= 0)
            rc = read_part(b, &starts->elems[i], to >= 0 && to < end ? to : end, each, ctx, err);
    }
    return rc;
}

static bool keep_newest(void *ctx, const struct bus_record *record) {
    struct map *values = ctx; /* key → struct buf * */
    if (!record->key.p)
        return true;
    struct buf *value = NULL;
    if (record->value.p) {
        value = mem_calloc(1, sizeof *value);
        buf_span(value, record->value);
    }
    struct buf *had = value ? map_put(values, record->key, value) : map_remove(values, record->key);
    if (had)
        buf_release(had);
    free(had);
    return true;
}

/* Each partition: all of it is read, the newest of each key is kept, and those are handed on. */
enum bus_rc kafka_look_restore(struct bus *bus, const char *topic, int32_t partition,
                               bus_each_state *each, void *ctx, struct err *err) {
    KAFKA_LOCAL kafka_list *parts = rd_kafka_topic_partition_list_new(8);
    enum bus_rc rc =
        kafka_client_partitions(((struct kafka_bus *)bus)->ask, topic, partition, parts, err);
    bool go = rc == BUS_OK;
    for (int i = 0; go && i < parts->cnt; i++) {
        int32_t p = parts->elems[i].partition;
        struct map values = {0};
        rc = kafka_look_replay(bus, topic, p, 0, -1, keep_newest, &values, err);
        go = rc == BUS_OK;
        size_t walk = 0;
        struct span key;
        void *value;
        while (map_next(&values, &walk, &key, &value)) {
            go = go && each(ctx, p, key, buf_view(value));
            buf_release(value);
            free(value);
        }
        map_release(&values);
    }
    return rc;
}

enum bus_rc kafka_look_lag(struct bus *bus, const char *group, const char *topic, int64_t *left,
                           struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    KAFKA_LOCAL kafka_list *parts = rd_kafka_topic_partition_list_new(8);
    struct kafka_client c = {.conf = b->conf, .kind = KAFKA_LOOKER, .name = group};
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    uint64_t lost = 0;
    *left = 0;
    enum bus_rc rc = kafka_client_partitions(b->ask, topic, -1, parts, err);
    if (rc == BUS_OK)
        rc = kafka_client_open(&c, err);
    if (rc == BUS_OK && parts->cnt)
        code = kafka_positions(b, c.rk, parts, &lost, left);
    if (code)
        rc = kafka_client_error(&c, code, "ask for a group's committed offsets", err);
    kafka_client_close(&c, true);
    return rc;
}
