/* rng: random numbers for jitter, ids and simulation, never for secrets. SplitMix64 (Steele, Lea,
 * Flood: "Fast splittable pseudorandom number generators", 2014) is repeatable from its seed; POSIX
 * jrand48 has 48 bits of state, too few for ids that must not collide. Owns its state. One thread
 * at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct rng {
    uint64_t state; /* to start, set it to any seed */
};

/* Returns 64 random bits. */
uint64_t rng_next(struct rng *r);
/* Returns a number from low to high, both included and about equally likely; low <= high. */
int64_t rng_range(struct rng *r, int64_t low, int64_t high);
/* Writes a version 4 UUID (RFC 4122) in lower case with its NUL. */
void rng_uuid4(struct rng *r, char text[37]);
/* Returns 64 bits from the operating system, for a seed. Any thread. */
uint64_t rng_os(void);
