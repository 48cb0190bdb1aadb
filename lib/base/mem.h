/* mem: memory that is there or the process is not.
 * Out of memory is one line on standard error and exit 1: durable state is in the bus, every size
 * from outside is capped before it gets here, and no caller could do better (CONTRIBUTING, Habits).
 * Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Zeroed memory for count things of size bytes; never NULL. The caller frees it with free(). */
void *mem_calloc(size_t count, size_t size);
/* Grows or shrinks a block from mem_calloc/mem_realloc (or NULL) to count * size bytes; what is new
 * is not zeroed. Never NULL. */
void *mem_realloc(void *block, size_t count, size_t size);
/* A list of n things with room for one more: grown, and *cap with it, if it is full. */
void *mem_room(void *list, size_t n, size_t *cap, size_t size);
/* A copy of n bytes with a NUL behind; the caller frees it. */
char *mem_strndup(const char *bytes, size_t n);
/* What printf would make, and its length to *n; the caller frees it. */
char *mem_vprintf(size_t *n, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Says "distlog: out of memory" and leaves with exit code 1. For libraries that return NULL. */
_Noreturn void mem_abort(void);
