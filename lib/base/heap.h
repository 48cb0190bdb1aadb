/* heap: finds the earliest of many deadlines. A binary min-heap of items that are members of their
 * owners' structs. Owns its array, not the items. One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A zeroed item is in no heap. Its owner sets due before heap_put, and may change it later if it
 * then calls heap_moved. */
struct heap_item {
    int64_t due;  /* in a unit that all items of a heap share */
    size_t place; /* private: its position in the heap, counted from 1; 0 if it is in none */
};

/* A zeroed struct is an empty heap. */
struct heap {
    struct heap_item **items;
    size_t n, cap;
};

/* Adds an item that is in no heap. The heap refers to it until heap_remove. */
void heap_put(struct heap *h, struct heap_item *item);
/* Returns the item that is due first, or NULL if the heap is empty. It stays in the heap. */
struct heap_item *heap_top(const struct heap *h);
/* Restores the order after item->due has changed. */
void heap_moved(struct heap *h, struct heap_item *item);
/* Removes the item; does nothing if it is in no heap. */
void heap_remove(struct heap *h, struct heap_item *item);
/* Frees the array and empties the heap; the items stay as they are. */
void heap_release(struct heap *h);
