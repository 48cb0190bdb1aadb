/* backoff: see backoff.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

int64_t backoff_next(struct backoff *b) {
    int64_t wait_ms = b->base_ms;
    for (unsigned i = 0; i < b->tries && wait_ms < b->max_ms; i++)
        wait_ms *= 2;
    if (wait_ms > b->max_ms)
        wait_ms = b->max_ms;
    b->tries++;
    return rng_range(&b->rng, wait_ms / 2, wait_ms);
}
