/* bus_sqlite_retention: what may go from the embedded bus, and when it is full.
 * A pass is due each 30 s; whichever process finds it due claims it, and does a slice of some
 * milliseconds in each of its polls until nothing is left to do.
 *
 * Age is time in which something ran. Of the time between two passes at most STEP_PASSES intervals
 * count; the rest, in which the machine was off or asleep or one boot's clock jumped ahead, is a
 * row of the table gap, and no record and no group gets older by it.
 *
 * Owns nothing beyond the handle. One thread a handle. Callers: bus_sqlite.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite.h"

#include <sys/statvfs.h>

#include "../os/clock.h"

enum {
    EVERY_MS = 30000, /* from one pass to the next, */
    AGE_PASSES = 4,   /* and at least so many passes in max_age */
    STEP_PASSES = 3,  /* with two processes that take turns, passes may be two intervals apart */
    SPEND_MS = 20,    /* in one poll */
    SLICE_RECORDS = 500,
    SLICE_BYTES = 1024 * 1024,
    PAGE = 4096,      /* SQLite's default, which the file was made with */
    KEEP_PAGES = 256, /* free pages that are kept for the next records, */
    KEEP_PART = 4     /* and this part of the file */
};

/* What is full: the file and its WAL, without the pages that wait to be used again. */
static int64_t used_bytes(struct local *l) {
    return sqlite_file_size(&l->file) - local_run(l, "PRAGMA freelist_count", "") * PAGE;
}

void local_measure(struct local *l) {
    struct statvfs disk;
    const struct local_conf *c = l->conf;
    int64_t used = used_bytes(l);
    l->full = used > c->max_size;
    if (l->full) {
        err_set(&l->full_why,
                "the bus is full: %s has %" PRId64 " MB, bus.local.max_size is %" PRId64 " MB",
                c->path, used >> 20, c->max_size >> 20);
        l->retention_at_ms = 0;
    } else if (statvfs(c->path, &disk) == 0 &&
               (int64_t)(disk.f_bavail * disk.f_frsize) < c->min_free) {
        l->full = true;
        err_set(&l->full_why,
                "the disk is almost full: less than bus.local.min_free = %" PRId64
                " MB left for %s",
                c->min_free >> 20, c->path);
    }
}

/* Removes the oldest records of a topic as far as they may go, a slice at most: those before
 * committed that are from before old_ms. What a group left unread is kept for twice max_age, then
 * for nobody. */
static int64_t trim(struct local *l, int64_t topic, int64_t committed, int64_t old_ms) {
    local_run(
        l,
        "DELETE FROM t# WHERE offset <= (SELECT max(offset) FROM (SELECT offset, ts, sum(bytes)"
        " OVER (ORDER BY offset ROWS UNBOUNDED PRECEDING) - bytes AS before FROM"
        " (SELECT offset, ts, ifnull(length(key), 0) + ifnull(length(value), 0) AS bytes FROM t#"
        " ORDER BY offset LIMIT ?1)) WHERE before < ?2 AND (offset < ?3 AND ts < ?4 OR ts < ?5))",
        "#iiiii", topic, (int64_t)SLICE_RECORDS, (int64_t)SLICE_BYTES, committed, old_ms,
        l->expired_ms);
    return sqlite3_changes64(l->file.db);
}

/* What may go of all topics, a slice of each. Where room is short more may go than what is old:
 * what every group has done with, and then what nobody reads. */
enum hurry { NONE, READ, ANY };
static int64_t trim_all(struct local *l, enum hurry hurry) {
    int64_t topic = 0, removed = 0;
    while ((topic = local_run(l, "SELECT min(id) FROM topic WHERE id > ?", "i", topic))) {
        /* Up to where every group that was seen within max_age has committed: all of it without a
         * group. */
        int64_t committed = local_run(
            l, "SELECT coalesce(min(next), ?3) FROM grp WHERE topic = ?1 AND seen_ms >= ?2", "iii",
            topic, l->old_ms, SQLITE_FILE_MAX);
        bool now = hurry == ANY || (hurry == READ && committed < SQLITE_FILE_MAX);
        removed += trim(l, topic, committed, now ? INT64_MAX : l->old_ms);
    }
    return removed;
}

/* Gives free pages back to the disk, when they are many. */
static bool shrink(struct local *l) {
    int64_t spare = local_run(l, "PRAGMA freelist_count", ""),
            pages = local_run(l, "PRAGMA page_count", "");
    if (spare < KEEP_PAGES || spare < pages / KEEP_PART)
        return false;
    sqlite_file_exec(&l->file, "PRAGMA incremental_vacuum(128)");
    return true;
}

/* One short transaction. False: nothing was left to do, or it failed. */
static bool slice(struct local *l) {
    int64_t used = used_bytes(l), max = l->conf->max_size;
    l->squeezing = used > (l->squeezing ? max - max / 16 : max);
    sqlite_file_begin(&l->file, false);
    bool more = trim_all(l, NONE) > 0;
    /* Before any group has come, there is no telling what will be read: nothing goes. */
    if (!more && l->squeezing &&
        local_run(l, "SELECT count(*) FROM grp WHERE seen_ms >= ?", "i", l->old_ms))
        more = trim_all(l, READ) > 0 || trim_all(l, ANY) > 0;
    more |= shrink(l);
    return sqlite_file_end(&l->file) && more;
}

void local_prepare_retention(struct local *l) {
    /* Made here and not in the schema, whose version stays: 0.1.0 goes on with the file as before.
     */
    local_run(
        l, "CREATE TABLE IF NOT EXISTS gap(end_ms INTEGER PRIMARY KEY, begin_ms INTEGER NOT NULL)",
        "");
    /* The age of a new file's records begins now, and not at its first pass. */
    local_run(l, "UPDATE meta SET retained_ms = ? WHERE retained_ms = 0", "i", local_now_ms(l));
}

/* The interval of passes. It is shorter where max_age is short, so that one gap never counts as a
 * whole max_age. */
static int64_t retention_every_ms(const struct local *l) {
    int64_t part = l->conf->max_age / AGE_PASSES;
    return part < EVERY_MS ? part : EVERY_MS;
}

/* Goes back from now_ms until age_ms without the gaps have passed. Below 0 no record is old,
 * whatever else is in a damaged file. */
static int64_t retention_cut_ms(struct local *l, int64_t now_ms, int64_t age_ms) {
    int64_t cut = now_ms - age_ms;
    sqlite3_stmt *s = sqlite_file_query(
        &l->file, "SELECT end_ms, end_ms - begin_ms FROM gap ORDER BY end_ms DESC", "");
    while (cut > 0 && sqlite_file_step(&l->file, s)) {
        if (sqlite_file_number(&l->file, s, 0) <= cut)
            break;
        cut -= sqlite_file_number(&l->file, s, 1);
    }
    sqlite3_reset(s);
    return cut;
}

/* The bus clock went back: nothing was written in a boot whose clock was ahead, or this one's is
 * behind. What was noted by the clock before would hold records for as long as that was ahead of
 * now_ms. */
static void retention_turn_back(struct local *l, int64_t now_ms) {
    local_run(l, "DELETE FROM gap WHERE begin_ms >= ?", "i", now_ms);
    local_run(l, "UPDATE gap SET end_ms = ?1 WHERE end_ms > ?1", "i", now_ms);
    local_run(l, "UPDATE grp SET seen_ms = ?1 WHERE seen_ms > ?1", "i", now_ms);
}

/* Within a write transaction: a pass begins. Notes the gap before it, and sets what is old for the
 * whole of the pass, so that a machine that falls asleep in the middle of it changes nothing. */
static void retention_begin_pass(struct local *l) {
    int64_t last = local_run(l, "SELECT retained_ms FROM meta", "");
    int64_t now = local_now_ms(l), step = STEP_PASSES * retention_every_ms(l);
    if (now < last)
        retention_turn_back(l, now);
    else if (now - last > step)
        local_run(l, "REPLACE INTO gap(end_ms, begin_ms) VALUES(?, ?)", "ii", now, last + step);
    local_run(l, "UPDATE meta SET retained_ms = ?", "i", now);
    l->old_ms = retention_cut_ms(l, now, l->conf->max_age);
    l->expired_ms = retention_cut_ms(l, now, 2 * l->conf->max_age);
    local_run(l, "DELETE FROM gap WHERE end_ms <= ?", "i", l->expired_ms);
}

/* A pass is this process's if the last one began long enough ago, or if the bus is full. */
static bool claim(struct local *l) {
    int64_t since = local_now_ms(l) - local_run(l, "SELECT retained_ms FROM meta", "");
    if (since >= 0 && since < retention_every_ms(l) && !l->full)
        return false;
    sqlite_file_begin(&l->file, false);
    retention_begin_pass(l);
    return sqlite_file_end(&l->file);
}

void local_retain(struct local *l) {
    int64_t begun = clock_mono_ms();
    if (!l->retaining && begun >= l->retention_at_ms) {
        l->retention_at_ms = begun + retention_every_ms(l);
        l->retaining = claim(l);
    }
    while (l->retaining && clock_mono_ms() - begun < SPEND_MS)
        l->retaining = slice(l);
    sqlite_file_take(&l->file, &(struct err){0});
}
