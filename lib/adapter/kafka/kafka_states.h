/* kafka_states: the two state machines of a Kafka reader, with the moves that are legal. Values
 * only: owns nothing, any thread. Callers: kafka_transaction.c changes the phase, kafka_consumer.c
 * the position; others compare.
 *
 * An illegal move is a bug. DEV=1, and so most of the tests, abort, which shows where it came from.
 * A release build should neither crash a daemon nor continue from a state that was not foreseen:
 * both functions refuse the move and return false, and their callers give the handle up. The bus
 * then answers BUS_FATAL, the daemon opens it again, and the brokers, which know what was
 * committed, resolve what was open.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/* What has become of the records that were read and put since the last commit. */
enum kafka_phase {
    KAFKA_IDLE,               /* nothing was read or put */
    KAFKA_READING,            /* records were handed out, nothing was put */
    KAFKA_WRITING,            /* a transaction is open; records may have been handed out too */
    KAFKA_COMMITTING,         /* the transaction's commit began, but has no offsets in it */
    KAFKA_SENDING_OFFSETS,    /* a thread has the handle, and sends the offsets */
    KAFKA_OFFSETS_SENT,       /* the transaction has the offsets: only its commit is left */
    KAFKA_COMMITTING_OFFSETS, /* offsets alone, without a transaction: the answer is due */
    KAFKA_INTERRUPTED, /* all of it was dropped in mid-turn, and the caller has yet to learn it */
    KAFKA_FAILED,      /* the outcome is unknown: only close() is left */
    KAFKA_PHASES
};
/* Moves from *phase to `to`; to stay is always legal. */
bool kafka_states_set_phase(enum kafka_phase *phase, enum kafka_phase to);

/* What the library fetches for a consumer. */
enum kafka_position {
    KAFKA_UNASSIGNED,   /* nothing: no partition is ours */
    KAFKA_UNPOSITIONED, /* nothing yet: where to start in our partitions is unknown */
    KAFKA_POSITIONED,   /* from the committed offsets on */
    KAFKA_LOST,         /* possibly from the wrong offsets: they must be read and sought again */
    KAFKA_POSITIONS
};
/* Moves from *position to `to`; to stay is always legal. */
bool kafka_states_set_position(enum kafka_position *position, enum kafka_position to);
