/* arena: memory for one turn, freed all at once.
 * Owns every block it gave out. What is made while a batch is handled dies at commit or undo.
 * One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct arena_block;
/* A zeroed struct is an empty arena. */
struct arena {
    struct arena_block *head;
    size_t used; /* bytes given out since arena_clear */
};

/* n bytes, aligned for anything, not zeroed; never NULL; until arena_clear. */
void *arena_take(struct arena *a, size_t n);
/* A copy of s in the arena, with a NUL behind it that is not counted. */
struct span arena_span(struct arena *a, struct span s);
/* A text in the arena, as printf would make it. */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Gives back everything at once; one block is kept for the next turn. */
void arena_clear(struct arena *a);
void arena_release(struct arena *a);
