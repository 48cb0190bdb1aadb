/* Tests of base/map, compared with a plain array.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../lib/base/map.h"
#include "../../lib/base/rng.h"

enum { KEYS = 300 };

static void check_walk(const struct map *m, int *const model[KEYS]) {
    bool met[KEYS] = {false};
    size_t at = 0, n = 0;
    struct span key;
    void *value;
    while (map_next(m, &at, &key, &value)) {
        int i = *(int *)value;
        assert_ptr_equal(model[i], value);
        assert_false(met[i]);
        met[i] = true;
        n++;
    }
    assert_int_equal(n, m->count);
}

static void the_map_agrees_with_an_array(void **state) {
    (void)state;
    struct rng rng;
    struct map m = {0};
    int values[KEYS], *model[KEYS] = {NULL};
    size_t count = 0;
    rng.state = 7;
    for (int i = 0; i < KEYS; i++)
        values[i] = i;
    for (int step = 0; step < 40000; step++) {
        int i = (int)rng_range(&rng, 0, KEYS - 1);
        char text[32];
        struct span key = {
            text, (size_t)snprintf(text, sizeof text, "k%d%.*s", i, i % 12, "............")};
        /* Long phases of growth and shrinkage exercise the tree in both directions. */
        bool put = rng_range(&rng, 0, 9) < (step / 5000 % 2 ? 3 : 7);
        assert_ptr_equal(map_get(&m, key), model[i]);
        if (put) {
            assert_ptr_equal(map_put(&m, key, &values[i]), model[i]);
            count += !model[i];
            model[i] = &values[i];
        } else {
            assert_ptr_equal(map_remove(&m, key), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
        }
        assert_int_equal(m.count, count);
        if (step % 1000 == 0)
            check_walk(&m, model);
    }
    map_release(&m);
}

static void empty_maps_and_unusual_keys(void **state) {
    (void)state;
    struct map m = {0};
    int one, two;
    size_t at = 0;
    struct span key;
    void *value;
    assert_null(map_get(&m, SPAN_LIT("x")));
    assert_null(map_remove(&m, SPAN_LIT("x")));
    assert_false(map_next(&m, &at, &key, &value));
    /* Empty keys and keys with a NUL byte are ordinary keys. */
    assert_null(map_put(&m, SPAN_LIT(""), &one));
    assert_null(map_put(&m, SPAN_LIT("a\0b"), &one));
    assert_null(map_put(&m, SPAN_LIT("a\0c"), &two));
    assert_ptr_equal(map_put(&m, SPAN_LIT(""), &two), &one);
    assert_ptr_equal(map_get(&m, SPAN_LIT("a\0b")), &one);
    assert_ptr_equal(map_remove(&m, SPAN_LIT("a\0c")), &two);
    assert_null(map_get(&m, SPAN_LIT("a\0c")));
    assert_int_equal(m.count, 2);
    map_release(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_agrees_with_an_array),
        cmocka_unit_test(empty_maps_and_unusual_keys),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
