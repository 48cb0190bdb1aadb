/* arena: see arena.h. A chain of blocks; an allocation larger than a block gets one of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdalign.h>
#include <stdarg.h>

#include "mem.h"

/* Small enough that an idle daemon stays small, large enough that a batch needs only a few. */
enum { ARENA_BLOCK_BYTES = 64 * 1024 };

struct arena_block {
    struct arena_block *next; /* the block before this one in time */
    size_t size, used;        /* of bytes */
    alignas(max_align_t) char bytes[];
};

static struct arena_block *arena_add_block(struct arena *a, size_t size) {
    struct arena_block *block = mem_realloc(NULL, sizeof *block + size, 1);
    *block = (struct arena_block){.next = a->head, .size = size};
    a->head = block;
    return block;
}

void *arena_take(struct arena *a, size_t n) {
    const size_t align = alignof(max_align_t);
    if (n > SIZE_MAX / 2)
        mem_abort();
    n = (n + align - 1) / align * align;
    struct arena_block *block = a->head;
    if (!block || block->size - block->used < n)
        block = arena_add_block(a, n > ARENA_BLOCK_BYTES ? n : ARENA_BLOCK_BYTES);
    void *taken = block->bytes + block->used;
    block->used += n;
    a->used += n;
    return taken;
}

struct span arena_span(struct arena *a, struct span s) {
    char *copy = arena_take(a, s.n + 1);
    if (s.n > 0)
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

/* The newest block of the usual size is kept: as long as it lies on top of the heap, malloc returns
 * nothing to the kernel, and the next batch causes no page faults. */
void arena_clear(struct arena *a) {
    struct arena_block *kept = NULL;
    struct arena_block *block = a->head;
    while (block) {
        struct arena_block *next = block->next;
        if (kept || block->size > ARENA_BLOCK_BYTES)
            free(block);
        else
            kept = block;
        block = next;
    }
    if (kept)
        *kept = (struct arena_block){.size = ARENA_BLOCK_BYTES};
    *a = (struct arena){.head = kept};
}

void arena_release(struct arena *a) {
    arena_clear(a);
    free(a->head);
    *a = (struct arena){0};
}
