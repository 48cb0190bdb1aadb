/* test/contract/bus_sqlite_time: retention of the embedded bus when the machine was suspended or
 * powered off, or a clock is wrong. The clocks are simulated: clock_gettime() below overrides
 * libc's. Owns its folder. SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY ((int64_t)24 * HOUR)

/* Milliseconds by which the simulated clocks are ahead: ran_ms all of them, as if that much time
 * had passed; slept_ms the wall and boot clock, as after suspension; wall_ms the wall clock alone.
 */
static int64_t ran_ms, slept_ms, wall_ms;

int clock_gettime(clockid_t id, struct timespec *t) {
    int64_t ahead = ran_ms;
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME)
        ahead += slept_ms;
    if (id == CLOCK_REALTIME)
        ahead += wall_ms;
    int64_t ns = t->tv_nsec + ahead % 1000 * 1000000;
    t->tv_sec += (time_t)(ahead / 1000 + ns / 1000000000);
    t->tv_nsec = (long)(ns % 1000000000);
    return rc;
}

static int local_world(void **state) {
    int rc = world_make(state);
    ran_ms = 0;
    slept_ms = 0;
    wall_ms = 0;
    world_set(*state, "bus.type", "local");
    world_set(*state, "bus.local.max_age", "1h");
    return rc;
}

/* Changes the file as no process of distlog would. Returns the result, if it is a number. */
static int64_t change(const struct world *w, const char *sql) {
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int64_t number = 0;
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW)
        number = sqlite3_column_int64(s, 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    sqlite3_close(db);
    return number;
}

static int64_t records_left(const struct world *w) {
    return change(w, "SELECT count(*) FROM t1");
}

static void poll_once(struct bus *bus) {
    struct bus_batch batch = {0};
    struct err err = {0};
    if (bus->engine->poll(bus, 0, &batch, &err) != BUS_OK)
        fail_msg("poll: %s", err.text);
}

/* Simulates that a process with the bus open runs for ms, polling every 10 s. */
static void run(struct bus *bus, int64_t ms) {
    for (int64_t end = ran_ms + ms; ran_ms < end; ran_ms += 10 * SECOND)
        poll_once(bus);
    poll_once(bus);
}

/* Simulates that only collect runs for ms. */
static void run_collect(struct world *w, int64_t ms) {
    struct told told = {0};
    struct bus *bus = open_writer(w, &told);
    run(bus, ms);
    close_bus(bus);
}

/* The next process to open the file does so in another boot, whose wall clock has stepped. */
static void reboot(const struct world *w, int64_t wall_step_ms) {
    change(w, "UPDATE meta SET boot_id = 'another'");
    change(w, "UPDATE owner SET boot_id = 'another'");
    wall_ms += wall_step_ms;
}

/* Opens a group, commits its next n records, and closes it. */
static void commit_first(struct world *w, size_t n) {
    struct seen seen = {0};
    struct bus_open how = {.group = w->group, .input = w->in, .max_records = n};
    struct bus *bus = open_bus(w, &how);
    read_n(bus, &seen, n);
    assert_int_equal(commit(bus), BUS_OK);
    close_bus(bus);
    seen_release(&seen);
}

/* Checks that the group reads the records from first to end - 1, with none lost. */
static void assert_readable(struct world *w, size_t first, size_t end) {
    struct seen seen = {0};
    char value[16];
    struct bus *bus = open_reader(w, w->group);
    read_n(bus, &seen, end - first);
    assert_int_equal(seen.lost, 0);
    snprintf(value, sizeof value, "v%zu", first);
    assert_string_equal(value_of(&seen, 0), value);
    snprintf(value, sizeof value, "v%zu", end - 1);
    assert_string_equal(value_of(&seen, end - first - 1), value);
    close_bus(bus);
    seen_release(&seen);
}

/* --- time in which nothing ran -----------------------------------------------------------------
 */

static void time_in_suspension_does_not_age_records(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct bus *collect = open_writer(w, &told);
    feed(w, w->in, "k", "v", 0, 4);
    run(collect, MINUTE);
    slept_ms += 2 * HOUR;
    run(collect, 10 * MINUTE);
    assert_int_equal(records_left(w), 4);
    close_bus(collect);
    assert_readable(w, 0, 4);
}

/* What the group has yet to read does not expire at twice max_age either. */
static void a_group_finds_its_records_after_suspension(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct bus *collect = open_writer(w, &told);
    feed(w, w->in, "k", "v", 0, 4);
    commit_first(w, 2);
    run(collect, MINUTE);
    slept_ms += 20 * DAY;
    run(collect, 10 * MINUTE);
    close_bus(collect);
    assert_readable(w, 2, 4);
}

/* collect starts first, after three weeks; no pass had run while the records were there. */
static void time_powered_off_does_not_age_records(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    reboot(w, 21 * DAY);
    run_collect(w, 10 * MINUTE);
    assert_int_equal(records_left(w), 4);
    assert_readable(w, 0, 4);
}

static void a_group_finds_its_records_after_power_off(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, MINUTE);
    commit_first(w, 2);
    reboot(w, 21 * DAY);
    run_collect(w, 10 * MINUTE);
    assert_readable(w, 2, 4);
}

/* However many there are, each shorter than max_age. */
static void many_pauses_do_not_age_records(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    for (int i = 0; i < 20; i++) {
        run_collect(w, MINUTE);
        reboot(w, 50 * MINUTE);
    }
    run_collect(w, MINUTE);
    assert_int_equal(records_left(w), 4);
    run_collect(w, 3 * HOUR);
    assert_int_equal(records_left(w), 0);
    assert_int_equal(change(w, "SELECT count(*) FROM gap"), 0);
}

/* With a short max_age, even a short pause is recorded as a gap. */
static void a_short_pause_does_not_count_towards_a_short_max_age(void **state) {
    struct world *w = *state;
    world_set(w, "bus.local.max_age", "20s");
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, 0);
    slept_ms += 40 * SECOND;
    run_collect(w, 0);
    assert_int_equal(records_left(w), 4);
    run_collect(w, 2 * MINUTE);
    assert_int_equal(records_left(w), 0);
}

/* The pass continues when the machine wakes up. */
static void a_pass_interrupted_by_suspension_deletes_no_more(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct bus *collect = open_writer(w, &told);
    feed(w, w->in, "k", "v", 0, 1);
    change(w, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
              " INSERT INTO t1 SELECT i, 0, 'k', 'old' FROM n");
    change(w, "UPDATE t1 SET ts = (SELECT last_ms FROM topic WHERE id = 1) - 3 * 3600000");
    change(w, "UPDATE topic SET next_offset = 60001");
    feed(w, w->in, "k", "v", 0, 4);
    ran_ms += MINUTE;
    poll_once(collect);
    assert_in_range(records_left(w), 5, 60004); /* begun, but not complete */
    slept_ms += 3 * HOUR;
    int64_t before, left = records_left(w);
    do {
        before = left;
        poll_once(collect);
        left = records_left(w);
    } while (left < before);
    assert_int_equal(left, 4);
    close_bus(collect);
}

/* A file of distlog 0.1.0 records its last pass, but has no table of gaps. */
static void a_file_of_an_older_release_is_safe(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct bus *other = open_writer(w, &told);
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, MINUTE);
    change(w, "DROP TABLE IF EXISTS gap");
    run_collect(w, MINUTE);
    run(other, MINUTE);
    close_bus(other);
    change(w, "DROP TABLE IF EXISTS gap");
    reboot(w, 21 * DAY);
    run_collect(w, 10 * MINUTE);
    assert_readable(w, 0, 4);
}

/* --- wrong clocks ------------------------------------------------------------------------------
 */

static void one_boot_with_a_fast_clock_does_not_age_records(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, MINUTE);
    reboot(w, 20 * DAY);
    run_collect(w, 10 * MINUTE);
    feed(w, w->in, "k", "v", 4, 1);
    assert_int_equal(records_left(w), 5);
    reboot(w, -20 * DAY);
    run_collect(w, 10 * MINUTE);
    assert_readable(w, 0, 5);
}

/* Two boots with a fast clock wrote no record, so the bus clock steps back with the next boot.
 * Passes and ages continue from there, and so does the absence of a group seen in the meantime. */
static void a_clock_that_steps_back_does_not_stop_retention(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, MINUTE);
    reboot(w, 20 * DAY);
    run_collect(w, 10 * MINUTE);
    reboot(w, 20 * DAY);
    run_collect(w, 10 * MINUTE);
    commit_first(w, 2);
    reboot(w, -40 * DAY);
    run_collect(w, 10 * MINUTE);
    assert_int_equal(change(w, "SELECT count(*) FROM t1 WHERE offset >= 2"), 2);
    run_collect(w, HOUR);
    assert_int_equal(records_left(w), 0);
}

/* After a long idle time the bus clock steps back to the last record. */
static void a_slow_clock_does_not_stop_retention(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, 5 * HOUR);
    reboot(w, -400 * DAY);
    feed(w, w->in, "k", "v", 4, 1);
    run_collect(w, 30 * MINUTE);
    reboot(w, 400 * DAY);
    run_collect(w, 10 * MINUTE);
    assert_int_equal(records_left(w), 1);
    run_collect(w, 25 * MINUTE);
    assert_int_equal(records_left(w), 0);
}

/* No sum of them may overflow. */
static void impossible_gaps_do_not_age_records(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, MINUTE);
    change(w, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
              " INSERT INTO gap SELECT (1 << 60) - 1 - i, -i FROM n");
    ran_ms += MINUTE;
    run_collect(w, MINUTE);
    assert_int_equal(records_left(w), 4);
}

/* --- time in which something ran ---------------------------------------------------------------
 */

static void running_time_before_and_after_a_pause_adds_up(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    run_collect(w, 40 * MINUTE);
    slept_ms += 10 * HOUR;
    run_collect(w, 10 * MINUTE);
    feed(w, w->in, "k", "v", 4, 1);
    assert_int_equal(records_left(w), 5);
    run_collect(w, 12 * MINUTE);
    assert_int_equal(records_left(w), 1);
    assert_int_equal(change(w, "SELECT max(offset) FROM t1"), 4);
}

/* A group that is present but makes no progress retains its records for twice max_age; after that
 * it counts them as lost. */
static void records_lost_by_a_slow_group_are_counted(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "v", 0, 5);
    commit_first(w, 2);
    struct bus *slow = open_reader(w, w->group);
    run(slow, 70 * MINUTE);
    assert_int_equal(records_left(w), 3);
    slept_ms += 10 * HOUR;
    run(slow, 40 * MINUTE);
    assert_int_equal(records_left(w), 3);
    run(slow, 15 * MINUTE);
    assert_int_equal(records_left(w), 0);
    close_bus(slow);
    feed(w, w->in, "k", "v", 5, 1);
    struct bus *reader = open_reader(w, w->group);
    read_n(reader, &seen, 1);
    assert_int_equal(seen.lost, 3);
    assert_string_equal(value_of(&seen, 0), "v5");
    close_bus(reader);
    seen_release(&seen);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, local_world, world_end)
    const struct CMUnitTest tests[] = {
        CASE(time_in_suspension_does_not_age_records),
        CASE(a_group_finds_its_records_after_suspension),
        CASE(time_powered_off_does_not_age_records),
        CASE(a_group_finds_its_records_after_power_off),
        CASE(many_pauses_do_not_age_records),
        CASE(a_short_pause_does_not_count_towards_a_short_max_age),
        CASE(a_pass_interrupted_by_suspension_deletes_no_more),
        CASE(a_file_of_an_older_release_is_safe),
        CASE(one_boot_with_a_fast_clock_does_not_age_records),
        CASE(a_clock_that_steps_back_does_not_stop_retention),
        CASE(a_slow_clock_does_not_stop_retention),
        CASE(impossible_gaps_do_not_age_records),
        CASE(running_time_before_and_after_a_pause_adds_up),
        CASE(records_lost_by_a_slow_group_are_counted),
    };
    return cmocka_run_group_tests_name("bus_sqlite_time", tests, NULL, NULL);
}
