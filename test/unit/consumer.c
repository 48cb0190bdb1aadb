/* consumer: what the loop makes of what the bus and the turns answer, and what it reports to the
 * service manager. The bus is a puppet that follows a script: this program has its own
 * engines_open_bus.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/app/consumer.h"

enum { STEPS_MAX = 32 };

/* One poll, and the turn that follows if the poll brings something. */
struct step {
    enum bus_rc poll;
    bool standby, at_end;
    size_t n; /* records */
    enum turn_result turn;
    /* What the test found. */
    int wait_ms;
    bool turned, was_fresh;
};

static struct {
    struct step steps[STEPS_MAX];
    size_t at;
    int n_open, opens_at; /* engines_open_bus answers BUS_RETRY before its opens_at-th call */
    int n_commit, n_put;
    enum bus_rc commit[4], put;
    struct buf topic; /* of the last put */
} puppet;

static const struct bus_record records[2] = {{.value = {"{}", 2}},
                                             {.offset = 1, .value = {"{}", 2}}};

static enum bus_rc puppet_poll(struct bus *bus, int wait_ms, struct bus_batch *batch,
                               struct err *err) {
    (void)bus;
    static struct bus_part part;
    assert_true(puppet.at < STEPS_MAX);
    struct step *step = &puppet.steps[puppet.at++];
    step->wait_ms = wait_ms;
    part.at_end = step->at_end;
    *batch = (struct bus_batch){.records = records,
                                .n = step->n,
                                .standby = step->standby,
                                .parts = &part,
                                .n_parts = step->standby ? 0 : 1};
    err_set(err, "the puppet does not read");
    return step->poll;
}

static enum bus_rc puppet_put(struct bus *bus, const char *topic, int32_t partition,
                              struct span key, struct span value, uint64_t tag, struct err *err) {
    (void)bus, (void)partition, (void)key, (void)value, (void)tag;
    buf_clear(&puppet.topic);
    buf_text(&puppet.topic, topic);
    puppet.n_put++;
    err_set(err, "the puppet does not put");
    return puppet.put;
}

static enum bus_rc puppet_commit(struct bus *bus, struct err *err) {
    (void)bus;
    err_set(err, "the puppet does not commit");
    return puppet.commit[puppet.n_commit++];
}

static void puppet_close(struct bus *bus) {
    (void)bus;
}

static const struct bus_engine engine = {.name = "puppet",
                                         .poll = puppet_poll,
                                         .put = puppet_put,
                                         .commit = puppet_commit,
                                         .close = puppet_close};
static struct bus handle = {.engine = &engine, .place = {.p = "bus puppet", .n = 10}, .wake = -1};

enum bus_rc engines_open_bus(const struct conf *conf, const struct bus_open *how, struct bus **out,
                             struct err *err) {
    (void)conf, (void)how;
    *out = &handle;
    err_set(err, "the puppet is\naway");
    return ++puppet.n_open < puppet.opens_at ? BUS_RETRY : BUS_OK;
}

static const struct opt bus_rows[] = {
    OPT(struct bus_conf, BYTES, max_record, "1MB", .help = "the largest record"),
};
const struct opt_section bus_section = OPT_SECTION("bus", "the bus", bus_rows, struct bus_conf);

/* --- the world of one test --- */

static struct consumer consumer;
static struct notify notify;
static struct err failure; /* as consumer_run has left it */
static struct conf *settings;
static const struct shutdown_conf shutdown_settings = {.no_follow = true};
static const struct log quiet_log = {.prefix = "distlog test", .level = LOG_ERROR};
static int manager = -1; /* the service manager's socket */

static enum turn_result on_turn(void *ctx, const struct turn *turn, struct err *err) {
    (void)ctx;
    struct step *step = &puppet.steps[puppet.at - 1];
    step->turned = true;
    step->was_fresh = turn->is_fresh;
    err_set(err, "the turn fails");
    return step->turn;
}

static int on_max_wait(void *ctx) {
    (void)ctx;
    return 77;
}

static void listen_as_manager(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    const int n = snprintf(name, sizeof name, "@distlog-consumer-test-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)n);
    address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(manager >= 0);
    const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
    assert_int_equal(bind(manager, (const struct sockaddr *)&address, length), 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

/* The next message to the service manager is this; NULL: there is none. */
static void assert_message(const char *expected) {
    char message[1024];
    const ssize_t n = recv(manager, message, sizeof message - 1, 0);
    if (!expected) {
        assert_true(n < 0);
        return;
    }
    assert_true(n >= 0);
    message[n] = '\0';
    assert_string_equal(message, expected);
}

static int begin(void **state) {
    (void)state;
    static const struct opt_section *const sections[] = {&bus_section, NULL};
    memset(&puppet, 0, sizeof puppet);
    settings = conf_new(sections);
    failure.text[0] = '\0';
    listen_as_manager();
    notify_open(&notify);
    const struct consumer_conf conf = {.settings = settings,
                                       .log = &quiet_log,
                                       .notify = &notify,
                                       .shutdown = &shutdown_settings,
                                       .open = {.group = "g", .input = "nodes"},
                                       .turn = on_turn,
                                       .max_wait_ms = on_max_wait};
    consumer_init(&consumer, &conf);
    return 0;
}

static int end(void **state) {
    (void)state;
    consumer_release(&consumer);
    notify_close(&notify);
    conf_free(settings);
    buf_release(&puppet.topic);
    close(manager);
    return 0;
}

/* Runs the script, whose last step must be the one that ends the loop. */
static bool run(const struct step *steps, size_t n) {
    memcpy(puppet.steps, steps, n * sizeof *steps);
    const bool is_done = consumer_run(&consumer, "nodes", &failure);
    assert_int_equal(puppet.at, n);
    assert_int_equal(consumer.state, CONSUMER_LEAVING);
    return is_done;
}
#define RUN(...)                            \
    run((const struct step[]){__VA_ARGS__}, \
        sizeof(const struct step[]){__VA_ARGS__} / sizeof(struct step))

/* --- the tests --- */

static void reads_until_the_end(void **state) {
    (void)state;
    assert_true(RUN({.n = 2}, {.n = 0}, {.n = 1, .at_end = true}));
    assert_true(puppet.steps[0].turned && puppet.steps[0].was_fresh);
    assert_false(puppet.steps[1].turned);
    assert_true(puppet.steps[2].turned && !puppet.steps[2].was_fresh);
    assert_int_equal(puppet.steps[1].wait_ms, 77);
    assert_message("READY=1\nSTATUS=nodes");
    assert_message(NULL);
}

static void turns_when_idle(void **state) {
    (void)state;
    consumer.conf.turns_when_idle = true;
    assert_true(RUN({.standby = true}, {.n = 0}, {.at_end = true}));
    assert_false(puppet.steps[0].turned);
    assert_true(puppet.steps[1].turned && puppet.steps[2].turned);
}

static void rereads_at_once(void **state) {
    (void)state;
    assert_true(RUN({.n = 1, .turn = TURN_REREAD, .at_end = true}, {.n = 1, .at_end = true}));
    assert_int_equal(puppet.steps[1].wait_ms, 0);
    assert_true(puppet.steps[0].was_fresh);
    assert_false(puppet.steps[1].was_fresh);
}

static void an_aborted_turn_is_no_outage_yet(void **state) {
    (void)state;
    assert_true(
        RUN({.n = 1}, {.n = 1, .turn = TURN_ABORTED, .at_end = true}, {.n = 1, .at_end = true}));
    assert_true(puppet.steps[2].was_fresh);
    assert_int_equal(puppet.n_open, 1);
    assert_message("READY=1\nSTATUS=nodes");
    assert_message(NULL);
}

static void two_aborted_turns_are_one(void **state) {
    (void)state;
    assert_true(RUN({.n = 1, .turn = TURN_ABORTED}, {.n = 1, .turn = TURN_ABORTED},
                    {.n = 1, .at_end = true}));
    assert_message("READY=1\nSTATUS=nodes");
    assert_message("READY=1\nSTATUS=waiting: the turn fails");
    assert_message("STATUS=nodes");
    assert_message(NULL);
}

static void only_a_turn_shows_that_turns_work_again(void **state) {
    (void)state;
    consumer.conf.turns_when_idle = true;
    assert_true(RUN({.n = 1, .turn = TURN_RETRY}, {.n = 0}, {.n = 0}, {.n = 1, .turn = TURN_RETRY},
                    {.n = 1, .at_end = true}));
    assert_message("READY=1\nSTATUS=nodes");
    assert_message("READY=1\nSTATUS=waiting: the turn fails");
    assert_message("STATUS=nodes");
    assert_message(NULL);
}

/* A turn that fails, polls without a partition, and the last turn. */
static void run_without_partitions(size_t polls) {
    struct step steps[STEPS_MAX] = {{.n = 1, .turn = TURN_RETRY}};
    for (size_t i = 1; i <= polls; i++)
        steps[i].standby = true; /* of all that the puppet does, this is without a partition */
    steps[polls + 1] = (struct step){.n = 1, .at_end = true};
    assert_true(run(steps, polls + 2));
    assert_message("READY=1\nSTATUS=nodes");
    assert_message("READY=1\nSTATUS=waiting: the turn fails");
}

static void who_has_no_partition_any_more_has_no_turn_to_show_it(void **state) {
    (void)state;
    run_without_partitions(20);
    assert_message("STATUS=standing by: another reader of the group is active");
    assert_message("READY=1\nSTATUS=nodes");
    assert_message(NULL);
}

static void a_rebalance_is_over_sooner(void **state) {
    (void)state;
    run_without_partitions(19);
    assert_message("STATUS=nodes");
    assert_message(NULL);
}

static void a_poll_shows_that_polls_work_again(void **state) {
    (void)state;
    assert_true(RUN({.n = 1}, {.poll = BUS_RETRY}, {.n = 0}, {.at_end = true}));
    assert_message("READY=1\nSTATUS=nodes");
    assert_message("READY=1\nSTATUS=waiting: the puppet does not read");
    assert_message("STATUS=nodes");
    assert_message(NULL);
}

static void an_aborted_poll_makes_fresh(void **state) {
    (void)state;
    assert_true(RUN({.n = 1}, {.poll = BUS_ABORTED}, {.n = 1, .at_end = true}));
    assert_true(puppet.steps[2].was_fresh);
}

static void opens_again(void **state) {
    (void)state;
    assert_true(RUN({.n = 1}, {.poll = BUS_FATAL}, {.n = 1, .turn = TURN_REOPEN},
                    {.n = 1, .at_end = true}));
    assert_int_equal(puppet.n_open, 3);
    assert_true(puppet.steps[2].was_fresh && puppet.steps[3].was_fresh);
}

static void what_never_worked_is_not_opened_again(void **state) {
    (void)state;
    assert_false(RUN({.poll = BUS_FATAL}));
    assert_string_equal(failure.text, "giving up: the puppet does not read");
    assert_int_equal(puppet.n_open, 1);
}

static void a_turn_stops_it(void **state) {
    (void)state;
    assert_false(RUN({.n = 1, .turn = TURN_STOP, .at_end = true}));
    assert_string_equal(failure.text, "the turn fails");
}

static void stands_by(void **state) {
    (void)state;
    assert_true(RUN({.n = 1}, {.standby = true}, {.standby = true}, {.n = 1, .at_end = true}));
    assert_int_equal(puppet.steps[1].wait_ms, 77);
    assert_int_equal(puppet.steps[2].wait_ms, 1000);
    assert_true(puppet.steps[3].was_fresh);
    assert_message("READY=1\nSTATUS=nodes");
    assert_message("READY=1\nSTATUS=standing by: another reader of the group is active");
    assert_message("READY=1\nSTATUS=nodes");
    assert_message(NULL);
}

static void has_started_while_it_waits_for_the_bus(void **state) {
    (void)state;
    puppet.opens_at = 3;
    assert_true(RUN({.at_end = true}));
    assert_int_equal(puppet.n_open, 3);
    assert_message("READY=1\nSTATUS=waiting: the puppet is\\naway");
    assert_message("STATUS=nodes");
    assert_message(NULL);
}

static void commits_with_patience(void **state) {
    (void)state;
    struct err err;
    puppet.commit[0] = BUS_RETRY;
    puppet.commit[1] = BUS_ABORTED;
    assert_int_equal(consumer_commit(&consumer, &handle, &err), BUS_ABORTED);
    assert_int_equal(puppet.n_commit, 2);
    assert_message("READY=1\nSTATUS=waiting: the puppet does not commit");
    assert_message(NULL);
}

static enum bus_rc dead_letter(enum bus_rc put) {
    struct err err;
    puppet.put = put;
    return consumer_dead_letter(&consumer, &handle, "nodes", &records[0], "no reason", &err);
}

static void a_dead_letter_without_room_is_passed_over(void **state) {
    (void)state;
    assert_int_equal(dead_letter(BUS_OK), BUS_OK);
    assert_int_equal(dead_letter(BUS_POISON), BUS_OK);
    assert_int_equal(dead_letter(BUS_ABORTED), BUS_ABORTED);
    assert_int_equal(dead_letter(BUS_FATAL), BUS_FATAL);
    assert_int_equal(puppet.n_put, 4);
    assert_string_equal(puppet.topic.p, "nodes.dlq");
}

static void reports_its_totals(void **state) {
    (void)state;
    const struct total totals[] = {{"read", 12}, {"dead_letters", 3}, {NULL, 0}};
    consumer_report_end(&consumer, totals);
    assert_message("STOPPING=1\nX_DISTLOG_TOTALS=read=12 dead_letters=3");
    consumer_report_end(&consumer, NULL);
    assert_message("STOPPING=1");
    assert_message(NULL);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(reads_until_the_end),
        CASE(turns_when_idle),
        CASE(rereads_at_once),
        CASE(an_aborted_turn_is_no_outage_yet),
        CASE(two_aborted_turns_are_one),
        CASE(only_a_turn_shows_that_turns_work_again),
        CASE(who_has_no_partition_any_more_has_no_turn_to_show_it),
        CASE(a_rebalance_is_over_sooner),
        CASE(a_poll_shows_that_polls_work_again),
        CASE(an_aborted_poll_makes_fresh),
        CASE(opens_again),
        CASE(what_never_worked_is_not_opened_again),
        CASE(a_turn_stops_it),
        CASE(stands_by),
        CASE(has_started_while_it_waits_for_the_bus),
        CASE(commits_with_patience),
        CASE(a_dead_letter_without_room_is_passed_over),
        CASE(reports_its_totals),
    };
    return cmocka_run_group_tests_name("consumer", tests, NULL, NULL);
}
