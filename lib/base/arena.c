/* arena: see arena.h. A chain of blocks; one larger than a block gets its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdalign.h>
#include <stdarg.h>

#include "mem.h"

/* Small enough that an idle daemon stays small, large enough that a batch takes few. */
enum { BLOCK = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

void *arena_take(struct arena *a, size_t n) {
    size_t align = alignof(max_align_t);
    if (n > SIZE_MAX / 2)
        mem_abort();
    n = (n + align - 1) / align * align;
    struct arena_block *b = a->head;
    if (!b || b->size - b->used < n) {
        size_t size = n > BLOCK ? n : BLOCK;
        b = mem_realloc(NULL, sizeof *b + size, 1);
        *b = (struct arena_block){.next = a->head, .size = size};
        a->head = b;
    }
    void *at = b->bytes + b->used;
    b->used += n;
    a->used += n;
    return at;
}

struct span arena_span(struct arena *a, struct span s) {
    char *copy = arena_take(a, s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return (struct span){copy, s.n};
}

char *arena_printf(struct arena *a, const char *format, ...) {
    size_t n;
    va_list args;
    va_start(args, format);
    char *text = mem_vprintf(&n, format, args);
    va_end(args);
    struct span copy = arena_span(a, (struct span){text, n});
    free(text);
    return (char *)copy.p;
}

/* The newest block is kept: as long as it lies on top of the heap, malloc gives nothing back to the
 * kernel, and the next turn has no page faults. */
void arena_clear(struct arena *a) {
    struct arena_block *keep = NULL;
    for (struct arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (keep || b->size > BLOCK)
            free(b);
        else
            keep = b;
    }
    if (keep)
        *keep = (struct arena_block){.size = BLOCK};
    *a = (struct arena){.head = keep};
}

void arena_release(struct arena *a) {
    arena_clear(a);
    free(a->head);
    *a = (struct arena){0};
}
