/* test/contract/bus: the contract of port/bus.h, checked on any engine. DISTLOG_BUS_TYPE and the
 * other settings in the environment choose the engine. No case assumes that a topic has one
 * partition: order is checked per key. Owns its folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/adapter/os/clock.h"

static void records_come_in_order_with_keys_and_values(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "a", "a", 0, 3);
    feed(w, w->in, "b", "b", 0, 3);
    struct bus *bus = open_reader(w, w->group);
    read_n(bus, &seen, 6);
    int next[2] = {0, 0};
    for (size_t i = 0; i < seen.n; i++) {
        const struct bus_record *r = &seen.records[i];
        char want[16];
        int which = r->key.p[0] == 'b';
        snprintf(want, sizeof want, "%c%d", 'a' + which, next[which]++);
        assert_true(span_is(r->value, want));
        assert_true(r->ts_ms > 1600000000000);
    }
    assert_int_equal(next[0], 3);
    assert_int_equal(next[1], 3);
    close_bus(bus);
    seen_release(&seen);
}

static void null_empty_and_binary_values_survive(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct seen seen = {0};
    struct err err = {0};
    struct bus *bus = open_writer(w, &told);
    const struct span pairs[][2] = {{{NULL, 0}, SPAN_LIT("v")},
                                    {SPAN_LIT("k"), {NULL, 0}},
                                    {SPAN_LIT(""), SPAN_LIT("")},
                                    {SPAN_LIT("k"), SPAN_LIT("\0\xff\n")}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bus->engine->put(bus, w->in, 0, pairs[i][0], pairs[i][1], i, &err),
                         BUS_OK);
    assert_int_equal(bus->engine->flush(bus, 30000, &err), BUS_OK);
    close_bus(bus);
    bus = open_reader(w, "");
    read_n(bus, &seen, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(!seen.records[i].key.p, !pairs[i][0].p);
        assert_int_equal(!seen.records[i].value.p, !pairs[i][1].p);
        assert_true(span_eq(seen.records[i].key, pairs[i][0]));
        assert_true(span_eq(seen.records[i].value, pairs[i][1]));
    }
    close_bus(bus);
    seen_release(&seen);
}

static void a_record_at_the_limit_passes_and_a_larger_one_is_poison(void **state) {
    struct world *w = *state;
    struct told told = {0};
    struct seen seen = {0};
    struct err err = {0};
    enum { LIMIT = 1024 * 1024 };
    char *big = mem_calloc(LIMIT, 1);
    struct bus *bus = open_writer(w, &told);
    struct span key = SPAN_LIT("k");
    assert_int_equal(bus->engine->put(bus, w->in, -1, key, (struct span){big, LIMIT}, 1, &err),
                     BUS_POISON);
    assert_non_null(strstr(err.text, "bus.max_record"));
    assert_int_equal(bus->engine->put(bus, w->in, -1, key, (struct span){big, LIMIT - 1}, 2, &err),
                     BUS_OK);
    assert_int_equal(bus->engine->flush(bus, 30000, &err), BUS_OK);
    assert_int_equal(told.sum, 2); /* the poison was not accepted, so it is not reported */
    close_bus(bus);
    look(w, w->in, &seen);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.records[0].value.n, LIMIT - 1);
    seen_release(&seen);
    free(big);
}

static void a_reader_without_a_group_starts_at_the_end(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "old", 0, 3);
    struct bus_open how = {.group = "", .input = w->in};
    struct bus *bus = open_bus(w, &how);
    read_all(bus, &seen);
    assert_int_equal(seen.n, 0);
    feed(w, w->in, "k", "new", 0, 1);
    read_n(bus, &seen, 1);
    assert_string_equal(value_of(&seen, 0), "new0");
    close_bus(bus);
    seen_release(&seen);
}

static void at_end_is_reported_only_when_nothing_is_left(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    struct bus_open how = {.group = w->group, .input = w->in, .max_records = 1};
    feed(w, w->in, "k", "v", 0, 5);
    struct bus *bus = open_bus(w, &how);
    while (!take(bus, &seen))
        assert_true(seen.n <= 5);
    assert_int_equal(seen.n, 5);
    feed(w, w->in, "k", "v", 5, 2);
    while (!take(bus, &seen))
        assert_true(seen.n <= 7);
    assert_int_equal(seen.n, 7);
    close_bus(bus);
    seen_release(&seen);
}

static void a_group_continues_where_it_committed(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "v", 0, 3);
    struct bus *bus = open_reader(w, w->group);
    assert_int_equal(lag_of(w, bus), 3);
    read_n(bus, &seen, 3);
    assert_int_equal(lag_of(w, bus), 3);
    assert_int_equal(commit(bus), BUS_OK);
    assert_int_equal(commit(bus), BUS_OK); /* nothing to do */
    assert_int_equal(lag_of(w, bus), 0);
    feed(w, w->in, "k", "v", 3, 2);
    read_n(bus, &seen, 5); /* read, and not committed */
    close_bus(bus);
    seen_release(&seen);
    bus = open_reader(w, w->group);
    assert_int_equal(lag_of(w, bus), 2);
    read_n(bus, &seen, 2);
    assert_string_equal(value_of(&seen, 0), "v3");
    close_bus(bus);
    seen_release(&seen);
}

static void groups_are_independent(void **state) {
    struct world *w = *state;
    struct seen a = {0}, b = {0}, none = {0};
    char other[64];
    snprintf(other, sizeof other, "%s-b", w->group);
    feed(w, w->in, "k", "v", 0, 2);
    struct bus *first = open_reader(w, w->group), *second = open_reader(w, other);
    read_n(first, &a, 2);
    assert_int_equal(commit(first), BUS_OK);
    read_n(second, &b, 2);
    assert_int_equal(commit(second), BUS_OK);
    read_all(first, &none);
    assert_int_equal(none.n, 0);
    close_bus(first);
    close_bus(second);
    seen_release(&a);
    seen_release(&b);
    seen_release(&none);
}

static bool remember(void *ctx, int32_t partition, struct span key, struct span value) {
    struct buf *text = ctx;
    (void)partition;
    buf_printf(text, "%.*s=%.*s ", SPAN_ARG(key), SPAN_ARG(value));
    return true;
}

static void assert_state(struct world *w, struct bus *bus, const char *want) {
    struct buf text = {0};
    struct err err = {0};
    assert_int_equal(bus->engine->restore(bus, w->state, -1, remember, &text, &err), BUS_OK);
    assert_string_equal(text.p ? text.p : "", want);
    buf_release(&text);
}

static void outputs_state_and_offsets_commit_as_one(void **state) {
    struct world *w = *state;
    struct seen in = {0}, out = {0};
    feed(w, w->in, "k", "v", 0, 2);
    struct bus *bus = open_reader(w, w->group);
    read_n(bus, &in, 2);
    put(bus, w->out, "k", "made", 0);
    put(bus, w->state, "node", "UP", 0);
    struct bus *reader = open_looker(w, w->out);
    take(reader, &out);         /* one poll, because an open transaction may delay the end */
    assert_int_equal(out.n, 0); /* not before the commit */
    close_bus(reader);
    assert_state(w, bus, "");
    assert_int_equal(commit(bus), BUS_OK);
    look(w, w->out, &out);
    assert_int_equal(out.n, 1);
    assert_string_equal(value_of(&out, 0), "made");
    assert_state(w, bus, "node=UP ");
    assert_int_equal(lag_of(w, bus), 0);
    close_bus(bus);
    seen_release(&in);
    seen_release(&out);
}

static void undo_drops_puts_and_rereads_records(void **state) {
    struct world *w = *state;
    struct seen seen = {0}, out = {0};
    feed(w, w->in, "k", "v", 0, 2);
    struct bus *bus = open_reader(w, w->group);
    read_n(bus, &seen, 2);
    put(bus, w->out, "k", "undone", 0);
    put(bus, w->state, "node", "UP", 0);
    undo(bus);
    read_n(bus, &seen, 4);
    assert_string_equal(value_of(&seen, 2), "v0");
    put(bus, w->out, "k", "done", 0);
    assert_int_equal(commit(bus), BUS_OK);
    look(w, w->out, &out);
    assert_int_equal(out.n, 1);
    assert_string_equal(value_of(&out, 0), "done");
    assert_state(w, bus, "");
    close_bus(bus);
    seen_release(&seen);
    seen_release(&out);
}

static void restore_returns_the_newest_value_of_each_key(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    struct err err = {0};
    feed(w, w->in, "k", "v", 0, 2);
    struct bus *bus = open_reader(w, w->group);
    assert_state(w, bus, ""); /* not visible yet */
    read_n(bus, &seen, 2);
    put(bus, w->state, "a", "old", 0);
    put(bus, w->state, "b", "gone", 0);
    assert_int_equal(commit(bus), BUS_OK);
    put(bus, w->state, "a", "new", 0);
    assert_int_equal(bus->engine->put(bus, w->state, -1, SPAN_LIT("b"), (struct span){0}, 0, &err),
                     BUS_OK);
    assert_int_equal(commit(bus), BUS_OK);
    close_bus(bus);
    bus = open_writer(w, NULL); /* a writer can restore, too */
    assert_state(w, bus, "a=new ");
    close_bus(bus);
    seen_release(&seen);
}

struct replayed {
    int n, stop_at;
    int64_t first_ts, last_ts;
};

static bool count(void *ctx, const struct bus_record *r) {
    struct replayed *all = ctx;
    all->first_ts = all->n ? all->first_ts : r->ts_ms;
    all->last_ts = r->ts_ms;
    return ++all->n != all->stop_at;
}

static int replay(struct world *w, struct bus *bus, int64_t from_ms, int64_t to, int stop_at) {
    struct replayed all = {.stop_at = stop_at};
    struct err err = {0};
    assert_int_equal(bus->engine->replay(bus, w->in, -1, from_ms, to, count, &all, &err), BUS_OK);
    return all.n;
}

static void replay_starts_at_a_time_and_commits_nothing(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    feed(w, w->in, "k", "v", 0, 1500);
    int64_t between = 0;
    while (between == 0) { /* the next must have a later timestamp */
        look(w, w->in, &seen);
        int64_t last = seen.records[seen.n - 1].ts_ms;
        clock_sleep_ms(5);
        feed(w, w->in, "k", "w", 0, 1);
        between = last + 1;
    }
    struct bus *bus = open_reader(w, w->group);
    assert_int_equal(replay(w, bus, 0, -1, 0), 1501);
    assert_int_equal(replay(w, bus, between, -1, 0), 1);
    assert_int_equal(replay(w, bus, between + 3600 * 1000, -1, 0), 0);
    assert_int_equal(replay(w, bus, 0, -1, 7), 7);
    assert_int_equal(lag_of(w, bus), 1501);
    close_bus(bus);
    seen_release(&seen);
}

static void count_sign(void *ctx) {
    ++*(int *)ctx;
}

static bool ignore_state(void *ctx, int32_t partition, struct span key, struct span value) {
    (void)ctx, (void)partition, (void)key, (void)value;
    return true;
}

/* A large state or a long replay takes minutes, for which no watchdog should kill a reader. */
static void long_reads_give_signs_of_life(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    struct err err = {0};
    int signs = 0;
    feed(w, w->in, "k", "v", 0, 10);
    struct bus *bus = open_reader(w, w->group);
    bus->alive = count_sign;
    bus->alive_ctx = &signs;
    read_n(bus, &seen, 10);
    put(bus, w->state, "a", "1", 0);
    put(bus, w->state, "b", "2", 0);
    assert_int_equal(commit(bus), BUS_OK);
    signs = 0;
    assert_int_equal(bus->engine->restore(bus, w->state, -1, ignore_state, NULL, &err), BUS_OK);
    assert_true(signs >= 2);
    signs = 0;
    assert_int_equal(replay(w, bus, 0, -1, 0), 10);
    assert_true(signs >= 10);
    close_bus(bus);
    seen_release(&seen);
}

static void a_second_reader_takes_over_when_the_first_leaves(void **state) {
    struct world *w = *state;
    struct seen a = {0}, b = {0};
    feed(w, w->in, "k", "v", 0, 4);
    struct bus *first = open_reader(w, w->group);
    read_n(first, &a, 4);
    assert_int_equal(commit(first), BUS_OK);
    struct bus *second = open_reader(w, w->group);
    take(second, &b);
    assert_int_equal(b.n, 0); /* nothing is read twice */
    close_bus(first);
    read_all(second, &b);
    assert_int_equal(b.n, 0);
    feed(w, w->in, "k", "v", 4, 1);
    read_n(second, &b, 1);
    assert_string_equal(value_of(&b, 0), "v4");
    close_bus(second);
    seen_release(&a);
    seen_release(&b);
}

static void feed_one_later(struct world *w) {
    feed(w, w->in, "k", "late", 0, 1);
}

static void a_waiting_reader_is_woken(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    struct bus_batch batch = {0};
    struct err err = {0};
    struct bus *bus = open_reader(w, w->group);
    read_all(bus, &seen);
    pid_t child = in_child(w, "feed_one_later");
    /* The call may wait longer than the test, and must return early with the record. */
    assert_int_equal(bus->engine->poll(bus, 600000, &batch, &err), BUS_OK);
    assert_int_equal(batch.n, 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close_bus(bus);
    seen_release(&seen);
}

static void on_alarm(int number) {
    (void)number;
}

static void a_signal_ends_the_wait(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    struct bus_batch batch = {0};
    struct err err = {0};
    struct bus *bus = open_reader(w, w->group);
    read_all(bus, &seen);
    struct sigaction act = {.sa_handler = on_alarm}, before;
    sigaction(SIGALRM, &act, &before);
    ualarm(200000, 200000);
    assert_int_equal(bus->engine->poll(bus, 600000, &batch, &err), BUS_OK);
    ualarm(0, 0);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(batch.n, 0);
    close_bus(bus);
    seen_release(&seen);
}

enum { WRITERS = 6, EACH = 300 };

static void write_many(struct world *w) {
    struct told told = {0};
    struct err err = {0};
    struct bus *bus = open_writer(w, &told);
    char key[32], value[32];
    snprintf(key, sizeof key, "%d", (int)getpid());
    for (int i = 0; i < EACH; i++) {
        snprintf(value, sizeof value, "%d", i);
        put(bus, w->in, key, value, 1);
        if (i % 10 == 9 && bus->engine->poll(bus, 0, NULL, &err) != BUS_OK)
            _exit(1);
    }
    if (bus->engine->flush(bus, 30000, &err) != BUS_OK || told.ok != EACH)
        _exit(1);
    close_bus(bus);
}

static void many_writers_lose_and_duplicate_nothing(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    pid_t pids[WRITERS];
    int next[WRITERS] = {0};
    for (int i = 0; i < WRITERS; i++)
        pids[i] = in_child(w, "write_many");
    struct bus *bus = open_reader(w, w->group);
    read_n(bus, &seen, WRITERS * EACH);
    for (int i = 0; i < WRITERS; i++) {
        int status = 1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    for (size_t i = 0; i < seen.n; i++)
        for (int k = 0; k < WRITERS; k++)
            if (atol(seen.records[i].key.p) == pids[k])
                assert_int_equal(atol(value_of(&seen, i)), next[k]++);
    for (int k = 0; k < WRITERS; k++)
        assert_int_equal(next[k], EACH);
    read_all(bus, &seen);
    assert_int_equal(seen.n, WRITERS * EACH);
    close_bus(bus);
    seen_release(&seen);
}

/* Copies in to out forever, as pubsub does. */
static void copy_for_ever(struct world *w) {
    struct bus *bus = open_reader(w, w->group);
    for (;;) {
        struct seen seen = {0};
        take(bus, &seen);
        for (size_t i = 0; i < seen.n; i++)
            put(bus, w->out, seen.records[i].key.p, value_of(&seen, i), 0);
        if (commit(bus) != BUS_OK)
            _exit(1);
        seen_release(&seen);
    }
}

/* Opens a handle of a group without an input. *active: whether it is the active one. */
static struct bus *open_alone(struct world *w, bool *active) {
    struct bus_open how = {.group = w->group, .state = w->state};
    struct bus_batch batch = {0};
    struct err err = {0};
    struct bus *bus = open_bus(w, &how);
    if (bus->engine->poll(bus, 0, &batch, &err) != BUS_OK)
        fail_msg("poll: %s", err.text);
    *active = !batch.standby;
    return bus;
}

static bool read_number(void *ctx, int32_t partition, struct span key, struct span value) {
    (void)partition, (void)key;
    *(int *)ctx = atoi(value.p); /* the state's values end with a NUL */
    return true;
}

/* Writes numbers to out, continuing at the number that the state holds. */
static void count_for_ever(struct world *w) {
    bool active = false;
    struct bus *bus = NULL;
    struct err err = {0};
    int next = 0;
    while (!active) { /* the lease of a killed owner lasts some seconds */
        if (bus)
            close_bus(bus);
        bus = open_alone(w, &active);
    }
    if (bus->engine->restore(bus, w->state, -1, read_number, &next, &err) != BUS_OK)
        _exit(1);
    for (;;) {
        for (int end = next + 5; next < end; next++) {
            char number[16];
            snprintf(number, sizeof number, "%d", next);
            put(bus, w->out, "k", number, 0);
        }
        char saved[16] = "";
        snprintf(saved, sizeof saved, "%d", next);
        if (bus->engine->put(bus, w->state, -1, SPAN_LIT("next"),
                             (struct span){saved, sizeof saved}, 0, &err) != BUS_OK ||
            commit(bus) != BUS_OK)
            _exit(1);
    }
}

static void a_group_without_an_input_survives_a_kill(void **state) {
    struct world *w = *state;
    struct seen out = {0};
    struct bus *bus = open_looker(w, w->out);
    for (size_t round = 1; round <= 3; round++) {
        pid_t child = in_child(w, "count_for_ever");
        while (out.n < round * 100)
            take(bus, &out);
        kill_child(child);
        read_all(bus, &out);
    }
    assert_numbered(&out);
    close_bus(bus);
    seen_release(&out);
}

static void of_two_readers_without_an_input_only_one_commits(void **state) {
    struct world *w = *state;
    struct seen out = {0};
    struct err err = {0};
    bool active[2];
    struct bus *first = open_alone(w, &active[0]);
    assert_true(active[0]);
    put(first, w->out, "k", "one", 0);
    put(first, w->state, "one", "done", 0);
    assert_int_equal(commit(first), BUS_OK);
    struct bus *second = open_alone(w, &active[1]);
    if (active[1])
        assert_state(w, second, "one=done ");
    enum bus_rc rc = first->engine->put(first, w->out, -1, SPAN_LIT("k"), SPAN_LIT("two"), 0, &err);
    if (rc == BUS_OK)
        rc = first->engine->commit(first, &err);
    assert_int_equal(rc, active[1] ? BUS_FATAL : BUS_OK);
    close_bus(first);
    close_bus(second);
    second = open_alone(w, &active[1]);
    assert_true(active[1]);
    put(second, w->out, "k", "undone", 0);
    undo(second);
    put(second, w->out, "k", "three", 0);
    assert_int_equal(commit(second), BUS_OK);
    close_bus(second);
    look(w, w->out, &out);
    assert_int_equal(out.n, rc == BUS_OK ? 3 : 2);
    assert_string_equal(value_of(&out, out.n - 1), "three");
    seen_release(&out);
}

static void a_commit_without_records_moves_no_offset(void **state) {
    struct world *w = *state;
    struct seen seen = {0}, out = {0};
    struct bus *bus = open_reader(w, w->group);
    read_all(bus, &seen);
    put(bus, w->out, "k", "before any commit", 0);
    assert_int_equal(commit(bus), BUS_OK);
    feed(w, w->in, "k", "v", 0, 3);
    assert_int_equal(lag_of(w, bus), 3);
    read_n(bus, &seen, 3);
    undo(bus);
    put(bus, w->out, "k", "after undo", 0);
    assert_int_equal(commit(bus), BUS_OK);
    assert_int_equal(lag_of(w, bus), 3);
    read_n(bus, &seen, 6);
    assert_string_equal(value_of(&seen, 3), "v0");
    assert_int_equal(commit(bus), BUS_OK);
    put(bus, w->out, "k", "after commit", 0);
    assert_int_equal(commit(bus), BUS_OK);
    assert_int_equal(lag_of(w, bus), 0);
    close_bus(bus);
    look(w, w->out, &out);
    assert_int_equal(out.n, 3);
    bus = open_reader(w, w->group);
    read_all(bus, &seen);
    assert_int_equal(seen.n, 6);
    assert_int_equal(seen.lost, 0);
    close_bus(bus);
    seen_release(&seen);
    seen_release(&out);
}

/* As for an alert after a silence: the first reader polls, finds nothing, and then pauses for so
 * long that the second one takes over its partitions. */
static void a_replaced_reader_commits_nothing_even_without_records(void **state) {
    struct world *w = *state;
    struct seen a = {0}, b = {0}, out = {0};
    /* The shortest that brokers allow, which is also the lease of the embedded bus. */
    world_set(w, "bus.kafka.properties", "session.timeout.ms=6000,max.poll.interval.ms=6000");
    feed(w, w->in, "k", "v", 0, 2);
    struct bus *first = open_reader(w, w->group);
    read_n(first, &a, 2);
    put(first, w->state, "node", "UP", 0);
    assert_int_equal(commit(first), BUS_OK);
    read_all(first, &a);
    assert_int_equal(a.n, 2);
    struct bus *second = open_reader(w, w->group);
    read_all(second, &b);
    assert_int_equal(b.n, 0);
    put(second, w->out, "k", "second", 0);
    put(second, w->state, "node", "DOWN", 0);
    assert_int_equal(commit(second), BUS_OK);
    put(first, w->out, "k", "first", 0);
    put(first, w->state, "node", "SILENT", 0);
    enum bus_rc rc = commit(first);
    assert_true(rc == BUS_ABORTED || rc == BUS_FATAL);
    assert_state(w, second, "node=DOWN ");
    look(w, w->out, &out);
    assert_int_equal(out.n, 1);
    assert_string_equal(value_of(&out, 0), "second");
    close_bus(first);
    close_bus(second);
    seen_release(&a);
    seen_release(&b);
    seen_release(&out);
}

static void feed_on(struct world *w) {
    for (int i = 0; i < 40; i++)
        feed(w, w->in, "k", "", i * 10, 10);
}

static void a_killed_reader_loses_and_duplicates_nothing(void **state) {
    struct world *w = *state;
    struct seen out = {0};
    struct bus *bus = open_looker(w, w->out);
    pid_t feeder = in_child(w, "feed_on");
    for (size_t round = 1; round <= 2; round++) {
        pid_t copier = in_child(w, "copy_for_ever");
        while (out.n < round * 50) /* until the copy is well under way */
            take(bus, &out);
        kill_child(copier);
    }
    pid_t copier = in_child(w, "copy_for_ever");
    int status = 1;
    waitpid(feeder, &status, 0);
    assert_int_equal(status, 0);
    read_n(bus, &out, 400);
    kill_child(copier);
    read_all(bus, &out);
    assert_int_equal(out.n, 400);
    assert_numbered(&out);
    close_bus(bus);
    seen_release(&out);
}

enum { REPORT_FD = 100 }; /* not used by anything else */

static void report(void *ctx, uint64_t tag, enum bus_rc rc, const char *why) {
    (void)ctx, (void)why;
    if (rc != BUS_OK || write(REPORT_FD, &tag, sizeof tag) != sizeof tag)
        _exit(1);
}

static void write_and_report(struct world *w) {
    struct bus_open how = {.delivered = report};
    struct err err = {0};
    struct bus *bus = open_bus(w, &how);
    for (uint64_t i = 0;; i++) {
        char value[32];
        snprintf(value, sizeof value, "%d", (int)i);
        enum bus_rc rc;
        while ((rc = bus->engine->put(bus, w->in, -1, SPAN_LIT("k"), span_of(value), i, &err)) ==
               BUS_FULL)
            if (bus->engine->poll(bus, 10, NULL, &err) != BUS_OK)
                _exit(1);
        if (rc != BUS_OK)
            _exit(1);
        if (i % 3 == 0 && bus->engine->poll(bus, 0, NULL, &err) != BUS_OK)
            _exit(1);
    }
}

static void delivered_records_survive_a_kill(void **state) {
    struct world *w = *state;
    struct seen seen = {0};
    int fds[2];
    uint64_t tag = 0, newest = 0;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(dup2(fds[1], REPORT_FD), REPORT_FD);
    close(fds[1]);
    pid_t child = in_child(w, "write_and_report");
    close(REPORT_FD);
    while (newest < 200 && read(fds[0], &newest, sizeof newest) == sizeof newest)
        ;
    kill_child(child);
    while (read(fds[0], &tag, sizeof tag) == sizeof tag)
        newest = tag;
    close(fds[0]);
    assert_true(newest >= 200);
    look(w, w->in, &seen);
    assert_true(seen.n > newest);
    assert_numbered(&seen);
    seen_release(&seen);
}

/* The tasks of this program as a child of itself. */
static int child(char **argv) {
    static const struct {
        const char *name;
        void (*work)(struct world *w);
    } works[] = {{"feed_one_later", feed_one_later},
                 {"write_many", write_many},
                 {"copy_for_ever", copy_for_ever},
                 {"count_for_ever", count_for_ever},
                 {"feed_on", feed_on},
                 {"write_and_report", write_and_report}};
    struct world *w = world_of_child(argv);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(works[i].name, argv[1]) == 0)
            works[i].work(w);
    conf_free(w->conf);
    free(w);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return child(argv);
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)
    const struct CMUnitTest tests[] = {
        CASE(records_come_in_order_with_keys_and_values),
        CASE(null_empty_and_binary_values_survive),
        CASE(a_record_at_the_limit_passes_and_a_larger_one_is_poison),
        CASE(a_reader_without_a_group_starts_at_the_end),
        CASE(at_end_is_reported_only_when_nothing_is_left),
        CASE(a_group_continues_where_it_committed),
        CASE(groups_are_independent),
        CASE(outputs_state_and_offsets_commit_as_one),
        CASE(undo_drops_puts_and_rereads_records),
        CASE(restore_returns_the_newest_value_of_each_key),
        CASE(replay_starts_at_a_time_and_commits_nothing),
        CASE(long_reads_give_signs_of_life),
        CASE(a_second_reader_takes_over_when_the_first_leaves),
        CASE(a_waiting_reader_is_woken),
        CASE(a_signal_ends_the_wait),
        CASE(many_writers_lose_and_duplicate_nothing),
        CASE(a_killed_reader_loses_and_duplicates_nothing),
        CASE(a_group_without_an_input_survives_a_kill),
        CASE(of_two_readers_without_an_input_only_one_commits),
        CASE(a_commit_without_records_moves_no_offset),
        CASE(a_replaced_reader_commits_nothing_even_without_records),
        CASE(delivered_records_survive_a_kill),
    };
    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
