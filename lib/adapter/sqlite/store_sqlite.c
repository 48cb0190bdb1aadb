/* store_sqlite: the embedded (SQLite) store: one file with exact columns for what is searched by
 * value and an FTS5 index of the words of messages. Owns the file's connection. One thread a
 * handle, any number of processes a file. Callers: engines.c, and others through the port.
 *
 * The index is a column. A pattern (logs-%Y.%m.%d) is stored as it stands: distlog only ever
 * searches all dates of a pattern, which gives the same result.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "../../base/mem.h"
#include "../../port/store.h"
#include "../os/clock.h"
#include "../os/stop.h"
#include "sqlite_file.h"
#include "store_sqlite_find.h"

enum {
    SLICE_ROWS = 200, /* deleted in one write transaction, some 10 ms: `store` waits meanwhile */
    PAUSE_MS = 1      /* between slices: who waits for the lock tries every 200 µs */
};

/* Words are what Elasticsearch's standard analyser takes for words, as far as FTS5 can: letters and
 * digits, "_" joins, case is folded, accents count. */
static const struct sqlite_db_kind sqlite_store_kind = {
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

/* The number of an index, which gets one if it has none. */
static const char number_index[] = "INSERT INTO ix (name) VALUES (?)"
                                   " ON CONFLICT DO UPDATE SET name = name"
                                   " RETURNING n";
static const char insert_doc[] =
    "INSERT INTO doc (ix, id, at_ms, log_id, node, service, level, type, message, json)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING";
static const char insert_words[] = "INSERT INTO word (rowid, message) VALUES (?, ?)";
static const char select_hit[] = "SELECT id, json, at_ms FROM doc"
                                 " WHERE row = (SELECT row FROM temp.hit WHERE n = ?)";
/* An FTS5 index must be given the words that it is to remove. */
static const char delete_words[] =
    "INSERT INTO word (word, rowid, message)"
    " SELECT 'delete', row, message FROM doc"
    " WHERE row IN (SELECT row FROM temp.hit WHERE n > ? AND n <= ?) AND message IS NOT NULL";
static const char delete_docs[] = "DELETE FROM doc"
                                  " WHERE row IN (SELECT row FROM temp.hit WHERE n > ? AND n <= ?)";
static const char delete_all_words[] = "INSERT INTO word (word) SELECT 'delete-all'"
                                       " WHERE NOT EXISTS (SELECT 1 FROM doc)";

struct sqlite_store_conf {
    const char *path;
};

static const struct opt sqlite_store_rows[] = {
    OPT(struct sqlite_store_conf, STRING, path, "store.db", .bits = OPT_PATH | OPT_DATA,
        .arg = "FILE", .help = "file of the embedded store; a bare name is in the data folder"),
};
const struct opt_section store_sqlite_section =
    OPT_SECTION("store.local", "the embedded store: one SQLite file", sqlite_store_rows,
                struct sqlite_store_conf);

struct sqlite_store {
    struct store store;
    struct sqlite_file file;
    const char *index;
    int64_t index_number; /* 0 if the handle does not store */
};

extern const struct store_engine store_sqlite;

/* Resets the sticky error and returns it as the port's result. */
static enum store_rc sqlite_store_take_error(struct sqlite_store *store, struct err *err) {
    switch (sqlite_db_take_error(&store->file.db, err)) {
    case SQLITE_DB_OK:
        return STORE_OK;
    case SQLITE_DB_RETRY:
        return STORE_RETRY;
    case SQLITE_DB_FATAL:
        break;
    }
    return STORE_FATAL;
}

/* --- open and close --- */

static void sqlite_store_close(struct store *handle) {
    struct sqlite_store *store = (struct sqlite_store *)handle;
    if (!store)
        return;
    sqlite_file_close(&store->file);
    buf_release(&store->store.place);
    free(store);
}

static void sqlite_store_number_index(struct sqlite_store *store) {
    sqlite_file_begin(&store->file, true);
    store->index_number = sqlite_db_run(&store->file.db, number_index, sqlite_string(store->index));
    sqlite_file_end(&store->file);
}

static enum store_rc sqlite_store_open(const struct conf *conf, const char *index, bool create,
                                       struct store **out, struct err *err) {
    const struct sqlite_store_conf *c = conf_section(conf, &store_sqlite_section);
    struct sqlite_store *store = mem_calloc(1, sizeof *store);
    store->store.engine = &store_sqlite;
    store->index = index;
    buf_printf(&store->store.place, "store local %s, index %s", c->path, index);
    sqlite_file_open(&store->file, &sqlite_store_kind, c->path, create);
    sqlite_find_init(&store->file.db);
    if (create)
        sqlite_store_number_index(store);
    enum store_rc rc = sqlite_store_take_error(store, err);
    if (rc == STORE_OK)
        *out = &store->store;
    else
        sqlite_store_close(&store->store);
    return rc;
}

/* --- store --- */

/* Returns false if a document of this id exists already. */
static bool sqlite_store_insert(struct sqlite_store *store, const struct store_doc *doc) {
    struct sqlite_db *db = &store->file.db;
    sqlite_db_run(db, insert_doc, sqlite_int(store->index_number), sqlite_text(doc->id),
                  sqlite_int(doc->at_ms), sqlite_text(doc->log_id), sqlite_text(doc->node),
                  sqlite_text(doc->service), sqlite_text(doc->level), sqlite_text(doc->type),
                  sqlite_text(doc->message), sqlite_text(doc->json));
    if (sqlite_db_changes(db) == 0)
        return false;
    if (doc->message.p)
        sqlite_db_run(db, insert_words, sqlite_int(sqlite3_last_insert_rowid(db->handle)),
                      sqlite_text(doc->message));
    return true;
}

static enum store_rc sqlite_store_bulk(struct store *handle, struct store_doc *docs, size_t n,
                                       struct err *err) {
    struct sqlite_store *store = (struct sqlite_store *)handle;
    /* No verdict is given before the commit. */
    bool *inserted = mem_calloc(n + 1, sizeof *inserted);
    sqlite_file_begin(&store->file, true);
    for (size_t i = 0; i < n; i++)
        if (docs[i].verdict == STORE_PENDING)
            inserted[i] = sqlite_store_insert(store, &docs[i]);
    bool committed = sqlite_file_end(&store->file);
    for (size_t i = 0; committed && i < n; i++)
        if (docs[i].verdict == STORE_PENDING)
            docs[i].verdict = inserted[i] ? STORE_STORED : STORE_EXISTS;
    free(inserted);
    return sqlite_store_take_error(store, err);
}

/* What is committed is visible. */
static void sqlite_store_refresh(struct store *handle) {
    (void)handle;
}

/* --- search --- */

/* Passes the nth collected document to each, in copy, so that no read transaction is open then.
 * Returns false if each asked to stop, or after an error. */
static bool sqlite_store_emit_hit(struct sqlite_store *store, int64_t n, struct buf *copy,
                                  store_each *each, void *ctx) {
    struct sqlite_db *db = &store->file.db;
    sqlite3_stmt *statement = sqlite_db_query(db, select_hit, sqlite_int(n));
    if (!sqlite_db_step(db, statement))
        return db->rc == SQLITE_DB_OK; /* it was deleted meanwhile */
    struct span id = sqlite_db_column_span(statement, 0);
    buf_clear(copy);
    buf_span(copy, id);
    buf_span(copy, sqlite_db_column_span(statement, 1));
    struct store_hit hit = {.id = {copy->p, id.n},
                            .json = {copy->p + id.n, copy->n - id.n},
                            .at_ms = sqlite3_column_int64(statement, 2)};
    sqlite3_reset(statement);
    return each(ctx, &hit);
}

static enum store_rc sqlite_store_search(struct store *handle, const struct store_query *query,
                                         store_each *each, void *ctx, struct err *err) {
    struct sqlite_store *store = (struct sqlite_store *)handle;
    BUF_LOCAL struct buf copy = {0};
    int64_t end = 0;
    int64_t found = sqlite_find_collect_ordered_ids(&store->file.db, store->index, query, &end);
    bool go_on = true;
    for (int64_t n = 1; go_on && n <= found; n++)
        go_on = sqlite_store_emit_hit(store, n, &copy, each, ctx);
    enum store_rc rc = sqlite_store_take_error(store, err);
    if (rc == STORE_OK && query->cursor)
        snprintf(query->cursor, STORE_CURSOR, "%" PRId64, end);
    return rc;
}

/* --- delete --- */

/* Deletes the collected documents after..to. Returns how many of them still existed. */
static int64_t sqlite_store_delete_slice(struct sqlite_store *store, int64_t after, int64_t to) {
    struct sqlite_db *db = &store->file.db;
    sqlite_file_begin(&store->file, false);
    /* The words come first, while the document still exists. */
    sqlite_db_run(db, delete_words, sqlite_int(after), sqlite_int(to));
    sqlite_db_run(db, delete_docs, sqlite_int(after), sqlite_int(to));
    int64_t deleted = sqlite_db_changes(db);
    if (!sqlite_file_end(&store->file))
        return 0;
    return deleted;
}

/* Deletes what was collected, in slices, so that `store` never waits for long; stops early if a
 * stop was requested. Returns how many of the documents still existed. sqlite_store_shrink() makes
 * it durable. */
static uint64_t sqlite_store_delete_collected(struct sqlite_store *store, int64_t found,
                                              store_progress *progress) {
    uint64_t deleted = 0;
    int64_t at = 0;
    while (at < found && store->file.db.rc == SQLITE_DB_OK && !stop_asked()) {
        deleted += (uint64_t)sqlite_store_delete_slice(store, at, at + SLICE_ROWS);
        if (progress)
            progress(deleted, (uint64_t)found);
        clock_sleep_ms(PAUSE_MS);
        at += SLICE_ROWS;
    }
    return deleted;
}

/* Runs a statement in a durable transaction, and then pauses. */
static void sqlite_store_run_durably(struct sqlite_store *store, const char *sql) {
    sqlite_file_begin(&store->file, true);
    sqlite_db_exec(&store->file.db, sql);
    sqlite_file_end(&store->file);
    clock_sleep_ms(PAUSE_MS);
}

/* Returns the pages of deleted documents to the file system. Deleted words leave marks in the index
 * until merges remove them; if no document is left, the whole index can go at once. */
static void sqlite_store_shrink(struct sqlite_store *store) {
    sqlite_store_run_durably(store, delete_all_words);
    while (sqlite_db_run(&store->file.db, "PRAGMA freelist_count") && !stop_asked())
        sqlite_store_run_durably(store, "PRAGMA incremental_vacuum(1000)");
}

static enum store_rc sqlite_store_delete_matching(struct store *handle,
                                                  const struct store_query *query, bool dry_run,
                                                  store_progress *progress, uint64_t *count,
                                                  struct buf *answer, struct err *err) {
    struct sqlite_store *store = (struct sqlite_store *)handle;
    int64_t begin_ms = clock_mono_ms();
    int64_t found = sqlite_find_collect_ids(&store->file.db, store->index, query);
    if (dry_run) {
        *count = (uint64_t)found;
        buf_printf(answer, "{\"count\":%" PRId64 "}", found);
        return sqlite_store_take_error(store, err);
    }
    *count = sqlite_store_delete_collected(store, found, progress);
    if (*count > 0)
        sqlite_store_shrink(store);
    buf_printf(answer,
               "{\"took\":%" PRId64 ",\"timed_out\":false,\"total\":%" PRId64
               ",\"deleted\":%" PRIu64 ",\"failures\":[]}",
               clock_mono_ms() - begin_ms, found, *count);
    return sqlite_store_take_error(store, err);
}

const struct store_engine store_sqlite = {
    .name = "local",
    .open = sqlite_store_open,
    .bulk = sqlite_store_bulk,
    .search = sqlite_store_search,
    .delete_matching = sqlite_store_delete_matching,
    .refresh = sqlite_store_refresh,
    .close = sqlite_store_close,
};
