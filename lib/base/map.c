/* map: see map.h. The tree is tsearch(3)'s, which glibc keeps balanced.
 * SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include <search.h>

#include "mem.h"

struct map_entry {
    struct span key; /* first, so that a key can be looked up as an entry is */
    void *value;
    size_t place; /* in the map's entries */
    char bytes[];
};

static struct map_entry *find(const struct map *m, struct span key) {
    struct map_entry **leaf = tfind(&key, &m->root, span_order);
    return leaf ? *leaf : NULL;
}

void *map_get(const struct map *m, struct span key) {
    const struct map_entry *e = find(m, key);
    return e ? e->value : NULL;
}

void *map_put(struct map *m, struct span key, void *value) {
    struct map_entry *e = find(m, key);
    void *had = e ? e->value : NULL;
    if (!e) {
        e = mem_calloc(1, sizeof *e + key.n);
        *e = (struct map_entry){.key = {e->bytes, key.n}, .place = m->count};
        if (key.n)
            memcpy(e->bytes, key.p, key.n);
        m->entries = mem_room(m->entries, m->count, &m->cap, sizeof *m->entries);
        m->entries[m->count++] = e;
        if (!tsearch(e, &m->root, span_order))
            mem_abort();
    }
    e->value = value;
    return had;
}

void *map_remove(struct map *m, struct span key) {
    struct map_entry *e = find(m, key);
    if (!e)
        return NULL;
    void *had = e->value;
    struct map_entry *last = m->entries[--m->count];
    m->entries[e->place] = last;
    last->place = e->place;
    tdelete(e, &m->root, span_order);
    free(e);
    return had;
}

bool map_next(const struct map *m, size_t *at, struct span *key, void **value) {
    if (*at == m->count)
        return false;
    const struct map_entry *e = m->entries[(*at)++];
    *key = e->key;
    *value = e->value;
    return true;
}

void map_release(struct map *m) {
    tdestroy(m->root, free);
    free(m->entries);
    *m = (struct map){0};
}
