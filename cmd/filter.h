/* filter: the flags by which search and delete choose documents, and the query they make.
 * Owns the store and the arena in struct filter. Main thread. Callers: cmd/ only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../lib/base/arena.h"
#include "../lib/port/store.h"
#include "cmd.h"

extern const struct opt_section filter_section;

struct filter {
    struct store *store;
    struct store_query query; /* limit -1; points into the configuration and into this struct */
    struct arena arena;       /* holds the query's texts in capitals */
    bool all;                 /* the query chooses every document */
};

/* Makes the query of the flags, opens the store and names it in the log. what: NULL, or the operand
 * of search: REGISTRATION and HEARTBEAT restrict the message type, anything else the level, in any
 * letter case. older_than_ms: 0, or the least age of what is chosen. EXIT_DONE with f->store; or
 * the code to exit with, f->store NULL and the reason in the log: EXIT_USAGE for a time that is
 * none, or for an operand and a flag that contradict each other. filter_close in any case. */
enum exit_code filter_open(const struct run *run, const char *what, int64_t older_than_ms,
                           struct filter *f);
void filter_close(struct filter *f);
