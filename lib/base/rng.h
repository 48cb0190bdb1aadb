/* rng: random numbers, repeatable from a seed, or from the system: SplitMix64 (Steele, Lea, Flood:
 * "Fast splittable pseudorandom number generators", 2014). POSIX jrand48 has 48 bits of state, too
 * few for ids that must not meet. Owns its state. For simulation, jitter and ids, never for
 * secrets. One thread at a time. libc only. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct rng {
    uint64_t state; /* any seed is a beginning */
};

/* 64 random bits. */
uint64_t rng_next(struct rng *r);
/* Evenly from low to high, both included; low <= high. */
int64_t rng_range(struct rng *r, int64_t low, int64_t high);
/* A version 4 UUID (RFC 4122) in lower case, with its NUL. */
void rng_uuid4(struct rng *r, char text[37]);
/* 64 bits from the operating system. */
uint64_t rng_os(void);
