/* sqlite_db: one connection to an SQLite database: its sticky error and its prepared statements.
 * Owns the connection and the statements. One thread a handle.
 * Callers: sqlite_file, which opens it; bus_sqlite*, store_sqlite*.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>

#include "../../base/err.h"

enum sqlite_db_rc {
    SQLITE_DB_OK,
    SQLITE_DB_RETRY, /* locked by another process for too long, or disk full: nothing changed */
    SQLITE_DB_FATAL  /* missing, foreign, corrupt, denied, or the outcome is unknown */
};

/* Identifies a kind of database, so that distlog never changes a foreign one. */
struct sqlite_db_kind {
    const char *what;       /* "bus", "store": for messages */
    const char *setting;    /* "bus.local.path": for messages */
    int32_t application_id; /* in the header of the file (SQLite "PRAGMA application_id") */
    int32_t version;        /* of the schema; another one is refused with both numbers */
    const char *schema;     /* SQL that creates the tables of a new file */
};

struct sqlite_db_statement;

/* Errors are sticky: after the first one every function of sqlite_db and sqlite_file that can fail
 * does nothing and returns 0, false or NULL until sqlite_db_take_error() resets it. A sequence of
 * calls therefore needs only one check, at its end. */
struct sqlite_db {
    sqlite3 *handle; /* NULL until it is connected */
    char *path;
    const struct sqlite_db_kind *kind;
    struct sqlite_db_statement *statements; /* each prepared on first use */
    size_t n_statements, cap_statements;
    enum sqlite_db_rc rc; /* the sticky error and its text */
    struct err err;
};

/* Numbers read from a database beyond ± this are treated as damage, so that the sum of a few of
 * them can't overflow. */
#define SQLITE_DB_MAX (INT64_MAX / 8)

/* A zeroed handle that is not connected yet. path is copied; kind is borrowed until
 * sqlite_db_close(). */
void sqlite_db_init(struct sqlite_db *db, const struct sqlite_db_kind *kind, const char *path);
/* Connects to the existing database at path, which may differ from that of the messages. Waits for
 * SQLite's own locks as sqlite_db_wait_busy() does. */
void sqlite_db_connect(struct sqlite_db *db, const char *path);
/* Ends the connection, so that another one may follow. No statement may have been prepared. */
void sqlite_db_disconnect(struct sqlite_db *db);
/* Frees everything that db owns. Accepts a zeroed struct. */
void sqlite_db_close(struct sqlite_db *db);
/* Waits one step of 200 µs for a lock; tries counts the steps from 0. Returns 0 if it has waited
 * long enough: 5 s, or less after a stop was requested. */
int sqlite_db_wait_busy(void *unused, int tries);

/* Returns the sticky error and resets it; sets *err unless it is SQLITE_DB_OK. */
enum sqlite_db_rc sqlite_db_take_error(struct sqlite_db *db, struct err *err);
/* Records a fatal error unless one is already recorded. */
void sqlite_db_fail(struct sqlite_db *db, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Records the error that a result code of SQLite stands for, if it is one. */
void sqlite_db_check(struct sqlite_db *db, int rc);

/* A value for a statement. Made by the functions below only, so that the compiler checks the types
 * of what is bound. */
struct sqlite_value {
    enum {
        SQLITE_VALUE_END, /* ends a list of values */
        SQLITE_VALUE_TABLE,
        SQLITE_VALUE_INT,
        SQLITE_VALUE_TEXT,
        SQLITE_VALUE_BLOB
    } type;
    int64_t number;    /* TABLE and INT */
    struct span bytes; /* TEXT and BLOB, borrowed; .p NULL binds NULL */
};

static inline struct sqlite_value sqlite_int(int64_t number) {
    return (struct sqlite_value){.type = SQLITE_VALUE_INT, .number = number};
}

static inline struct sqlite_value sqlite_text(struct span text) {
    return (struct sqlite_value){.type = SQLITE_VALUE_TEXT, .bytes = text};
}

static inline struct sqlite_value sqlite_string(const char *string) {
    return sqlite_text(span_of(string));
}

static inline struct sqlite_value sqlite_blob(struct span bytes) {
    return (struct sqlite_value){.type = SQLITE_VALUE_BLOB, .bytes = bytes};
}

/* Not bound: replaces each # in the statement, which is part of a table's name. Comes first. */
static inline struct sqlite_value sqlite_table(int64_t number) {
    return (struct sqlite_value){.type = SQLITE_VALUE_TABLE, .number = number};
}

/* sqlite_db_query(db, sql, values…): the statement sql with the values bound to its parameters in
 * order, ready for sqlite_db_step(); NULL after an error. sql must be a constant: statements are
 * cached by its address. The bytes of values are borrowed until the statement is reset.
 *
 * sqlite_db_run(db, sql, values…): runs the statement to its end. Returns the first column of the
 * last row as a number; 0 if there is no row, or if it is NULL.
 *
 *     sqlite_db_run(db, "DELETE FROM gap WHERE end_ms <= ?", sqlite_int(expired_ms)); */
#define sqlite_db_query(...) \
    SQLITE_DB_QUERY(__VA_ARGS__, (struct sqlite_value){.type = SQLITE_VALUE_END})
#define SQLITE_DB_QUERY(db, sql, ...) \
    sqlite_db_query_values((db), (sql), (const struct sqlite_value[]){__VA_ARGS__})
#define sqlite_db_run(db, ...) sqlite_db_finish((db), sqlite_db_query((db), __VA_ARGS__))

sqlite3_stmt *sqlite_db_query_values(struct sqlite_db *db, const char *sql,
                                     const struct sqlite_value *values);
int64_t sqlite_db_finish(struct sqlite_db *db, sqlite3_stmt *statement);
/* Returns true if there is another row. False at the end, after an error, or if statement is NULL;
 * the statement has been reset then. */
bool sqlite_db_step(struct sqlite_db *db, sqlite3_stmt *statement);
/* A column of the current row, counted from 0, as a number. */
int64_t sqlite_db_column_int(struct sqlite_db *db, sqlite3_stmt *statement, int column);
/* The same as bytes, which are valid until the next step or reset. NULL has .p NULL; an empty value
 * has not. */
struct span sqlite_db_column_span(sqlite3_stmt *statement, int column);
/* Runs any SQL that returns no results. */
void sqlite_db_exec(struct sqlite_db *db, const char *sql);
/* The number of rows that the last statement changed. */
int64_t sqlite_db_changes(const struct sqlite_db *db);
