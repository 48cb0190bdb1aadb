/* heap: the earliest of many deadlines: a binary min-heap of items that live inside their owners'
 * structs. Owns its array, not the items. A zeroed struct is an empty heap. One thread at a time.
 * libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A zeroed item is in no heap. due may be changed before heap_put, or followed by heap_moved. */
struct heap_item {
    int64_t due;
    size_t place; /* the heap's: where it is, counted from 1; 0: nowhere */
};

struct heap {
    struct heap_item **items;
    size_t n, cap;
};

/* Adds an item that is in no heap; borrowed until heap_remove. */
void heap_put(struct heap *h, struct heap_item *item);
/* The item that is due first, or NULL. */
struct heap_item *heap_top(const struct heap *h);
/* item->due has changed. */
void heap_moved(struct heap *h, struct heap_item *item);
/* Takes the item out; nothing happens if it is in no heap. */
void heap_remove(struct heap *h, struct heap_item *item);
/* Frees the array; the items are the caller's. */
void heap_release(struct heap *h);
