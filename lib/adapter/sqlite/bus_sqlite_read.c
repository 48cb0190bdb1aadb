/* bus_sqlite_read: see bus_sqlite_read.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite_read.h"

#include "../../base/mem.h"
#include "../os/clock.h"
#include "bus_sqlite_topic.h"

enum {
    BATCH_RECORDS = 2000, /* so that the transaction that commits a batch stays short */
    BATCH_BYTES = 1024 * 1024,
    REPLAY_RECORDS = 1000 /* read in one transaction */
};

static const char select_records[] = "SELECT offset, ts, key, value FROM t#"
                                     " WHERE offset >= ? AND offset < ?"
                                     " ORDER BY offset LIMIT ?";
/* Timestamps never decrease: the records from ?2 on begin after the last one that is older. */
static const char find_offset_of_time[] = "SELECT offset + 1 FROM t#"
                                          " WHERE offset < ?1 AND ts < ?2"
                                          " ORDER BY offset DESC LIMIT 1";
static const char insert_group[] = "INSERT OR IGNORE INTO grp(name, topic, next, seen_ms)"
                                   " VALUES(?, ?, ?, 0)";
static const char select_committed[] = "SELECT next FROM grp WHERE name = ? AND topic = ?";
static const char set_committed[] = "UPDATE grp SET next = ? WHERE name = ? AND topic = ?";
static const char select_lag[] =
    "SELECT next_offset - max("
    "  ?3,"
    "  coalesce((SELECT next FROM grp WHERE name = ?1 AND topic = ?2), 0))"
    " FROM topic WHERE id = ?2";

void sqlite_reader_init(struct sqlite_reader *reader, struct sqlite_file *file,
                        const struct sqlite_clock *clock, size_t max_records) {
    *reader = (struct sqlite_reader){.file = file, .clock = clock, .max_records = max_records};
    if (max_records == 0)
        reader->max_records = BATCH_RECORDS;
}

void sqlite_reader_close(struct sqlite_reader *reader) {
    arena_release(&reader->bytes);
    free(reader->records);
}

/* --- position --- */

void sqlite_reader_open(struct sqlite_reader *reader, const char *topic, bool from_start) {
    struct sqlite_db *db = &reader->file->db;
    reader->topic = sqlite_topic_create(db, topic);
    if (from_start)
        reader->position = sqlite_topic_first_offset(db, reader->topic);
    else
        reader->position = sqlite_topic_next_offset(db, reader->topic);
    reader->committed = reader->position;
}

void sqlite_reader_load_position(struct sqlite_reader *reader, const char *group) {
    struct sqlite_db *db = &reader->file->db;
    int64_t first = sqlite_topic_first_offset(db, reader->topic);
    sqlite_db_run(db, insert_group, sqlite_string(group), sqlite_int(reader->topic),
                  sqlite_int(first));
    reader->committed =
        sqlite_db_run(db, select_committed, sqlite_string(group), sqlite_int(reader->topic));
    reader->position = reader->committed;
}

void sqlite_reader_save_position(struct sqlite_reader *reader, const char *group) {
    sqlite_db_run(&reader->file->db, set_committed, sqlite_int(reader->position),
                  sqlite_string(group), sqlite_int(reader->topic));
}

bool sqlite_reader_has_moved(const struct sqlite_reader *reader) {
    return reader->position != reader->committed;
}

void sqlite_reader_commit(struct sqlite_reader *reader) {
    reader->committed = reader->position;
}

void sqlite_reader_rewind(struct sqlite_reader *reader) {
    reader->position = reader->committed;
}

/* --- the next batch --- */

/* Steps to the next record, whose bytes are borrowed until the step after it. */
static bool sqlite_read_record(struct sqlite_db *db, sqlite3_stmt *statement,
                               struct bus_record *record) {
    if (!sqlite_db_step(db, statement))
        return false;
    *record = (struct bus_record){.offset = sqlite3_column_int64(statement, 0),
                                  .ts_ms = sqlite_db_column_int(db, statement, 1),
                                  .key = sqlite_db_column_span(statement, 2),
                                  .value = sqlite_db_column_span(statement, 3)};
    return db->rc == SQLITE_DB_OK;
}

static void sqlite_reader_add(struct sqlite_reader *reader, const struct bus_record *record) {
    reader->records =
        mem_room(reader->records, reader->n_records, &reader->cap_records, sizeof *reader->records);
    struct bus_record *copy = &reader->records[reader->n_records++];
    *copy = *record;
    if (record->key.p)
        copy->key = arena_span(&reader->bytes, record->key);
    if (record->value.p)
        copy->value = arena_span(&reader->bytes, record->value);
}

void sqlite_reader_clear(struct sqlite_reader *reader) {
    arena_clear(&reader->bytes);
    reader->n_records = 0;
}

void sqlite_reader_fetch(struct sqlite_reader *reader) {
    struct sqlite_db *db = &reader->file->db;
    struct bus_record record;
    uint64_t lost = 0;
    reader->part = (struct bus_part){.asked_ms = clock_mono_ms(),
                                     .watermark_ms = sqlite_clock_now_ms(reader->clock)};
    /* Before the read: a writer that is active now may still add older timestamps. */
    bool no_writer_active = sqlite_file_no_writer_active(reader->file);
    int64_t from = reader->position;
    int64_t next = sqlite_topic_next_offset(db, reader->topic);
    sqlite3_stmt *statement =
        sqlite_db_query(db, select_records, sqlite_table(reader->topic), sqlite_int(from),
                        sqlite_int(next), sqlite_int((int64_t)reader->max_records));
    while (reader->bytes.used < BATCH_BYTES && sqlite_read_record(db, statement, &record)) {
        /* Only retention makes gaps between offsets. */
        lost += (uint64_t)(record.offset - from);
        from = record.offset + 1;
        sqlite_reader_add(reader, &record);
    }
    sqlite3_reset(statement);
    bool batch_is_full =
        reader->n_records >= reader->max_records || reader->bytes.used >= BATCH_BYTES;
    if (from < next && !batch_is_full) { /* the rest up to next is gone */
        lost += (uint64_t)(next - from);
        from = next;
    }
    reader->part.at_end = no_writer_active && from >= next;
    if (db->rc != SQLITE_DB_OK)
        return; /* the same records will be read again */
    reader->position = from;
    reader->lost += lost;
}

/* --- reads that change nothing --- */

/* The id of the topic; 0 if it or the partition does not exist. */
static int64_t sqlite_read_topic(struct sqlite_db *db, const char *topic, int32_t partition) {
    if (partition > 0)
        return 0;
    return sqlite_topic_find(db, topic);
}

void sqlite_read_state(struct sqlite_db *db, const char *topic, int32_t partition,
                       bus_each_state *each, void *ctx) {
    int64_t id = sqlite_read_topic(db, topic, partition);
    sqlite3_stmt *statement =
        sqlite_db_query(db, "SELECT key, value FROM state WHERE topic = ?", sqlite_int(id));
    bool go_on = true;
    while (go_on && sqlite_db_step(db, statement)) {
        struct span key = sqlite_db_column_span(statement, 0);
        struct span value = sqlite_db_column_span(statement, 1);
        go_on = each(ctx, 0, key, value);
    }
    sqlite3_reset(statement);
}

/* Passes some records to each, in a read transaction of its own. Returns where to continue; to:
 * nothing is left, or each asked to stop. */
static int64_t sqlite_read_some(struct sqlite_db *db, int64_t topic, int64_t from, int64_t to,
                                bus_each_record *each, void *ctx) {
    sqlite3_stmt *statement =
        sqlite_db_query(db, select_records, sqlite_table(topic), sqlite_int(from), sqlite_int(to),
                        sqlite_int(REPLAY_RECORDS));
    struct bus_record record;
    bool go_on = true;
    int n = 0;
    while (go_on && sqlite_read_record(db, statement, &record)) {
        from = record.offset + 1;
        n++;
        go_on = each(ctx, &record);
    }
    sqlite3_reset(statement);
    if (!go_on || n < REPLAY_RECORDS)
        return to;
    return from;
}

void sqlite_read_range(struct sqlite_db *db, const char *topic, int32_t partition, int64_t from_ms,
                       int64_t to, bus_each_record *each, void *ctx) {
    int64_t id = sqlite_read_topic(db, topic, partition);
    if (!id)
        return;
    int64_t next = sqlite_topic_next_offset(db, id);
    if (to < 0 || to > next)
        to = next;
    int64_t from = sqlite_db_run(db, find_offset_of_time, sqlite_table(id), sqlite_int(to),
                                 sqlite_int(from_ms));
    while (from < to)
        from = sqlite_read_some(db, id, from, to, each, ctx);
}

int64_t sqlite_read_lag(struct sqlite_db *db, const char *group, const char *topic) {
    int64_t id = sqlite_topic_find(db, topic);
    if (!id)
        return 0;
    int64_t first = sqlite_topic_first_offset(db, id);
    return sqlite_db_run(db, select_lag, sqlite_string(group), sqlite_int(id), sqlite_int(first));
}
