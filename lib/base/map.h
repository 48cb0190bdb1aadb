/* map: bytes → pointer. The keys come from outside, so it is a balanced tree: whatever they are, a
 * look costs no more than their logarithm, which a hash table has to be seeded for. Owns its tree
 * and copies of the keys, not the values. One thread at a time. libc only. SPDX-License-Identifier:
 * Apache-2.0 */
#pragma once

#include "span.h"

struct map_entry;
/* A zeroed struct is an empty map. */
struct map {
    void *root;
    struct map_entry **entries; /* all of them, for map_next */
    size_t count, cap;
};

/* The value, or NULL. */
void *map_get(const struct map *m, struct span key);
/* Sets key to value (not NULL) and returns the value it had, or NULL. */
void *map_put(struct map *m, struct span key, void *value);
/* Removes key and returns its value, or NULL. */
void *map_remove(struct map *m, struct span key);
/* Walks all: start with *at = 0; false at the end. The map must not change meanwhile. */
bool map_next(const struct map *m, size_t *at, struct span *key, void **value);
/* Frees tree and keys, and leaves an empty map; the values are the caller's. */
void map_release(struct map *m);
