/* bus_sqlite_retention: see bus_sqlite_retention.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite_retention.h"

#include <assert.h>
#include <sys/statvfs.h>

#include "../os/clock.h"

enum {
    INTERVAL_MS = 30000, /* from one pass to the next, */
    AGE_PASSES = 4,      /* and at least so many passes in max_age */
    STEP_PASSES = 3,     /* with two processes that take turns, passes may be two intervals apart */
    SPEND_MS = 20,       /* in one poll */
    SLICE_RECORDS = 500,
    SLICE_BYTES = 1024 * 1024,
    PAGE_BYTES = 4096, /* SQLite's default, with which the file was created */
    SPARE_PAGES = 256, /* free pages that are kept for the next records, */
    SPARE_PART = 4     /* and this part of the file */
};

/* Not in the schema, whose version stays the same, so that 0.1.0 can still use the file. */
static const char create_gap_table[] =
    "CREATE TABLE IF NOT EXISTS gap(end_ms INTEGER PRIMARY KEY, begin_ms INTEGER NOT NULL)";

/* Up to where all groups that were seen since ?2 have committed; ?3 without such a group. */
static const char select_committed[] = "SELECT coalesce(min(next), ?3) FROM grp"
                                       " WHERE topic = ?1 AND seen_ms >= ?2";

/* Of the ?1 oldest records, and of those the first ?2 bytes, deletes what is committed (before
 * offset ?3) and old (before ?4), or expired (before ?5). */
static const char delete_records[] =
    "DELETE FROM t# WHERE offset <= ("
    " SELECT max(offset) FROM ("
    "  SELECT offset, ts,"
    "         sum(bytes) OVER (ORDER BY offset ROWS UNBOUNDED PRECEDING) - bytes AS before"
    "  FROM ("
    "   SELECT offset, ts, ifnull(length(key), 0) + ifnull(length(value), 0) AS bytes"
    "   FROM t# ORDER BY offset LIMIT ?1))"
    " WHERE before < ?2 AND (offset < ?3 AND ts < ?4 OR ts < ?5))";

void sqlite_retention_init(struct sqlite_retention *retention, struct sqlite_file *file,
                           const struct sqlite_clock *clock, const struct sqlite_bus_conf *conf) {
    *retention = (struct sqlite_retention){
        .file = file, .clock = clock, .conf = conf, .phase = SQLITE_RETENTION_IDLE};
}

void sqlite_retention_prepare(struct sqlite_retention *retention) {
    struct sqlite_db *db = &retention->file->db;
    sqlite_db_run(db, create_gap_table);
    /* The age of a new file's records begins now, and not at its first pass. */
    sqlite_db_run(db, "UPDATE meta SET retained_ms = ? WHERE retained_ms = 0",
                  sqlite_int(sqlite_clock_now_ms(retention->clock)));
}

/* --- is it full? --- */

/* The size of the file and its WAL without the pages that are free for reuse. */
static int64_t sqlite_retention_used_bytes(struct sqlite_retention *retention) {
    int64_t size = sqlite_file_size(retention->file);
    int64_t free_pages = sqlite_db_run(&retention->file->db, "PRAGMA freelist_count");
    return size - free_pages * PAGE_BYTES;
}

static bool sqlite_retention_disk_is_full(const struct sqlite_bus_conf *conf) {
    struct statvfs disk;
    if (statvfs(conf->path, &disk) != 0)
        return false;
    return (int64_t)(disk.f_bavail * disk.f_frsize) < conf->min_free;
}

void sqlite_retention_measure(struct sqlite_retention *retention) {
    const struct sqlite_bus_conf *conf = retention->conf;
    int64_t used = sqlite_retention_used_bytes(retention);
    retention->full = false;
    if (used > conf->max_size) {
        retention->full = true;
        err_set(&retention->full_reason,
                "the bus is full: %s has %" PRId64 " MB, the limit is %" PRId64
                " MB (raise bus.local.max_size)",
                conf->path, used >> 20, conf->max_size >> 20);
        retention->check_at_ms = 0;
    } else if (sqlite_retention_disk_is_full(conf)) {
        retention->full = true;
        err_set(&retention->full_reason,
                "the disk of %s is almost full: less than %" PRId64
                " MB free (free some space, or lower bus.local.min_free)",
                conf->path, conf->min_free >> 20);
    }
}

/* --- the begin of a pass --- */

static void sqlite_retention_set_phase(struct sqlite_retention *retention,
                                       enum sqlite_retention_phase phase) {
    assert(phase != retention->phase);
    retention->phase = phase;
}

/* The interval of passes. It is shorter if max_age is short, so that one gap never counts as a
 * whole max_age. */
static int64_t sqlite_retention_interval_ms(const struct sqlite_retention *retention) {
    int64_t part = retention->conf->max_age / AGE_PASSES;
    return part < INTERVAL_MS ? part : INTERVAL_MS;
}

/* The time before now_ms since when age_ms have passed, not counting gaps. Stops below 0, where no
 * record is old, so that a damaged file can't make it overflow. */
static int64_t sqlite_retention_time_of_age(struct sqlite_retention *retention, int64_t now_ms,
                                            int64_t age_ms) {
    struct sqlite_db *db = &retention->file->db;
    int64_t time_ms = now_ms - age_ms;
    sqlite3_stmt *statement =
        sqlite_db_query(db, "SELECT end_ms, end_ms - begin_ms FROM gap ORDER BY end_ms DESC");
    while (time_ms > 0 && sqlite_db_step(db, statement)) {
        if (sqlite_db_column_int(db, statement, 0) <= time_ms)
            break;
        time_ms -= sqlite_db_column_int(db, statement, 1);
    }
    sqlite3_reset(statement);
    return time_ms;
}

/* The bus clock went back: nothing was written in a boot whose clock was ahead, or the clock of
 * this boot is behind. Corrects times in the future, which would keep records for too long. */
static void sqlite_retention_turn_back(struct sqlite_retention *retention, int64_t now_ms) {
    struct sqlite_db *db = &retention->file->db;
    sqlite_db_run(db, "DELETE FROM gap WHERE begin_ms >= ?", sqlite_int(now_ms));
    sqlite_db_run(db, "UPDATE gap SET end_ms = ?1 WHERE end_ms > ?1", sqlite_int(now_ms));
    sqlite_db_run(db, "UPDATE grp SET seen_ms = ?1 WHERE seen_ms > ?1", sqlite_int(now_ms));
}

/* Within a write transaction: records the gap before this pass, and decides what is old for all of
 * the pass, so that a machine that is suspended in the middle of it changes nothing. */
static void sqlite_retention_begin_pass(struct sqlite_retention *retention) {
    struct sqlite_db *db = &retention->file->db;
    int64_t max_age = retention->conf->max_age;
    int64_t last_ms = sqlite_db_run(db, "SELECT retained_ms FROM meta");
    int64_t now_ms = sqlite_clock_now_ms(retention->clock);
    int64_t step_ms = STEP_PASSES * sqlite_retention_interval_ms(retention);
    if (now_ms < last_ms)
        sqlite_retention_turn_back(retention, now_ms);
    else if (now_ms - last_ms > step_ms)
        sqlite_db_run(db, "REPLACE INTO gap(end_ms, begin_ms) VALUES(?, ?)", sqlite_int(now_ms),
                      sqlite_int(last_ms + step_ms));
    sqlite_db_run(db, "UPDATE meta SET retained_ms = ?", sqlite_int(now_ms));
    retention->old_ms = sqlite_retention_time_of_age(retention, now_ms, max_age);
    retention->expired_ms = sqlite_retention_time_of_age(retention, now_ms, 2 * max_age);
    sqlite_db_run(db, "DELETE FROM gap WHERE end_ms <= ?", sqlite_int(retention->expired_ms));
}

/* A pass is due if the last one began long enough ago, or if the bus is full. */
static bool sqlite_retention_is_due(struct sqlite_retention *retention) {
    int64_t now_ms = sqlite_clock_now_ms(retention->clock);
    int64_t last_ms = sqlite_db_run(&retention->file->db, "SELECT retained_ms FROM meta");
    if (retention->full || now_ms < last_ms)
        return true;
    return now_ms - last_ms >= sqlite_retention_interval_ms(retention);
}

static void sqlite_retention_claim_pass(struct sqlite_retention *retention) {
    if (!sqlite_retention_is_due(retention))
        return;
    sqlite_file_begin(retention->file, false);
    sqlite_retention_begin_pass(retention);
    if (sqlite_file_end(retention->file))
        sqlite_retention_set_phase(retention, SQLITE_RETENTION_PASS);
}

/* --- the slices of a pass --- */

/* How much may be deleted. In all cases, what some group has not read yet is kept until it is
 * expired. */
enum sqlite_trim {
    SQLITE_TRIM_OLD,  /* what is old, */
    SQLITE_TRIM_READ, /* and what all groups of a topic have read, */
    SQLITE_TRIM_ANY   /* and what is in topics without a group */
};

/* Deletes the oldest records of each topic, a slice of each at most. Returns how many. */
static int64_t sqlite_retention_trim(struct sqlite_retention *retention, enum sqlite_trim trim) {
    struct sqlite_db *db = &retention->file->db;
    int64_t topic = 0, removed = 0;
    for (;;) {
        topic = sqlite_db_run(db, "SELECT min(id) FROM topic WHERE id > ?", sqlite_int(topic));
        if (!topic)
            return removed;
        int64_t committed = sqlite_db_run(db, select_committed, sqlite_int(topic),
                                          sqlite_int(retention->old_ms), sqlite_int(SQLITE_DB_MAX));
        bool has_group = committed < SQLITE_DB_MAX;
        int64_t old_ms = retention->old_ms;
        if (trim == SQLITE_TRIM_ANY || (trim == SQLITE_TRIM_READ && has_group))
            old_ms = INT64_MAX;
        sqlite_db_run(db, delete_records, sqlite_table(topic), sqlite_int(SLICE_RECORDS),
                      sqlite_int(SLICE_BYTES), sqlite_int(committed), sqlite_int(old_ms),
                      sqlite_int(retention->expired_ms));
        removed += sqlite_db_changes(db);
    }
}

/* Returns free pages to the file system if they are many. False: they are few. */
static bool sqlite_retention_shrink(struct sqlite_retention *retention) {
    struct sqlite_db *db = &retention->file->db;
    int64_t spare = sqlite_db_run(db, "PRAGMA freelist_count");
    int64_t pages = sqlite_db_run(db, "PRAGMA page_count");
    if (spare < SPARE_PAGES || spare < pages / SPARE_PART)
        return false;
    sqlite_db_exec(db, "PRAGMA incremental_vacuum(128)");
    return true;
}

static void sqlite_retention_compare_size(struct sqlite_retention *retention) {
    int64_t bound = retention->conf->max_size;
    if (retention->over_max_size)
        bound -= bound / 16;
    retention->over_max_size = sqlite_retention_used_bytes(retention) > bound;
}

/* If nothing is old but room is short: deletes records early. Returns false if there were none. */
static bool sqlite_retention_trim_early(struct sqlite_retention *retention) {
    if (!retention->over_max_size)
        return false;
    /* Before any group exists, any record may still be read: keep everything. */
    if (!sqlite_db_run(&retention->file->db, "SELECT count(*) FROM grp WHERE seen_ms >= ?",
                       sqlite_int(retention->old_ms)))
        return false;
    if (sqlite_retention_trim(retention, SQLITE_TRIM_READ) > 0)
        return true;
    return sqlite_retention_trim(retention, SQLITE_TRIM_ANY) > 0;
}

/* One short transaction. Returns false if nothing was left to do, or after an error. */
static bool sqlite_retention_slice(struct sqlite_retention *retention) {
    sqlite_retention_compare_size(retention);
    sqlite_file_begin(retention->file, false);
    bool trimmed = sqlite_retention_trim(retention, SQLITE_TRIM_OLD) > 0;
    if (!trimmed)
        trimmed = sqlite_retention_trim_early(retention);
    bool shrunk = sqlite_retention_shrink(retention);
    bool committed = sqlite_file_end(retention->file);
    return committed && (trimmed || shrunk);
}

void sqlite_retention_work(struct sqlite_retention *retention) {
    struct err ignored;
    int64_t begin_ms = clock_mono_ms();
    if (retention->phase == SQLITE_RETENTION_IDLE && begin_ms >= retention->check_at_ms) {
        retention->check_at_ms = begin_ms + sqlite_retention_interval_ms(retention);
        sqlite_retention_claim_pass(retention);
    }
    while (retention->phase == SQLITE_RETENTION_PASS && clock_mono_ms() - begin_ms < SPEND_MS) {
        if (!sqlite_retention_slice(retention))
            sqlite_retention_set_phase(retention, SQLITE_RETENTION_IDLE);
    }
    sqlite_db_take_error(&retention->file->db, &ignored);
}
