/* Tests of base/map: the hash by its published vectors, the table against a plain array.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../lib/base/map.h"
#include "../../lib/base/rng.h"

static void test_siphash(void **state) {
    (void)state;
    /* Key 00 01 … 0f, input 00 01 …: the paper's own example has 15 bytes; the others are of the
     * table that its authors publish with the reference code. */
    static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    static const struct {
        size_t n;
        uint64_t hash;
    } vectors[] = {{0, 0x726fdb47dd0e0e31u}, {1, 0x74f839c593dc67fdu}, {2, 0x0d6c8009d9a94f5au},
                   {3, 0x85676696d7fb7e2du}, {8, 0x93f5f5799a932462u}, {15, 0xa129ca6149be45e5u}};
    char input[16];
    for (size_t i = 0; i < sizeof input; i++) input[i] = (char)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_true(map_siphash(key, (struct span){input, vectors[i].n}) == vectors[i].hash);
}

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

static void test_against_array(void **state) {
    (void)state;
    struct rng rng;
    struct map m;
    int values[KEYS], *model[KEYS] = {NULL};
    size_t count = 0;
    rng_seed(&rng, 7);
    map_init(&m, (uint64_t[2]){1, 2});
    for (int i = 0; i < KEYS; i++) values[i] = i;
    for (int step = 0; step < 40000; step++) {
        int i = (int)rng_range(&rng, 0, KEYS - 1);
        char text[32];
        struct span key = {text, (size_t)snprintf(text, sizeof text, "k%d%.*s", i, i % 12, "............")};
        /* Long phases of growing and of shrinking: holes must close right in either. */
        bool put = rng_range(&rng, 0, 9) < (step / 5000 % 2 ? 3 : 7);
        assert_ptr_equal(map_get(&m, key), model[i]);
        if (put) {
            assert_ptr_equal(map_put(&m, key, &values[i]), model[i]);
            count += !model[i];
            model[i] = &values[i];
        } else {
            assert_ptr_equal(map_cut(&m, key), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
        }
        assert_int_equal(m.count, count);
        if (step % 1000 == 0) check_walk(&m, model);
    }
    map_release(&m);
}

static void test_edges(void **state) {
    (void)state;
    struct map m;
    int one, two;
    size_t at = 0;
    struct span key;
    void *value;
    map_init(&m, (uint64_t[2]){3, 4});
    assert_null(map_get(&m, SPAN_LIT("x")));
    assert_null(map_cut(&m, SPAN_LIT("x")));
    assert_false(map_next(&m, &at, &key, &value));
    /* Empty keys and keys with NUL are keys like any other. */
    assert_null(map_put(&m, SPAN_LIT(""), &one));
    assert_null(map_put(&m, SPAN_LIT("a\0b"), &one));
    assert_null(map_put(&m, SPAN_LIT("a\0c"), &two));
    assert_ptr_equal(map_put(&m, SPAN_LIT(""), &two), &one);
    assert_ptr_equal(map_get(&m, SPAN_LIT("a\0b")), &one);
    assert_ptr_equal(map_cut(&m, SPAN_LIT("a\0c")), &two);
    assert_null(map_get(&m, SPAN_LIT("a\0c")));
    assert_int_equal(m.count, 2);
    map_release(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_against_array),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
