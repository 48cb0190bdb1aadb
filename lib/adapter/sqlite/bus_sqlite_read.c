/* bus_sqlite_read: reading the embedded bus: the next batch, and the reads that own nothing.
 * Owns nothing beyond the handle. No read transaction outlives a call: one that stayed would keep
 * the WAL from being emptied. One thread a handle. Callers: bus_sqlite.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite.h"

#include "../../base/mem.h"
#include "../os/clock.h"

enum {
    BATCH_RECORDS = 2000, /* so that the transaction that answers a batch stays short */
    BATCH_BYTES = 1024 * 1024,
    REPLAY_RECORDS = 1000 /* read in one transaction */
};

/* Of one topic, from an offset to another, at most so many. */
static const char some_records[] = "SELECT offset, ts, key, value FROM t# WHERE offset >= ? AND "
                                   "offset < ? ORDER BY offset LIMIT ?";

/* Steps to the next record, lent until the step after it. */
static bool next_record(struct local *l, sqlite3_stmt *s, struct bus_record *r) {
    if (!sqlite_file_step(&l->file, s))
        return false;
    *r = (struct bus_record){.offset = sqlite3_column_int64(s, 0),
                             .ts_ms = sqlite_file_number(&l->file, s, 1),
                             .key = sqlite_file_span(s, 2),
                             .value = sqlite_file_span(s, 3)};
    return l->file.rc == SQLITE_FILE_OK;
}

int64_t local_find(struct local *l, const char *topic) {
    return local_run(l, "SELECT id FROM topic WHERE name = ?", "s", topic);
}

int64_t local_next(struct local *l, int64_t topic) {
    return local_run(l, "SELECT next_offset FROM topic WHERE id = ?", "i", topic);
}

int64_t local_first(struct local *l, int64_t topic) {
    return local_run(l, "SELECT coalesce(min(offset), ?) FROM t#", "#i", topic,
                     local_next(l, topic));
}

static void keep_record(struct local *l, const struct bus_record *from) {
    l->records = mem_room(l->records, l->n_records, &l->cap_records, sizeof *l->records);
    struct bus_record *r = &l->records[l->n_records++];
    *r = *from;
    if (r->key.p)
        r->key = arena_span(&l->batch, r->key);
    if (r->value.p)
        r->value = arena_span(&l->batch, r->value);
}

/* Until the batch is full. Offsets have no gaps but those that retention made. */
void local_fetch(struct local *l) {
    struct bus_record r;
    uint64_t lost = 0;
    size_t max = l->how.max_records ? l->how.max_records : BATCH_RECORDS;
    l->part = (struct bus_part){.asked_ms = clock_mono_ms(), .watermark_ms = local_now_ms(l)};
    bool quiet = sqlite_file_quiet(&l->file);
    int64_t from = l->input.position, next = local_next(l, l->input.topic);
    sqlite3_stmt *s =
        sqlite_file_query(&l->file, some_records, "#iii", l->input.topic, from, next, (int64_t)max);
    while (l->batch.used < BATCH_BYTES && next_record(l, s, &r)) {
        lost += (uint64_t)(r.offset - from);
        from = r.offset + 1;
        keep_record(l, &r);
    }
    sqlite3_reset(s);
    if (from < next && l->n_records < max &&
        l->batch.used < BATCH_BYTES) { /* none is left before next */
        lost += (uint64_t)(next - from);
        from = next;
    }
    l->part.at_end = quiet && from >= next;
    if (l->file.rc != SQLITE_FILE_OK)
        return; /* what was read of it is read again */
    l->input.position = from;
    l->lost += lost;
}

enum bus_rc local_restore(struct bus *bus, const char *topic, int32_t partition,
                          bus_each_state *each, void *ctx, struct err *err) {
    struct local *l = (struct local *)bus;
    int64_t id = partition > 0 ? 0 : local_find(l, topic);
    sqlite3_stmt *s =
        sqlite_file_query(&l->file, "SELECT key, value FROM state WHERE topic = ?", "i", id);
    while (sqlite_file_step(&l->file, s) &&
           each(ctx, 0, sqlite_file_span(s, 0), sqlite_file_span(s, 1)))
        ;
    sqlite3_reset(s);
    return local_done(l, err);
}

enum bus_rc local_replay(struct bus *bus, const char *topic, int32_t partition, int64_t from_ms,
                         int64_t to, bus_each_record *each, void *ctx, struct err *err) {
    struct local *l = (struct local *)bus;
    int64_t id = partition > 0 ? 0 : local_find(l, topic);
    if (!id)
        return local_done(l, err);
    int64_t next = local_next(l, id);
    if (to < 0 || to > next)
        to = next;
    /* Timestamps never go back: it begins behind the last record that is too old. */
    int64_t from = local_run(
        l, "SELECT offset + 1 FROM t# WHERE offset < ? AND ts < ? ORDER BY offset DESC LIMIT 1",
        "#ii", id, to, from_ms);
    for (bool more = true; more;) {
        struct bus_record r;
        int n = 0;
        sqlite3_stmt *s = sqlite_file_query(&l->file, some_records, "#iii", id, from, to,
                                            (int64_t)REPLAY_RECORDS);
        for (; more && next_record(l, s, &r); n++) {
            from = r.offset + 1;
            more = each(ctx, &r);
        }
        sqlite3_reset(s);
        more = more && n == REPLAY_RECORDS;
    }
    return local_done(l, err);
}

enum bus_rc local_lag(struct bus *bus, const char *group, const char *topic, int64_t *left,
                      struct err *err) {
    struct local *l = (struct local *)bus;
    int64_t id = local_find(l, topic);
    *left = !id ? 0
                : local_run(
                      l,
                      "SELECT next_offset - max(?3, coalesce((SELECT next FROM grp WHERE name = ?1"
                      " AND topic = ?2), 0)) FROM topic WHERE id = ?2",
                      "sii", group, id, local_first(l, id));
    return local_done(l, err);
}
