/* suggest: see suggest.h. The distance counts insertions, deletions, replacements and swapped
 * neighbours (Damerau 1964, "optimal string alignment").
 * SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SUGGEST_NAME_MAX = 64 };

static unsigned char suggest_min(unsigned a, unsigned b) {
    return (unsigned char)(a < b ? a : b);
}

/* How many edits lead from the n bytes of a to the m bytes of b. Neither is longer than
 * SUGGEST_NAME_MAX. */
static size_t suggest_distance(const char *a, size_t n, const char *b, size_t m) {
    /* d[i][j]: the distance between the first i bytes of a and the first j bytes of b. */
    unsigned char d[SUGGEST_NAME_MAX + 1][SUGGEST_NAME_MAX + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned char)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            const unsigned replaced = d[i - 1][j - 1] + (unsigned)(a[i - 1] != b[j - 1]);
            const unsigned inserted_or_deleted = suggest_min(d[i - 1][j], d[i][j - 1]) + 1u;
            d[i][j] = suggest_min(replaced, inserted_or_deleted);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = suggest_min(d[i][j], d[i - 2][j - 2] + 1u);
        }
    }
    return d[n][m];
}

/* The longer the word, the more typing errors it may have; a word of which no letter would remain
 * suggests nothing. */
void suggest_init(struct suggest *s, const char *word) {
    const size_t length = strlen(word);
    const size_t typos = length < 4 ? 2 : length / 4 + 2;
    *s = (struct suggest){.word = word, .distance_less = typos < length ? typos : length};
}

void suggest_offer(struct suggest *s, const char *format, ...) {
    char name[SUGGEST_NAME_MAX + 1];
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const size_t word_length = strlen(s->word);
    if (length < 0 || length > SUGGEST_NAME_MAX || word_length > SUGGEST_NAME_MAX)
        return;
    const size_t distance = suggest_distance(s->word, word_length, name, (size_t)length);
    if (distance >= s->distance_less)
        return;
    s->distance_less = distance;
    snprintf(s->hint, sizeof s->hint, "; did you mean '%s'?", name);
}
