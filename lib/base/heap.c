/* heap: see heap.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <stdlib.h>

#include "mem.h"

static void set(struct heap *h, size_t place, struct heap_item *item) {
    h->items[place - 1] = item;
    item->place = place;
}

void heap_moved(struct heap *h, struct heap_item *item) {
    size_t at = item->place;
    for (; at > 1 && h->items[at / 2 - 1]->due > item->due; at /= 2)
        set(h, at, h->items[at / 2 - 1]);
    for (size_t child; (child = at * 2) <= h->n; at = child) {
        if (child < h->n && h->items[child]->due < h->items[child - 1]->due)
            child++;
        if (h->items[child - 1]->due >= item->due)
            break;
        set(h, at, h->items[child - 1]);
    }
    set(h, at, item);
}

void heap_put(struct heap *h, struct heap_item *item) {
    h->items = mem_room(h->items, h->n, &h->cap, sizeof *h->items);
    set(h, ++h->n, item);
    heap_moved(h, item);
}

struct heap_item *heap_top(const struct heap *h) {
    return h->n ? h->items[0] : NULL;
}

void heap_remove(struct heap *h, struct heap_item *item) {
    if (!item->place)
        return;
    struct heap_item *last = h->items[--h->n];
    if (last != item) {
        set(h, item->place, last);
        heap_moved(h, last);
    }
    item->place = 0;
}

void heap_release(struct heap *h) {
    free(h->items);
    *h = (struct heap){0};
}
