/* units: see units.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <ctype.h>
#include <errno.h>

const struct unit units_durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                       {"s", 1000},     {"ms", 1},      {NULL, 0}};
const struct unit units_sizes[] = {{"TB", INT64_C(1) << 40},
                                   {"GB", INT64_C(1) << 30},
                                   {"MB", INT64_C(1) << 20},
                                   {"KB", INT64_C(1) << 10},
                                   {"", 1},
                                   {NULL, 0}};
const struct unit units_none[] = {{"", 1}, {NULL, 0}};

/* Finds the unit by its name; NULL if there is none. */
static const struct unit *units_find(const struct unit *units, const char *name) {
    for (; units->name; units++) {
        if (strcasecmp(name, units->name) == 0)
            return units;
    }
    return NULL;
}

bool units_parse(const char *text, const struct unit *units, int64_t *out) {
    const bool negative = *text == '-';
    /* strtoll() would also accept white space and a '+'. */
    if (!isdigit((unsigned char)text[negative]))
        return false;
    char *name;
    errno = 0;
    int64_t n = strtoll(text, &name, 10);
    if (errno != 0)
        return false;
    if (n == 0 && *name == '\0') {
        *out = 0;
        return true;
    }
    const struct unit *unit = units_find(units, name);
    if (!unit || __builtin_mul_overflow(n, unit->factor, &n))
        return false;
    *out = n;
    return true;
}

int units_parse_ms(struct span text, int64_t *ms) {
    char copy[32] = "";
    if (text.n >= sizeof copy)
        return -1;
    memcpy(copy, text.p, text.n);
    const bool has_nul = strlen(copy) != text.n;
    if (has_nul || !units_parse(copy, units_durations, ms))
        return -1;
    return 0;
}
