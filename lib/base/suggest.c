/* nearest: see nearest.h. The distance counts insertions, deletions, replacements and swapped
 * neighbours (Damerau 1964, "optimal string alignment").
 * SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

static unsigned char least(unsigned a, unsigned b) {
    return (unsigned char)(a < b ? a : b);
}

static size_t distance(const char *a, size_t n, const char *b, size_t m) {
    unsigned char d[LONGEST + 1][LONGEST + 1]; /* between the beginnings of a and b */
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            d[i][j] = (unsigned char)(i + j); /* if one of them is empty */
            if (!i || !j)
                continue;
            d[i][j] = least(d[i - 1][j - 1] + (unsigned)(a[i - 1] != b[j - 1]),
                            least(d[i - 1][j], d[i][j - 1]) + 1u);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1u);
        }
    return d[n][m];
}

void suggest_init(struct suggest *n, const char *word) {
    size_t length = strlen(word), guess = length < 4 ? 2 : length / 4 + 2;
    *n = (struct suggest){.word = word, .far = guess < length ? guess : length};
}

void suggest_offer(struct suggest *n, const char *format, ...) {
    char name[LONGEST + 1];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (length < 0 || length > LONGEST || strlen(n->word) > LONGEST)
        return;
    size_t d = distance(n->word, strlen(n->word), name, (size_t)length);
    if (d >= n->far)
        return;
    n->far = d;
    snprintf(n->hint, sizeof n->hint, "; the nearest is '%s'", name);
}
