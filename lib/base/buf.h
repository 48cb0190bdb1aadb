/* buf: a growing byte buffer, always NUL-terminated so that C functions can read it.
 * Owns its bytes from the first addition to buf_release. A buf_… function that adds never fails.
 * One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "err.h"

/* A zeroed struct is an empty buffer. p is NULL until something is added; n does not count the NUL.
 */
struct buf {
    char *p;
    size_t n, cap;
};

/* Appends n bytes. bytes may be NULL if n is 0. */
void buf_add(struct buf *b, const void *bytes, size_t n);
/* Appends the bytes of s. */
void buf_span(struct buf *b, struct span s);
/* Appends a string without its NUL. */
void buf_text(struct buf *b, const char *text);
/* Appends one byte. */
void buf_char(struct buf *b, char c);
/* Appends what printf would print. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes and a NUL. Returns where they go; the caller writes them and adds
 * their number to b->n. */
char *buf_room(struct buf *b, size_t n);

/* The content, valid until the next change. */
static inline struct span buf_view(const struct buf *b) {
    return (struct span){b->p ? b->p : "", b->n};
}

/* Empties the buffer and keeps its memory. */
void buf_clear(struct buf *b);
/* Frees the memory. The buffer is empty and may be used again. */
void buf_release(struct buf *b);
/* `BUF_LOCAL struct buf text = {0};` is released when its scope ends, however it ends. */
#define BUF_LOCAL __attribute__((cleanup(buf_release)))
