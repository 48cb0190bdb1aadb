/* span: a borrowed run of bytes, never NUL-terminated by promise.
 * Owns nothing: whoever made the bytes says how long they live.
 * Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What every file may take for granted: who has a span has these. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* p may be NULL: "there is none", which is not the same as an empty run (p set, n 0). */
struct span {
    const char *p;
    size_t n;
};

/* printf a span with "%.*s", SPAN_ARG(s). Only for bytes known to be printable: see escape_printable.
 */
#define SPAN_ARG(s) (int)(s).n, (s).p ? (s).p : ""
/* A span of a string literal. */
#define SPAN_LIT(text) ((struct span){(text), sizeof(text) - 1})

static inline struct span span_of(const char *text) {
    return (struct span){text, text ? strlen(text) : 0};
}

static inline bool span_eq(struct span a, struct span b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* For qsort() and tsearch(): the order of their bytes. */
static inline int span_order(const void *left, const void *right) {
    const struct span *a = left, *b = right;
    size_t n = a->n < b->n ? a->n : b->n;
    int order = n ? memcmp(a->p, b->p, n) : 0;
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

static inline bool span_is(struct span a, const char *text) {
    return a.p && span_eq(a, span_of(text));
}

/* The same but for the case of ASCII letters. */
static inline bool span_is_word(struct span a, const char *text) {
    return a.p && a.n == strlen(text) && strncasecmp(a.p, text, a.n) == 0;
}

/* Takes the next part off rest: what stands before the first `at` (which goes too), or all of it,
 * and rest.p is NULL then. False when rest.p is NULL: there are no more. */
static inline bool span_next(struct span *rest, char at, struct span *part) {
    if (!rest->p)
        return false;
    const char *found = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    *part = (struct span){rest->p, found ? (size_t)(found - rest->p) : rest->n};
    *rest = found ? (struct span){found + 1, rest->n - part->n - 1} : (struct span){0};
    return true;
}

static inline bool span_is_digits(struct span s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* The value of the n (at most 8) hexadecimal digits that s begins with, or -1. */
static inline long span_hex(struct span s, size_t n) {
    char digits[9] = "";
    if (s.n < n)
        return -1;
    memcpy(digits, s.p, n);
    return strspn(digits, "0123456789abcdefABCDEF") == n ? strtol(digits, NULL, 16) : -1;
}
