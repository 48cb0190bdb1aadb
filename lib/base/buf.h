/* buf: a growing byte buffer, and the two ways to quote foreign bytes.
 * Owns its bytes from first use to buf_release. A zeroed struct is an empty buffer.
 * One thread at a time. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "err.h"

/* p is NUL-terminated whenever it is not NULL; n does not count that NUL. */
struct buf {
    char *p;
    size_t n, cap;
};

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_span(struct buf *b, struct span s);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes and returns where they go; the caller then adds to b->n itself. */
char *buf_room(struct buf *b, size_t n);
/* Adds s as a JSON string with its quotes (RFC 8259): control characters, '"' and '\' escaped, all
 * else copied. s must be valid UTF-8; .p NULL is null. */
void buf_json(struct buf *b, struct span s);
/* Adds s so that a terminal or a log can take it: C0, DEL, C1 controls and bytes that are not valid
 * UTF-8 become \xNN, newline \n, tab \t; the rest is copied. */
void buf_printable(struct buf *b, struct span s);
/* Adds s in base64 (RFC 4648, padded). */
void buf_base64(struct buf *b, struct span s);
/* Adds the bytes that s, which is base64 as buf_base64 makes it, stands for. False: it is not. */
bool buf_unbase64(struct buf *b, struct span s);
/* Adds what is in the file at path, which may be at most so many bytes. 0, or -1 with err. */
int buf_file(struct buf *b, const char *path, size_t most, struct err *err);
/* The same from fd, which stays open; path names it in err. */
int buf_fd(struct buf *b, int fd, const char *path, size_t most, struct err *err);

/* The bytes so far, valid until the next change. */
static inline struct span buf_view(const struct buf *b) {
    return (struct span){b->p ? b->p : "", b->n};
}

/* Forgets the content and keeps the memory. */
void buf_clear(struct buf *b);
/* Frees the memory; the buffer is empty and may be used again. */
void buf_release(struct buf *b);
/* Before the declaration of a local buffer: it is released when its scope ends, by whatever way. */
#define BUF_LOCAL __attribute__((cleanup(buf_release)))
