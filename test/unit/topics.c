/* topics: names derived from topics and groups, and their sources.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/core/topics.h"

static void names_are_derived(void **state) {
    (void)state;
    BUF_LOCAL struct buf out = {0};
    topics_state(&out, "distlog-pubsub");
    assert_string_equal(out.p, "distlog-pubsub.state");
    buf_clear(&out);
    topics_dead_letters(&out, "nodes");
    assert_string_equal(out.p, "nodes.dlq");
    buf_clear(&out);
    topics_position(&out, "nodes.dlq", 2, INT64_C(5000000000));
    assert_string_equal(out.p, "nodes.dlq-2-5000000000");
}

static void check(struct span (*source)(const char *name), const char *name, const char *expected) {
    const struct span got = source(name);
    if (!expected && got.p)
        fail_msg("'%s' has the source '%.*s'", name, SPAN_ARG(got));
    if (expected && !span_is(got, expected))
        fail_msg("'%s': got '%.*s', expected '%s'", name, SPAN_ARG(got), expected);
}

static void a_dead_letter_topic_names_its_source(void **state) {
    (void)state;
    check(topics_dead_letters_source, "nodes.dlq", "nodes");
    check(topics_dead_letters_source, "nodes.dlq.dlq", "nodes.dlq");
    check(topics_dead_letters_source, "nodes", NULL);
    check(topics_dead_letters_source, "nodes.dlq-0-17", NULL);
    check(topics_dead_letters_source, ".dlq", NULL);
    check(topics_dead_letters_source, "", NULL);
}

static void a_dead_letter_names_its_source(void **state) {
    (void)state;
    check(topics_letter_source, "nodes.dlq-0-17", "nodes");
    check(topics_letter_source, "a.dlq-b.dlq-0-17", "a.dlq-b");
    check(topics_letter_source, "nodes.dlq", NULL);
    check(topics_letter_source, "nodes-0-17", NULL);
    check(topics_letter_source, "", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_derived),
        cmocka_unit_test(a_dead_letter_topic_names_its_source),
        cmocka_unit_test(a_dead_letter_names_its_source),
    };
    return cmocka_run_group_tests_name("topics", tests, NULL, NULL);
}
