/* map: a map from bytes to pointers. The keys come from outside: a balanced tree finds any of them
 * in logarithmic time, whatever they are; a hash table would have to be seeded against attacks.
 * Owns its tree and copies of the keys, not the values. One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct map_entry;

/* A zeroed struct is an empty map. */
struct map {
    void *root;                 /* tsearch(3)'s */
    struct map_entry **entries; /* every entry, in no order, for map_next */
    size_t count, cap;          /* entries in the map; entries that the array can hold */
};

/* Returns the value of key, or NULL if the map does not contain it. */
void *map_get(const struct map *m, struct span key);
/* Sets key to value, which must not be NULL. Returns the previous value, or NULL. */
void *map_put(struct map *m, struct span key, void *value);
/* Removes key. Returns its value, or NULL if the map did not contain it. */
void *map_remove(struct map *m, struct span key);
/* Visits every entry once: start with *at = 0 and call until it returns false. *key is valid as
 * long as its entry. The map must not change during the walk. */
bool map_next(const struct map *m, size_t *at, struct span *key, void **value);
/* Frees tree and keys and empties the map; the values stay as they are. */
void map_release(struct map *m);
