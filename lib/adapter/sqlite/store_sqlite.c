/* store_sqlite: the embedded store: one SQLite file with exact columns for what is searched by
 * value and an FTS5 index of the messages' words. Owns the file's connection. One thread a handle,
 * any number of processes a file. Callers: engines.c.
 *
 * A search first takes down the row numbers it finds, in order, in a temporary table of this
 * connection, and then reads one document after another, so that a reader that stops at its pager
 * keeps no read transaction open: one would let the write-ahead log grow without bound. A row
 * number is never given twice (AUTOINCREMENT), so what is deleted meanwhile is missed and nothing
 * else is met in its place. The same property makes the row number the cursor of --follow.
 *
 * The index is a column: a pattern (logs-%Y.%m.%d) is stored as it stands, for a search over all
 * dates of the pattern, which is all that distlog asks, has the same answer either way.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "../../base/mem.h"
#include "../os/stop.h"
#include "../../port/store.h"
#include "../os/clock.h"
#include "sqlite_file.h"

enum {
    SLICE_ROWS = 200, /* deleted in one write transaction: some 10 ms, store waits for it */
    TURN_MS = 1,      /* between slices: who waits for the lock looks every 200 µs */
};

/* Words are what Elasticsearch's standard analyser takes for words, as far as FTS5 can: letters and
 * digits, "_" joins, case is folded, accents count. */
static const struct sqlite_file_kind kind = {
    .what = "store",
    .setting = "store.local.path",
    .application_id = 0x646c7374, /* "dlst" */
    .version = 1,
    .schema = "CREATE TABLE ix (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
              "CREATE TABLE doc (row INTEGER PRIMARY KEY AUTOINCREMENT,"
              " ix INTEGER NOT NULL, id TEXT NOT NULL, at_ms INTEGER NOT NULL,"
              " log_id TEXT, node TEXT, service TEXT, level TEXT, type TEXT, message TEXT,"
              " json TEXT NOT NULL);"
              "CREATE UNIQUE INDEX doc_id ON doc (ix, id);"
              "CREATE INDEX doc_at ON doc (ix, at_ms);"
              "CREATE INDEX doc_level ON doc (ix, level, at_ms);"
              "CREATE INDEX doc_type ON doc (ix, type, at_ms);"
              "CREATE VIRTUAL TABLE word USING fts5(message, content='doc', content_rowid='row',"
              " columnsize=0, tokenize=\"unicode61 remove_diacritics 0 tokenchars '_'\")",
};

struct local_conf {
    const char *path;
};

static const struct opt local_rows[] = {
    OPT(struct local_conf, STRING, path, "store.db", .bits = OPT_PATH | OPT_DATA, .arg = "FILE",
        .help = "the file of the embedded store; a bare name lies in the data folder"),
};
const struct opt_section store_sqlite_section = OPT_SECTION(
    "store.local", "the embedded store: one SQLite file", local_rows, struct local_conf);

struct local {
    struct store store;
    struct sqlite_file file;
    const char *index;
    int64_t ix; /* its number; to store with */
};

extern const struct store_engine store_sqlite;

/* What a call to the port answers: whatever failed since the last one. */
static enum store_rc done(struct local *l, struct err *err) {
    enum sqlite_file_rc rc = sqlite_file_take(&l->file, err);
    return rc == SQLITE_FILE_OK ? STORE_OK : rc == SQLITE_FILE_RETRY ? STORE_RETRY : STORE_FATAL;
}

/* Any text becomes words in quotes, all of which must be there: FTS5 has operators, and a user has
 * none. It passes over empty quotes beside others; where there is nothing else, nothing is found.
 */
static void add_words(struct buf *words, const char *text) {
    buf_char(words, '"');
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80 || *c == '_' || (*c >= '0' && *c <= '9') ||
            (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z'))
            buf_char(words, *c);
        else
            buf_text(words, "\" \"");
    buf_char(words, '"');
}

/* Adds " AND column = 'text'", unless text is empty. */
static void restrict_to(sqlite3_str *sql, const char *column, const char *text) {
    if (*text)
        sqlite3_str_appendf(sql, " AND %s = %Q", column, text);
}

/* SQL that takes down the row numbers of what query finds; %Q quotes. */
static sqlite3_str *find(const struct local *l, const struct store_query *query) {
    sqlite3_str *sql = sqlite3_str_new(l->file.db);
    sqlite3_str_appendf(sql,
                        "DELETE FROM temp.hit; INSERT INTO temp.hit(row) SELECT row FROM doc"
                        " WHERE ix = (SELECT n FROM ix WHERE name = %Q)",
                        l->index);
    restrict_to(sql, "level", query->level);
    restrict_to(sql, "type", query->type);
    restrict_to(sql, "node", query->node);
    restrict_to(sql, "service", query->service);
    if (query->since_ms)
        sqlite3_str_appendf(sql, " AND at_ms >= %lld", (long long)query->since_ms);
    if (query->until_ms)
        sqlite3_str_appendf(sql, " AND at_ms < %lld", (long long)query->until_ms);
    if (*query->text) {
        BUF_LOCAL struct buf words = {0};
        add_words(&words, query->text);
        sqlite3_str_appendf(sql, " AND row IN (SELECT rowid FROM word WHERE word MATCH %Q)",
                            words.p);
    }
    return sql;
}

/* Runs and frees that; how many it found. They are numbered from 1 in temp.hit, in order. */
static int64_t take_down(struct local *l, sqlite3_str *query) {
    char *sql = sqlite3_str_finish(query);
    if (!sql)
        mem_abort();
    sqlite_file_exec(&l->file, sql);
    sqlite3_free(sql);
    return sqlite_file_run(&l->file, "SELECT count(*) FROM temp.hit", "");
}

static void local_close(struct store *store) {
    struct local *l = (struct local *)store;
    if (!l)
        return;
    sqlite_file_close(&l->file);
    buf_release(&l->store.place);
    free(l);
}

/* A handle that stores needs the number of its index, given now if it has none. */
static void number_index(struct local *l) {
    sqlite_file_begin(&l->file, true);
    l->ix = sqlite_file_run(
        &l->file,
        "INSERT INTO ix (name) VALUES (?) ON CONFLICT DO UPDATE SET name = name RETURNING n", "s",
        l->index);
    sqlite_file_end(&l->file);
}

static enum store_rc local_open(const struct conf *conf, const char *index, bool create,
                                struct store **out, struct err *err) {
    const struct local_conf *c = conf_section(conf, &store_sqlite_section);
    struct local *l = mem_calloc(1, sizeof *l);
    l->store.engine = &store_sqlite;
    l->index = index;
    buf_printf(&l->store.place, "store local %s, index %s", c->path, index);
    sqlite_file_open(&l->file, &kind, c->path, create);
    sqlite_file_exec(&l->file,
                     "CREATE TABLE temp.hit (n INTEGER PRIMARY KEY, row INTEGER NOT NULL)");
    if (create)
        number_index(l);
    enum store_rc rc = done(l, err);
    if (rc == STORE_OK)
        *out = &l->store;
    else
        local_close(&l->store);
    return rc;
}

/* Inserts one document. False if its id is there. */
static bool insert(struct local *l, const struct store_doc *d) {
    sqlite_file_run(
        &l->file,
        "INSERT INTO doc (ix, id, at_ms, log_id, node, service, level, type, message, json)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        "itittttttt", l->ix, d->id, d->at_ms, d->log_id, d->node, d->service, d->level, d->type,
        d->message, d->json);
    if (sqlite3_changes(l->file.db) == 0)
        return false;
    if (d->message.p)
        sqlite_file_run(&l->file, "INSERT INTO word (rowid, message) VALUES (?, ?)", "it",
                        sqlite3_last_insert_rowid(l->file.db), d->message);
    return true;
}

static enum store_rc local_bulk(struct store *store, struct store_doc *docs, size_t n,
                                struct err *err) {
    struct local *l = (struct local *)store;
    bool *stored = mem_calloc(n + 1, sizeof *stored); /* no verdict is told before the commit */
    sqlite_file_begin(&l->file, true);
    for (size_t i = 0; i < n; i++)
        if (docs[i].verdict == STORE_PENDING)
            stored[i] = insert(l, &docs[i]);
    bool kept = sqlite_file_end(&l->file);
    for (size_t i = 0; kept && i < n; i++)
        if (docs[i].verdict == STORE_PENDING)
            docs[i].verdict = stored[i] ? STORE_STORED : STORE_EXISTS;
    free(stored);
    return done(l, err);
}

/* Hands over the nth of what was taken down. False: that was enough, or it failed. */
static bool hand_over(struct local *l, int64_t n, struct buf *copy, store_each *each, void *ctx) {
    sqlite3_stmt *s = sqlite_file_query(
        &l->file,
        "SELECT id, json, at_ms FROM doc WHERE row = (SELECT row FROM temp.hit WHERE n = ?)", "i",
        n);
    if (!sqlite_file_step(&l->file, s))
        return l->file.rc == SQLITE_FILE_OK; /* it was deleted meanwhile */
    struct span id = sqlite_file_span(s, 0);
    buf_clear(copy);
    buf_span(copy, id);
    buf_span(copy, sqlite_file_span(s, 1));
    struct store_hit hit = {.id = {copy->p, id.n},
                            .json = {copy->p + id.n, copy->n - id.n},
                            .at_ms = sqlite3_column_int64(s, 2)};
    sqlite3_reset(s); /* and with it the read transaction */
    return each(ctx, &hit);
}

static enum store_rc local_search(struct store *store, const struct store_query *query,
                                  store_each *each, void *ctx, struct err *err) {
    struct local *l = (struct local *)store;
    BUF_LOCAL struct buf copy = {0};
    int64_t end = 0;
    sqlite3_str *sql = find(l, query);
    if (query->cursor) { /* what lies between the cursor and the end of the store, where it moves to
                          */
        end = sqlite_file_run(&l->file, "SELECT seq FROM sqlite_sequence WHERE name = 'doc'", "");
        sqlite3_str_appendf(sql, " AND row > %lld AND row <= %lld",
                            *query->cursor ? strtoll(query->cursor, NULL, 10) : (long long)end,
                            (long long)end);
    }
    sqlite3_str_appendf(
        sql,
        " ORDER BY at_ms %s, log_id NULLS LAST, node NULLS LAST, type NULLS LAST, id LIMIT %lld",
        query->oldest_first ? "" : "DESC", (long long)query->limit);
    int64_t all = take_down(l, sql);
    for (int64_t n = 1; n <= all && hand_over(l, n, &copy, each, ctx);)
        n++;
    enum store_rc rc = done(l, err);
    if (rc == STORE_OK && query->cursor)
        snprintf(query->cursor, STORE_CURSOR, "%" PRId64, end);
    return rc;
}

/* Deletes what was taken down in slices, so that store is never kept waiting for long; words first,
 * while the document is there: FTS5 must be told what it forgets. Returns how many were still
 * there. Stops early when asked to. shrink() makes it all durable. */
static uint64_t delete_all(struct local *l, int64_t all, store_progress *progress) {
    uint64_t gone = 0;
    for (int64_t at = 0; at < all && l->file.rc == SQLITE_FILE_OK && !stop_asked();
         at += SLICE_ROWS) {
        int64_t to = at + SLICE_ROWS;
        sqlite_file_begin(&l->file, false);
        sqlite_file_run(
            &l->file,
            "INSERT INTO word (word, rowid, message) SELECT 'delete', row, message FROM doc WHERE"
            " row IN (SELECT row FROM temp.hit WHERE n > ? AND n <= ?) AND message IS NOT NULL",
            "ii", at, to);
        sqlite_file_run(
            &l->file,
            "DELETE FROM doc WHERE row IN (SELECT row FROM temp.hit WHERE n > ? AND n <= ?)", "ii",
            at, to);
        int64_t n = sqlite3_changes64(l->file.db);
        if (sqlite_file_end(&l->file))
            gone += (uint64_t)n;
        if (progress)
            progress(gone, (uint64_t)all);
        clock_sleep_ms(TURN_MS);
    }
    return gone;
}

/* Gives the pages that the deleted documents had back to the file system. Deleted words leave marks
 * in the index until merges meet them; with no document left at all it can go at once. */
static void shrink(struct local *l) {
    const char *sql =
        "INSERT INTO word (word) SELECT 'delete-all' WHERE NOT EXISTS (SELECT 1 FROM doc)";
    do {
        sqlite_file_begin(&l->file, true);
        sqlite_file_exec(&l->file, sql);
        sqlite_file_end(&l->file);
        sql = "PRAGMA incremental_vacuum(1000)";
        clock_sleep_ms(TURN_MS);
    } while (sqlite_file_run(&l->file, "PRAGMA freelist_count", "") && !stop_asked());
}

static enum store_rc local_erase(struct store *store, const struct store_query *query, bool dry_run,
                                 store_progress *progress, uint64_t *count, struct buf *answer,
                                 struct err *err) {
    struct local *l = (struct local *)store;
    int64_t began = clock_mono_ms(), all = take_down(l, find(l, query));
    *count = dry_run ? (uint64_t)all : delete_all(l, all, progress);
    if (!dry_run && *count)
        shrink(l);
    if (dry_run)
        buf_printf(answer, "{\"count\":%" PRId64 "}", all);
    else
        buf_printf(answer,
                   "{\"took\":%" PRId64 ",\"timed_out\":false,\"total\":%" PRId64
                   ",\"deleted\":%" PRIu64 ",\"failures\":[]}",
                   clock_mono_ms() - began, all, *count);
    return done(l, err);
}

/* What is committed is visible. */
static void local_refresh(struct store *store) {
    (void)store;
}

const struct store_engine store_sqlite = {
    .name = "local",
    .open = local_open,
    .bulk = local_bulk,
    .search = local_search,
    .delete_matching = local_erase,
    .refresh = local_refresh,
    .close = local_close,
};
