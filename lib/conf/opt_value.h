/* opt_value: parses the text of one setting into the field of its section's struct. Owns nothing:
 * texts are copied into the caller's arena. One thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/arena.h"
#include "opt.h"

/* Sets the field from text. Returns 0, or -1 with err, which says what was expected; the field is
 * then unchanged. */
int opt_value_parse(const struct opt *row, struct span text, void *field, struct arena *arena,
                    struct err *err);
/* Sets an OPT_LIST (items->keys may be NULL) or an OPT_MAP from copies of the items. Returns the
 * same. */
int opt_value_items(const struct opt *row, const struct str_map *items, void *field,
                    struct arena *arena, struct err *err);
