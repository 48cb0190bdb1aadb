/* bus_sqlite_retention: what may go from the embedded bus, and when it is full.
 * A pass is due each 30 s; whichever process finds it due claims it, and does a slice of some
 * milliseconds in each of its polls until nothing is left to do. Owns nothing beyond the handle.
 * One thread a handle. Callers: bus_sqlite.c. SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite.h"

#include <sys/statvfs.h>

#include "clock.h"

enum {
    EVERY_MS = 30000,
    PAUSE_MS = 10 * EVERY_MS,
    SPEND_MS = 20, /* in one poll */
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
        err_set(&l->full_why, "the bus is full: %s has %" PRId64 " MB, bus.local.max_size is %" PRId64 " MB",
                c->path, used >> 20, c->max_size >> 20);
        l->retention_at_ms = 0;
    } else if (statvfs(c->path, &disk) == 0 && (int64_t)(disk.f_bavail * disk.f_frsize) < c->min_free) {
        l->full = true;
        err_set(&l->full_why,
                "the disk is almost full: less than bus.local.min_free = %" PRId64 " MB left for %s",
                c->min_free >> 20, c->path);
    }
}

/* Removes the oldest records of a topic as far as they may go, a slice at most: those before committed
 * that are older than old_ms. What a group left unread is kept for twice max_age, then for nobody. */
static int64_t trim(struct local *l, int64_t topic, int64_t committed, int64_t old_ms) {
    local_run(l,
              "DELETE FROM t# WHERE offset <= (SELECT max(offset) FROM (SELECT offset, ts, sum(bytes)"
              " OVER (ORDER BY offset ROWS UNBOUNDED PRECEDING) - bytes AS before FROM"
              " (SELECT offset, ts, ifnull(length(key), 0) + ifnull(length(value), 0) AS bytes FROM t#"
              " ORDER BY offset LIMIT ?1)) WHERE before < ?2 AND (offset < ?3 AND ts < ?4 OR ts < ?5))",
              "#iiiii", topic, (int64_t)SLICE_RECORDS, (int64_t)SLICE_BYTES, committed, old_ms,
              local_now_ms(l) - 2 * l->conf->max_age);
    return sqlite3_changes64(l->file.db);
}

/* What may go of all topics, a slice of each. Where room is short more may go than what is old: what every
 * group has done with, and then what nobody reads. */
enum hurry { NONE, READ, ANY };
static int64_t trim_all(struct local *l, enum hurry hurry) {
    int64_t topic = 0, removed = 0, old_ms = local_now_ms(l) - l->conf->max_age;
    while ((topic = local_run(l, "SELECT min(id) FROM topic WHERE id > ?", "i", topic))) {
        /* Up to where every group that was seen within max_age has committed: all of it without a group. */
        int64_t committed =
            local_run(l, "SELECT coalesce(min(next), ?3) FROM grp WHERE topic = ?1 AND seen_ms >= ?2", "iii",
                      topic, old_ms, SQLITE_FILE_MAX);
        bool now = hurry == ANY || (hurry == READ && committed < SQLITE_FILE_MAX);
        removed += trim(l, topic, committed, now ? INT64_MAX : old_ms);
    }
    return removed;
}

/* Gives free pages back to the disk, when they are many. */
static bool shrink(struct local *l) {
    int64_t spare = local_run(l, "PRAGMA freelist_count", ""), pages = local_run(l, "PRAGMA page_count", "");
    if (spare < KEEP_PAGES || spare < pages / KEEP_PART) return false;
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
        local_run(l, "SELECT count(*) FROM grp WHERE seen_ms >= ?", "i", local_now_ms(l) - l->conf->max_age))
        more = trim_all(l, READ) > 0 || trim_all(l, ANY) > 0;
    more |= shrink(l);
    return sqlite_file_end(&l->file) && more;
}

/* A pass is this process's if the last one began long enough ago, or if the bus is full. The time for
 * which nobody looked, because nothing ran, is none for which a group was away: otherwise the first
 * process after a long pause would remove what the others are about to read. */
static bool claim(struct local *l) {
    int64_t now = local_now_ms(l), last = local_run(l, "SELECT retained_ms FROM meta", "");
    if (now - last < EVERY_MS && !l->full) return false;
    sqlite_file_begin(&l->file, false);
    local_run(l, "UPDATE meta SET retained_ms = ?", "i", now);
    if (now - last > PAUSE_MS)
        local_run(l, "UPDATE grp SET seen_ms = min(?1, seen_ms + ?2)", "ii", now, now - last);
    return sqlite_file_end(&l->file);
}

void local_retain(struct local *l) {
    int64_t begun = clock_mono_ms();
    if (!l->retaining && begun >= l->retention_at_ms) {
        l->retention_at_ms = begun + EVERY_MS;
        l->retaining = claim(l);
    }
    while (l->retaining && clock_mono_ms() - begun < SPEND_MS) l->retaining = slice(l);
    sqlite_file_take(&l->file, &(struct err){0});
}
