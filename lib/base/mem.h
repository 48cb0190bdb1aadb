/* mem: allocation that never fails.
 * Without memory the process writes one line to standard error and exits with code 1. Durable state
 * is on the bus, every size that comes from outside is bounded before it gets here, and no caller
 * could do better (CONTRIBUTING, Habits). Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Allocates zeroed memory for count elements of size bytes; never NULL. The caller calls free(). */
void *mem_calloc(size_t count, size_t size);
/* Resizes a block from malloc's family, or NULL, to count * size bytes; added bytes are not zeroed.
 * Never NULL. The caller calls free(). */
void *mem_realloc(void *block, size_t count, size_t size);
/* Makes room for one more element in a list of n elements of size bytes. *cap is the number of
 * elements that the block holds; if it is full, block and *cap grow. Returns the block. */
void *mem_room(void *list, size_t n, size_t *cap, size_t size);
/* Copies n bytes and appends a NUL; the caller calls free(). */
char *mem_strndup(const char *bytes, size_t n);
/* Formats as vprintf does and sets *n to the length; the caller calls free(). */
char *mem_vprintf(size_t *n, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Writes "distlog: out of memory" and exits with code 1. For library calls that returned NULL. */
_Noreturn void mem_abort(void);
