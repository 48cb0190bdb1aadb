/* backoff: how long to wait before the next attempt: exponential with equal jitter, so that many
 * clients don't come back together (Brooker: "Exponential Backoff And Jitter", AWS, 2015). Owns its
 * counter and its random numbers. Pure. One thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/rng.h"

struct backoff {
    struct rng rng;  /* seeded by the caller */
    int64_t base_ms; /* the first wait */
    int64_t max_ms;  /* the longest wait */
    unsigned tries;  /* failures in a row; the caller sets it to 0 after a success */
};

/* The next wait in ms, evenly between half of min(max_ms, base_ms * 2^tries) and all of it; counts
 * one more failure. */
int64_t backoff_next(struct backoff *b);
