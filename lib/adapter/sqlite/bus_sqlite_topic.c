/* bus_sqlite_topic: see bus_sqlite_topic.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite_topic.h"

static const char insert_topic[] = "INSERT INTO topic(name, next_offset, last_ms)"
                                   " VALUES(?, 0, 0)"
                                   " RETURNING id";
static const char create_record_table[] =
    "CREATE TABLE t#(offset INTEGER PRIMARY KEY, ts INTEGER NOT NULL, key BLOB, value BLOB)";

int64_t sqlite_topic_find(struct sqlite_db *db, const char *name) {
    return sqlite_db_run(db, "SELECT id FROM topic WHERE name = ?", sqlite_string(name));
}

int64_t sqlite_topic_create(struct sqlite_db *db, const char *name) {
    int64_t id = sqlite_topic_find(db, name);
    if (id)
        return id;
    id = sqlite_db_run(db, insert_topic, sqlite_string(name));
    sqlite_db_run(db, create_record_table, sqlite_table(id));
    return id;
}

int64_t sqlite_topic_next_offset(struct sqlite_db *db, int64_t topic) {
    return sqlite_db_run(db, "SELECT next_offset FROM topic WHERE id = ?", sqlite_int(topic));
}

int64_t sqlite_topic_first_offset(struct sqlite_db *db, int64_t topic) {
    int64_t next = sqlite_topic_next_offset(db, topic);
    return sqlite_db_run(db, "SELECT coalesce(min(offset), ?) FROM t#", sqlite_table(topic),
                         sqlite_int(next));
}
