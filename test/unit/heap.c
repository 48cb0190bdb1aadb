/* heap: the earliest item stays on top whatever changes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../lib/base/heap.h"
#include "../../lib/base/rng.h"

static void the_heap_agrees_with_a_sort(void **state) {
    (void)state;
    enum { N = 200 };
    struct heap_item items[N] = {0};
    struct heap heap = {0};
    struct rng rng;
    rng.state = 7;
    for (int i = 0; i < N; i++) {
        items[i].due = rng_range(&rng, 0, 100);
        heap_put(&heap, &items[i]);
    }
    for (int i = 0; i < N; i += 3) {
        items[i].due = rng_range(&rng, 0, 100);
        heap_moved(&heap, &items[i]);
    }
    for (int i = 1; i < N; i += 3)
        heap_remove(&heap, &items[i]);
    heap_remove(&heap, &items[1]);
    size_t n = 0;
    int64_t last = 0;
    for (struct heap_item *top; (top = heap_top(&heap)); n++) {
        assert_true(top->due >= last);
        last = top->due;
        heap_remove(&heap, top);
    }
    assert_int_equal(n, N - 67);
    heap_release(&heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_heap_agrees_with_a_sort)};
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
