/* backoff: how long to wait before trying again: exponential with equal jitter, so that many
 * clients don't come back together (Brooker: "Exponential Backoff And Jitter", AWS, 2015). Owns its
 * counter and its random numbers. Pure. One thread at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "../base/rng.h"

struct backoff {
    struct rng rng; /* seeded by the caller */
    int64_t base_ms, max_ms;
    unsigned tries; /* since it last worked: whoever sees that sets it to 0, to start again from
                       base_ms */
};

/* The next wait in ms: evenly from half of min(max, base * 2^tries) to all of it; counts the try.
 */
int64_t backoff_next(struct backoff *b);
