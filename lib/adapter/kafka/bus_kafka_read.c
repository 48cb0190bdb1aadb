/* bus_kafka_read: the consuming half of the Kafka engine: positions, rebalances, batches, commits.
 *
 * Positions are set here and not by the library: at every assignment the group's committed offsets
 * are read and held against what the topic still has, so that records that retention took, and a
 * topic made anew, are noticed and said. The assignor is the eager `range`: cooperative-sticky of
 * librdkafka 2.0.2 aborts the process when a consumer is closed soon after its start.
 * SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <threads.h>
#include <unistd.h>

#include "../../base/mem.h"
#include "../os/stop.h"
#include "bus_kafka.h"
#include "../os/clock.h"

enum {
    ASK_MS = 5000,
    ASK_AGAIN_MS = 250,     /* often enough for a deadline to be seen within a second */
    COMMIT_SLICE_MS = 3000, /* a commit that takes longer answers BUS_RETRY and is taken up again */
    BATCH_RECORDS = 50000, /* about 100 ms of work: a transaction costs 4–10 ms whatever is in it */
    BATCH_BYTES = 16 << 20,
};

struct bus_record kafka_record(const rd_kafka_message_t *m) {
    return (struct bus_record){.partition = m->partition,
                               .offset = m->offset,
                               .ts_ms = rd_kafka_message_timestamp(m, NULL),
                               .key = {m->key, m->key ? m->key_len : 0},
                               .value = {m->payload, m->payload ? m->len : 0}};
}

void kafka_read_forget(struct kafka_bus *b) {
    for (size_t i = 0; i < b->n; i++)
        rd_kafka_message_destroy(b->messages[i]);
    b->n = 0;
}

/* The parts are these from now on. */
static void own(struct kafka_bus *b, const kafka_list *list) {
    size_t n = (size_t)list->cnt;
    if (n || b->parts->cnt)
        b->generation++;
    b->news = true;
    rd_kafka_topic_partition_list_destroy(b->parts);
    b->parts = rd_kafka_topic_partition_list_copy(list);
    b->told = mem_realloc(b->told, n, sizeof *b->told);
    b->ends = mem_realloc(b->ends, n, sizeof *b->ends);
    b->group_offsets = mem_realloc(b->group_offsets, n, sizeof *b->group_offsets);
    for (size_t i = 0; i < n; i++) {
        b->told[i] = (struct bus_part){.partition = list->elems[i].partition};
        b->ends[i] = -1;
        b->group_offsets[i] = RD_KAFKA_OFFSET_INVALID;
        b->parts->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    }
    b->assigned = false;
}

/* A new turn begins: nothing is read. */
static void new_turn(struct kafka_bus *b) {
    b->in_transaction = b->offsets_sent = b->committing = b->turn = false;
    for (int i = 0; i < b->parts->cnt; i++)
        b->parts->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
}

/* Nothing that was read and not committed counts any more. */
static void drop_turn(struct kafka_bus *b) {
    kafka_read_forget(b);
    rd_kafka_error_t *e =
        b->in_transaction ? rd_kafka_abort_transaction(b->producer.rk, kafka_limit(ASK_MS)) : NULL;
    if (e) { /* no answer: with another producer, then; the brokers end this transaction */
        snprintf(b->producer.said, sizeof b->producer.said, "%s", rd_kafka_error_string(e));
        b->producer.fatal = true;
        rd_kafka_error_destroy(e);
    }
    new_turn(b);
}

rd_kafka_resp_err_t kafka_positions(struct kafka_bus *b, rd_kafka_t *member, kafka_list *list,
                                    uint64_t *lost, int64_t *left) {
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    int ms = kafka_limit(ASK_MS);
    uint64_t gone = 0; /* counted once all is known, for else it is asked again */
    rd_kafka_resp_err_t code =
        member ? rd_kafka_committed(member, list, ms) : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        rd_kafka_topic_partition_t *p = &list->elems[i];
        int64_t low = 0, high = 0;
        code = p->err;
        if (!code)
            code = rd_kafka_query_watermark_offsets(b->ask->rk, p->topic, p->partition, &low, &high,
                                                    ms);
        if (code)
            break;
        if (p->offset >= 0 && p->offset < low)
            gone += (uint64_t)(low - p->offset);
        if (!member && !b->how.from_start)
            p->offset = high;
        else if (p->offset < low ||
                 p->offset > high) /* none, taken by retention, or a topic made anew */
            p->offset = low;
        *left += high - p->offset;
    }
    if (!code)
        *lost += gone;
    return code;
}

/* What stands is moved by seeking: to assign it again before the library has stopped it, which
 * takes a while when the broker is away, aborts the process (librdkafka 2.0.2). */
static rd_kafka_resp_err_t seek(struct kafka_bus *b, const kafka_list *list) {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        rd_kafka_topic_t *topic = rd_kafka_topic_new(b->consumer.rk, list->elems[i].topic, NULL);
        code = rd_kafka_seek(topic, list->elems[i].partition, list->elems[i].offset,
                             kafka_limit(ASK_MS));
        rd_kafka_topic_destroy(topic);
    }
    return code;
}

/* Reads the parts from where the group's commits are; where the cluster does not answer, a later
 * poll asks again. */
static void position(struct kafka_bus *b) {
    int64_t left = 0;
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_copy(b->parts);
    b->why = kafka_positions(b, b->transactional_id ? b->consumer.rk : NULL, list, &b->lost, &left);
    if (!b->why)
        b->why = b->assigned ? seek(b, list) : rd_kafka_assign(b->consumer.rk, list);
    b->assigned = b->assigned || !b->why;
    for (int i = 0; i < b->parts->cnt; i++) {
        b->ends[i] = -1;
        if (!b->why)
            b->group_offsets[i] = list->elems[i].offset;
    }
}

static void on_rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t what, kafka_list *parts,
                          void *client) {
    struct kafka_bus *b = ((struct kafka_client *)client)->owner;
    KAFKA_LOCAL kafka_list *none = rd_kafka_topic_partition_list_new(1);
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        own(b, parts);
        position(b);
        if (!b->assigned)
            rd_kafka_assign(rk, none);
    } else {
        /* What this very poll has gathered was not handed out: it is only dropped. */
        b->moved = b->moved || b->turn || b->in_transaction;
        drop_turn(b);
        own(b, none);
        b->why = RD_KAFKA_RESP_ERR_NO_ERROR;
        rd_kafka_assign(rk, NULL);
    }
}

/* A reader of its own takes every partition, without a group. */
static enum bus_rc take_all(struct kafka_bus *b, struct err *err) {
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_new(8);
    enum bus_rc rc = kafka_client_partitions(b->ask, b->how.input, -1, list, err);
    own(b, list);
    if (rc != BUS_OK)
        return rc;
    /* A topic that was made a moment ago may not know its leader yet. */
    int64_t until = clock_mono_ms() + ASK_MS;
    for (position(b); b->why && !stop_asked() && clock_mono_ms() < until; position(b))
        clock_sleep_ms(50);
    /* "From now on" must be now, not when the cluster is back. */
    return b->why ? kafka_client_error(b->ask, b->why, "find the end of its topic", err) : BUS_OK;
}

enum bus_rc kafka_read_start(struct kafka_bus *b, struct err *err) {
    bool grouped = *b->how.group;
    b->consumer = (struct kafka_client){.conf = b->conf,
                                        .kind = KAFKA_READER,
                                        .name = grouped ? b->how.group : "distlog-reader",
                                        .owner = b,
                                        .rebalanced = grouped ? on_rebalanced : NULL};
    enum bus_rc rc = kafka_client_open(&b->consumer, err);
    if (rc != BUS_OK)
        return rc;
    rd_kafka_poll_set_consumer(b->consumer.rk);
    kafka_wake(b, rd_kafka_queue_get_consumer(b->consumer.rk));
    b->cap = b->how.max_records ? b->how.max_records : BATCH_RECORDS;
    b->messages = mem_calloc(b->cap, sizeof *b->messages);
    b->records = mem_calloc(b->cap, sizeof *b->records);
    if (!grouped)
        return take_all(b, err);
    KAFKA_LOCAL kafka_list *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, b->how.input, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(b->consumer.rk, topics);
    return code ? kafka_client_error(&b->consumer, code, "join its group", err) : BUS_OK;
}

/* Waits until the consumer's queue has something, a signal arrives, or wait_ms have passed; false:
 * the latter two. poll(2) on a pipe that librdkafka writes to, for its own waits don't notice a
 * signal. */
static bool wait_for_events(struct kafka_bus *b, int64_t wait_ms) {
    struct pollfd p = {.fd = b->wake[0], .events = POLLIN};
    if (wait_ms <= 0 || stop_asked() || poll(&p, 1, (int)wait_ms) <= 0)
        return false;
    kafka_awake(b);
    return true;
}

/* What the parts stand at is gone: taken by retention, or with the topic, which may be made anew.
 */
static void lose_place(struct kafka_bus *b, rd_kafka_resp_err_t why) {
    drop_turn(b);
    b->why = why;
    b->moved = true;
}

/* Takes one message or event over. */
static enum bus_rc keep(struct kafka_bus *b, rd_kafka_message_t *m, struct err *err) {
    const rd_kafka_topic_partition_t *part =
        m->rkt ? rd_kafka_topic_partition_list_find(b->parts, rd_kafka_topic_name(m->rkt),
                                                    m->partition)
               : NULL;
    ptrdiff_t i = part ? part - b->parts->elems : 0;
    enum bus_rc rc = BUS_OK;
    switch (m->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        *b->consumer.said = '\0';
        if (!part)
            break;
        b->parts->elems[i].offset = m->offset + 1;
        b->ends[i] = -1;
        b->messages[b->n] = m;
        b->records[b->n++] = kafka_record(m);
        return BUS_OK;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (part)
            b->ends[i] = m->offset;
        b->news = true;
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        lose_place(b, m->err);
        break;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED: /* a rebalance follows */
        break;
    default: /* what waiting mends, the library tries again by itself */
        if (kafka_client_error(&b->consumer, m->err, "read", err) == BUS_FATAL)
            rc = BUS_FATAL;
    }
    rd_kafka_message_destroy(m);
    return rc;
}

/* Takes over what is in the consumer's queue, waiting at most wait_ms for the first of it: a
 * record, a change of parts, an end. */
static enum bus_rc gather(struct kafka_bus *b, int wait_ms, struct err *err) {
    size_t bytes = 0;
    enum bus_rc rc = BUS_OK;
    int64_t until = clock_mono_ms() + wait_ms;
    b->news = false;
    while (b->n < b->cap && bytes < BATCH_BYTES && rc == BUS_OK && !b->moved) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(b->consumer.rk, 0);
        if (m) {
            bytes += m->err ? 0 : m->len + m->key_len;
            rc = keep(b, m, err); /* after a rebalance in this very call it is of the new parts */
        } else if (b->n || b->news || b->why || !wait_for_events(b, until - clock_mono_ms())) {
            break;
        }
    }
    return rc;
}

/* The wall clock, but for steps back: they would hold back time for everyone who was heard since.
 */
static int64_t wall_ms(struct kafka_bus *b) {
    int64_t boot_ms = clock_boot_ms(), ahead_ms = clock_wall_ms() - boot_ms;
    if (ahead_ms > b->ahead_ms)
        b->ahead_ms = ahead_ms;
    return boot_ms + b->ahead_ms;
}

/* Some part stands at an end, or nothing came, of which the library tells no cause: asks the
 * brokers whether that is the end still, records behind an open transaction included. The time of
 * asking is before the question. While other parts bring records it is asked now and then, and to
 * get no answer is no trouble yet. Who has no part asks whether they are there at all. */
static enum bus_rc ask_ends(struct kafka_bus *b, struct err *err) {
    int64_t asked_ms = clock_mono_ms();
    bool any = !b->n;
    for (int i = 0; i < b->parts->cnt; i++)
        any = any || b->ends[i] >= 0;
    if (!any || (b->n && asked_ms - b->asked_ms < ASK_AGAIN_MS))
        return BUS_OK;
    b->asked_ms = asked_ms;
    KAFKA_LOCAL kafka_list *list = rd_kafka_topic_partition_list_copy(b->parts);
    enum bus_rc rc =
        list->cnt ? kafka_client_ends(b->ask, list, -1, err) : kafka_client_reach(b->ask, err);
    bool gone =
        false; /* the topic, with the group's commits: a new one is read from its beginning */
    for (int i = 0; i < list->cnt; i++) {
        int64_t end = rc == BUS_OK ? list->elems[i].offset : -1;
        gone = gone || list->elems[i].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        b->told[i].at_end = end >= 0 && end == b->ends[i];
        b->told[i].asked_ms = asked_ms;
    }
    if (gone && !b->n)
        lose_place(b, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    return b->n ? BUS_OK : rc;
}

enum bus_rc kafka_read_poll(struct kafka_bus *b, int wait_ms, struct bus_batch *batch,
                            struct err *err) {
    b->failed = true;
    kafka_read_forget(b);
    if (b->why && b->parts->cnt)
        position(b);
    /* Records of the wrong place may be in the queue as long as the right one is not known. */
    enum bus_rc rc = b->why && b->assigned ? BUS_OK : gather(b, wait_ms, err);
    if (rc == BUS_OK && b->moved) {
        b->moved = false;
        if (b->n)
            b->why = RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; /* out of the library's queue: read
                                                                 again */
        drop_turn(b);
        return err_as(BUS_ABORTED, err, "the group was rebalanced in mid-turn");
    }
    if (rc == BUS_OK && b->why && b->parts->cnt)
        rc = kafka_client_error(&b->consumer, b->why, "read the group's committed offsets", err);
    if (rc != BUS_OK)
        return rc;
    b->turn = b->turn || b->n;
    for (int i = 0; i < b->parts->cnt; i++)
        b->told[i].at_end = false;
    rc = ask_ends(b, err);
    *batch = (struct bus_batch){.records = b->records,
                                .n = b->n,
                                .parts = b->told,
                                .n_parts = (size_t)b->parts->cnt,
                                .generation = b->generation,
                                .now_ms = wall_ms(b),
                                .lost = b->lost};
    b->lost = 0;
    b->failed = rc != BUS_OK;
    return rc;
}

void kafka_read_undo(struct bus *bus) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    drop_turn(b);
    if (b->consumer.rk)
        position(b);
}

/* What a step of a commit that failed means; e is consumed. */
static enum bus_rc commit_failed(struct kafka_bus *b, rd_kafka_error_t *e, struct err *err) {
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    bool abortable = rd_kafka_error_txn_requires_abort(e);
    bool again = rd_kafka_error_is_retriable(e) || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_error_destroy(e);
    rd_kafka_poll(b->producer.rk, 0);
    enum bus_rc rc = kafka_client_error(&b->producer, code, "commit", err);
    if (abortable)
        kafka_read_undo(&b->base);
    if (rc == BUS_FATAL || b->producer.fatal)
        return BUS_FATAL;
    return abortable ? BUS_ABORTED : again ? BUS_RETRY : BUS_FATAL;
}

/* A thread of its own, for the library does not heed its limit here: when the broker goes away in
 * that very moment it waits until there is one again (librdkafka issue 5456). The handle is lent to
 * it, but for the producer's poll, until it has written its answer. */
static int send_offsets(void *bus) {
    struct kafka_bus *b = bus;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); /* they are to wake the other one */
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(b->consumer.rk);
    rd_kafka_error_t *e = /* if it does heed its limit, the other one has not given up yet */
        rd_kafka_send_offsets_to_transaction(b->producer.rk, b->parts, group,
                                             COMMIT_SLICE_MS - 500);
    rd_kafka_consumer_group_metadata_destroy(group);
    return write(b->sent[1], &e, sizeof e) < 0;
}

/* A transaction that follows from no record, such as an alert after a silence, commits the group's
 * offsets as they are: the brokers check the group's generation only where offsets are committed,
 * and the library sends no request for an empty list. False: there is none to commit, so that
 * nothing would show whether the partitions belong to another reader by now. */
static bool prepare_offsets(struct kafka_bus *b) {
    if (b->turn)
        return true;
    bool known = false;
    for (int i = 0; i < b->parts->cnt; i++) {
        b->parts->elems[i].offset = b->group_offsets[i];
        known = known || b->group_offsets[i] >= 0;
    }
    return known;
}

static enum bus_rc start_sending(struct kafka_bus *b, struct err *err) {
    thrd_t thread;
    bool known = prepare_offsets(b);
    if (!known) {
        kafka_read_undo(&b->base);
        return err_as(BUS_ABORTED, err, "kafka %s: can't commit: this reader has no partition now",
                      b->conf->brokers);
    }
    if (thrd_create(&thread, send_offsets, b) != thrd_success || thrd_detach(thread))
        return err_as(BUS_RETRY, err,
                      "kafka %s: can't commit: no more threads (see ulimit -u, or TasksMax)",
                      b->conf->brokers);
    b->sending = true;
    return BUS_OK;
}

/* Starts that thread and waits for its answer; once one is due it is only waited for. */
static enum bus_rc offsets_in_transaction(struct kafka_bus *b, struct err *err) {
    enum bus_rc rc = b->sending ? BUS_OK : start_sending(b, err);
    if (rc != BUS_OK)
        return rc;
    struct pollfd p = {.fd = b->sent[0], .events = POLLIN};
    int ready = 0;
    while ((ready = poll(&p, 1, kafka_limit(COMMIT_SLICE_MS))) < 0)
        continue;
    rd_kafka_error_t *e = NULL;
    b->sending = ready == 0 || read(b->sent[0], &e, sizeof e) < 0;
    rd_kafka_poll(b->producer.rk, 0); /* brings the reason */
    if (b->sending)
        return kafka_client_error(&b->producer, RD_KAFKA_RESP_ERR__TIMED_OUT, "commit", err);
    return e ? commit_failed(b, e, err) : BUS_OK;
}

static enum bus_rc commit_transaction(struct kafka_bus *b, struct err *err) {
    b->committing = true;
    enum bus_rc rc = BUS_OK;
    /* Without an input there is no generation: the transactional.id fences. */
    if (b->consumer.rk && !b->offsets_sent)
        rc = offsets_in_transaction(b, err);
    if (rc != BUS_OK)
        return rc;
    b->offsets_sent = true;
    rd_kafka_error_t *e = rd_kafka_commit_transaction(b->producer.rk, kafka_limit(COMMIT_SLICE_MS));
    return e ? commit_failed(b, e, err) : BUS_OK;
}

/* Nothing was put: the offsets alone. To repeat this is harmless, but as long as an answer is due
 * it is waited for. */
static enum bus_rc commit_offsets(struct kafka_bus *b, struct err *err) {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!b->commit) {
        b->commit = rd_kafka_queue_new(b->consumer.rk);
        code = rd_kafka_commit_queue(b->consumer.rk, b->parts, b->commit, NULL, NULL);
    }
    rd_kafka_event_t *event =
        code ? NULL : rd_kafka_queue_poll(b->commit, kafka_limit(COMMIT_SLICE_MS));
    if (code || event)
        rd_kafka_queue_destroy(b->commit), b->commit = NULL;
    if (!code)
        code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_event_destroy(event);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return BUS_OK;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__STATE:
        err_set(err, "kafka %s: the group was rebalanced", b->conf->brokers);
        drop_turn(b);
        if (b->parts->cnt)
            b->why = code;
        return BUS_ABORTED;
    default:
        return kafka_client_error(&b->consumer, code, "commit its offsets", err);
    }
}

enum bus_rc kafka_read_commit(struct bus *bus, struct err *err) {
    struct kafka_bus *b = (struct kafka_bus *)bus;
    if (!b->transactional_id)
        return BUS_OK; /* a reader of its own has nothing to commit */
    enum bus_rc rc = BUS_OK;
    if (b->in_transaction)
        rc = commit_transaction(b, err);
    else if (b->turn)
        rc = commit_offsets(b, err);
    b->failed = rc != BUS_OK;
    if (rc != BUS_OK)
        return rc;
    for (int i = 0; i < b->parts->cnt; i++)
        if (b->parts->elems[i].offset >= 0)
            b->group_offsets[i] = b->parts->elems[i].offset;
    new_turn(b);
    return BUS_OK;
}
