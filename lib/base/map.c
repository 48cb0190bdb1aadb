/* map: see map.h. The tree is tsearch(3)'s, which glibc keeps balanced.
 * SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include <search.h>

#include "mem.h"

struct map_entry {
    struct span key; /* first, so that the tree compares an entry and a bare key alike */
    void *value;
    size_t place; /* its index in the map's array of entries */
    char bytes[]; /* of the key */
};

static struct map_entry *map_find(const struct map *m, struct span key) {
    struct map_entry **node = tfind(&key, &m->root, span_order);
    return node ? *node : NULL;
}

static struct map_entry *map_add(struct map *m, struct span key) {
    struct map_entry *entry = mem_calloc(1, sizeof *entry + key.n);
    *entry = (struct map_entry){.key = {entry->bytes, key.n}, .place = m->count};
    if (key.n > 0)
        memcpy(entry->bytes, key.p, key.n);
    m->entries = mem_room(m->entries, m->count, &m->cap, sizeof *m->entries);
    m->entries[m->count] = entry;
    m->count++;
    if (!tsearch(entry, &m->root, span_order))
        mem_abort();
    return entry;
}

void *map_get(const struct map *m, struct span key) {
    const struct map_entry *entry = map_find(m, key);
    return entry ? entry->value : NULL;
}

void *map_put(struct map *m, struct span key, void *value) {
    struct map_entry *entry = map_find(m, key);
    if (!entry)
        entry = map_add(m, key);
    void *previous = entry->value;
    entry->value = value;
    return previous;
}

void *map_remove(struct map *m, struct span key) {
    struct map_entry *entry = map_find(m, key);
    if (!entry)
        return NULL;
    void *value = entry->value;
    /* The last entry of the array fills the gap. */
    m->count--;
    struct map_entry *last = m->entries[m->count];
    m->entries[entry->place] = last;
    last->place = entry->place;
    tdelete(entry, &m->root, span_order);
    free(entry);
    return value;
}

bool map_next(const struct map *m, size_t *at, struct span *key, void **value) {
    if (*at == m->count)
        return false;
    const struct map_entry *entry = m->entries[*at];
    (*at)++;
    *key = entry->key;
    *value = entry->value;
    return true;
}

void map_release(struct map *m) {
    tdestroy(m->root, free);
    free(m->entries);
    *m = (struct map){0};
}
