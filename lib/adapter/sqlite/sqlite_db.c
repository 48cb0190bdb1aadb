/* sqlite_db: see sqlite_db.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "../../base/buf.h"
#include "../../base/mem.h"
#include "../os/stop.h"

enum {
    BUSY_STEP_NS = 200000, /* 200 µs */
    BUSY_STEPS = 20000,    /* about 5 s: each sleep takes somewhat longer than requested */
    STOPPING_STEPS = 1500  /* the same once asked to stop: a daemon must exit in time */
};

/* --- connection --- */

void sqlite_db_init(struct sqlite_db *db, const struct sqlite_db_kind *kind, const char *path) {
    *db = (struct sqlite_db){.kind = kind, .path = mem_strndup(path, strlen(path))};
}

/* Also SQLite's busy handler, because its own busy_timeout sleeps up to 100 ms at a time. */
int sqlite_db_wait_busy(void *unused, int tries) {
    (void)unused;
    int max = BUSY_STEPS;
    if (stop_asked())
        max = STOPPING_STEPS;
    if (tries >= max)
        return 0;
    nanosleep(&(struct timespec){.tv_nsec = BUSY_STEP_NS}, NULL);
    return 1;
}

void sqlite_db_connect(struct sqlite_db *db, const char *path) {
    if (db->rc != SQLITE_DB_OK)
        return;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    sqlite_db_check(db, sqlite3_open_v2(path, &db->handle, flags, NULL));
    if (db->rc != SQLITE_DB_OK)
        return;
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_handler(db->handle, sqlite_db_wait_busy, NULL);
}

void sqlite_db_disconnect(struct sqlite_db *db) {
    sqlite3_close(db->handle);
    db->handle = NULL;
}

/* --- errors --- */

void sqlite_db_fail(struct sqlite_db *db, const char *format, ...) {
    va_list args;
    if (db->rc != SQLITE_DB_OK)
        return;
    db->rc = SQLITE_DB_FATAL;
    va_start(args, format);
    vsnprintf(db->err.text, sizeof db->err.text, format, args);
    va_end(args);
}

enum sqlite_db_rc sqlite_db_take_error(struct sqlite_db *db, struct err *err) {
    enum sqlite_db_rc rc = db->rc;
    if (rc != SQLITE_DB_OK)
        *err = db->err;
    db->rc = SQLITE_DB_OK;
    return rc;
}

/* The primary code of an extended result code. A full disk counts as SQLITE_FULL also where SQLite
 * itself reports an I/O error, but not after a failed fsync: what is on disk is unknown then. */
static int sqlite_db_primary_code(int rc, int system_errno) {
    int primary = rc & 0xff;
    bool may_be_full = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
    if (may_be_full && rc != SQLITE_IOERR_FSYNC && system_errno == ENOSPC)
        return SQLITE_FULL;
    return primary;
}

void sqlite_db_check(struct sqlite_db *db, int rc) {
    bool is_error = (rc & 0xff) != SQLITE_OK && rc != SQLITE_DONE;
    if (!is_error)
        return;
    const char *path = db->path;
    const char *reason = sqlite3_errstr(rc);
    int system_errno = 0;
    if (db->handle && sqlite3_extended_errcode(db->handle) == rc) {
        reason = sqlite3_errmsg(db->handle);
        system_errno = sqlite3_system_errno(db->handle);
    }
    switch (sqlite_db_primary_code(rc, system_errno)) {
    case SQLITE_NOMEM:
        mem_abort();
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        sqlite_db_fail(db, "%s: the %s is locked by another process", path, db->kind->what);
        db->rc = SQLITE_DB_RETRY;
        break;
    case SQLITE_FULL:
        sqlite_db_fail(
            db, "%s: no space left on the disk (free some space, or move the file and set %s)",
            path, db->kind->setting);
        db->rc = SQLITE_DB_RETRY;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        sqlite_db_fail(
            db, "%s: the file is damaged: %s (restore it, or move it away to start with a new one)",
            path, reason);
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        sqlite_db_fail(db, "%s: %s (check the owner and mode of the file and its folder)", path,
                       reason);
        break;
    default:
        if (system_errno)
            sqlite_db_fail(db, "%s: %s: %s", path, reason, strerror(system_errno));
        else
            sqlite_db_fail(db, "%s: %s", path, reason);
    }
}

/* --- statements --- */

struct sqlite_db_statement {
    const char *sql; /* a constant, identified by its address */
    int64_t table;   /* what stands for # in it; 0 if there is none */
    sqlite3_stmt *handle;
};

void sqlite_db_exec(struct sqlite_db *db, const char *sql) {
    if (db->rc == SQLITE_DB_OK)
        sqlite_db_check(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

/* The cached statement, prepared if it is used for the first time; NULL on failure. */
static sqlite3_stmt *sqlite_db_prepare(struct sqlite_db *db, const char *sql, int64_t table) {
    for (size_t i = 0; i < db->n_statements; i++) {
        const struct sqlite_db_statement *known = &db->statements[i];
        if (known->sql == sql && known->table == table)
            return known->handle;
    }
    BUF_LOCAL struct buf text = {0};
    sqlite3_stmt *handle = NULL;
    for (const char *c = sql; *c; c++) {
        if (*c == '#')
            buf_printf(&text, "%" PRId64, table);
        else
            buf_char(&text, *c);
    }
    sqlite_db_check(
        db, sqlite3_prepare_v3(db->handle, text.p, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL));
    if (!handle)
        return NULL;
    db->statements =
        mem_room(db->statements, db->n_statements, &db->cap_statements, sizeof *db->statements);
    db->statements[db->n_statements++] =
        (struct sqlite_db_statement){.sql = sql, .table = table, .handle = handle};
    return handle;
}

/* Binds one value to a parameter, counted from 1. SQLite takes a null pointer for NULL. */
static void sqlite_db_bind(sqlite3_stmt *statement, int at, const struct sqlite_value *value) {
    const struct span *bytes = &value->bytes;
    switch (value->type) {
    case SQLITE_VALUE_INT:
        sqlite3_bind_int64(statement, at, value->number);
        break;
    case SQLITE_VALUE_TEXT:
        sqlite3_bind_text64(statement, at, bytes->p, bytes->n, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case SQLITE_VALUE_BLOB:
        sqlite3_bind_blob64(statement, at, bytes->p, bytes->n, SQLITE_STATIC);
        break;
    case SQLITE_VALUE_TABLE: /* only the first value may be one */
    case SQLITE_VALUE_END:
        abort();
    }
}

sqlite3_stmt *sqlite_db_query_values(struct sqlite_db *db, const char *sql,
                                     const struct sqlite_value *values) {
    if (db->rc != SQLITE_DB_OK)
        return NULL;
    int64_t table = 0;
    if (values->type == SQLITE_VALUE_TABLE) {
        table = values->number;
        values++;
    }
    sqlite3_stmt *statement = sqlite_db_prepare(db, sql, table);
    if (!statement)
        return NULL;
    for (int i = 0; values[i].type != SQLITE_VALUE_END; i++)
        sqlite_db_bind(statement, i + 1, &values[i]);
    return statement;
}

bool sqlite_db_step(struct sqlite_db *db, sqlite3_stmt *statement) {
    if (!statement || db->rc != SQLITE_DB_OK)
        return false;
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        return true;
    sqlite_db_check(db, rc);
    sqlite3_reset(statement);
    return false;
}

int64_t sqlite_db_column_int(struct sqlite_db *db, sqlite3_stmt *statement, int column) {
    int64_t number = sqlite3_column_int64(statement, column);
    bool in_range = number >= -SQLITE_DB_MAX && number <= SQLITE_DB_MAX;
    if (!in_range && db->rc == SQLITE_DB_OK)
        sqlite_db_check(db, SQLITE_CORRUPT);
    return number;
}

struct span sqlite_db_column_span(sqlite3_stmt *statement, int column) {
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return (struct span){0};
    const void *bytes = sqlite3_column_blob(statement, column); /* NULL if it is empty */
    size_t n = (size_t)sqlite3_column_bytes(statement, column);
    return (struct span){bytes ? bytes : "", n};
}

int64_t sqlite_db_finish(struct sqlite_db *db, sqlite3_stmt *statement) {
    int64_t number = 0;
    while (sqlite_db_step(db, statement))
        number = sqlite_db_column_int(db, statement, 0);
    if (db->rc != SQLITE_DB_OK)
        return 0;
    return number;
}

int64_t sqlite_db_changes(const struct sqlite_db *db) {
    return sqlite3_changes64(db->handle);
}

void sqlite_db_close(struct sqlite_db *db) {
    for (size_t i = 0; i < db->n_statements; i++)
        sqlite3_finalize(db->statements[i].handle);
    sqlite_db_disconnect(db);
    free(db->statements);
    free(db->path);
}
