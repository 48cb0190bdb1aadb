/* conf_internal: what conf.c and conf_write.c know of a struct conf, and nobody else.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/arena.h"
#include "conf.h"

struct conf {
    struct setting *all, *end; /* section by section, in the order of the list */
    struct arena arena;        /* values and texts; overwritten ones stay until conf_free */
};
