/* mem: see mem.h. The only place below cmd/ that ends the process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void mem_abort(void) {
    static const char text[] = "distlog: out of memory\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written; /* there is no other place to report that this failed */
    _exit(1);
}

void *mem_calloc(size_t count, size_t size) {
    /* For 0 bytes calloc() may return NULL without having failed. */
    if (count == 0 || size == 0) {
        count = 1;
        size = 1;
    }
    void *block = calloc(count, size);
    if (!block)
        mem_abort();
    return block;
}

void *mem_realloc(void *block, size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size)
        mem_abort();
    size_t bytes = count * size;
    if (bytes == 0)
        bytes = 1; /* realloc() would free the block */
    void *resized = realloc(block, bytes);
    if (!resized)
        mem_abort();
    return resized;
}

void *mem_room(void *list, size_t n, size_t *cap, size_t size) {
    if (n < *cap)
        return list;
    *cap = *cap ? *cap * 2 : 16;
    return mem_realloc(list, *cap, size);
}

char *mem_strndup(const char *bytes, size_t n) {
    char *text = mem_calloc(n + 1, 1);
    if (n > 0)
        memcpy(text, bytes, n);
    return text;
}

char *mem_vprintf(size_t *n, const char *format, va_list args) {
    char *text;
    int length = vasprintf(&text, format, args);
    if (length < 0)
        mem_abort(); /* all formats are ours, so only missing memory makes this fail */
    *n = (size_t)length;
    return text;
}
