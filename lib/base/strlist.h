/* strlist: lists and mappings of strings as plain data. Owns nothing: whoever made the strings says
 * how long they live. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "span.h"

struct str_list {
    char **items;
    size_t n;
};

struct str_map {
    char **keys, **values;
    size_t n;
};
