/* span: a borrowed run of bytes, usually without a NUL at its end.
 * Owns nothing: the bytes live as long as their maker says. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Nearly every file that handles bytes needs these headers; including span.h provides them. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* p NULL means that there is no value at all, which differs from an empty one (p set, n 0). */
struct span {
    const char *p;
    size_t n;
};

/* Prints a span with "%.*s": printf("%.*s", SPAN_ARG(s)). Only for bytes that are known to be
 * printable; see escape_printable. */
#define SPAN_ARG(s) (int)(s).n, (s).p ? (s).p : ""
/* The span of a string literal. */
#define SPAN_LIT(text) ((struct span){(text), sizeof(text) - 1})

/* The bytes of a string without its NUL; no value for NULL. */
static inline struct span span_of(const char *text) {
    return (struct span){text, text ? strlen(text) : 0};
}

/* True if both have the same bytes; having none and having no value is the same here. */
static inline bool span_eq(struct span a, struct span b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Compares two spans byte by byte, for qsort() and tsearch(). */
static inline int span_order(const void *left, const void *right) {
    const struct span *a = left, *b = right;
    const size_t shared = a->n < b->n ? a->n : b->n;
    const int order = shared ? memcmp(a->p, b->p, shared) : 0;
    if (order != 0)
        return order;
    return (a->n > b->n) - (a->n < b->n);
}

/* True if a is the string text. */
static inline bool span_is(struct span a, const char *text) {
    return a.p && span_eq(a, span_of(text));
}

/* The same, ignoring the case of ASCII letters. */
static inline bool span_is_word(struct span a, const char *text) {
    return a.p && a.n == strlen(text) && strncasecmp(a.p, text, a.n) == 0;
}

/* Splits *rest at the first separator: *part becomes what precedes it and *rest what follows it.
 * Without a separator *part is all of *rest, which then has no value. Returns false if *rest had no
 * value on entry: there are no more parts. */
static inline bool span_next(struct span *rest, char separator, struct span *part) {
    if (!rest->p)
        return false;
    const char *found = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    if (!found) {
        *part = *rest;
        *rest = (struct span){0};
        return true;
    }
    *part = (struct span){rest->p, (size_t)(found - rest->p)};
    *rest = (struct span){found + 1, rest->n - part->n - 1};
    return true;
}

/* True if s has at least one byte and all are decimal digits. */
static inline bool span_is_digits(struct span s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* The value of the n (at most 8) hexadecimal digits that s starts with, or -1 if these are not
 * there. */
static inline long span_hex(struct span s, size_t n) {
    char digits[9] = "";
    if (s.n < n)
        return -1;
    memcpy(digits, s.p, n);
    if (strspn(digits, "0123456789abcdefABCDEF") != n)
        return -1;
    return strtol(digits, NULL, 16);
}
