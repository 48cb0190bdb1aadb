/* changelog: any bytes as records of the state topic, a line of KEY TAB VALUE each. What was loaded
 * has at most one node a key, can be used (time passes, heartbeats arrive), and is unchanged when
 * it is saved and loaded again. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "../../lib/core/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MOST_STEPS = 1000 };

static const struct registry_conf conf = {
    .timeout = 7000, .grace = 1000, .repeat = 60000, .forget = 86400000};

static void check(bool holds) {
    if (!holds)
        abort();
}

static size_t count(const struct registry *r) {
    size_t n = 0, place = 0;
    for (struct registry_node node; registry_each(r, &place, &node); n++)
        check(node.id.p && node.id.n);
    return n;
}

/* Loads the changes of the step into another registry. */
static void copy(struct registry *to, const struct registry_step *step, struct arena *arena) {
    for (size_t i = 0; i < step->n_changes; i++) {
        const struct registry_change *c = &step->changes[i];
        check(!c->value.p || registry_load(to, c->partition, c->key, c->value, arena) || count(to));
    }
}

/* Expires nodes until none is due, and checks that each change that is saved can be loaded. */
static void expire(struct registry *r, struct registry_step *step) {
    for (int i = 0; i < MOST_STEPS && registry_expire(r, step); i++) {
        struct registry *again = registry_new(&conf);
        check(step->n_events && step->n_changes);
        copy(again, step, step->arena);
        registry_free(again);
        arena_clear(step->arena);
    }
}

static size_t load(struct registry *r, struct span in, struct arena *arena) {
    struct span line, key;
    size_t taken = 0;
    for (int32_t partition = 0; span_next(&in, '\n', &line); partition++) {
        span_next(&line, '\t', &key);
        taken += line.p && registry_load(r, partition % 40, key, line, arena);
    }
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct arena arena = {0};
    struct registry_step step = {.arena = &arena};
    struct registry *r = registry_new(&conf);
    struct registry_position part;
    size_t taken = load(r, (struct span){(const char *)bytes, n}, &arena);
    check(count(r) <= taken);
    for (size_t i = 0; registry_position(r, i, &part); i++)
        registry_advance(r, &(struct registry_at){part.partition, 1, INT64_MAX, INT64_MAX});
    expire(r, &step);
    while (registry_save(r, &step)) {
        struct registry *again = registry_new(&conf);
        copy(again, &step, &arena);
        check(registry_position(again, 0, &part) && part.partition == step.changes[0].partition);
        registry_free(again);
    }
    check(registry_next_due_ms(r) >= -1);
    registry_free(r);
    arena_release(&arena);
    return 0;
}
