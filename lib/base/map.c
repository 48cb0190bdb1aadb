/* map: see map.h. Linear probing, at most three quarters full, deletion closes the gap.
 * SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include "mem.h"

static uint64_t rotl(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t map_siphash(const uint64_t seed[2], struct span s) {
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    uint64_t word = 0;
    for (size_t i = 0; i < s.n; i++) {
        word |= (uint64_t)(unsigned char)s.p[i] << (8 * (i % 8));
        if (i % 8 == 7) {
            sip_word(v, word);
            word = 0;
        }
    }
    sip_word(v, word | (uint64_t)s.n << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, const uint64_t seed[2]) { *m = (struct map){.seed = {seed[0], seed[1]}}; }

/* The slot that holds key, or the free one where it would go. */
static struct map_slot *find(const struct map *m, struct span key, uint64_t hash) {
    size_t at = (size_t)hash & (m->cap - 1);
    for (;; at = (at + 1) & (m->cap - 1)) {
        struct map_slot *slot = &m->slots[at];
        if (!slot->key || (slot->hash == hash && span_eq((struct span){slot->key, slot->n}, key)))
            return slot;
    }
}

static void grow(struct map *m) {
    struct map old = *m;
    m->cap = old.cap ? old.cap * 2 : 16;
    m->slots = mem_new(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++) {
        struct map_slot *slot = &old.slots[i];
        if (slot->key) *find(m, (struct span){slot->key, slot->n}, slot->hash) = *slot;
    }
    free(old.slots);
}

void *map_get(const struct map *m, struct span key) {
    return m->cap ? find(m, key, map_siphash(m->seed, key))->value : NULL;
}

void *map_put(struct map *m, struct span key, void *value) {
    if (m->count * 4 >= m->cap * 3) grow(m);
    uint64_t hash = map_siphash(m->seed, key);
    struct map_slot *slot = find(m, key, hash);
    void *had = slot->value;
    if (!slot->key) {
        *slot = (struct map_slot){.key = mem_text(key.p, key.n), .n = key.n, .hash = hash};
        m->count++;
    }
    slot->value = value;
    return had;
}

void *map_cut(struct map *m, struct span key) {
    if (!m->cap) return NULL;
    struct map_slot *slot = find(m, key, map_siphash(m->seed, key));
    if (!slot->key) return NULL;
    void *had = slot->value;
    free(slot->key);
    m->count--;
    *slot = (struct map_slot){0};
    /* Whoever stands behind the hole may have gone past it: each goes where it would go now. */
    for (size_t at = (size_t)(slot - m->slots); m->slots[at = (at + 1) & (m->cap - 1)].key;) {
        struct map_slot moved = m->slots[at];
        m->slots[at] = (struct map_slot){0};
        *find(m, (struct span){moved.key, moved.n}, moved.hash) = moved;
    }
    return had;
}

bool map_next(const struct map *m, size_t *at, struct span *key, void **value) {
    while (*at < m->cap) {
        const struct map_slot *slot = &m->slots[(*at)++];
        if (!slot->key) continue;
        *key = (struct span){slot->key, slot->n};
        *value = slot->value;
        return true;
    }
    return false;
}

void map_release(struct map *m) {
    for (size_t i = 0; i < m->cap; i++) free(m->slots[i].key);
    free(m->slots);
    m->slots = NULL;
    m->count = m->cap = 0;
}
