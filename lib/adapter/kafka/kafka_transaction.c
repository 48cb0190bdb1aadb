/* kafka_transaction: see kafka_transaction.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_transaction.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <threads.h>
#include <unistd.h>

#include "kafka_errors.h"

enum {
    OPEN_MS = 10000,
    ABORT_MS = 5000,
    CLOSE_MS = 3000,
    COMMIT_SLICE_MS = 3000, /* a step that takes longer is answered BUS_RETRY, and resumed */
    /* Shorter than the wait for the thread, so that a timely answer is still seen. */
    SEND_OFFSETS_MS = COMMIT_SLICE_MS - 500
};

/* --- the phase --- */

/* The only place that changes the phase. An illegal move leads to FAILED, by way of which the bus
 * answers BUS_FATAL: see kafka_states.h. */
static void kafka_transaction_enter(struct kafka_transaction *t, enum kafka_phase to) {
    if (kafka_states_set_phase(&t->phase, to))
        return;
    kafka_client_give_up(&t->producer->client,
                         "internal error: illegal transition of a transaction's phase");
    t->phase = KAFKA_FAILED;
}

bool kafka_transaction_is_open(const struct kafka_transaction *t) {
    switch (t->phase) {
    case KAFKA_WRITING:
    case KAFKA_COMMITTING:
    case KAFKA_SENDING_OFFSETS:
    case KAFKA_OFFSETS_SENT:
        return true;
    default:
        return false;
    }
}

void kafka_transaction_note_read(struct kafka_transaction *t) {
    if (t->phase != KAFKA_WRITING)
        kafka_transaction_enter(t, KAFKA_READING);
}

static enum bus_rc kafka_transaction_interrupted(struct err *err) {
    err_set(err, "the consumer group was rebalanced before the commit");
    return BUS_ABORTED;
}

/* --- opening and closing --- */

int kafka_transaction_init(struct kafka_transaction *t, struct kafka_producer *producer,
                           struct kafka_client *consumer) {
    *t = (struct kafka_transaction){.producer = producer, .consumer = consumer, .answer = {-1, -1}};
    return pipe2(t->answer, O_CLOEXEC);
}

enum bus_rc kafka_transaction_open(struct kafka_transaction *t, struct err *err) {
    struct kafka_client *producer = &t->producer->client;
    enum bus_rc rc = kafka_producer_open(t->producer, err);
    if (rc != BUS_OK)
        return rc;
    rd_kafka_error_t *e = rd_kafka_init_transactions(producer->rk, kafka_client_limit_ms(OPEN_MS));
    if (!e)
        return BUS_OK;
    rd_kafka_poll(producer->rk, 0); /* brings the reason */
    rc = kafka_errors_explain(producer, rd_kafka_error_code(e), "initialize transactions", err);
    rd_kafka_error_destroy(e);
    kafka_client_close(producer, true);
    return rc;
}

bool kafka_transaction_can_close(const struct kafka_transaction *t) {
    return !t->offsets && !t->answers;
}

void kafka_transaction_abandon(struct kafka_transaction *t) {
    struct kafka_client *producer = &t->producer->client;
    if (t->phase != KAFKA_WRITING || producer->fatal)
        return;
    rd_kafka_error_destroy(
        rd_kafka_abort_transaction(producer->rk, kafka_client_limit_ms(CLOSE_MS)));
    kafka_transaction_enter(t, KAFKA_IDLE);
}

void kafka_transaction_close(struct kafka_transaction *t) {
    close(t->answer[0]);
    close(t->answer[1]);
}

/* --- dropping --- */

/* Aborts what is open. False: the phase is FAILED, because the handle is lent to the thread. */
static bool kafka_transaction_abort(struct kafka_transaction *t) {
    struct kafka_client *producer = &t->producer->client;
    if (!kafka_transaction_is_open(t))
        return t->phase != KAFKA_FAILED;
    if (t->phase == KAFKA_SENDING_OFFSETS) {
        kafka_client_give_up(producer, "a commit was abandoned before its outcome was known");
        kafka_transaction_enter(t, KAFKA_FAILED);
        return false;
    }
    rd_kafka_error_t *e = rd_kafka_abort_transaction(producer->rk, kafka_client_limit_ms(ABORT_MS));
    if (e) { /* the brokers will end this transaction; the next one needs another handle */
        kafka_client_give_up(producer, rd_kafka_error_string(e));
        rd_kafka_error_destroy(e);
    }
    return true;
}

void kafka_transaction_undo(struct kafka_transaction *t) {
    if (t->phase == KAFKA_INTERRUPTED) /* dropped already, and poll() has yet to report it */
        return;
    if (kafka_transaction_abort(t))
        kafka_transaction_enter(t, KAFKA_IDLE);
}

void kafka_transaction_interrupt(struct kafka_transaction *t) {
    if (kafka_transaction_abort(t))
        kafka_transaction_enter(t, KAFKA_INTERRUPTED);
}

bool kafka_transaction_report_interruption(struct kafka_transaction *t, struct err *err) {
    if (t->phase != KAFKA_INTERRUPTED)
        return false;
    kafka_transaction_enter(t, KAFKA_IDLE);
    kafka_transaction_interrupted(err);
    return true;
}

/* --- putting --- */

enum bus_rc kafka_transaction_begin(struct kafka_transaction *t, struct err *err) {
    struct kafka_client *producer = &t->producer->client;
    if (t->phase == KAFKA_WRITING)
        return BUS_OK;
    if (t->phase == KAFKA_INTERRUPTED)
        return kafka_transaction_interrupted(err);
    if (t->phase == KAFKA_FAILED)
        return kafka_errors_given_up(producer, err);
    if (!producer->rk) {
        enum bus_rc rc = kafka_transaction_open(t, err);
        if (rc != BUS_OK)
            return rc;
    }
    rd_kafka_error_t *e = rd_kafka_begin_transaction(producer->rk);
    if (!e) {
        kafka_transaction_enter(t, KAFKA_WRITING);
        if (t->phase == KAFKA_FAILED)
            return kafka_errors_given_up(producer, err);
        return BUS_OK;
    }
    rd_kafka_poll(producer->rk, 0); /* brings the reason */
    kafka_errors_explain(producer, rd_kafka_error_code(e), "begin a transaction", err);
    const bool is_fatal = rd_kafka_error_is_fatal(e);
    rd_kafka_error_destroy(e);
    return is_fatal ? BUS_FATAL : BUS_ABORTED;
}

/* --- committing a transaction --- */

/* Where a step of a commit failed: the phase that follows, and what the caller may do. Takes e. */
static enum bus_rc kafka_transaction_commit_failed(struct kafka_transaction *t, rd_kafka_error_t *e,
                                                   struct err *err) {
    struct kafka_client *producer = &t->producer->client;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    const bool is_abortable = rd_kafka_error_txn_requires_abort(e);
    const bool is_retriable =
        rd_kafka_error_is_retriable(e) || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_error_destroy(e);
    rd_kafka_poll(producer->rk, 0); /* brings the reason */
    enum bus_rc rc = kafka_errors_explain(producer, code, "commit", err);
    if (is_abortable)
        kafka_transaction_undo(t);
    const bool is_unknown = !is_abortable && !is_retriable; /* whether it was committed */
    if (rc == BUS_FATAL || producer->fatal || is_unknown)
        rc = BUS_FATAL;
    else if (is_abortable)
        rc = BUS_ABORTED;
    if (rc == BUS_FATAL && !is_abortable) {
        if (!producer->fatal)
            kafka_client_give_up(producer, rd_kafka_err2str(code));
        kafka_transaction_enter(t, KAFKA_FAILED);
    }
    return rc;
}

/* The thread's function. The library does not observe its time limit here: when the broker goes
 * away in that very moment it waits until there is one again (librdkafka issue 5456, open as of
 * 2.15.0), hence a thread. The handles are lent to it, apart from the producer's poll, until it has
 * written its answer. */
static int kafka_transaction_send_offsets(void *transaction) {
    struct kafka_transaction *t = transaction;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); /* signals must interrupt the main thread, not this */
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(t->consumer->rk);
    rd_kafka_error_t *e = rd_kafka_send_offsets_to_transaction(t->producer->client.rk, t->offsets,
                                                               group, SEND_OFFSETS_MS);
    rd_kafka_consumer_group_metadata_destroy(group);
    return write(t->answer[1], &e, sizeof e) < 0;
}

static bool kafka_transaction_has_offset(const kafka_list *offsets) {
    for (int i = 0; i < offsets->cnt; i++)
        if (offsets->elems[i].offset >= 0)
            return true;
    return false;
}

/* A transaction that follows from no record, such as an alert after a silence, sends the group's
 * committed offsets as they are: the brokers check the group's generation only where offsets are
 * committed, and the library sends no request for an empty list. Without any offset nothing would
 * show whether another reader has the partitions by now. */
static enum bus_rc kafka_transaction_start_sending(struct kafka_transaction *t,
                                                   const kafka_list *offsets, struct err *err) {
    const char *brokers = t->producer->conf->brokers;
    if (!kafka_transaction_has_offset(offsets)) {
        kafka_transaction_undo(t);
        err_set(err, "kafka %s: cannot commit: this reader has no partition assigned", brokers);
        return BUS_ABORTED;
    }
    t->offsets = rd_kafka_topic_partition_list_copy(offsets);
    thrd_t thread;
    if (thrd_create(&thread, kafka_transaction_send_offsets, t) != thrd_success) {
        rd_kafka_topic_partition_list_destroy(t->offsets);
        t->offsets = NULL;
        err_set(
            err,
            "kafka %s: cannot commit: no thread could be created (check ulimit -u, or TasksMax)",
            brokers);
        return BUS_RETRY;
    }
    thrd_detach(thread);
    kafka_transaction_enter(t, KAFKA_SENDING_OFFSETS);
    return BUS_OK;
}

/* Waits for the thread's answer. BUS_RETRY: it is still due. */
static enum bus_rc kafka_transaction_await_sent(struct kafka_transaction *t, struct err *err) {
    struct kafka_client *producer = &t->producer->client;
    struct pollfd p = {.fd = t->answer[0], .events = POLLIN};
    int ready;
    do
        ready = poll(&p, 1, kafka_client_limit_ms(COMMIT_SLICE_MS));
    while (ready < 0);
    rd_kafka_error_t *e = NULL;
    const bool is_due = ready == 0 || read(t->answer[0], &e, sizeof e) < 0;
    rd_kafka_poll(producer->rk, 0); /* brings the reason */
    if (is_due)
        return kafka_errors_explain(producer, RD_KAFKA_RESP_ERR__TIMED_OUT, "commit", err);
    rd_kafka_topic_partition_list_destroy(t->offsets);
    t->offsets = NULL;
    if (!e) {
        kafka_transaction_enter(t, KAFKA_OFFSETS_SENT);
        return BUS_OK;
    }
    kafka_transaction_enter(t, KAFKA_COMMITTING); /* the handle is ours again */
    return kafka_transaction_commit_failed(t, e, err);
}

/* Takes up where the last call ended. */
static enum bus_rc kafka_transaction_commit_records(struct kafka_transaction *t,
                                                    const kafka_list *offsets, struct err *err) {
    enum bus_rc rc = BUS_OK;
    if (t->phase == KAFKA_WRITING)
        kafka_transaction_enter(t, KAFKA_COMMITTING);
    /* Without an input there is no generation: the transactional.id fences. */
    if (t->phase == KAFKA_COMMITTING && !t->consumer->rk)
        kafka_transaction_enter(t, KAFKA_OFFSETS_SENT);
    if (t->phase == KAFKA_COMMITTING)
        rc = kafka_transaction_start_sending(t, offsets, err);
    if (rc == BUS_OK && t->phase == KAFKA_SENDING_OFFSETS)
        rc = kafka_transaction_await_sent(t, err);
    if (rc != BUS_OK)
        return rc;
    rd_kafka_error_t *e =
        rd_kafka_commit_transaction(t->producer->client.rk, kafka_client_limit_ms(COMMIT_SLICE_MS));
    if (e)
        return kafka_transaction_commit_failed(t, e, err);
    kafka_transaction_enter(t, KAFKA_IDLE);
    return BUS_OK;
}

/* --- committing offsets alone --- */

static rd_kafka_resp_err_t kafka_transaction_request_commit(struct kafka_transaction *t,
                                                            const kafka_list *offsets) {
    if (t->answers) /* to a commit that was dropped since */
        rd_kafka_queue_destroy(t->answers);
    t->answers = rd_kafka_queue_new(t->consumer->rk);
    rd_kafka_resp_err_t code =
        rd_kafka_commit_queue(t->consumer->rk, offsets, t->answers, NULL, NULL);
    if (code) {
        rd_kafka_queue_destroy(t->answers);
        t->answers = NULL;
        return code;
    }
    kafka_transaction_enter(t, KAFKA_COMMITTING_OFFSETS);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Leaves the phase as it is while the answer is still due. */
static rd_kafka_resp_err_t kafka_transaction_await_commit(struct kafka_transaction *t) {
    rd_kafka_event_t *event =
        rd_kafka_queue_poll(t->answers, kafka_client_limit_ms(COMMIT_SLICE_MS));
    if (!event)
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(t->answers);
    t->answers = NULL;
    kafka_transaction_enter(t, code ? KAFKA_READING : KAFKA_IDLE);
    return code;
}

/* Nothing was put. Repeating such a commit does no harm, but while an answer is due it is only
 * waited for. */
static enum bus_rc kafka_transaction_commit_offsets(struct kafka_transaction *t,
                                                    const kafka_list *offsets, struct err *err) {
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (t->phase == KAFKA_READING)
        code = kafka_transaction_request_commit(t, offsets);
    if (!code)
        code = kafka_transaction_await_commit(t);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return BUS_OK;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__STATE:
        kafka_transaction_undo(t);
        err_set(err, "kafka %s: cannot commit: the consumer group was rebalanced",
                t->consumer->conf->brokers);
        return BUS_ABORTED;
    default:
        return kafka_errors_explain(t->consumer, code, "commit offsets", err);
    }
}

enum bus_rc kafka_transaction_commit(struct kafka_transaction *t, const kafka_list *offsets,
                                     struct err *err) {
    switch (t->phase) {
    case KAFKA_IDLE:
        return BUS_OK;
    case KAFKA_READING:
    case KAFKA_COMMITTING_OFFSETS:
        return kafka_transaction_commit_offsets(t, offsets, err);
    case KAFKA_INTERRUPTED:
        return kafka_transaction_interrupted(err);
    case KAFKA_FAILED:
        return kafka_errors_given_up(&t->producer->client, err);
    default:
        return kafka_transaction_commit_records(t, offsets, err);
    }
}
