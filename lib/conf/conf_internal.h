/* conf_internal: the struct conf, which only conf.c and conf_write.c access.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/arena.h"
#include "conf.h"

struct conf {
    struct setting *all, *end; /* section by section, in the order of the list */
    struct arena arena;        /* values and texts; overwritten ones stay until conf_free */
};
