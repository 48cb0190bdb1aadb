/* kafka_transaction: what a reader has read and put since its last commit, as one unit that is
 * committed or dropped (KIP-98, KIP-447). Records that were put go in a transaction that carries
 * the group's offsets; without any, the offsets are committed alone. Owns the phase, the thread
 * that sends offsets and the answers of the brokers; the handles belong to others. One thread, but
 * for the one that sends offsets. Callers: bus_kafka.c, kafka_consumer.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kafka_producer.h"
#include "kafka_states.h"

struct kafka_transaction {
    struct kafka_producer *producer; /* borrowed; a reader's opens with the first put */
    struct kafka_client *consumer;   /* borrowed; not open for a group without an input */

    enum kafka_phase phase;
    kafka_list *offsets;       /* lent to the thread; NULL: none is running */
    int answer[2];             /* the pipe on which the thread returns its rd_kafka_error_t * */
    rd_kafka_queue_t *answers; /* of a commit of offsets alone; NULL: no answer is due */
};

/* 0, or -1 with errno: no pipe. Afterwards, in both cases, kafka_transaction_close() is due. */
int kafka_transaction_init(struct kafka_transaction *t, struct kafka_producer *producer,
                           struct kafka_client *consumer);
/* Opens the transactional producer, and ends what an earlier one of its id left open. BUS_FATAL, or
 * BUS_RETRY: the next call tries with another handle. Waits up to 10 s. */
enum bus_rc kafka_transaction_open(struct kafka_transaction *t, struct err *err);
/* False: the library has an answer due for which closing its handles would wait without a limit.
 * Leave them, and t, to the end of the process. */
bool kafka_transaction_can_close(const struct kafka_transaction *t);
/* Aborts a transaction whose commit has not begun; the handles are still open. Waits up to 3 s. */
void kafka_transaction_abandon(struct kafka_transaction *t);
/* Frees what it owns, once the handles are closed. */
void kafka_transaction_close(struct kafka_transaction *t);

/* Records were handed out. */
void kafka_transaction_note_read(struct kafka_transaction *t);
/* Makes sure that a transaction is open, before each put. BUS_ABORTED: none can be begun now;
 * BUS_FATAL. */
enum bus_rc kafka_transaction_begin(struct kafka_transaction *t, struct err *err);
/* Whether records were put that are neither committed nor aborted. */
bool kafka_transaction_is_open(const struct kafka_transaction *t);
/* Commits. offsets: where the group continues after what was read; without records, its committed
 * offsets. As port/bus.h says; BUS_ABORTED: all was dropped. Waits up to 6 s, then BUS_RETRY. */
enum bus_rc kafka_transaction_commit(struct kafka_transaction *t, const kafka_list *offsets,
                                     struct err *err);
/* Drops everything since the last commit. Waits up to 5 s; where that does not suffice, the
 * producer is given up, and the brokers end the transaction. */
void kafka_transaction_undo(struct kafka_transaction *t);
/* The same behind the caller's back: from now on everything but undo is answered BUS_ABORTED, until
 * kafka_transaction_report_interruption(), which returns whether there was such an interruption. */
void kafka_transaction_interrupt(struct kafka_transaction *t);
bool kafka_transaction_report_interruption(struct kafka_transaction *t, struct err *err);
