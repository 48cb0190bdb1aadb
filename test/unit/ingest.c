/* Tests of core/ingest: bodies that Fluentd's in_http accepts, and those that it should refuse.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/base/buf.h"
#include "../../lib/core/ingest.h"

static struct arena arena;
static struct ingest_records records;
static const struct ingest_limits limits = {100, 5};

/* All records as "json|key\n", or the error. */
static enum input_rc take(enum ingest_format format, struct span body, struct buf *said) {
    struct err err = {""};
    enum input_rc rc = ingest_read(format, body, &limits, &arena, &records, &err);
    buf_clear(said);
    if (rc != INPUT_OK) {
        buf_text(said, err.text);
        assert_int_equal(records.n, 0); /* all or none */
    } else {
        buf_text(said, "");
    }
    for (size_t i = 0; i < records.n; i++) {
        buf_span(said, records.items[i].json);
        buf_text(said, records.items[i].key.p ? "|" : "-");
        buf_span(said, records.items[i].key);
        buf_text(said, "\n");
    }
    arena_clear(&arena);
    return rc;
}

struct try {
    enum ingest_format format;
    const char *body;
    enum input_rc rc;
    const char *said;
};

static void try_all(const struct try *tries, size_t n) {
    struct buf said = {0};
    for (size_t i = 0; i < n; i++) {
        enum input_rc rc = take(tries[i].format, span_of(tries[i].body), &said);
        assert_string_equal(said.p, tries[i].said);
        assert_int_equal(rc, tries[i].rc);
    }
    buf_release(&said);
}
#define TRY_ALL(tries) try_all(tries, sizeof(tries) / sizeof *(tries))

static void json_bodies(void **state) {
    (void)state;
    static const struct try tries[] = {
        {INGEST_JSON, "{}", INPUT_OK, "{}-\n"},
        {INGEST_JSON, " {\"node_id\": \"n\\u0031\"}\r\n", INPUT_OK,
         "{\"node_id\":\"n\\u0031\"}|n1\n"},
        {INGEST_JSON, "{\"node_id\":\"\"}", INPUT_OK, "{\"node_id\":\"\"}-\n"},
        {INGEST_JSON, "{\"node_id\":1}", INPUT_OK, "{\"node_id\":1}-\n"},
        {INGEST_JSON, "{\"a\":{\"node_id\":\"x\"}}", INPUT_OK, "{\"a\":{\"node_id\":\"x\"}}-\n"},
        {INGEST_JSON, "{\"node_id\":\"a\",\"node_id\":\"b\"}", INPUT_OK,
         "{\"node_id\":\"a\",\"node_id\":\"b\"}|b\n"},
        {INGEST_JSON, "[]", INPUT_OK, ""},
        {INGEST_JSON, " [ ] ", INPUT_OK, ""},
        {INGEST_JSON, "[{\"node_id\":\"a\"} , {\"b\" : [1, 2]}]", INPUT_OK,
         "{\"node_id\":\"a\"}|a\n{\"b\":[1,2]}-\n"},
        {INGEST_JSON, "", INPUT_BAD, "expected at least one record"},
        {INGEST_JSON, " \n", INPUT_BAD, "expected at least one record"},
        {INGEST_JSON, "5", INPUT_BAD, "not a JSON object"},
        {INGEST_JSON, "null", INPUT_BAD, "not a JSON object"},
        {INGEST_JSON, "\"x\"", INPUT_BAD, "not a JSON object"},
        {INGEST_JSON, "[{},5]", INPUT_BAD, "record 2 of the array: not a JSON object"},
        {INGEST_JSON, "[{},[]]", INPUT_BAD, "record 2 of the array: not a JSON object"},
        {INGEST_JSON, "[{},null]", INPUT_BAD, "record 2 of the array: not a JSON object"},
        {INGEST_JSON, "[{\"a\":1},{\"a\":x}]", INPUT_BAD,
         "record 2 of the array: expected a value (object, array, string, number, true, false, "
         "null) at byte 14"},
        {INGEST_JSON, "[{},]", INPUT_BAD,
         "record 2 of the array: expected a value (object, array, string, number, true, false, "
         "null) at byte 4"},
        {INGEST_JSON, "[{} {}]", INPUT_BAD,
         "expected ',' or ']' after record 1 of the array, at byte 4"},
        {INGEST_JSON, "[{}", INPUT_BAD,
         "expected ',' or ']' after record 1 of the array, at byte 3"},
        {INGEST_JSON, "[", INPUT_BAD,
         "record 1 of the array: expected a value (object, array, string, number, true, false, "
         "null) at byte 1, where the text ends"},
        {INGEST_JSON, "{}{}", INPUT_BAD, "unexpected data after the JSON value, at byte 2"},
        {INGEST_JSON, "[{}] x", INPUT_BAD, "unexpected data after the JSON value, at byte 5"},
        {INGEST_JSON, "\xef\xbb\xbf{}", INPUT_BAD,
         "expected a value (object, array, string, number, true, false, null) at byte 0"},
        {INGEST_JSON, "{\"a\":\"\xff\"}", INPUT_BAD, "invalid UTF-8 at byte 6"},
        {INGEST_UNKNOWN, "{}", INPUT_BAD, "unknown format"},
    };
    TRY_ALL(tries);
}

static void ndjson_bodies(void **state) {
    (void)state;
    static const struct try tries[] = {
        {INGEST_NDJSON, "{\"node_id\":\"a\"}\n{}\n", INPUT_OK, "{\"node_id\":\"a\"}|a\n{}-\n"},
        {INGEST_NDJSON, "\r\n{\"a\": 1}\r\n\r\n \n{}", INPUT_OK, "{\"a\":1}-\n{}-\n"},
        {INGEST_NDJSON, "{}\n\n{\"a\"}\n", INPUT_BAD, "line 3: expected ':' at byte 4"},
        {INGEST_NDJSON, "{\"a\":\n1}\n", INPUT_BAD,
         "line 1: expected a value (object, array, string, number, true, false, null) at byte 5, "
         "where the text ends"},
        {INGEST_NDJSON, "{} {}\n", INPUT_BAD,
         "line 1: unexpected data after the JSON value, at byte 3"},
        {INGEST_NDJSON, "{}\n[]\n", INPUT_BAD, "line 2: not a JSON object"},
        {INGEST_NDJSON, "\n\r\n", INPUT_BAD, "expected at least one record"},
        {INGEST_NDJSON, "", INPUT_BAD, "expected at least one record"},
        {INGEST_MSGPACK, "{}\n{\"a\":1}\n", INPUT_OK, "{}-\n{\"a\":1}-\n"},
        {INGEST_MSGPACK, "", INPUT_OK, ""},
    };
    TRY_ALL(tries);
}

static void form_bodies(void **state) {
    (void)state;
    static const struct try tries[] = {
        {INGEST_FORM, "json=%7B%22a%22%3A%221+2%2b3%22%7d", INPUT_OK, "{\"a\":\"1 2+3\"}-\n"},
        {INGEST_FORM, "x=1&json={\"node_id\":\"caf%C3%A9\"}&y", INPUT_OK,
         "{\"node_id\":\"caf\xc3\xa9\"}|caf\xc3\xa9\n"},
        {INGEST_FORM, "json={\"a\":1}&json={\"b\":1}", INPUT_OK, "{\"b\":1}-\n"},
        {INGEST_FORM, "js%6fn=[{},{}]", INPUT_OK, "{}-\n{}-\n"},
        {INGEST_FORM, "ndjson={}%0A{\"a\":1}%0D%0A", INPUT_OK, "{}-\n{\"a\":1}-\n"},
        {INGEST_FORM, "ndjson={}&json={\"a\":1}", INPUT_OK, "{\"a\":1}-\n"},
        {INGEST_FORM, "json={\"a\":\"x=y\"}", INPUT_OK, "{\"a\":\"x=y\"}-\n"},
        {INGEST_FORM, "", INPUT_BAD, "the form has neither a parameter 'json' nor 'ndjson'"},
        {INGEST_FORM, "a=1&jso=2", INPUT_BAD,
         "the form has neither a parameter 'json' nor 'ndjson'"},
        {INGEST_FORM, "msgpack=%80", INPUT_BAD,
         "the form has neither a parameter 'json' nor 'ndjson'"},
        {INGEST_FORM, "json=", INPUT_BAD, "parameter json: expected at least one record"},
        {INGEST_FORM, "json", INPUT_BAD, "parameter json: expected at least one record"},
        {INGEST_FORM, "json={\"a\":\"\xc3\xa9\"}", INPUT_BAD,
         "byte 11 of the form must be percent-encoded"},
        {INGEST_FORM, "json=%zz", INPUT_BAD,
         "expected two hexadecimal digits after the % at byte 5 of the form"},
        {INGEST_FORM, "json={}%4", INPUT_BAD,
         "expected two hexadecimal digits after the % at byte 7 of the form"},
        {INGEST_FORM, "a=%4&json={}", INPUT_BAD,
         "expected two hexadecimal digits after the % at byte 2 of the form"},
        {INGEST_FORM, "json=%7B%22a%22%3A%22%FF%22%7D", INPUT_BAD,
         "parameter json: invalid UTF-8 at byte 6"},
    };
    TRY_ALL(tries);
}

static void limits_on_records_are_enforced(void **state) {
    (void)state;
    struct buf body = {0}, said = {0};
    buf_printf(&body, "{\"a\":\"%*s\"}", (int)limits.max_record - 8, "");
    assert_int_equal(take(INGEST_JSON, buf_view(&body), &said), INPUT_OK);
    buf_clear(&body);
    buf_printf(&body, "{}\n{\"a\":\"%*s\"}", (int)limits.max_record - 7, "");
    assert_int_equal(take(INGEST_NDJSON, buf_view(&body), &said), INPUT_LARGE);
    assert_string_equal(said.p, "line 2: a record of 101 bytes, its key counted twice, exceeds "
                                "bus.max_record (100 bytes)");
    /* The key, which the bus keeps beside the record, counts too. */
    buf_clear(&body);
    buf_printf(&body, "{\"node_id\":\"%051d\"}", 0);
    assert_int_equal(take(INGEST_JSON, buf_view(&body), &said), INPUT_LARGE);
    /* White space between tokens is not part of a record. */
    buf_clear(&body);
    buf_printf(&body, "{%*s}", 1000, "");
    assert_int_equal(take(INGEST_JSON, buf_view(&body), &said), INPUT_OK);
    assert_int_equal(take(INGEST_JSON, SPAN_LIT("[{},{},{},{},{}]"), &said), INPUT_OK);
    assert_int_equal(take(INGEST_JSON, SPAN_LIT("[{},{},{},{},{},{}]"), &said), INPUT_LARGE);
    assert_string_equal(said.p, "record 6 of the array: more than 5 records in one request "
                                "(collect.max_records)");
    buf_release(&body);
    buf_release(&said);
}

static void content_types_select_the_format(void **state) {
    (void)state;
    static const struct {
        const char *type;
        enum ingest_format format;
    } cases[] = {
        {"application/json", INGEST_JSON},
        {"application/json; charset=utf-8", INGEST_JSON},
        {" Application/JSON;charset=utf-8", INGEST_JSON},
        {"application/json ;x", INGEST_JSON},
        {"application/jsonl", INGEST_NDJSON},
        {"application/x-ndjson", INGEST_NDJSON},
        {"application/ndjson", INGEST_NDJSON},
        {"application/x-www-form-urlencoded", INGEST_FORM},
        {"application/msgpack", INGEST_MSGPACK},
        {"application/x-msgpack", INGEST_MSGPACK},
        {"text/plain", INGEST_UNKNOWN},
        {"application/jso", INGEST_UNKNOWN},
        {"multipart/form-data; boundary=x", INGEST_UNKNOWN},
        {"", INGEST_UNKNOWN},
        {";application/json", INGEST_UNKNOWN},
        {NULL, INGEST_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {""};
        assert_int_equal(ingest_format_of(span_of(cases[i].type), &err), cases[i].format);
        bool named = strstr(err.text, "application/json,") && strstr(err.text, "ndjson") &&
                     strstr(err.text, "application/msgpack");
        assert_int_equal(named, cases[i].format == INGEST_UNKNOWN);
    }
}

static void paths_become_tags(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"/log.input", "log.input"}, {"/a/b", "a.b"}, {"/a/b/", "a.b"}, {"/a/b//", "a.b"},
        {"/a//b", "a..b"},           {"/", ""},       {"", ""},         {"//a", ".a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(span_is(ingest_tag(span_of(cases[i][0]), &arena), cases[i][1]));
}

static void the_time_parameter_is_checked(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "time=1500000000",
                                       "time=1500000000.25",
                                       "a=b&time=0&time=1",
                                       "timed=x",
                                       "atime=x",
                                       "time",
                                       "&&"};
    static const char *const bad[] = {"time=",    "time=x",    "time=-1",
                                      "time=15.", "time=.5",   "time=1.5.2",
                                      "time=1 ",  "time=0x10", "time=1&time=1e9"};
    struct err err;
    assert_int_equal(ingest_check_query(span_of(NULL), &err), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (ingest_check_query(span_of(good[i]), &err) != 0)
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ingest_check_query(span_of(bad[i]), &err) == 0)
            fail_msg("%s is taken", bad[i]);
}

static int end(void **state) {
    (void)state;
    arena_release(&arena);
    ingest_release(&records);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_bodies),
        cmocka_unit_test(ndjson_bodies),
        cmocka_unit_test(form_bodies),
        cmocka_unit_test(limits_on_records_are_enforced),
        cmocka_unit_test(content_types_select_the_format),
        cmocka_unit_test(paths_become_tags),
        cmocka_unit_test(the_time_parameter_is_checked),
    };
    return cmocka_run_group_tests_name("ingest", tests, NULL, end);
}
