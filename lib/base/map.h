/* map: bytes → pointer, open addressing, hashed with SipHash-2-4 under a key of its own, because
 * the keys come from outside (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012). Owns
 * its table and copies of the keys, not the values. One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct map_slot {
    char *key; /* NULL: free */
    size_t n;
    uint64_t hash;
    void *value;
};

struct map {
    struct map_slot *slots;
    size_t count, cap; /* cap: a power of two, or 0 */
    uint64_t seed[2];
};

/* seed: 128 random bits (rng_os), or anything in tests: it decides the order of map_next. */
void map_init(struct map *m, const uint64_t seed[2]);
/* The value, or NULL. */
void *map_get(const struct map *m, struct span key);
/* Sets key to value (not NULL) and returns the value it had, or NULL. */
void *map_put(struct map *m, struct span key, void *value);
/* Removes key and returns its value, or NULL. */
void *map_cut(struct map *m, struct span key);
/* Walks all: start with *at = 0; false at the end. The map must not change meanwhile. */
bool map_next(const struct map *m, size_t *at, struct span *key, void **value);
/* Frees table and keys; the values are the caller's. */
void map_release(struct map *m);
/* The hash itself, for the test vectors. */
uint64_t map_siphash(const uint64_t seed[2], struct span s);
