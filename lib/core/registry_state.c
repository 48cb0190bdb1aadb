/* registry_state: the registry as records of a compacted topic, written and loaded. An entry is
 *     "node ID" → {"service_name":…,"since":…,"last":…,"said":…,"also":…}
 * in its home partition, and a partition is
 *     "partition N" → {"offset":…,"time":…,"from":…}
 * (times in ms since 1970). Members and keys that are not known are ignored, so that a newer
 * distlog may add some. SPDX-License-Identifier: Apache-2.0 */
#include "registry_internal.h"

#include "../base/json.h"
#include "../base/json_writer.h"

#define REGISTRY_KEY_NODE      "node "
#define REGISTRY_KEY_PARTITION "partition "

/* --- writing --- */

static struct span registry_state_key(const struct registry_entry *e, struct arena *arena) {
    BUF_LOCAL struct buf key = {0};
    buf_text(&key, REGISTRY_KEY_NODE);
    buf_span(&key, e->id);
    return arena_span(arena, buf_view(&key));
}

static void registry_state_change(struct registry_step *step, int32_t partition, struct span key,
                                  struct span value) {
    step->changes[step->n_changes++] = (struct registry_change){partition, key, value};
}

void registry_state_save(const struct registry_entry *e, struct registry_step *step) {
    BUF_LOCAL struct buf value = {0};
    struct json_writer w = {.out = &value};
    json_writer_object_begin(&w);
    json_writer_member_string(&w, "service_name", e->service);
    json_writer_member_int64(&w, "since", e->since_ms);
    json_writer_member_int64(&w, "last", e->last_seen_ms);
    json_writer_member_int64(&w, "said", e->reported_ms);
    json_writer_member_int64(&w, "also", e->partition_mask);
    json_writer_object_end(&w);
    registry_state_change(step, e->home_partition, registry_state_key(e, step->arena),
                          arena_span(step->arena, buf_view(&value)));
}

void registry_state_remove(const struct registry_entry *e, struct registry_step *step) {
    registry_state_change(step, e->home_partition, registry_state_key(e, step->arena),
                          (struct span){0});
}

/* From where a partition's records have to be replayed. An entry without an open gap has been seen
 * less than timeout + grace before the watermark that counts for it, so heartbeats that matter are
 * not older than that. */
static int64_t registry_replay_from_ms(const struct registry *r,
                                       const struct registry_partition *partition) {
    int64_t watermark_ms = partition->watermark_ms;
    if (r->multi_partition) {
        watermark_ms = INT64_MAX;
        for (size_t i = 0; i < r->n_partitions; i++) {
            const struct registry_partition *p = &r->partitions[i];
            if (p->watermark_ms != REGISTRY_NO_TIME && p->watermark_ms < watermark_ms)
                watermark_ms = p->watermark_ms;
        }
    }
    return watermark_ms - r->conf.timeout - r->conf.grace;
}

static void registry_save_partition(const struct registry_partition *p,
                                    struct registry_step *step) {
    BUF_LOCAL struct buf value = {0};
    struct json_writer w = {.out = &value};
    json_writer_object_begin(&w);
    json_writer_member_int64(&w, "offset", p->next_offset);
    json_writer_member_int64(&w, "time", p->watermark_ms);
    json_writer_member_int64(&w, "from", p->replay_from_ms);
    json_writer_object_end(&w);
    const char *key = arena_printf(step->arena, REGISTRY_KEY_PARTITION "%d", p->partition);
    registry_state_change(step, p->partition, span_of(key),
                          arena_span(step->arena, buf_view(&value)));
}

bool registry_save(struct registry *r, struct registry_step *step) {
    registry_step_clear(step);
    for (size_t i = 0; i < r->n_partitions; i++) {
        struct registry_partition *p = &r->partitions[i];
        const bool nothing_was_read = p->next_offset < 0;
        if (!p->moved || nothing_was_read)
            continue;
        p->moved = false;
        p->replay_from_ms = registry_replay_from_ms(r, p);
        registry_save_partition(p, step);
        return true;
    }
    return false;
}

/* --- loading --- */

/* The members of both kinds of record; those of one kind stand together. */
enum registry_member {
    REGISTRY_SINCE,
    REGISTRY_LAST,
    REGISTRY_SAID,
    REGISTRY_ALSO,
    REGISTRY_OFFSET,
    REGISTRY_TIME,
    REGISTRY_FROM,
    REGISTRY_SERVICE,
    REGISTRY_MEMBERS
};
static const char *const registry_members[REGISTRY_MEMBERS] = {[REGISTRY_SINCE] = "since",
                                                               [REGISTRY_LAST] = "last",
                                                               [REGISTRY_SAID] = "said",
                                                               [REGISTRY_ALSO] = "also",
                                                               [REGISTRY_TIME] = "time",
                                                               [REGISTRY_FROM] = "from",
                                                               [REGISTRY_SERVICE] = "service_name",
                                                               [REGISTRY_OFFSET] = "offset"};

/* The integer from 0 to REGISTRY_MAX_MS that a member is; -1 for anything else. */
static int64_t registry_number(const struct json_value *members, enum registry_member i) {
    return json_int(&members[i], 0, REGISTRY_MAX_MS, -1);
}

/* Whether the members from first to last are all such integers. */
static bool registry_has_numbers(const struct json_value *members, enum registry_member first,
                                 enum registry_member last) {
    for (enum registry_member i = first; i <= last; i++)
        if (registry_number(members, i) < 0)
            return false;
    return true;
}

static bool registry_load_entry(struct registry *r, int32_t partition, struct span id,
                                const struct json_value *members, struct arena *arena) {
    if (!registry_has_numbers(members, REGISTRY_SINCE, REGISTRY_ALSO) || map_get(&r->entries, id))
        return false;
    struct span service = json_text(&members[REGISTRY_SERVICE], arena);
    struct registry_entry *e = registry_entry_add(r, id, service, partition);
    e->since_ms = registry_number(members, REGISTRY_SINCE);
    e->last_seen_ms = registry_number(members, REGISTRY_LAST);
    e->reported_ms = registry_number(members, REGISTRY_SAID);
    e->partition_mask = (uint32_t)registry_number(members, REGISTRY_ALSO);
    if (e->partition_mask)
        r->multi_partition = true;
    registry_schedule(r, e);
    return true;
}

static bool registry_load_partition(struct registry *r, int32_t partition,
                                    const struct json_value *members) {
    if (!registry_has_numbers(members, REGISTRY_OFFSET, REGISTRY_TIME))
        return false;
    struct registry_partition *p = registry_partition_of(r, partition);
    p->next_offset = registry_number(members, REGISTRY_OFFSET);
    p->watermark_ms = registry_number(members, REGISTRY_TIME);
    /* A time before 1970 comes out as -1, which is early enough. */
    p->replay_from_ms = registry_number(members, REGISTRY_FROM);
    return true;
}

/* What follows the prefix in a key; .p NULL: the key begins otherwise, or ends there. */
static struct span registry_after_prefix(struct span key, const char *prefix) {
    const size_t n = strlen(prefix);
    if (key.n <= n || memcmp(key.p, prefix, n) != 0)
        return (struct span){0};
    return (struct span){key.p + n, key.n - n};
}

bool registry_load(struct registry *r, int32_t partition, struct span key, struct span value,
                   struct arena *arena) {
    struct json_value members[REGISTRY_MEMBERS];
    struct err err;
    if (json_members(value, registry_members, members, REGISTRY_MEMBERS, arena, &err) != 0)
        return false;
    struct span id = registry_after_prefix(key, REGISTRY_KEY_NODE);
    if (id.p)
        return registry_load_entry(r, partition, id, members, arena);
    if (registry_after_prefix(key, REGISTRY_KEY_PARTITION).p)
        return registry_load_partition(r, partition, members);
    return false;
}

bool registry_position(const struct registry *r, size_t i, struct registry_position *out) {
    if (i >= r->n_partitions)
        return false;
    const struct registry_partition *p = &r->partitions[i];
    *out = (struct registry_position){p->partition, p->next_offset, p->replay_from_ms};
    return true;
}
