/* kafka_states: rules that the phases and positions of a Kafka reader must obey whatever the tables
 * contain, and that illegal moves are rejected.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/adapter/kafka/kafka_states.h"

/* Whether the move is accepted. Runs in a child, because with DEV=1 an illegal move aborts. */
static bool passes(enum kafka_phase from, enum kafka_phase to) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        enum kafka_phase phase = from;
        signal(SIGABRT, SIG_DFL); /* cmocka has a handler */
        close(STDERR_FILENO);
        bool legal = kafka_states_set_phase(&phase, to);
        _exit(legal && phase == to ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void phases_in_turn_are_legal(const enum kafka_phase *phases, size_t n) {
    for (size_t i = 1; i < n; i++)
        assert_true(passes(phases[i - 1], phases[i]));
}
#define LEGAL(...)                                                             \
    phases_in_turn_are_legal((const enum kafka_phase[]){__VA_ARGS__},          \
                             sizeof((const enum kafka_phase[]){__VA_ARGS__}) / \
                                 sizeof(enum kafka_phase))

static void commits_of_every_kind_are_legal(void **state) {
    (void)state;
    LEGAL(KAFKA_IDLE, KAFKA_READING, KAFKA_READING, KAFKA_WRITING, KAFKA_COMMITTING,
          KAFKA_SENDING_OFFSETS, KAFKA_OFFSETS_SENT, KAFKA_IDLE);
    LEGAL(KAFKA_IDLE, KAFKA_READING, KAFKA_COMMITTING_OFFSETS, KAFKA_IDLE);
    LEGAL(KAFKA_COMMITTING_OFFSETS, KAFKA_READING); /* the commit was refused, and is retried */
    LEGAL(KAFKA_IDLE, KAFKA_WRITING, KAFKA_COMMITTING, KAFKA_OFFSETS_SENT, KAFKA_IDLE);
    LEGAL(KAFKA_SENDING_OFFSETS, KAFKA_COMMITTING, KAFKA_SENDING_OFFSETS); /* likewise */
}

static void a_rebalance_may_come_whenever_the_handle_is_ours(void **state) {
    (void)state;
    for (enum kafka_phase from = KAFKA_IDLE; from < KAFKA_PHASES; from++) {
        bool may = from != KAFKA_SENDING_OFFSETS && from != KAFKA_FAILED;
        assert_int_equal(passes(from, KAFKA_INTERRUPTED), may);
        assert_int_equal(passes(from, KAFKA_IDLE), may); /* the same holds for undo */
    }
}

/* Records read after a commit has begun are not part of it, and must not count as committed. */
static void nothing_is_read_or_put_during_a_commit(void **state) {
    (void)state;
    const enum kafka_phase during[] = {KAFKA_COMMITTING, KAFKA_SENDING_OFFSETS, KAFKA_OFFSETS_SENT};
    for (size_t i = 0; i < sizeof during / sizeof *during; i++) {
        assert_false(passes(during[i], KAFKA_READING));
        assert_false(passes(during[i], KAFKA_WRITING));
    }
    assert_false(passes(KAFKA_COMMITTING_OFFSETS, KAFKA_WRITING));
}

static void no_transaction_commits_before_its_offsets_are_sent(void **state) {
    (void)state;
    assert_false(passes(KAFKA_WRITING, KAFKA_OFFSETS_SENT));
    assert_false(passes(KAFKA_WRITING, KAFKA_COMMITTING_OFFSETS));
    assert_false(passes(KAFKA_READING, KAFKA_COMMITTING));
}

static void an_interruption_is_reported_and_a_failure_is_final(void **state) {
    (void)state;
    for (enum kafka_phase to = KAFKA_IDLE; to < KAFKA_PHASES; to++) {
        assert_int_equal(passes(KAFKA_INTERRUPTED, to),
                         to == KAFKA_INTERRUPTED || to == KAFKA_IDLE);
        assert_int_equal(passes(KAFKA_FAILED, to), to == KAFKA_FAILED);
    }
}

static void a_lost_position_is_sought_again(void **state) {
    (void)state;
    enum kafka_position position = KAFKA_UNASSIGNED;
    const enum kafka_position life[] = {KAFKA_UNPOSITIONED, KAFKA_POSITIONED, KAFKA_LOST,
                                        KAFKA_POSITIONED,   KAFKA_UNASSIGNED, KAFKA_UNPOSITIONED,
                                        KAFKA_UNASSIGNED,   KAFKA_UNASSIGNED};
    for (size_t i = 0; i < sizeof life / sizeof *life; i++) {
        assert_true(kafka_states_set_position(&position, life[i]));
        assert_int_equal(position, life[i]);
    }
#ifndef DISTLOG_DEV
    assert_false(
        kafka_states_set_position(&position, KAFKA_POSITIONED)); /* without an assignment */
    assert_int_equal(position, KAFKA_UNASSIGNED);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_of_every_kind_are_legal),
        cmocka_unit_test(a_rebalance_may_come_whenever_the_handle_is_ours),
        cmocka_unit_test(nothing_is_read_or_put_during_a_commit),
        cmocka_unit_test(no_transaction_commits_before_its_offsets_are_sent),
        cmocka_unit_test(an_interruption_is_reported_and_a_failure_is_final),
        cmocka_unit_test(a_lost_position_is_sought_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
