/* deadletter: any bytes as an envelope, and as the content of one. An envelope that is accepted is
 * the same after it was written and read again; its content is read back, whole or as far as it
 * fits. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "../../lib/base/utf8.h"
#include "../../lib/core/deadletter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool holds) {
    if (!holds)
        abort();
}

static bool begins(struct span whole, struct span part) {
    return part.n <= whole.n && (part.n == 0 || memcmp(whole.p, part.p, part.n) == 0) &&
           !part.p == !whole.p;
}

/* Writes the envelope within limit and reads it back. */
static void there_and_back(const struct deadletter *d, size_t limit) {
    struct arena arena = {0};
    struct buf out = {0};
    struct deadletter again;
    struct err err = {""};
    deadletter_write(&out, d, limit);
    check(deadletter_read(buf_view(&out), &arena, &again, &err) == 0);
    check(strcmp(again.topic, d->topic) == 0 && again.partition == d->partition);
    check(again.offset == d->offset && again.ts_ms == d->ts_ms);
    check(begins(d->key, again.key) && begins(d->value, again.value));
    bool whole = again.key.n == d->key.n && again.value.n == d->value.n;
    check(whole ? again.full_size < 0 : again.full_size == (int64_t)d->value.n);
    check(whole || out.n <= limit || again.value.n <= 1); /* a large key may leave no room */
    arena_release(&arena);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct span in = {(const char *)bytes, n}, key = {in.p, n / 8};
    struct arena arena = {0};
    struct deadletter d;
    struct err err = {""};
    if (deadletter_read(in, &arena, &d, &err) == 0 && d.full_size < 0)
        there_and_back(&d, SIZE_MAX);
    else
        check(d.full_size >= 0 || *err.text);
    arena_release(&arena);
    if (n == 0)
        return 0;
    d = (struct deadletter){.reason = "it \"fails\"",
                            .topic = "nodes",
                            .partition = (int32_t)(n % 7),
                            .offset = (int64_t)n,
                            .ts_ms = 1700000000000,
                            .key = key.n ? key : (struct span){0},
                            .value = {in.p + key.n, n - key.n}};
    there_and_back(&d, SIZE_MAX);
    there_and_back(&d, 200);
    there_and_back(&d, 1000);
    return 0;
}
