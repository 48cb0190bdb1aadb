/* registry_load: random schedules with restarts, the exact form of state records, malformed ones,
 * large numbers of nodes, and the list of nodes for users. SPDX-License-Identifier:
 * Apache-2.0 */
#include "registry_world.h"

#include "../../lib/base/rng.h"

/* Random schedules: whatever the batches, the confirmations and the restarts, the liveness events
 * are those of a reader that was never interrupted. */
enum { NODES = 6, MINUTES = 4 };

static int by_time(const void *a, const void *b) {
    const struct input *x = a, *y = b;
    return x->at.ts_ms < y->at.ts_ms ? -1 : x->at.ts_ms > y->at.ts_ms;
}

static size_t schedule(struct rng *rng, struct input *out, size_t cap) {
    static const char *const ops[] = {"beat", "beat", "beat", "beat", "log",
                                      "log",  "reg",  "bye",  "error"};
    size_t n = 0;
    for (int node = 0; node < NODES; node++)
        for (int64_t at = rng_range(rng, 0, 5000); at < MINUTES * 60000 && n < cap;) {
            struct input *in = &out[n++];
            *in = (struct input){.service = "pay", .at = {.partition = node % 2, .ts_ms = at}};
            snprintf(in->node, sizeof in->node, "n%d", node);
            snprintf(in->op, sizeof in->op, "%s", ops[rng_range(rng, 0, 8)]);
            at += rng_range(rng, 0, 9) ? rng_range(rng, 3000, 9000) : rng_range(rng, 9000, 40000);
        }
    qsort(out, n, sizeof *out, by_time);
    return n;
}

/* disturb NULL: records are read at once, and ends are confirmed twice a second. */
static void read_all(struct world *w, const struct input *in, size_t n, struct rng *disturb) {
    size_t at = 0;
    for (int64_t now = 0; now < MINUTES * 60000 + 90000;) {
        size_t there = at;
        while (there < n && in[there].at.ts_ms <= now)
            there++;
        size_t until = disturb && there < n
                           ? at + (size_t)rng_range(disturb, 0, (int64_t)(there - at))
                           : there;
        for (; at < until; at++)
            feed(w, &in[at]);
        if (at == there && (!disturb || there == n || rng_range(disturb, 0, 2)))
            for (int p = 0; p < 2; p++)
                registry_confirm(w->registry, p, now, 0);
        end_turn(w);
        if (disturb && rng_range(disturb, 0, 9) == 0)
            restart(w);
        now += !disturb || there == n     ? 500
               : rng_range(disturb, 0, 9) ? rng_range(disturb, 1, 1000)
                                          : rng_range(disturb, 1000, 60000);
    }
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, sorted. */
static void sort_lines(struct buf *text) {
    char *lines[8192];
    size_t n = 0;
    for (char *line = text->p, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        assert_true(n < 8192);
        *end = '\0';
        lines[n++] = line;
    }
    qsort(lines, n, sizeof *lines, by_text);
    struct buf sorted = {0};
    for (size_t i = 0; i < n; i++)
        buf_printf(&sorted, "%s\n", lines[i]);
    buf_release(text);
    *text = sorted;
}

static void restarts_and_batches_change_no_event(void **state) {
    (void)state;
    static const struct registry_conf confs[] = {
        {PLAIN},
        {PLAIN, .any_record_is_heartbeat = true},
        {PLAIN, .keep_on_error = true},
        {PLAIN, .forget = 20000},
        {PLAIN, .any_record_is_heartbeat = true, .keep_on_error = true}};
    static struct input in[1000];
    for (uint64_t i = 0; i < 300; i++) {
        struct rng rng;
        rng.state = i;
        size_t n = schedule(&rng, in, 1000);
        struct world calm, rough;
        world_init(&calm, &confs[i % 5]);
        world_init(&rough, &confs[i % 5]);
        read_all(&calm, in, n, NULL);
        read_all(&rough, in, n, &rng);
        sort_lines(&calm.out);
        sort_lines(&rough.out);
        assert_non_null(strstr(calm.out.p, "MISSED"));
        assert_string_equal(rough.out.p, calm.out.p);
        world_release(&calm);
        world_release(&rough);
    }
}

static void a_node_on_several_partitions_is_reported_once(void **state) {
    (void)state;
    struct world w;
    world_init(&w, &(struct registry_conf){PLAIN});
    step(&w, "0 reg a 0");
    step(&w, "1000 beat a 0");
    assert_int_equal(w.multi_partition, 0);
    step(&w, "2000 beat a 1");
    step(&w, "3000 beat a 1");
    step(&w, "4000 beat a 0");
    step(&w, "4000 restart");
    step(&w, "5000 beat a 1");
    assert_int_equal(w.multi_partition, 1);
    step(&w, "6000 beat a 2");
    assert_int_equal(w.multi_partition, 2);
    world_release(&w);
}

static void assert_state(const struct world *w, const char *key, const char *value) {
    const char *saved = map_get(&w->state, span_of(key));
    assert_non_null(saved);
    assert_string_equal(saved, value);
}

/* Registries of other versions read these records, so every byte counts. */
static void state_records_keep_their_form(void **state) {
    (void)state;
    struct world w;
    world_init(&w, &(struct registry_conf){PLAIN});
    step(&w, "1000 reg a 1");
    assert_state(&w, "1 node a",
                 "{\"service_name\":\"pay\",\"since\":1000,\"last\":1000,\"said\":0,\"also\":0}");
    assert_state(&w, "1 partition 1", "{\"offset\":1,\"time\":1000,\"from\":-7000}");
    step(&w, "2000 beat a 3");
    step(&w, "9001 log b 3");
    step(&w, "9001 log b 1");
    assert_state(&w, "1 node a",
                 "{\"service_name\":\"pay\",\"since\":1000,\"last\":2000,\"said\":0,\"also\":8}");
    step(&w, "10001 log b 3");
    step(&w, "10001 log b 1");
    assert_state(
        &w, "1 node a",
        "{\"service_name\":\"pay\",\"since\":1000,\"last\":2000,\"said\":9000,\"also\":8}");
    assert_state(&w, "3 partition 3", "{\"offset\":3,\"time\":10001,\"from\":1001}");
    step(&w, "11000 bye a 1");
    assert_null(map_get(&w.state, SPAN_LIT("1 node a")));
    world_release(&w);
}

static void malformed_state_records_are_not_loaded(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"", ""},
        {"node a", ""},
        {"node a", "null"},
        {"node a", "{}"},
        {"node a", "{\"since\":1,\"last\":1,\"said\":0}"},
        {"node a", "{\"since\":1,\"last\":-1,\"said\":0,\"also\":0}"},
        {"node a", "{\"since\":1,\"last\":99999999999999999999,\"said\":0,\"also\":0}"},
        {"node a", "{\"since\":1,\"last\":1,\"said\":9007199254740993,\"also\":0}"},
        {"node a", "{\"since\":1,\"last\":1,\"said\":\"1\",\"also\":0}"},
        {"node a", "{\"since\":1,\"last\":1,\"said\":0,\"also\":0"},
        {"partition 0", "{\"offset\":-1,\"time\":1}"},
        {"partition 0", "{\"offset\":1.5,\"time\":1}"},
        {"partition 0", "[]"},
        {"other", "{\"offset\":1,\"time\":1}"},
    };
    struct registry_conf conf = {PLAIN, .repeat = 1000};
    struct arena arena = {0};
    struct registry *r = registry_new(&conf);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(registry_load(r, 0, span_of(bad[i][0]), span_of(bad[i][1]), &arena));
    struct registry_position part;
    assert_false(registry_position(r, 0, &part));
    assert_true(registry_load(
        r, 0, SPAN_LIT("node a"),
        SPAN_LIT("{\"since\":1,\"last\":1,\"said\":0,\"more\":[{}],\"also\":0}"), &arena));
    struct registry_node node;
    size_t place = 0;
    assert_true(registry_each(r, &place, &node));
    assert_true(span_is(node.id, "a"));
    assert_null(node.service.p);
    assert_false(registry_each(r, &place, &node));
    registry_free(r);
    arena_release(&arena);
}

static void nodes_are_listed_with_their_status(void **state) {
    (void)state;
    struct world w;
    world_init(&w, &(struct registry_conf){PLAIN});
    assert_int_equal(registry_next_due_ms(w.registry), -1);
    step(&w, "1000 reg a");
    assert_int_equal(registry_next_due_ms(w.registry), 8001);
    step(&w, "6000 log b");
    assert_int_equal(registry_next_due_ms(w.registry), 3001);
    struct registry_node node;
    size_t place = 0;
    assert_true(registry_each(w.registry, &place, &node));
    assert_false(node.silent);
    assert_int_equal(node.since_ms, 1000);
    step(&w, "8500 log b"); /* older than the timeout, not reported yet */
    place = 0;
    registry_each(w.registry, &place, &node);
    assert_true(node.silent);
    step(&w, "9500 log b");
    place = 0;
    registry_each(w.registry, &place, &node);
    assert_true(node.silent);
    assert_int_equal(node.since_ms, 8000);
    assert_int_equal(node.last_seen_ms, 1000);
    assert_int_equal(registry_next_due_ms(w.registry), -1);
    world_release(&w);
}

static void a_hundred_thousand_nodes_are_handled_in_time(void **state) {
    (void)state;
    enum { N = 100000 };
    struct arena arena = {0};
    struct registry_step step = {.arena = &arena};
    struct registry *r = registry_new(&(struct registry_conf){PLAIN});
    size_t missed = 0;
    for (int64_t round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) {
            if (round == 3 && i % 2)
                continue; /* half of them die */
            struct input in = {.service = "pay", .at = {.now_ms = INT64_MAX}};
            in.at.ts_ms = round * 5000 + i / 100;
            snprintf(in.op, sizeof in.op, "%s", round ? "beat" : "reg");
            snprintf(in.node, sizeof in.node, "n%d", i);
            char raw[3][24];
            struct event e = event_of(&in, raw);
            registry_advance(r, &in.at);
            registry_apply(r, &e, &in.at, &step);
        }
        arena_clear(&arena);
    }
    registry_advance(r, &(struct registry_at){.ts_ms = 19500, .now_ms = 19500});
    while (registry_expire(r, &step)) {
        missed += step.n_events;
        arena_clear(&arena);
    }
    assert_int_equal(missed, N / 2);
    registry_free(r);
    arena_release(&arena);
}

/* A hundred thousand nodes send a heartbeat every 5 s while one in a hundred dies: each is reported
 * at the first look after its deadline. */
static void deadlines_are_reported_in_time(void **state) {
    (void)state;
    enum { N = 100000, EVERY = 5000, LOOK = 100, UNTIL = 30000 };
    struct arena arena = {0};
    struct registry_step step = {.arena = &arena};
    struct registry *r = registry_new(&(struct registry_conf){PLAIN});
    size_t missed = 0;
    for (int64_t now = 0; now < UNTIL; now += LOOK) {
        for (int i = (int)(now % EVERY) * (N / EVERY), n = 0; n < N / EVERY * LOOK; i++, n++) {
            if (i % 100 == 0 && now > 10000)
                continue; /* dead */
            struct input in = {.service = "pay",
                               .at = {.partition = i % 3, .ts_ms = now, .now_ms = now}};
            snprintf(in.op, sizeof in.op, "%s", now < EVERY ? "reg" : "beat");
            snprintf(in.node, sizeof in.node, "n%d", i);
            char raw[3][24];
            struct event e = event_of(&in, raw);
            registry_advance(r, &in.at);
            registry_apply(r, &e, &in.at, &step);
        }
        for (int32_t p = 0; p < 3; p++)
            registry_confirm(r, p, now, 0);
        for (; registry_expire(r, &step); arena_clear(&arena)) {
            int64_t due = step.events[0].at_ms + 1000;
            assert_true(due < now && now <= due + LOOK);
            missed++;
        }
        arena_clear(&arena);
    }
    assert_int_equal(missed, N / 100);
    registry_free(r);
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restarts_and_batches_change_no_event),
        cmocka_unit_test(a_node_on_several_partitions_is_reported_once),
        cmocka_unit_test(state_records_keep_their_form),
        cmocka_unit_test(malformed_state_records_are_not_loaded),
        cmocka_unit_test(nodes_are_listed_with_their_status),
        cmocka_unit_test(a_hundred_thousand_nodes_are_handled_in_time),
        cmocka_unit_test(deadlines_are_reported_in_time),
    };
    return cmocka_run_group_tests_name("registry_load", tests, NULL, NULL);
}
