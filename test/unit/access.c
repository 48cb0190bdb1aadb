/* access: who may post.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/core/access.h"

static bool allows(const struct access *a, const char *authorization) {
    return access_allows(a, span_of(authorization));
}

static void without_credentials_everybody_may_post(void **state) {
    (void)state;
    struct access a;
    access_init(&a, "", "", "", NULL);
    assert_false(access_is_required(&a));
    assert_true(allows(&a, NULL));
    assert_true(allows(&a, "Basic whatever"));
    access_release(&a);
}

static void basic_authentication_is_compared_exactly(void **state) {
    (void)state;
    struct access a;
    access_init(&a, "Aladdin", "open sesame", "", NULL);
    /* The example of RFC 7617. */
    assert_true(allows(&a, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_true(allows(&a, "bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_false(allows(&a, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ="));
    assert_false(allows(&a, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_false(allows(&a, "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_false(allows(&a, "Basic"));
    assert_false(allows(&a, "Basic "));
    assert_false(allows(&a, ""));
    assert_false(allows(&a, NULL));
    assert_string_equal(access_challenge(&a), "Basic realm=\"distlog\"");
    access_release(&a);
}

static void a_bearer_token_is_compared_exactly(void **state) {
    (void)state;
    struct access a;
    access_init(&a, "", "", "sesame", NULL);
    assert_true(allows(&a, "Bearer sesame"));
    assert_false(allows(&a, "Bearer sesam"));
    assert_false(allows(&a, "Bearer sesames"));
    assert_false(allows(&a, "Bearer sesamesesame"));
    assert_false(allows(&a, "Bearer "));
    assert_false(allows(&a, "Basic Og=="));
    assert_string_equal(access_challenge(&a), "Bearer realm=\"distlog\"");
    access_release(&a);
}

static void only_listed_web_origins_may_post(void **state) {
    (void)state;
    char *names[] = {"https://a.example", "https://b.example"}, *any[] = {"*"};
    struct str_list list = {names, 2}, star = {any, 1}, none = {NULL, 0};
    struct access a;
    const char *allow;
    access_init(&a, "", "", "", &list);
    assert_int_equal(access_check_origin(&a, span_of("https://b.example"), &allow),
                     ACCESS_ORIGIN_ALLOWED);
    assert_string_equal(allow, "https://b.example");
    assert_int_equal(access_check_origin(&a, span_of("https://b.example.org"), &allow),
                     ACCESS_ORIGIN_DENIED);
    assert_null(allow);
    assert_int_equal(access_check_origin(&a, span_of(NULL), &allow), ACCESS_ORIGIN_NONE);
    a.origins = &star;
    assert_int_equal(access_check_origin(&a, span_of("null"), &allow), ACCESS_ORIGIN_ALLOWED);
    assert_string_equal(allow, "*");
    a.origins = &none; /* no page may post, not even in simple requests without a preflight */
    assert_int_equal(access_check_origin(&a, span_of("https://a.example"), &allow),
                     ACCESS_ORIGIN_DENIED);
    assert_int_equal(access_check_origin(&a, span_of(NULL), &allow), ACCESS_ORIGIN_NONE);
    access_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_credentials_everybody_may_post),
        cmocka_unit_test(basic_authentication_is_compared_exactly),
        cmocka_unit_test(a_bearer_token_is_compared_exactly),
        cmocka_unit_test(only_listed_web_origins_may_post),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
