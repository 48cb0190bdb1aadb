/* strlist: lists and mappings of strings as plain data. Owns nothing: the strings and the arrays
 * live as long as their maker says. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct str_list {
    char **items;
    size_t n;
};

/* keys[i] maps to values[i]. */
struct str_map {
    char **keys, **values;
    size_t n;
};
