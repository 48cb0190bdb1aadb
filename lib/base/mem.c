/* mem: see mem.h. The one place below cmd/ that ends the process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void mem_abort(void) {
    static const char text[] = "distlog: out of memory\n";
    ssize_t wrote = write(STDERR_FILENO, text, sizeof text - 1);
    (void)wrote; /* there is nobody left to tell */
    _exit(1);
}

void *mem_calloc(size_t count, size_t size) {
    void *block = calloc(count ? count : 1, size ? size : 1);
    if (!block)
        mem_abort();
    return block;
}

void *mem_realloc(void *block, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size)
        mem_abort();
    size_t want = count * size;
    void *grown = realloc(block, want ? want : 1);
    if (!grown)
        mem_abort();
    return grown;
}

void *mem_room(void *list, size_t n, size_t *cap, size_t size) {
    if (n < *cap)
        return list;
    *cap = *cap ? *cap * 2 : 16;
    return mem_realloc(list, *cap, size);
}

char *mem_strndup(const char *bytes, size_t n) {
    char *text = mem_calloc(n + 1, 1);
    if (n)
        memcpy(text, bytes, n);
    return text;
}

char *mem_vprintf(size_t *n, const char *format, va_list args) {
    char *text;
    int length = vasprintf(&text, format, args);
    if (length < 0)
        mem_abort(); /* the C library fails here only without memory: formats are ours */
    *n = (size_t)length;
    return text;
}
