/* backoff: see backoff.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

int64_t backoff_next(struct backoff *b) {
    int64_t wait = b->base_ms;
    for (unsigned i = 0; i < b->tries && wait < b->max_ms; i++)
        wait *= 2;
    if (wait > b->max_ms)
        wait = b->max_ms;
    b->tries++;
    return rng_range(&b->rng, wait / 2, wait);
}
