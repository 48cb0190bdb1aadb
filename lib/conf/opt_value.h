/* opt_value: what opt.c, opt_value.c and opt_write.c share: a conf from within, and one setting's
 * value, from text into the field of its section's struct. Owns nothing: texts live in the conf's
 * arena. One thread. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/arena.h"
#include "opt.h"

/* Filled by opt.c, read by opt_write.c. */
struct conf {
    struct setting *all, *end; /* section by section, in the order of the list */
    struct arena arena; /* the values and their texts; what was overwritten stays to the end */
};

/* Sets the field from text. 0, or -1 with what was expected, and the field is as it was. */
int opt_value_parse(const struct opt *row, struct span text, void *field, struct arena *arena,
                    struct err *err);
/* Sets an OPT_LIST (keys NULL) or OPT_MAP from copies of the items; the same answers. */
int opt_value_items(const struct opt *row, const struct str_map *items, void *field,
                    struct arena *arena, struct err *err);
/* Adds a number as a user would write it for the row's type: 5s, 32MB, 3. */
void opt_value_number(const struct opt *row, int64_t value, struct buf *out);

/* Is there anything in a secret's field, a text or a map? */
static inline bool opt_value_given(const struct opt *row, const void *field) {
    return row->type == OPT_MAP ? ((const struct str_map *)field)->n > 0
                                : **(char *const *)field != '\0';
}
