/* kafka_consumer: see kafka_consumer.h.
 *
 * Positions are set here and not by the library: at every assignment the group's committed offsets
 * are compared with what the topic still has, so that records that retention removed, and a topic
 * that was deleted and created again, are noticed and reported. The assignor is the eager `range`:
 * with cooperative-sticky, librdkafka 2.0.2 aborts the process when a consumer is closed soon after
 * its start. 2.3.0 fixes that (#4381), 2.4.0 a hang in the same place (#4528), and 2.10.0
 * assignments that a commit lost (#4908).
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_consumer.h"

#include "../../base/mem.h"
#include "../os/clock.h"
#include "../os/stop.h"
#include "kafka_errors.h"

enum {
    ASK_MS = 5000,
    START_STEP_MS = 50,    /* between attempts to find where a topic ends */
    ENDS_STEP_MS = 250,    /* short enough for a deadline to be noticed within a second */
    BATCH_RECORDS = 50000, /* about 100 ms of work: a transaction costs 4–10 ms whatever its size */
    BATCH_BYTES = 16 << 20
};

/* --- position and batch --- */

/* The only place that changes the position. */
static void kafka_consumer_enter(struct kafka_consumer *c, enum kafka_position to) {
    if (!kafka_states_set_position(&c->position, to))
        kafka_client_give_up(&c->client,
                             "internal error: illegal transition of the reader's position");
}

/* Whether the positions have to be read before anything else is. */
static bool kafka_consumer_needs_position(const struct kafka_consumer *c) {
    return c->position == KAFKA_UNPOSITIONED || c->position == KAFKA_LOST;
}

/* Ends the loan of the last batch. */
static void kafka_consumer_free_batch(struct kafka_consumer *c) {
    for (size_t i = 0; i < c->n; i++)
        rd_kafka_message_destroy(c->messages[i]);
    c->n = 0;
}

static void kafka_consumer_clear_read(struct kafka_consumer *c) {
    for (int i = 0; i < c->partitions->cnt; i++)
        c->partitions->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
}

static void kafka_consumer_drop(struct kafka_consumer *c) {
    kafka_consumer_free_batch(c);
    kafka_consumer_clear_read(c);
}

void kafka_consumer_lose(struct kafka_consumer *c, rd_kafka_resp_err_t why) {
    kafka_consumer_drop(c);
    c->why = why;
    if (c->position == KAFKA_POSITIONED)
        kafka_consumer_enter(c, KAFKA_LOST);
}

/* The offsets at which the partitions stand are gone: removed by retention, or with the topic,
 * which may have been created again. */
static void kafka_consumer_lose_place(struct kafka_consumer *c, rd_kafka_resp_err_t why) {
    kafka_transaction_interrupt(c->transaction);
    kafka_consumer_lose(c, why);
}

/* --- assignment --- */

/* From now on these partitions are ours, and no others. */
static void kafka_consumer_own(struct kafka_consumer *c, const kafka_list *list) {
    const size_t n = (size_t)list->cnt;
    if (n > 0 || c->partitions->cnt > 0)
        c->generation++;
    c->changes++;
    rd_kafka_topic_partition_list_destroy(c->partitions);
    c->partitions = rd_kafka_topic_partition_list_copy(list);
    c->states = mem_realloc(c->states, n, sizeof *c->states);
    c->reported = mem_realloc(c->reported, n, sizeof *c->reported);
    for (size_t i = 0; i < n; i++) {
        c->states[i] = (struct kafka_partition){.end = -1, .committed = RD_KAFKA_OFFSET_INVALID};
        c->reported[i] = (struct bus_part){.partition = list->elems[i].partition};
    }
    kafka_consumer_clear_read(c);
    c->why = RD_KAFKA_RESP_ERR_NO_ERROR;
    kafka_consumer_enter(c, KAFKA_UNASSIGNED);
    if (n > 0)
        kafka_consumer_enter(c, KAFKA_UNPOSITIONED);
}

/* What the library fetches is moved by seeking: assigning it again before the library has stopped
 * it, which takes a while when the broker is away, aborts the process (librdkafka 2.0.2; the
 * changelogs up to 2.15.0 list no fix). */
static rd_kafka_resp_err_t kafka_consumer_seek(struct kafka_consumer *c, const kafka_list *list) {
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &list->elems[i];
        rd_kafka_topic_t *topic = rd_kafka_topic_new(c->client.rk, p->topic, NULL);
        rd_kafka_resp_err_t code =
            rd_kafka_seek(topic, p->partition, p->offset, kafka_client_limit_ms(ASK_MS));
        rd_kafka_topic_destroy(topic);
        if (code)
            return code;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Lets the library fetch from the group's commits; if the cluster does not answer, a later poll
 * tries again. */
static void kafka_consumer_start_reading(struct kafka_consumer *c) {
    if (c->position == KAFKA_UNASSIGNED)
        return;
    struct kafka_start start = {.from_start = c->from_start};
    if (*c->group)
        start.member = c->client.rk;
    int64_t left = 0;
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_copy(c->partitions);
    c->why = kafka_admin_positions(c->metadata, &start, list, &c->lost, &left);
    if (!c->why && c->position == KAFKA_UNPOSITIONED)
        c->why = rd_kafka_assign(c->client.rk, list);
    else if (!c->why)
        c->why = kafka_consumer_seek(c, list);
    for (int i = 0; i < list->cnt; i++) {
        c->states[i].end = -1;
        if (!c->why)
            c->states[i].committed = list->elems[i].offset;
    }
    if (!c->why)
        kafka_consumer_enter(c, KAFKA_POSITIONED);
    else if (c->position == KAFKA_POSITIONED)
        kafka_consumer_enter(c, KAFKA_LOST);
}

static void kafka_consumer_on_rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t what, kafka_list *list,
                                         void *client) {
    struct kafka_consumer *c = ((struct kafka_client *)client)->owner;
    KAFKA_LOCAL kafka_list *none = rd_kafka_topic_partition_list_new(1);
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        kafka_consumer_own(c, list);
        kafka_consumer_start_reading(c);
        if (c->position != KAFKA_POSITIONED)
            rd_kafka_assign(rk, none);
        return;
    }
    /* What the current poll has gathered was not handed out: dropping it interrupts nothing. */
    if (c->transaction->phase != KAFKA_IDLE)
        kafka_transaction_interrupt(c->transaction);
    kafka_consumer_drop(c);
    kafka_consumer_own(c, none);
    rd_kafka_assign(rk, NULL);
}

/* --- opening and closing --- */

static enum bus_rc kafka_consumer_join(struct kafka_consumer *c, struct err *err) {
    KAFKA_LOCAL kafka_list *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, c->input, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(c->client.rk, topics);
    if (code)
        return kafka_errors_explain(&c->client, code, "join the consumer group", err);
    return BUS_OK;
}

/* Without a group. */
static enum bus_rc kafka_consumer_take_all(struct kafka_consumer *c, struct err *err) {
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_new(8);
    enum bus_rc rc = kafka_admin_partitions(c->metadata, c->input, -1, list, err);
    if (rc != BUS_OK)
        return rc;
    kafka_consumer_own(c, list);
    /* A topic that was created a moment ago may not know its leaders yet. */
    int64_t until_ms = clock_mono_ms() + ASK_MS;
    kafka_consumer_start_reading(c);
    while (kafka_consumer_needs_position(c) && !stop_asked() && clock_mono_ms() < until_ms) {
        clock_sleep_ms(START_STEP_MS);
        kafka_consumer_start_reading(c);
    }
    /* "From now on" must mean now, not when the cluster is back. */
    if (kafka_consumer_needs_position(c))
        return kafka_errors_explain(c->metadata, c->why, "find the end of the topic", err);
    return BUS_OK;
}

enum bus_rc kafka_consumer_open(struct kafka_consumer *c, struct err *err) {
    c->partitions = rd_kafka_topic_partition_list_new(8);
    c->client = (struct kafka_client){
        .conf = c->conf, .kind = KAFKA_CONSUMER, .name = "distlog-reader", .owner = c};
    if (*c->group) {
        c->client.name = c->group;
        c->client.rebalanced = kafka_consumer_on_rebalanced;
    }
    enum bus_rc rc = kafka_client_open(&c->client, err);
    if (rc != BUS_OK)
        return rc;
    rd_kafka_poll_set_consumer(c->client.rk);
    kafka_wake_on(c->wake, rd_kafka_queue_get_consumer(c->client.rk));
    c->capacity = BATCH_RECORDS;
    if (c->max_records > 0)
        c->capacity = c->max_records;
    c->messages = mem_calloc(c->capacity, sizeof *c->messages);
    c->records = mem_calloc(c->capacity, sizeof *c->records);
    if (*c->group)
        return kafka_consumer_join(c, err);
    return kafka_consumer_take_all(c, err);
}

void kafka_consumer_close(struct kafka_consumer *c, bool quick) {
    if (!c->partitions)
        return;
    kafka_consumer_free_batch(c);
    kafka_client_close(&c->client, quick);
    rd_kafka_topic_partition_list_destroy(c->partitions);
    free(c->messages);
    free(c->records);
    free(c->states);
    free(c->reported);
}

/* --- polling --- */

/* The index of a message's partition, or -1 if it is not ours. */
static int kafka_consumer_find(const struct kafka_consumer *c, const rd_kafka_message_t *m) {
    if (!m->rkt)
        return -1;
    const rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(
        c->partitions, rd_kafka_topic_name(m->rkt), m->partition);
    if (!p)
        return -1;
    return (int)(p - c->partitions->elems);
}

/* Adds a record to the batch. False: its partition is not ours, and the message still the caller's.
 */
static bool kafka_consumer_add(struct kafka_consumer *c, rd_kafka_message_t *m) {
    int i = kafka_consumer_find(c, m);
    kafka_client_clear_reason(&c->client);
    if (i < 0)
        return false;
    c->partitions->elems[i].offset = m->offset + 1;
    c->states[i].end = -1;
    c->messages[c->n] = m;
    c->records[c->n] = kafka_client_record(m);
    c->n++;
    return true;
}

static void kafka_consumer_reach_end(struct kafka_consumer *c, const rd_kafka_message_t *m) {
    int i = kafka_consumer_find(c, m);
    if (i >= 0)
        c->states[i].end = m->offset;
    c->changes++;
}

/* Handles one record or event. Takes m. */
static enum bus_rc kafka_consumer_handle(struct kafka_consumer *c, rd_kafka_message_t *m,
                                         struct err *err) {
    enum bus_rc rc = BUS_OK;
    switch (m->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (kafka_consumer_add(c, m))
            return BUS_OK;
        break;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        kafka_consumer_reach_end(c, m);
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        kafka_consumer_lose_place(c, m->err);
        break;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED: /* a rebalance follows */
        break;
    default: /* what waiting cures, the library retries by itself */
        if (kafka_errors_explain(&c->client, m->err, "read", err) == BUS_FATAL)
            rc = BUS_FATAL;
    }
    rd_kafka_message_destroy(m);
    return rc;
}

/* Takes what is in the consumer's queue, and waits at most wait_ms for the first of it: a record, a
 * change of the assignment, an end. */
static enum bus_rc kafka_consumer_gather(struct kafka_consumer *c, int wait_ms, struct err *err) {
    const uint64_t changes = c->changes;
    const int64_t until_ms = clock_mono_ms() + wait_ms;
    size_t bytes = 0;
    enum bus_rc rc = BUS_OK;
    while (rc == BUS_OK && c->n < c->capacity && bytes < BATCH_BYTES) {
        if (c->transaction->phase == KAFKA_INTERRUPTED)
            break;
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->client.rk, 0);
        if (m) {
            if (!m->err)
                bytes += m->len + m->key_len;
            /* If this very call has rebalanced the group, m is of the new assignment. */
            rc = kafka_consumer_handle(c, m, err);
            continue;
        }
        const bool has_something = c->n > 0 || c->changes != changes;
        if (has_something || kafka_consumer_needs_position(c))
            break;
        if (!kafka_wake_wait(c->wake, until_ms - clock_mono_ms()))
            break;
    }
    return rc;
}

/* Whether to ask the brokers for the ends: the library has reached one, or brought nothing and
 * gives no reason. While other partitions bring records this is done only now and then. */
static bool kafka_consumer_should_ask_ends(const struct kafka_consumer *c, int64_t now_ms) {
    if (c->n == 0)
        return true;
    if (now_ms - c->ends_asked_ms < ENDS_STEP_MS)
        return false;
    for (int i = 0; i < c->partitions->cnt; i++)
        if (c->states[i].end >= 0)
            return true;
    return false;
}

/* Asks the brokers whether the ends that were reached still are the ends, records behind an open
 * transaction included. With no partition assigned, only checks that the brokers respond. */
static enum bus_rc kafka_consumer_ask_ends(struct kafka_consumer *c, struct err *err) {
    const int64_t asked_ms = clock_mono_ms(); /* before the question */
    if (!kafka_consumer_should_ask_ends(c, asked_ms))
        return BUS_OK;
    c->ends_asked_ms = asked_ms;
    if (c->partitions->cnt == 0) /* so that nothing was read */
        return kafka_admin_reach(c->metadata, err);
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_copy(c->partitions);
    enum bus_rc rc = kafka_admin_offsets(c->metadata, list, KAFKA_ADMIN_END, err);
    /* The topic is gone, and the group's commits with it: a new one is read from its start. */
    bool is_gone = false;
    for (int i = 0; i < list->cnt; i++) {
        const int64_t end = rc == BUS_OK ? list->elems[i].offset : -1;
        c->reported[i].at_end = end >= 0 && end == c->states[i].end;
        c->reported[i].asked_ms = asked_ms;
        if (list->elems[i].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            is_gone = true;
    }
    if (c->n > 0) /* records came: an unanswered question is no outage yet */
        return BUS_OK;
    if (is_gone)
        kafka_consumer_lose_place(c, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    return rc;
}

/* The wall clock without its steps back, which would delay the deadlines of all nodes seen since.
 */
static int64_t kafka_consumer_now_ms(struct kafka_consumer *c) {
    const int64_t boot_ms = clock_boot_ms();
    const int64_t ahead_ms = clock_wall_ms() - boot_ms;
    if (ahead_ms > c->ahead_ms)
        c->ahead_ms = ahead_ms;
    return boot_ms + c->ahead_ms;
}

/* Gathers a batch. BUS_OK: it may be handed out. */
static enum bus_rc kafka_consumer_read(struct kafka_consumer *c, int wait_ms, struct err *err) {
    enum bus_rc rc = BUS_OK;
    if (kafka_consumer_needs_position(c))
        kafka_consumer_start_reading(c);
    /* While the right position is unknown, records of the wrong one may be in the queue. */
    if (c->position != KAFKA_LOST)
        rc = kafka_consumer_gather(c, wait_ms, err);
    if (rc != BUS_OK)
        return rc;
    if (kafka_transaction_report_interruption(c->transaction, err)) {
        if (c->n > 0) /* they are out of the library's queue, and have to be read again */
            kafka_consumer_lose(c, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
        kafka_consumer_drop(c);
        return BUS_ABORTED;
    }
    if (kafka_consumer_needs_position(c))
        return kafka_errors_explain(&c->client, c->why, "read the group's committed offsets", err);
    return BUS_OK;
}

enum bus_rc kafka_consumer_poll(struct kafka_consumer *c, int wait_ms, struct bus_batch *batch,
                                struct err *err) {
    kafka_consumer_free_batch(c);
    enum bus_rc rc = kafka_consumer_read(c, wait_ms, err);
    if (rc != BUS_OK)
        return rc;
    if (c->n > 0)
        kafka_transaction_note_read(c->transaction);
    for (int i = 0; i < c->partitions->cnt; i++)
        c->reported[i].at_end = false;
    rc = kafka_consumer_ask_ends(c, err);
    *batch = (struct bus_batch){.records = c->records,
                                .n = c->n,
                                .parts = c->reported,
                                .n_parts = (size_t)c->partitions->cnt,
                                .generation = c->generation,
                                .now_ms = kafka_consumer_now_ms(c),
                                .lost = c->lost};
    c->lost = 0;
    return rc;
}

/* --- commits --- */

kafka_list *kafka_consumer_offsets(const struct kafka_consumer *c) {
    kafka_list *list = rd_kafka_topic_partition_list_copy(c->partitions);
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset >= 0)
            return list;
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = c->states[i].committed;
    return list;
}

void kafka_consumer_committed(struct kafka_consumer *c) {
    for (int i = 0; i < c->partitions->cnt; i++)
        if (c->partitions->elems[i].offset >= 0)
            c->states[i].committed = c->partitions->elems[i].offset;
    kafka_consumer_clear_read(c);
}

void kafka_consumer_undo(struct kafka_consumer *c) {
    kafka_consumer_drop(c);
    kafka_consumer_start_reading(c);
}
