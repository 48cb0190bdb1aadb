/* arena: memory for one batch of work, freed all at once.
 * Owns every block that it handed out: what is allocated while a batch is handled dies together
 * when the batch is committed or aborted. One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct arena_block;

/* A zeroed struct is an empty arena. */
struct arena {
    struct arena_block *head; /* the newest block, which new allocations come from */
    size_t used;              /* bytes handed out since arena_clear */
};

/* Returns n bytes, aligned for any type and not zeroed; never NULL. Valid until arena_clear. */
void *arena_take(struct arena *a, size_t n);
/* Copies s into the arena and appends a NUL that the span's length does not count. */
struct span arena_span(struct arena *a, struct span s);
/* Formats as printf does; the text is NUL-terminated and belongs to the arena. */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Frees everything that was handed out; one block is kept for the next batch. */
void arena_clear(struct arena *a);
/* Frees everything, the kept block too. The arena is empty and may be used again. */
void arena_release(struct arena *a);
