/* registry_table: the registry's entries and partitions, and the deadlines of the entries: see
 * registry_internal.h. Each partition has a heap of the deadlines of the entries at home there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "registry_internal.h"

#include "../base/mem.h"

/* --- the whole --- */

struct registry *registry_new(const struct registry_conf *conf) {
    struct registry *r = mem_calloc(1, sizeof *r);
    r->conf = *conf;
    return r;
}

static void registry_entry_free(struct registry_entry *e) {
    free((char *)e->id.p);
    free((char *)e->service.p);
    free(e);
}

void registry_clear(struct registry *r) {
    size_t at = 0;
    struct span id;
    void *entry;
    while (map_next(&r->entries, &at, &id, &entry))
        registry_entry_free(entry);
    map_release(&r->entries);
    for (size_t i = 0; i < r->n_partitions; i++)
        heap_release(&r->partitions[i].deadlines);
    free(r->partitions);
    *r = (struct registry){.conf = r->conf};
}

void registry_free(struct registry *r) {
    if (!r)
        return;
    registry_clear(r);
    free(r);
}

bool registry_each(const struct registry *r, size_t *place, struct registry_node *out) {
    struct span id;
    void *value;
    if (!map_next(&r->entries, place, &id, &value))
        return false;
    const struct registry_entry *e = value;
    const int64_t unseen_ms = registry_entry_watermark_ms(r, e) - e->last_seen_ms;
    *out = (struct registry_node){.id = e->id,
                                  .service = e->service,
                                  .silent = e->reported_ms || unseen_ms > r->conf.timeout,
                                  .since_ms = e->since_ms,
                                  .last_seen_ms = e->last_seen_ms};
    if (out->silent)
        out->since_ms = e->last_seen_ms + r->conf.timeout;
    return true;
}

/* --- partitions --- */

struct registry_partition *registry_partition_of(struct registry *r, int32_t partition) {
    for (size_t i = 0; i < r->n_partitions; i++)
        if (r->partitions[i].partition == partition)
            return &r->partitions[i];
    r->partitions = mem_realloc(r->partitions, r->n_partitions + 1, sizeof *r->partitions);
    struct registry_partition *p = &r->partitions[r->n_partitions++];
    *p = (struct registry_partition){
        .partition = partition, .next_offset = -1, .watermark_ms = REGISTRY_NO_TIME};
    return p;
}

static uint32_t registry_partition_bit(int32_t partition) {
    return (uint32_t)1 << (partition % 32);
}

/* --- entries --- */

static struct span registry_copy(struct span s) {
    if (!s.p)
        return s;
    return (struct span){mem_strndup(s.p, s.n), s.n};
}

struct registry_entry *registry_entry_add(struct registry *r, struct span id, struct span service,
                                          int32_t home_partition) {
    struct registry_entry *e = mem_calloc(1, sizeof *e);
    e->id = registry_copy(id);
    e->service = registry_copy(service);
    e->home_partition = home_partition;
    map_put(&r->entries, id, e);
    return e;
}

void registry_entry_remove(struct registry *r, struct registry_entry *e) {
    registry_unschedule(r, e);
    map_remove(&r->entries, e->id);
    registry_entry_free(e);
}

void registry_entry_set_service(struct registry_entry *e, struct span service) {
    free((char *)e->service.p);
    e->service = registry_copy(service);
}

bool registry_entry_note_partition(struct registry *r, struct registry_entry *e,
                                   int32_t partition) {
    const uint32_t bit = registry_partition_bit(partition);
    if (partition == e->home_partition || e->partition_mask & bit)
        return false;
    e->partition_mask |= bit;
    r->multi_partition = true;
    return true;
}

static bool registry_entry_is_on(const struct registry_entry *e, int32_t partition) {
    return partition == e->home_partition || e->partition_mask & registry_partition_bit(partition);
}

int64_t registry_entry_watermark_ms(const struct registry *r, const struct registry_entry *e) {
    int64_t lowest_ms = REGISTRY_MAX_MS;
    for (size_t i = 0; i < r->n_partitions; i++) {
        const struct registry_partition *p = &r->partitions[i];
        if (p->watermark_ms < lowest_ms && registry_entry_is_on(e, p->partition))
            lowest_ms = p->watermark_ms;
    }
    return lowest_ms;
}

/* --- deadlines --- */

int64_t registry_entry_due_ms(const struct registry_conf *conf, const struct registry_entry *e) {
    if (!e->reported_ms)
        return e->last_seen_ms + conf->timeout + conf->grace;
    int64_t due_ms = INT64_MAX;
    if (conf->repeat)
        due_ms = e->reported_ms + conf->repeat + conf->grace;
    if (conf->forget && e->last_seen_ms + conf->forget < due_ms)
        due_ms = e->last_seen_ms + conf->forget;
    return due_ms;
}

void registry_schedule(struct registry *r, struct registry_entry *e) {
    e->deadline.due = registry_entry_due_ms(&r->conf, e);
    heap_put(&registry_partition_of(r, e->home_partition)->deadlines, &e->deadline);
}

void registry_unschedule(struct registry *r, struct registry_entry *e) {
    heap_remove(&registry_partition_of(r, e->home_partition)->deadlines, &e->deadline);
}

int64_t registry_next_due_ms(const struct registry *r) {
    int64_t next_ms = -1;
    for (size_t i = 0; i < r->n_partitions; i++) {
        const struct registry_partition *p = &r->partitions[i];
        const struct heap_item *first = heap_top(&p->deadlines);
        if (!first || first->due == INT64_MAX || p->watermark_ms == REGISTRY_NO_TIME)
            continue;
        int64_t left_ms = 0;
        if (first->due >= p->watermark_ms)
            left_ms = first->due - p->watermark_ms + 1;
        if (next_ms < 0 || left_ms < next_ms)
            next_ms = left_ms;
    }
    return next_ms;
}
