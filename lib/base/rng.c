/* rng: see rng.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rng.h"

#include <stdio.h>
#include <unistd.h>

#include "mem.h"

uint64_t rng_next(struct rng *r) {
    r->state += 0x9e3779b97f4a7c15u;
    uint64_t z = r->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t rng_range(struct rng *r, int64_t low, int64_t high) {
    const uint64_t count = (uint64_t)high - (uint64_t)low + 1;
    uint64_t offset = rng_next(r);
    if (count != 0) /* 0: all 2^64 numbers, so that every offset fits */
        offset %= count;
    return (int64_t)((uint64_t)low + offset);
}

void rng_uuid4(struct rng *r, char text[37]) {
    const uint64_t first = rng_next(r);
    const uint64_t second = rng_next(r);
    const unsigned time_low = (unsigned)(first >> 32);
    const unsigned time_mid = (unsigned)(first >> 16 & 0xffff);
    const unsigned time_high = (unsigned)(first & 0xfff);
    const unsigned variant = (unsigned)(0x8000 | second >> 50);
    const unsigned long long node = second & 0xffffffffffffu;
    snprintf(text, 37, "%08x-%04x-4%03x-%04x-%012llx", time_low, time_mid, time_high, variant,
             node);
}

uint64_t rng_os(void) {
    uint64_t bits;
    if (getentropy(&bits, sizeof bits) != 0)
        mem_abort(); /* since Linux 3.17 it cannot fail for so few bytes */
    return bits;
}
