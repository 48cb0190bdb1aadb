/* kafka_states: see kafka_states.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_states.h"

#include <stdio.h>
#include <stdlib.h>

#define TO(state) (1u << (state))

/* undo(), and an abort by the brokers, lead to IDLE from wherever something is open. */
static const unsigned phases[KAFKA_PHASES] = {
    [KAFKA_IDLE] = TO(KAFKA_READING) | TO(KAFKA_WRITING) | TO(KAFKA_INTERRUPTED),
    [KAFKA_READING] =
        TO(KAFKA_IDLE) | TO(KAFKA_WRITING) | TO(KAFKA_COMMITTING_OFFSETS) | TO(KAFKA_INTERRUPTED),
    [KAFKA_WRITING] = TO(KAFKA_IDLE) | TO(KAFKA_COMMITTING) | TO(KAFKA_INTERRUPTED),
    /* A group without an input has no offsets to send. */
    [KAFKA_COMMITTING] = TO(KAFKA_IDLE) | TO(KAFKA_SENDING_OFFSETS) | TO(KAFKA_OFFSETS_SENT) |
                         TO(KAFKA_INTERRUPTED) | TO(KAFKA_FAILED),
    /* Neither undone nor interrupted before the thread has returned the handle. */
    [KAFKA_SENDING_OFFSETS] = TO(KAFKA_COMMITTING) | TO(KAFKA_OFFSETS_SENT) | TO(KAFKA_FAILED),
    [KAFKA_OFFSETS_SENT] = TO(KAFKA_IDLE) | TO(KAFKA_INTERRUPTED) | TO(KAFKA_FAILED),
    [KAFKA_COMMITTING_OFFSETS] = TO(KAFKA_IDLE) | TO(KAFKA_READING) | TO(KAFKA_INTERRUPTED),
    /* poll() reports it. */
    [KAFKA_INTERRUPTED] = TO(KAFKA_IDLE),
    [KAFKA_FAILED] = 0,
};

/* Another assignment goes by way of UNASSIGNED. */
static const unsigned positions[KAFKA_POSITIONS] = {
    [KAFKA_UNASSIGNED] = TO(KAFKA_UNPOSITIONED),
    [KAFKA_UNPOSITIONED] = TO(KAFKA_POSITIONED) | TO(KAFKA_UNASSIGNED),
    [KAFKA_POSITIONED] = TO(KAFKA_LOST) | TO(KAFKA_UNASSIGNED),
    [KAFKA_LOST] = TO(KAFKA_POSITIONED) | TO(KAFKA_UNASSIGNED),
};

static bool kafka_states_is_legal(const unsigned *moves, unsigned from, unsigned to,
                                  const char *machine) {
    if (from == to || (moves[from] & TO(to)))
        return true;
#ifdef DISTLOG_DEV
    fprintf(stderr, "kafka_states: illegal transition of the %s from %u to %u\n", machine, from,
            to);
    abort();
#else
    (void)machine;
    return false;
#endif
}

bool kafka_states_set_phase(enum kafka_phase *phase, enum kafka_phase to) {
    if (!kafka_states_is_legal(phases, *phase, to, "phase"))
        return false;
    *phase = to;
    return true;
}

bool kafka_states_set_position(enum kafka_position *position, enum kafka_position to) {
    if (!kafka_states_is_legal(positions, *position, to, "position"))
        return false;
    *position = to;
    return true;
}
