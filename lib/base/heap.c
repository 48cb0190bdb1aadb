/* heap: see heap.h. Places count from 1, so that the children of place p are 2p and 2p + 1.
 * SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <stdlib.h>

#include "mem.h"

static struct heap_item *heap_get(const struct heap *h, size_t place) {
    return h->items[place - 1];
}

static void heap_set(struct heap *h, size_t place, struct heap_item *item) {
    h->items[place - 1] = item;
    item->place = place;
}

/* Moves parents that are due later than the item down, as long as there are any. Returns the place
 * that becomes free. */
static size_t heap_sift_up(struct heap *h, size_t place, int64_t due) {
    while (place > 1) {
        struct heap_item *parent = heap_get(h, place / 2);
        if (parent->due <= due)
            break;
        heap_set(h, place, parent);
        place /= 2;
    }
    return place;
}

/* Moves children that are due earlier than the item up, as long as there are any. Returns the place
 * that becomes free. */
static size_t heap_sift_down(struct heap *h, size_t place, int64_t due) {
    while (place * 2 <= h->n) {
        size_t child = place * 2;
        if (child < h->n && heap_get(h, child + 1)->due < heap_get(h, child)->due)
            child++;
        if (heap_get(h, child)->due >= due)
            break;
        heap_set(h, place, heap_get(h, child));
        place = child;
    }
    return place;
}

void heap_moved(struct heap *h, struct heap_item *item) {
    size_t place = heap_sift_up(h, item->place, item->due);
    place = heap_sift_down(h, place, item->due);
    heap_set(h, place, item);
}

void heap_put(struct heap *h, struct heap_item *item) {
    h->items = mem_room(h->items, h->n, &h->cap, sizeof *h->items);
    h->n++;
    heap_set(h, h->n, item);
    heap_moved(h, item);
}

struct heap_item *heap_top(const struct heap *h) {
    if (h->n == 0)
        return NULL;
    return heap_get(h, 1);
}

void heap_remove(struct heap *h, struct heap_item *item) {
    if (item->place == 0)
        return;
    struct heap_item *last = heap_get(h, h->n);
    h->n--;
    if (last != item) {
        heap_set(h, item->place, last);
        heap_moved(h, last);
    }
    item->place = 0;
}

void heap_release(struct heap *h) {
    free(h->items);
    *h = (struct heap){0};
}
