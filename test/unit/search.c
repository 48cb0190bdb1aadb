/* search: in which order documents are handed over, each once, through outages of the store and
 * while new ones are stored. The store is a puppet that follows a script.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/app/search.h"

enum { ANSWERS_MAX = 8 };

/* One answer of the store: documents by their ids, a character each, and what it returns. */
struct answer {
    const char *ids;
    enum store_rc rc;
};

static struct {
    struct answer answers[ANSWERS_MAX];
    size_t at;
    struct buf asked;  /* for each search: 'c' with a cursor, 'q' without */
    struct buf handed; /* the ids, and '|' for a pause */
    const char *refuse;
} puppet;

static enum store_rc puppet_search(struct store *store, const struct store_query *query,
                                   store_each *each, void *ctx, struct err *err) {
    (void)store;
    assert_true(puppet.at < ANSWERS_MAX);
    const struct answer *answer = &puppet.answers[puppet.at++];
    buf_char(&puppet.asked, query->cursor ? 'c' : 'q');
    assert_int_equal(query->oldest_first, query->cursor != NULL);
    for (const char *id = answer->ids; *id; id++) {
        const struct store_hit hit = {.id = {id, 1}, .json = {"{}", 2}};
        if (!each(ctx, &hit))
            return STORE_OK;
    }
    err_set(err, "the puppet is away");
    return answer->rc;
}

static bool on_hit(void *ctx, const struct store_hit *hit) {
    (void)ctx;
    buf_span(&puppet.handed, hit->id);
    return !strchr(puppet.refuse, hit->id.p[0]);
}

static bool on_pause(void *ctx) {
    (void)ctx;
    buf_char(&puppet.handed, '|');
    return !strchr(puppet.refuse, '|');
}

static enum search_result search(enum search_result (*how)(const struct search *, struct err *),
                                 struct err *err) {
    static const struct store_engine engine = {.name = "puppet", .search = puppet_search};
    static const struct store_query query = {.limit = 10};
    struct store store = {.engine = &engine};
    const struct log log = {.prefix = "test", .level = LOG_ERROR};
    const struct search s = {
        .log = &log, .store = &store, .query = &query, .on_hit = on_hit, .on_pause = on_pause};
    puppet.at = 0;
    buf_clear(&puppet.asked);
    buf_clear(&puppet.handed);
    return how(&s, err);
}

#define SCRIPT(...) \
    memcpy(puppet.answers, (struct answer[ANSWERS_MAX]){__VA_ARGS__}, sizeof puppet.answers)

static void test_once(void **state) {
    (void)state;
    struct err err;
    puppet.refuse = "";
    SCRIPT({"cba", STORE_OK});
    assert_int_equal(search(search_once, &err), SEARCH_DONE);
    assert_string_equal(puppet.handed.p, "cba|");
    assert_string_equal(puppet.asked.p, "q");
    SCRIPT({"cb", STORE_RETRY});
    assert_int_equal(search(search_once, &err), SEARCH_FAILED);
    assert_string_equal(puppet.handed.p, "cb");
    assert_string_equal(err.text, "the puppet is away");
}

static void test_refused(void **state) {
    (void)state;
    struct err err;
    puppet.refuse = "b";
    SCRIPT({"cba", STORE_OK});
    assert_int_equal(search(search_once, &err), SEARCH_REFUSED);
    assert_string_equal(puppet.handed.p, "cb");
    puppet.refuse = "|";
    assert_int_equal(search(search_once, &err), SEARCH_REFUSED);
    assert_string_equal(puppet.handed.p, "cba|");
    SCRIPT({"", STORE_OK}, {"cba", STORE_OK});
    assert_int_equal(search(search_follow, &err), SEARCH_REFUSED);
    assert_string_equal(puppet.handed.p, "|");
}

static void test_follow(void **state) {
    (void)state;
    struct err err;
    puppet.refuse = "f";
    SCRIPT({"", STORE_OK}, {"cba", STORE_OK}, {"cdef", STORE_OK});
    assert_int_equal(search(search_follow, &err), SEARCH_REFUSED);
    assert_string_equal(puppet.asked.p, "cqc");
    assert_string_equal(puppet.handed.p, "|abc|def");
}

static void test_follow_through_outages(void **state) {
    (void)state;
    struct err err;
    puppet.refuse = "f";
    SCRIPT({"", STORE_RETRY}, {"", STORE_OK}, {"cb", STORE_RETRY}, {"dcb", STORE_OK},
           {"de", STORE_RETRY}, {"def", STORE_OK});
    assert_int_equal(search(search_follow, &err), SEARCH_REFUSED);
    assert_string_equal(puppet.asked.p, "ccqqcc");
    assert_string_equal(puppet.handed.p, "|bcd|ef");
}

static void test_follow_fails(void **state) {
    (void)state;
    struct err err;
    puppet.refuse = "";
    SCRIPT({"", STORE_OK}, {"b", STORE_OK}, {"c", STORE_FATAL});
    assert_int_equal(search(search_follow, &err), SEARCH_FAILED);
    assert_string_equal(puppet.handed.p, "|b|c");
    SCRIPT({"", STORE_OK}, {"b", STORE_FATAL});
    assert_int_equal(search(search_follow, &err), SEARCH_FAILED);
    assert_string_equal(puppet.handed.p, "|");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_follow),       cmocka_unit_test(test_follow_through_outages),
        cmocka_unit_test(test_follow_fails),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&puppet.asked);
    buf_release(&puppet.handed);
    return failed;
}
