/* kafka_detached: see kafka_detached.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_detached.h"

#include "../../base/map.h"
#include "../../base/mem.h"
#include "../os/clock.h"
#include "../os/stop.h"
#include "kafka_admin.h"
#include "kafka_errors.h"

enum {
    /* The brokers end an open transaction of a process that died after transaction.timeout.ms
     * (10 s); until then it is unknown which records are committed. */
    TIMEOUT_MS = 30000,
    POLL_MS = 100,
    WHOLE_TOPIC_MS = 0, /* replay from this time: from the first record */
    TO_THE_END = -1
};

/* One partition that is being read. */
struct kafka_detached_read {
    const struct bus *bus;
    struct kafka_client client;
    int64_t next; /* offset */
    int64_t to;
    int64_t until_ms; /* monotonic: when waiting for the next record ends */
    bool stopped;     /* each returned false */
    bus_each_record *each;
    void *ctx;
};

static void kafka_detached_hand_on(struct kafka_detached_read *r, const rd_kafka_message_t *m) {
    struct bus_record record = kafka_client_record(m);
    r->next = record.offset + 1;
    if (record.offset < r->to && !r->each(r->ctx, &record))
        r->stopped = true;
    r->until_ms = clock_mono_ms() + TIMEOUT_MS;
}

/* Handles what a poll brought: a record, an event, or nothing (NULL). */
static enum bus_rc kafka_detached_handle(struct kafka_detached_read *r, const rd_kafka_message_t *m,
                                         struct err *err) {
    if (m && m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_detached_hand_on(r, m);
        return BUS_OK;
    }
    if (m && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        r->next = m->offset; /* past the markers of transactions, which are no records */
        return BUS_OK;
    }
    /* This consumer never joins its group, so it needs no group ACL. */
    const bool is_error = m && m->err != RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    if (is_error && kafka_errors_explain(&r->client, m->err, "read", err) == BUS_FATAL)
        return BUS_FATAL;
    if (clock_mono_ms() > r->until_ms || stop_asked())
        return kafka_errors_explain(
            &r->client, RD_KAFKA_RESP_ERR__TIMED_OUT,
            "read to the end: a transaction is still open, or a broker does not respond", err);
    return BUS_OK;
}

/* Reads the partition of `at` from its offset to r->to. */
static enum bus_rc kafka_detached_read_partition(struct kafka_detached_read *r,
                                                 const rd_kafka_topic_partition_t *at,
                                                 struct err *err) {
    enum bus_rc rc = kafka_client_open(&r->client, err);
    if (rc != BUS_OK)
        return rc;
    KAFKA_LOCAL kafka_list *one = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(one, at->topic, at->partition)->offset = at->offset;
    rd_kafka_poll_set_consumer(r->client.rk);
    rd_kafka_assign(r->client.rk, one);
    r->next = at->offset;
    r->until_ms = clock_mono_ms() + TIMEOUT_MS;
    while (rc == BUS_OK && !r->stopped && r->next < r->to) {
        bus_alive(r->bus);
        rd_kafka_message_t *m = rd_kafka_consumer_poll(r->client.rk, POLL_MS);
        rc = kafka_detached_handle(r, m, err);
        if (m)
            rd_kafka_message_destroy(m);
    }
    kafka_client_close(&r->client, true);
    return rc;
}

enum bus_rc kafka_detached_replay(const struct kafka_detached *d, const char *topic,
                                  int32_t partition, int64_t from_ms, int64_t to,
                                  bus_each_record *each, void *ctx, struct err *err) {
    if (from_ms < 0)
        from_ms = WHOLE_TOPIC_MS;
    KAFKA_LOCAL kafka_list *starts = rd_kafka_topic_partition_list_new(8);
    enum bus_rc rc = kafka_admin_partitions(d->metadata, topic, partition, starts, err);
    KAFKA_LOCAL kafka_list *ends = rd_kafka_topic_partition_list_copy(starts);
    if (rc == BUS_OK)
        rc = kafka_admin_offsets(d->bound, ends, KAFKA_ADMIN_END, err);
    if (rc == BUS_OK)
        rc = kafka_admin_offsets(d->metadata, starts, from_ms, err);
    for (int i = 0; rc == BUS_OK && i < starts->cnt; i++) {
        struct kafka_detached_read r = {.bus = d->bus,
                                        .client = {.conf = d->metadata->conf,
                                                   .kind = KAFKA_DETACHED_CONSUMER,
                                                   .name = "distlog-look"},
                                        .to = ends->elems[i].offset,
                                        .each = each,
                                        .ctx = ctx};
        if (to >= 0 && to < r.to)
            r.to = to;
        /* A negative start: no record is as young as from_ms. */
        if (starts->elems[i].offset >= 0)
            rc = kafka_detached_read_partition(&r, &starts->elems[i], err);
    }
    return rc;
}

/* Keeps the newest value of each key: a bus_each_record. */
static bool kafka_detached_keep_newest(void *ctx, const struct bus_record *record) {
    struct map *values = ctx; /* key → struct buf * */
    if (!record->key.p)
        return true;
    struct buf *old;
    if (record->value.p) {
        struct buf *value = mem_calloc(1, sizeof *value);
        buf_span(value, record->value);
        old = map_put(values, record->key, value);
    } else {
        old = map_remove(values, record->key);
    }
    if (old)
        buf_release(old);
    free(old);
    return true;
}

/* False: each returned false. */
static bool kafka_detached_hand_on_state(const struct map *values, int32_t partition,
                                         bus_each_state *each, void *ctx) {
    size_t walk = 0;
    struct span key;
    void *value;
    while (map_next(values, &walk, &key, &value))
        if (!each(ctx, partition, key, buf_view(value)))
            return false;
    return true;
}

static void kafka_detached_free_state(struct map *values) {
    size_t walk = 0;
    struct span key;
    void *value;
    while (map_next(values, &walk, &key, &value)) {
        buf_release(value);
        free(value);
    }
    map_release(values);
}

enum bus_rc kafka_detached_restore(const struct kafka_detached *d, const char *topic,
                                   int32_t partition, bus_each_state *each, void *ctx,
                                   struct err *err) {
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_new(8);
    enum bus_rc rc = kafka_admin_partitions(d->metadata, topic, partition, list, err);
    bool goes_on = true;
    for (int i = 0; rc == BUS_OK && goes_on && i < list->cnt; i++) {
        int32_t p = list->elems[i].partition;
        struct map values = {0};
        rc = kafka_detached_replay(d, topic, p, WHOLE_TOPIC_MS, TO_THE_END,
                                   kafka_detached_keep_newest, &values, err);
        if (rc == BUS_OK) /* otherwise some values may be old ones */
            goes_on = kafka_detached_hand_on_state(&values, p, each, ctx);
        kafka_detached_free_state(&values);
    }
    return rc;
}

enum bus_rc kafka_detached_lag(const struct kafka_detached *d, const char *group, const char *topic,
                               int64_t *left, struct err *err) {
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_new(8);
    *left = 0;
    enum bus_rc rc = kafka_admin_partitions(d->metadata, topic, -1, list, err);
    if (rc != BUS_OK)
        return rc;
    struct kafka_client c = {
        .conf = d->metadata->conf, .kind = KAFKA_DETACHED_CONSUMER, .name = group};
    rc = kafka_client_open(&c, err);
    if (rc == BUS_OK && list->cnt > 0) {
        struct kafka_start start = {.member = c.rk};
        uint64_t lost = 0;
        rd_kafka_resp_err_t code = kafka_admin_positions(d->metadata, &start, list, &lost, left);
        if (code)
            rc = kafka_errors_explain(&c, code, "query the group's committed offsets", err);
    }
    kafka_client_close(&c, true);
    return rc;
}
