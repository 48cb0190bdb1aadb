/* bus_sqlite_read: reading the embedded (SQLite) bus: a reader's position and its next batch, and
 * reads of state and of past records that change nothing. No read transaction outlives a call: it
 * would keep the WAL from being emptied.
 * Owns the records of the last batch. One thread a handle; errors stick to the file.
 * Callers: bus_sqlite.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/arena.h"
#include "../../port/bus.h"
#include "bus_sqlite_clock.h"
#include "sqlite_file.h"

struct sqlite_reader {
    struct sqlite_file *file;
    const struct sqlite_clock *clock;
    size_t max_records; /* in a batch */
    int64_t topic;      /* its id; 0: nothing is read */
    int64_t committed;  /* offset of the first record that is not committed */
    int64_t position;   /* offset of the next record to read */

    struct arena bytes; /* of the records of the last batch */
    struct bus_record *records;
    size_t n_records, cap_records;
    struct bus_part part; /* what the last fetch found out about the topic */
    uint64_t lost;        /* records that retention removed before they were read */
};

/* A reader that reads nothing yet. The pointers are borrowed for the reader's life. max_records 0:
 * as many as are good for short transactions. */
void sqlite_reader_init(struct sqlite_reader *reader, struct sqlite_file *file,
                        const struct sqlite_clock *clock, size_t max_records);
void sqlite_reader_close(struct sqlite_reader *reader);

/* Within a write transaction: begins to read the topic, which is created if it does not exist, at
 * its first record or at its end. */
void sqlite_reader_open(struct sqlite_reader *reader, const char *topic, bool from_start);
/* Within a write transaction: continues at what the group committed; a new group begins at the
 * first record, and retention respects its position from now on. */
void sqlite_reader_load_position(struct sqlite_reader *reader, const char *group);
/* Within a write transaction: stores the position as what the group has committed. */
void sqlite_reader_save_position(struct sqlite_reader *reader, const char *group);
/* Has it read anything that is not committed? */
bool sqlite_reader_has_moved(const struct sqlite_reader *reader);
/* What was read up to here is committed. */
void sqlite_reader_commit(struct sqlite_reader *reader);
/* Goes back to what is committed. */
void sqlite_reader_rewind(struct sqlite_reader *reader);
/* Drops the records of the last batch. */
void sqlite_reader_clear(struct sqlite_reader *reader);
/* Reads the next batch from the position on: adds to records, lost, and sets part. After an error
 * the position has not moved. */
void sqlite_reader_fetch(struct sqlite_reader *reader);

/* The functions below serve bus.h's restore, replay and lag; see there. A topic that does not exist
 * is empty, as is every partition but the first. */
void sqlite_read_state(struct sqlite_db *db, const char *topic, int32_t partition,
                       bus_each_state *each, void *ctx);
void sqlite_read_range(struct sqlite_db *db, const char *topic, int32_t partition, int64_t from_ms,
                       int64_t to, bus_each_record *each, void *ctx);
int64_t sqlite_read_lag(struct sqlite_db *db, const char *group, const char *topic);
