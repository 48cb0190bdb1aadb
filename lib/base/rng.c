/* rng: see rng.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rng.h"

#include <stdio.h>
#include <unistd.h>

#include "mem.h"

uint64_t rng_next(struct rng *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t rng_range(struct rng *r, int64_t low, int64_t high) {
    uint64_t many = (uint64_t)high - (uint64_t)low + 1; /* 0: all of them */
    uint64_t bits = rng_next(r);
    return (int64_t)((uint64_t)low + (many ? bits % many : bits));
}

void rng_uuid4(struct rng *r, char text[37]) {
    uint64_t a = rng_next(r), b = rng_next(r);
    snprintf(text, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(0x8000 | b >> 50),
             (unsigned long long)(b & 0xffffffffffffu));
}

uint64_t rng_os(void) {
    uint64_t bits;
    if (getentropy(&bits, sizeof bits) != 0)
        mem_abort(); /* Linux 3.17 and later always have it once booted */
    return bits;
}
