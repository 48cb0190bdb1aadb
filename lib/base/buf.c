/* buf: see buf.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "mem.h"

enum { BUF_FIRST_BYTES = 64 };

char *buf_room(struct buf *b, size_t n) {
    if (n > SIZE_MAX / 2 - b->n)
        mem_abort();
    const size_t needed = b->n + n + 1;
    if (needed > b->cap) {
        size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
        while (cap < needed)
            cap *= 2;
        b->p = mem_realloc(b->p, cap, 1);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *bytes, size_t n) {
    char *to = buf_room(b, n);
    if (n > 0)
        memcpy(to, bytes, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_span(struct buf *b, struct span s) {
    buf_add(b, s.p, s.n);
}

void buf_text(struct buf *b, const char *text) {
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...) {
    size_t n;
    va_list args;
    va_start(args, format);
    char *text = mem_vprintf(&n, format, args);
    va_end(args);
    buf_add(b, text, n);
    free(text);
}

void buf_clear(struct buf *b) {
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

void buf_release(struct buf *b) {
    free(b->p);
    *b = (struct buf){0};
}
