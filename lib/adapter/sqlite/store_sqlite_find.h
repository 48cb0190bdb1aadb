/* store_sqlite_find: finds documents of the embedded (SQLite) store.
 *
 * It first collects the row ids of all matches in a temporary table of the connection. The caller
 * then reads one document after another, so that a search whose reader stops at its pager keeps no
 * read transaction open, which would let the write-ahead log grow without bound. A row id is never
 * used twice (AUTOINCREMENT), so documents that are deleted meanwhile are skipped, and no other one
 * is found in their place. For the same reason the row id can be the cursor of --follow.
 *
 * Owns the table temp.hit of the connection. One thread a handle; errors stick to db.
 * Callers: store_sqlite.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../port/store.h"
#include "sqlite_db.h"

/* Creates the table temp.hit(n, row), in which the matches of the last call are numbered from 1. */
void sqlite_find_init(struct sqlite_db *db);
/* Collects the row ids of everything that matches query in the index, ignoring its limit, order and
 * cursor. Returns how many there are. */
int64_t sqlite_find_collect_ids(struct sqlite_db *db, const char *index,
                                const struct store_query *query);
/* The same with the limit, order and cursor of query. *end is where the cursor must move to after
 * the search. */
int64_t sqlite_find_collect_ordered_ids(struct sqlite_db *db, const char *index,
                                        const struct store_query *query, int64_t *end);
