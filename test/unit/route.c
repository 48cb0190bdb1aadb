/* route: which records go to processed (P) and alerts (A), in order, for the records read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../lib/core/route.h"

#define PLAIN .timeout = 7000, .grace = 1000
#define REG   "{\"node_id\":\"a\",\"message_type\":\"REGISTRATION\",\"service_name\":\"Pay\"}"
#define UP                                                                               \
    "P a {\"message_type\":\"REGISTRATION\",\"node_id\":\"a\",\"service_name\":\"Pay\"," \
    "\"timestamp\":\"1970-01-01 01:00:00\",\"status\":\"UP\"}\n"
#define BEAT "{\"node_id\":\"a\",\"message_type\":\"HEARTBEAT\",\"status\":\"UP\"}"
#define BYE  "{\"node_id\":\"a\",\"message_type\":\"HEARTBEAT\",\"status\":\"DOWN\"}"
#define LOG(level)                                                                 \
    "{\"log_id\":\"a_1\",\"node_id\":\"a\",\"log_level\":\"" level "\",\"x\":1e0," \
    "\"message_type\":\"LOG\"}"

/* What is read, at which time; routed is what route_record returns. */
struct reading {
    int64_t ts;
    const char *json;
    bool routed;
};

struct example {
    const char *name;
    struct route_conf conf;
    struct registry_conf registry;
    struct reading in[6];
    int64_t expire; /* 0, or the time to which the partition moves at the end */
    const char *out;
};

static int32_t an_hour_east(int64_t ms) {
    (void)ms;
    return 3600;
}

static void collect(const struct route *r, struct buf *out) {
    for (size_t i = 0; i < r->n; i++) {
        const struct route_out *o = &r->outs[i];
        assert_int_equal(o->partition, o->topic == ROUTE_STATE ? 0 : -1);
        if (o->topic != ROUTE_STATE)
            buf_printf(out, "%s%s %.*s %.*s\n", o->topic == ROUTE_ALERTS ? "A" : "P",
                       o->alarm ? "!" : "", SPAN_ARG(o->key), SPAN_ARG(o->value));
    }
}

static void play(void **state) {
    const struct example *x = *state;
    struct route_conf conf = x->conf;
    struct route r;
    struct arena arena = {0};
    struct buf out = {0};
    conf.offset_s = an_hour_east;
    route_init(&r, &conf, registry_new(&x->registry));
    for (int i = 0; i < 6 && x->in[i].json; i++) {
        struct event e;
        struct err err;
        assert_int_equal(event_parse(span_of(x->in[i].json), &arena, &e, &err), INPUT_OK);
        struct registry_at at = {0, i, x->in[i].ts, x->in[i].ts};
        registry_advance(r.registry, &at);
        while (route_expire(&r))
            collect(&r, &out);
        collect(&r, &out);
        assert_int_equal(route_record(&r, &e, e.node.text, &at), x->in[i].routed);
        collect(&r, &out);
        arena_clear(&arena);
    }
    if (x->expire) {
        struct registry_at at = {0, 100, x->expire, x->expire};
        registry_advance(r.registry, &at);
        while (route_expire(&r))
            collect(&r, &out);
        collect(&r, &out);
    }
    assert_string_equal(out.p ? out.p : "", x->out);
    route_release(&r);
    arena_release(&arena);
    buf_release(&out);
}

static const struct example examples[] = {
    {"a registration becomes the registry event UP", {0}, {PLAIN}, {{0, REG, true}}, 0, UP},
    {"a second registration is forwarded unchanged",
     {0},
     {PLAIN},
     {{0, REG, true}, {1, REG, true}},
     0,
     UP "P a " REG "\n"},
    {"without a service the event has null, and strings are escaped",
     {.style = DATETIME_RFC3339},
     {PLAIN},
     {{1, "{\"message_type\":\"REGISTRATION\",\"node_id\":\"\\u00e9\\\"\"}", true}},
     0,
     "P \xc3\xa9\" {\"message_type\":\"REGISTRATION\",\"node_id\":\"\xc3\xa9\\\"\","
     "\"service_name\":null,\"timestamp\":\"1970-01-01T01:00:00.001+01:00\",\"status\":\"UP\"}\n"},
    {"heartbeats and logs of a known node are forwarded untouched",
     {0},
     {PLAIN},
     {{0, REG, true}, {1, BEAT, true}, {2, LOG("INFO"), true}},
     0,
     UP "P a " BEAT "\nP a " LOG("INFO") "\n"},
    {"WARN goes to alerts too",
     {0},
     {PLAIN},
     {{0, REG, true}, {2, LOG("WARN"), true}},
     0,
     UP "A a " LOG("WARN") "\nP a " LOG("WARN") "\n"},
    {"the level of a record that is not a LOG is ignored",
     {0},
     {PLAIN},
     {{0, REG, true},
      {2, "{\"node_id\":\"a\",\"message_type\":\"X\",\"log_level\":\"ERROR\"}", true}},
     0,
     UP "P a {\"node_id\":\"a\",\"message_type\":\"X\",\"log_level\":\"ERROR\"}\n"},
    {"ERROR goes to alerts too, and the node is DOWN and deregistered",
     {0},
     {PLAIN},
     {{0, REG, true}, {1000, LOG("ERROR"), true}, {2000, BEAT, false}},
     0,
     UP "A a " LOG("ERROR") "\nP a " LOG(
         "ERROR") "\nP a {\"message_type\":\"REGISTRATION\",\"node_id\":\"a\",\"service_name\":"
                  "\"Pay\",\"timestamp\":\"1970-01-01 01:00:01\",\"status\":\"DOWN\"}\n"},
    {"with keep_on_error an ERROR does not deregister the node",
     {0},
     {PLAIN, .keep_on_error = true},
     {{0, REG, true}, {1000, LOG("ERROR"), true}, {2000, BEAT, true}},
     0,
     UP "A a " LOG("ERROR") "\nP a " LOG("ERROR") "\nP a " BEAT "\n"},
    {"a goodbye is forwarded, followed by the event DOWN",
     {0},
     {PLAIN},
     {{0, REG, true}, {1000, BYE, true}},
     9001,
     UP "P a " BYE "\nP a {\"message_type\":\"REGISTRATION\",\"node_id\":\"a\",\"service_name\":"
        "\"Pay\",\"timestamp\":\"1970-01-01 01:00:01\",\"status\":\"DOWN\"}\n"},
    {"records of unregistered nodes are dropped", {0}, {PLAIN}, {{0, LOG("WARN"), false}}, 0, ""},
    {"with forward_unknown records of unregistered nodes are forwarded",
     {.forward_unknown = true},
     {PLAIN},
     {{0, LOG("WARN"), true}},
     9001,
     "A a " LOG("WARN") "\nP a " LOG("WARN") "\n"},
    {"an ongoing silence raises an alert",
     {0},
     {PLAIN},
     {{0, REG, true}},
     8001,
     UP "A! a {\"log_id\":\"a_missed_7000\",\"node_id\":\"a\",\"log_level\":\"ALERT\","
        "\"message\":\"Node a missed its heartbeat!\",\"message_type\":\"ALERT\","
        "\"alert\":\"HEARTBEAT_MISSED\",\"last_heartbeat\":\"1970-01-01 01:00:00\","
        "\"service_name\":\"Pay\",\"timestamp\":\"1970-01-01 01:00:07\"}\n"
        "P a {\"log_id\":\"a_missed_7000\",\"node_id\":\"a\",\"log_level\":\"ALERT\","
        "\"message\":\"Node a missed its heartbeat!\",\"message_type\":\"ALERT\","
        "\"alert\":\"HEARTBEAT_MISSED\",\"last_heartbeat\":\"1970-01-01 01:00:00\","
        "\"service_name\":\"Pay\",\"timestamp\":\"1970-01-01 01:00:07\"}\n"},
    {"a silence that has ended raises both alerts, followed by the heartbeat that ended it",
     {0},
     {PLAIN},
     {{0, REG, true}, {7500, BEAT, true}},
     0,
     UP "A! a {\"log_id\":\"a_missed_7000\",\"node_id\":\"a\",\"log_level\":\"ALERT\","
        "\"message\":\"Node a missed its heartbeat!\",\"message_type\":\"ALERT\","
        "\"alert\":\"HEARTBEAT_MISSED\",\"last_heartbeat\":\"1970-01-01 01:00:00\","
        "\"service_name\":\"Pay\",\"timestamp\":\"1970-01-01 01:00:07\"}\n"
        "P a {\"log_id\":\"a_missed_7000\",\"node_id\":\"a\",\"log_level\":\"ALERT\","
        "\"message\":\"Node a missed its heartbeat!\",\"message_type\":\"ALERT\","
        "\"alert\":\"HEARTBEAT_MISSED\",\"last_heartbeat\":\"1970-01-01 01:00:00\","
        "\"service_name\":\"Pay\",\"timestamp\":\"1970-01-01 01:00:07\"}\n"
        "A a {\"log_id\":\"a_recovered_7500\",\"node_id\":\"a\",\"log_level\":\"ALERT\","
        "\"message\":\"Node a is back\",\"message_type\":\"ALERT\","
        "\"alert\":\"HEARTBEAT_RECOVERED\",\"last_heartbeat\":\"1970-01-01 01:00:00\","
        "\"service_name\":\"Pay\",\"timestamp\":\"1970-01-01 01:00:07\"}\n"
        "P a {\"log_id\":\"a_recovered_7500\",\"node_id\":\"a\",\"log_level\":\"ALERT\","
        "\"message\":\"Node a is back\",\"message_type\":\"ALERT\","
        "\"alert\":\"HEARTBEAT_RECOVERED\",\"last_heartbeat\":\"1970-01-01 01:00:00\","
        "\"service_name\":\"Pay\",\"timestamp\":\"1970-01-01 01:00:07\"}\n"
        "P a " BEAT "\n"},
};

static void saved_state_loads_into_the_same_registry(void **state) {
    (void)state;
    struct route_conf conf = {.offset_s = an_hour_east};
    struct registry_conf registry = {PLAIN};
    struct route r;
    struct arena arena = {0};
    struct err err;
    struct event e;
    struct registry_at at = {3, 10, 5000, 5000};
    route_init(&r, &conf, registry_new(&registry));
    struct registry *again = registry_new(&registry);
    assert_int_equal(event_parse(SPAN_LIT(REG), &arena, &e, &err), INPUT_OK);
    registry_advance(r.registry, &at);
    route_record(&r, &e, e.node.text, &at);
    assert_int_equal(r.outs[r.n - 1].topic, ROUTE_STATE);
    assert_true(registry_load(again, 3, r.outs[r.n - 1].key, r.outs[r.n - 1].value, &arena));
    assert_true(route_save(&r));
    assert_int_equal(r.n, 1);
    assert_int_equal(r.outs[0].partition, 3);
    assert_true(registry_load(again, 3, r.outs[0].key, r.outs[0].value, &arena));
    struct registry_position part;
    struct registry_node node;
    size_t place = 0;
    assert_true(registry_position(again, 0, &part));
    assert_int_equal(part.offset, 11);
    assert_int_equal(part.from_ms, -1); /* 5000 - 7000 - 1000: from the beginning */
    assert_true(registry_each(again, &place, &node));
    assert_true(span_is(node.service, "Pay"));
    assert_int_equal(node.last_seen_ms, 5000);
    assert_false(route_save(&r));
    assert_int_equal(r.n, 0); /* nothing moved since */
    registry_free(again);
    route_release(&r);
    arena_release(&arena);
}

int main(void) {
    enum { EXAMPLES = sizeof examples / sizeof *examples };
    struct CMUnitTest tests[EXAMPLES + 1] = {
        [EXAMPLES] = cmocka_unit_test(saved_state_loads_into_the_same_registry)};
    for (size_t i = 0; i < EXAMPLES; i++)
        tests[i] = (struct CMUnitTest){.name = examples[i].name,
                                       .test_func = play,
                                       .initial_state = (void *)(uintptr_t)&examples[i]};
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
