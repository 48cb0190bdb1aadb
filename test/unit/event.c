/* Tests of core/event. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/base/buf.h"
#include "../../lib/core/event.h"

static struct arena arena;

static void a_record_is_kept_as_its_node_spelled_it(void **state) {
    (void)state;
    static const char text[] =
        "{ \"log_id\" : \"node_01_1\", \"node_id\":\"node_01\",\"log_level\":\"WARN\","
        "\"message\":\"caf\\u00e9 \\\"x\\\"\",\"message_type\":\"LOG\",\"response_time_ms\":1.50,"
        "\"service_name\":\"Payment\",\"extra\":{\"node_id\": \"inner\"},\"timestamp\":\"t\"}\n";
    struct event e;
    struct err err;
    assert_int_equal(event_parse(SPAN_LIT(text), &arena, &e, &err), INPUT_OK);
    assert_int_equal(e.kind, EVENT_LOG);
    assert_true(span_is(e.node.text, "node_01"));
    assert_true(span_is(e.node.raw, "\"node_01\""));
    assert_true(span_is(e.level.text, "WARN"));
    assert_true(span_is(e.log_id.text, "node_01_1"));
    assert_true(span_is(e.service.text, "Payment"));
    assert_true(span_is(e.timestamp.text, "t"));
    assert_true(span_is(e.message.raw, "\"caf\\u00e9 \\\"x\\\"\""));
    assert_true(span_is(e.message.text, "caf\xc3\xa9 \"x\""));
    assert_null(e.status.text.p);
    assert_null(e.alert.raw.p);
    /* Order, unknown keys and the spelling of numbers and strings are untouched. */
    assert_true(span_is(e.json,
                        "{\"log_id\":\"node_01_1\",\"node_id\":\"node_01\",\"log_level\":\"WARN\","
                        "\"message\":\"caf\\u00e9 \\\"x\\\"\",\"message_type\":\"LOG\","
                        "\"response_time_ms\":1.50,\"service_name\":\"Payment\","
                        "\"extra\":{\"node_id\":\"inner\"},\"timestamp\":\"t\"}"));
    assert_int_equal(event_check_node(&e, &err), INPUT_OK);
}

static void message_types_are_recognised(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum event_kind kind;
        const char *lacks; /* the member that event_check_node misses; NULL: none */
    } cases[] = {
        {"{\"node_id\":\"n\",\"message_type\":\"REGISTRATION\"}", EVENT_REGISTRATION, NULL},
        {"{\"node_id\":\"n\",\"message_type\":\"HEARTBEAT\"}", EVENT_HEARTBEAT, NULL},
        {"{\"node_id\":\"n\",\"message_type\":\"LOG\"}", EVENT_LOG, NULL},
        {"{\"node_id\":\"n\",\"message_type\":\"ALERT\"}", EVENT_ALERT, NULL},
        {"{\"node_id\":\"n\",\"message_type\":\"\\u004cOG\"}", EVENT_LOG, NULL},
        {"{\"node_id\":\"n\",\"message_type\":\"log\"}", EVENT_OTHER, NULL},
        {"{\"node_id\":\"n\",\"message_type\":\"LOG\\u0000\"}", EVENT_OTHER, NULL},
        {"{\"node_id\":\"n\"}", EVENT_OTHER, "message_type is missing or not a string"},
        {"{\"node_id\":\"n\",\"message_type\":7}", EVENT_OTHER,
         "message_type is missing or not a string"},
        {"{\"node_id\":\"\",\"message_type\":\"LOG\"}", EVENT_LOG, "node_id is empty"},
        {"{\"node_id\":1,\"message_type\":\"LOG\"}", EVENT_LOG,
         "node_id is missing or not a string"},
        {"{}", EVENT_OTHER, "node_id is missing or not a string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct event e;
        struct err err = {""};
        assert_int_equal(event_parse(span_of(cases[i].text), &arena, &e, &err), INPUT_OK);
        assert_int_equal(e.kind, cases[i].kind);
        assert_int_equal(event_check_node(&e, &err), cases[i].lacks ? INPUT_BAD : INPUT_OK);
        assert_string_equal(err.text, cases[i].lacks ? cases[i].lacks : "");
    }
}

static void malformed_records_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"\"text\"", "not a JSON object"},
        {"{}{}", "unexpected data after the JSON object, at byte 2"},
        {"{\"a\":1", "expected ',' or '}' at byte 6, where the text ends"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "duplicate key \"a\""},
        {"{\"a\":1,\"\\u0061\":2}", "duplicate key \"a\""},
        {"{\"node_id\":\"x\",\"node_id\":\"y\"}", "duplicate key \"node_id\""},
        {"{\"\":1}", "a key is empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct event e;
        struct err err = {""};
        assert_int_equal(event_parse(span_of(cases[i].text), &arena, &e, &err), INPUT_BAD);
        assert_string_equal(err.text, cases[i].error);
    }
    /* Only top-level keys must be distinct. */
    struct event e;
    struct err err;
    assert_int_equal(event_parse(SPAN_LIT("{\"a\":{\"b\":1,\"b\":2,\"\":3}}"), &arena, &e, &err),
                     INPUT_OK);
}

/* A record with count keys, the last of which may repeat another. */
static enum input_rc many(size_t count, size_t twin, struct err *err) {
    struct buf text = {0};
    struct event e;
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%c\"key %zu\":%zu", i ? ',' : '{', i + 1 == count ? twin : i, i);
    buf_char(&text, '}');
    enum input_rc rc = event_parse(buf_view(&text), &arena, &e, err);
    buf_release(&text);
    arena_clear(&arena);
    return rc;
}

static void duplicate_keys_are_found_among_many(void **state) {
    (void)state;
    for (size_t count = 2; count < 70; count++) {
        struct err err = {""};
        assert_int_equal(many(count, count, &err), INPUT_OK);
        for (size_t twin = 0; twin + 1 < count; twin++) {
            assert_int_equal(many(count, twin, &err), INPUT_BAD);
            assert_non_null(strstr(err.text, "duplicate key"));
        }
    }
    /* A megabyte of keys: with a quadratic check this test would take minutes. */
    struct err err = {""};
    assert_int_equal(many(70000, 70000, &err), INPUT_OK);
    assert_int_equal(many(70000, 69998, &err), INPUT_BAD);
    assert_string_equal(err.text, "duplicate key \"key 69998\"");
}

static int end(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_kept_as_its_node_spelled_it),
        cmocka_unit_test(message_types_are_recognised),
        cmocka_unit_test(malformed_records_are_refused),
        cmocka_unit_test(duplicate_keys_are_found_among_many),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, end);
}
