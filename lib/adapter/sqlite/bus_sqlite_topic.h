/* bus_sqlite_topic: the topics in the file of the embedded (SQLite) bus. A topic is a row of the
 * table topic and, under its id, a table t<id> of its records, whose offsets count up by one.
 * Owns nothing. One thread a handle; errors stick to db. Callers: bus_sqlite*.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sqlite_db.h"

/* The id of the topic of that name; 0 if it does not exist. */
int64_t sqlite_topic_find(struct sqlite_db *db, const char *name);
/* Within a write transaction: creates the topic unless it exists. Returns its id. */
int64_t sqlite_topic_create(struct sqlite_db *db, const char *name);
/* The offset that the topic's next record will get. */
int64_t sqlite_topic_next_offset(struct sqlite_db *db, int64_t topic);
/* The lowest offset that retention has left, or the next one if the topic has no records. */
int64_t sqlite_topic_first_offset(struct sqlite_db *db, int64_t topic);
