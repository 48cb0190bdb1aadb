/* test/contract/bus_sqlite: cases for the embedded bus only: its file, size, retention and leases.
 * Changes to the file simulate that time has passed. Owns its folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lib/adapter/os/clock.h"

#define DAYS "* 86400000"

static int local_world(void **state) {
    int rc = world_make(state);
    world_set(*state, "bus.type", "local");
    return rc;
}

/* Changes the file as no process of distlog would. Returns the result, if it is a number. */
static int64_t change(struct world *w, const char *sql) {
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

/* The first poll of a new handle runs retention, which is due a minute after the last pass. */
static void retain(struct world *w) {
    struct told told = {0};
    struct err err = {0};
    change(w, "UPDATE meta SET retained_ms = (SELECT max(last_ms) FROM topic) - 60000");
    struct bus *bus = open_writer(w, &told);
    assert_int_equal(bus->engine->poll(bus, 0, NULL, &err), BUS_OK);
    close_bus(bus);
}

/* Makes a group commit the first n records. */
static void commit_first(struct world *w, size_t n) {
    struct seen seen = {0};
    struct bus_open how = {.group = w->group, .input = w->in, .max_records = n};
    struct bus *bus = open_bus(w, &how);
    read_n(bus, &seen, n);
    assert_int_equal(commit(bus), BUS_OK);
    close_bus(bus);
    seen_release(&seen);
}

static void offsets_never_go_back(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "v", 0, 3);
    change(w, "DELETE FROM t1");
    feed(w, w->in, "k", "v", 3, 1);
    look(w, w->in, &seen);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.records[0].offset, 3);
    seen_release(&seen);
}

static void time_never_goes_back(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "v", 0, 1);
    /* Another boot, whose wall clock is a day behind the newest record. */
    change(w, "UPDATE meta SET boot_id = 'another'");
    change(w, "UPDATE topic SET last_ms = last_ms + 1 " DAYS);
    change(w, "UPDATE t1 SET ts = ts + 1 " DAYS);
    feed(w, w->in, "k", "v", 1, 1);
    look(w, w->in, &seen);
    assert_int_equal(seen.n, 2);
    assert_true(seen.records[1].ts_ms >= seen.records[0].ts_ms);
    seen_release(&seen);
}

/* An open write transaction has its timestamp, but its records cannot be read yet. Until it ends,
 * no reader may report that no older record will come. */
static void a_write_in_progress_is_not_the_end(void **state) {
    struct world *w = *state;
    struct bus_batch batch = {0};
    struct err err = {0};
    char name[PATH_MAX];
    struct bus *bus = open_reader(w, w->group);
    assert_int_equal(bus->engine->poll(bus, 0, &batch, &err), BUS_OK);
    assert_true(batch.n_parts == 1 && batch.parts[0].at_end);
    snprintf(name, sizeof name, "%s-lock", w->path);
    int fd = open(name, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(bus->engine->poll(bus, 0, &batch, &err), BUS_OK);
    assert_false(batch.parts[0].at_end);
    close(fd);
    assert_int_equal(bus->engine->poll(bus, 0, &batch, &err), BUS_OK);
    assert_true(batch.parts[0].at_end);
    close_bus(bus);
}

static void old_committed_records_are_deleted(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    commit_first(w, 2);
    retain(w);
    assert_int_equal(change(w, "SELECT count(*) FROM t1"), 4); /* nothing is old yet */
    change(w, "UPDATE t1 SET ts = ts - 8 " DAYS);
    retain(w);
    assert_int_equal(change(w, "SELECT count(*) FROM t1"), 2);
    assert_int_equal(change(w, "SELECT min(offset) FROM t1"), 2);
}

static void a_group_unseen_for_max_age_retains_nothing(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    commit_first(w, 2);
    change(w, "UPDATE t1 SET ts = ts - 8 " DAYS);
    change(w, "UPDATE grp SET seen_ms = seen_ms - 8 " DAYS);
    retain(w);
    assert_int_equal(change(w, "SELECT count(*) FROM t1"), 0);
}

/* However briefly the group reads. */
static void a_group_seen_within_max_age_retains_its_records(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 4);
    commit_first(w, 1);
    change(w, "UPDATE t1 SET ts = ts - 8 " DAYS);
    change(w, "UPDATE grp SET seen_ms = seen_ms - 8 " DAYS);
    commit_first(w, 1);
    retain(w);
    assert_int_equal(change(w, "SELECT min(offset) FROM t1"), 2);
}

/* Every process was stopped for a week; collect starts first, and the records are older. */
static void a_pause_of_every_process_does_not_count_as_absence(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct err err = {0};
    feed(w, w->in, "k", "v", 0, 4);
    commit_first(w, 2);
    change(w, "UPDATE t1 SET ts = ts - 16 " DAYS);
    change(w, "UPDATE grp SET seen_ms = seen_ms - 8 " DAYS);
    change(w, "UPDATE meta SET retained_ms = (SELECT max(last_ms) - 8 " DAYS " FROM topic)");
    struct bus *bus = open_writer(w, &told);
    assert_int_equal(bus->engine->poll(bus, 0, NULL, &err), BUS_OK);
    close_bus(bus);
    assert_int_equal(change(w, "SELECT min(offset) FROM t1"), 2);
}

static void records_lost_to_retention_are_counted(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "v", 0, 5);
    commit_first(w, 2);
    change(w, "UPDATE t1 SET ts = ts - 15 " DAYS);
    retain(w);
    assert_int_equal(change(w, "SELECT count(*) FROM t1"), 0);
    feed(w, w->in, "k", "v", 5, 1);
    struct bus *bus = open_reader(w, w->group);
    read_n(bus, &seen, 1);
    assert_int_equal(seen.lost, 3);
    assert_string_equal(value_of(&seen, 0), "v5");
    close_bus(bus);
    seen_release(&seen);
}

static struct span chunk(void) {
    static char bytes[16384];
    return (struct span){bytes, sizeof bytes};
}

/* Writes until put() says that the bus is full. */
static struct bus *fill(struct world *w, struct told *told, struct err *err) {
    struct bus *bus = open_writer(w, told);
    enum bus_rc rc;
    size_t n = 0;
    while ((rc = bus->engine->put(bus, w->in, -1, SPAN_LIT("k"), chunk(), 1, err)) == BUS_OK) {
        if (n++ % 50 == 0)
            assert_int_equal(bus->engine->flush(bus, 30000, err), BUS_OK);
        assert_true(n < 10000);
    }
    assert_int_equal(rc, BUS_FULL);
    return bus;
}

static void a_full_bus_refuses_and_drains(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct seen seen = {0};
    struct err err = {0}, other = {0};
    world_set(w, "bus.local.max_size", "16MB");
    struct bus *writer = fill(w, &told, &err);
    assert_non_null(strstr(err.text, "bus.local.max_size"));
    assert_int_equal(writer->engine->flush(writer, 30000, &other), BUS_OK);
    struct bus *reader = open_reader(w, w->group);
    read_all(reader, &seen);
    assert_int_equal(seen.n, told.ok);
    put(reader, w->out, "k", "the reserve is there", 0);
    assert_int_equal(commit(reader), BUS_OK);
    /* All records are committed, so they may be deleted early. */
    int64_t deadline = clock_mono_ms() + 30000;
    while (writer->engine->put(writer, w->in, -1, SPAN_LIT("k"), chunk(), 1, &err) == BUS_FULL) {
        assert_int_equal(writer->engine->poll(writer, 10, NULL, &err), BUS_OK);
        assert_true(clock_mono_ms() < deadline);
    }
    close_bus(writer);
    close_bus(reader);
    seen_release(&seen);
}

static void uncommitted_records_stay_in_a_full_bus(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct err err = {0};
    world_set(w, "bus.local.max_size", "16MB");
    feed(w, w->in, "k", "v", 0, 1);
    commit_first(w, 1);
    struct bus *writer = fill(w, &told, &err);
    assert_int_equal(writer->engine->flush(writer, 30000, &err), BUS_OK);
    assert_int_equal(writer->engine->poll(writer, 0, NULL, &err), BUS_OK);
    assert_int_equal(change(w, "SELECT count(*) FROM t1 WHERE offset > 0"), told.ok);
    close_bus(writer);
}

static void the_wal_stays_small(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct err err = {0};
    struct stat st;
    char wal[96];
    snprintf(wal, sizeof wal, "%s-wal", w->path);
    world_set(w, "bus.local.max_size", "64MB");
    close_bus(fill(w, &told, &err));
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size < 8 << 20);
}

static void the_file_shrinks(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct err err = {0};
    world_set(w, "bus.local.max_size", "16MB");
    close_bus(fill(w, &told, &err));
    int64_t before = change(w, "PRAGMA page_count");
    change(w, "UPDATE t1 SET ts = ts - 8 " DAYS);
    int64_t deadline = clock_mono_ms() + 30000;
    while (change(w, "PRAGMA page_count") > before / 4) {
        retain(w);
        assert_true(clock_mono_ms() < deadline);
    }
}

static void low_disk_space_refuses_writers_only(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct seen seen = {0};
    struct err err = {0};
    world_set(w, "bus.local.min_free", "1000000000GB");
    struct bus *bus = open_writer(w, &told);
    assert_int_equal(bus->engine->put(bus, w->in, -1, SPAN_LIT("k"), chunk(), 1, &err), BUS_FULL);
    assert_non_null(strstr(err.text, "bus.local.min_free"));
    close_bus(bus);
    bus = open_reader(w, w->group);
    read_all(bus, &seen);
    put(bus, w->out, "k", "v", 0);
    assert_int_equal(commit(bus), BUS_OK);
    close_bus(bus);
    seen_release(&seen);
}

static void a_paused_owner_is_fenced(void **state) {
    struct world *w = *state;
    struct seen a = {0}, b = {0}, out = {0};
    struct err err = {0};
    feed(w, w->in, "k", "v", 0, 2);
    struct bus *paused = open_reader(w, w->group);
    read_n(paused, &a, 2);
    put(paused, w->out, "k", "by the paused", 0);
    change(w, "UPDATE owner SET lease_until = 1"); /* it was paused until its lease expired */
    struct bus *next = open_reader(w, w->group);
    read_n(next, &b, 2);
    assert_int_equal(paused->engine->commit(paused, &err), BUS_FATAL);
    assert_non_null(strstr(err.text, "took over"));
    close_bus(paused);
    put(next, w->out, "k", "by the next", 0);
    assert_int_equal(commit(next), BUS_OK);
    close_bus(next);
    look(w, w->out, &out);
    assert_int_equal(out.n, 1);
    assert_string_equal(value_of(&out, 0), "by the next");
    seen_release(&a);
    seen_release(&b);
    seen_release(&out);
}

static void a_lease_of_another_boot_has_expired(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "v", 0, 1);
    struct bus *before = open_reader(w, w->group);
    read_n(before, &seen, 1);
    change(w, "UPDATE owner SET boot_id = 'another', lease_until = 1 << 60");
    struct bus *bus = open_reader(w, w->group);
    read_n(bus, &seen, 2);
    close_bus(before);
    close_bus(bus);
    seen_release(&seen);
}

static void a_failed_write_is_reported_and_rolled_back(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct seen seen = {0};
    struct err err = {0};
    feed(w, w->in, "k", "v", 0, 1);
    struct bus *bus = open_writer(w, &told);
    for (int i = 0; i < 100; i++)
        assert_int_equal(bus->engine->put(bus, w->in, -1, SPAN_LIT("k"), chunk(), 1, &err), BUS_OK);
    struct rlimit before, low = {.rlim_cur = 200000, .rlim_max = RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &before);
    low.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    enum bus_rc rc = bus->engine->poll(bus, 0, NULL, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_not_equal(rc, BUS_OK);
    assert_int_equal(told.ok, 0);
    assert_int_equal(told.failed, 100);
    assert_string_equal(told.why, err.text);
    close_bus(bus);
    look(w, w->in, &seen);
    assert_int_equal(seen.n, 1);
    feed(w, w->in, "k", "v", 1, 1);
    look(w, w->in, &seen);
    assert_int_equal(seen.n, 3);
    seen_release(&seen);
}

static void a_deleted_or_replaced_file_is_reported(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct bus_batch batch = {0};
    struct err err = {0};
    struct bus *reader = open_reader(w, ""), *writer = open_writer(w, &told);
    put(writer, w->in, "k", "v", 1);
    unlink(w->path);
    assert_int_equal(reader->engine->poll(reader, 0, &batch, &err), BUS_FATAL);
    assert_non_null(strstr(err.text, "deleted or replaced"));
    assert_int_equal(writer->engine->poll(writer, 0, NULL, &err), BUS_FATAL);
    assert_int_equal(told.failed, 1);
    close_bus(reader);
    close_bus(writer);
}

static void refuse(struct world *w, const char *path, const char *why) {
    struct bus_open how = {0};
    struct bus *bus = NULL;
    struct err err = {0};
    world_set(w, "bus.local.path", path);
    assert_int_equal(engines_open_bus(w->conf, &how, &bus, &err), BUS_FATAL);
    if (!strstr(err.text, why) || !strstr(err.text, path))
        fail_msg("%s", err.text);
}

static void foreign_files_are_refused_and_left_unchanged(void **state) {
    struct world *w = *state;
    static const char text[] = "dear diary";
    char back[64] = "", beside[96];
    int fd = open(w->path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    refuse(w, w->path, "not a distlog bus");
    assert_int_equal(pread(fd, back, sizeof back, 0), sizeof text);
    assert_string_equal(back, text);
    close(fd);
    snprintf(beside, sizeof beside, "%s-lock", w->path);
    assert_int_not_equal(access(beside, F_OK), 0);
    unlink(w->path);
    change(w, "CREATE TABLE theirs(x)");
    refuse(w, w->path, "not a distlog bus");
    assert_int_not_equal(access(beside, F_OK), 0);
    refuse(w, "/dev/null/bus.db", "");
    refuse(w, w->dir, "");
}

static void a_damaged_file_is_reported(void **state) {
    struct world *w = *state;
    feed(w, w->in, "k", "v", 0, 1);
    change(w, "PRAGMA wal_checkpoint(TRUNCATE)");
    int fd = open(w->path, O_RDWR);
    char bytes[4096];
    memset(bytes, 0x5a, sizeof bytes);
    assert_int_equal(pwrite(fd, bytes, 3000, 100), 3000);
    close(fd);
    refuse(w, w->path, "damaged");
}

/* No sum of them may overflow. */
static void impossible_numbers_are_reported_as_damage(void **state) {
    struct world *w = *state;
    static const char *const hostile[] = {
        "UPDATE t1 SET ts = (1 << 63) - 1", "UPDATE topic SET next_offset = (1 << 63) - 1",
        "UPDATE grp SET next = 1 << 63", "UPDATE owner SET epoch = (1 << 63) - 1",
        "UPDATE meta SET anchor_ms = (1 << 63) - 1"};
    static const char *const mend[] = {"UPDATE t1 SET ts = 0", "UPDATE topic SET next_offset = 2",
                                       "UPDATE grp SET next = 0", "UPDATE owner SET epoch = 1",
                                       "UPDATE meta SET anchor_ms = 1600000000000"};
    feed(w, w->in, "k", "v", 0, 2);
    commit_first(w, 1);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct bus_open how = {.group = w->group, .input = w->in};
        struct bus *bus = NULL;
        struct bus_batch batch = {0};
        struct err err = {0};
        change(w, hostile[i]);
        enum bus_rc rc = engines_open_bus(w->conf, &how, &bus, &err);
        if (rc == BUS_OK) {
            rc = bus->engine->poll(bus, 0, &batch, &err);
            bus->engine->close(bus);
        }
        assert_int_equal(rc, BUS_FATAL);
        if (!strstr(err.text, "damaged"))
            fail_msg("%s: %s", hostile[i], err.text);
        change(w, mend[i]);
    }
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, local_world, world_end)
    const struct CMUnitTest tests[] = {
        CASE(offsets_never_go_back),
        CASE(time_never_goes_back),
        CASE(a_write_in_progress_is_not_the_end),
        CASE(old_committed_records_are_deleted),
        CASE(a_group_unseen_for_max_age_retains_nothing),
        CASE(a_group_seen_within_max_age_retains_its_records),
        CASE(a_pause_of_every_process_does_not_count_as_absence),
        CASE(records_lost_to_retention_are_counted),
        CASE(a_full_bus_refuses_and_drains),
        CASE(uncommitted_records_stay_in_a_full_bus),
        CASE(the_wal_stays_small),
        CASE(the_file_shrinks),
        CASE(low_disk_space_refuses_writers_only),
        CASE(a_paused_owner_is_fenced),
        CASE(a_lease_of_another_boot_has_expired),
        CASE(a_failed_write_is_reported_and_rolled_back),
        CASE(a_deleted_or_replaced_file_is_reported),
        CASE(foreign_files_are_refused_and_left_unchanged),
        CASE(a_damaged_file_is_reported),
        CASE(impossible_numbers_are_reported_as_damage),
    };
    return cmocka_run_group_tests_name("bus_sqlite", tests, NULL, NULL);
}
