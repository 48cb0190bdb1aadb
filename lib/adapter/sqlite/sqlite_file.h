/* sqlite_file: one SQLite database in WAL mode, shared by any number of processes of one machine:
 * how it is made, opened, locked for writing and checkpointed, and how a statement is run. What is
 * in it is bus_sqlite's and store_sqlite's. Owns the connection, its statements, and the lock file
 * PATH-lock beside the database. One thread a handle. Callers: bus_sqlite, store_sqlite.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>
#include <sys/stat.h>

#include "../../base/err.h"

enum sqlite_file_rc {
    SQLITE_FILE_OK,
    SQLITE_FILE_RETRY, /* locked by another process for long, or the disk is full: nothing happened
                        */
    SQLITE_FILE_FATAL  /* missing, foreign, corrupt, denied, or the outcome is unknown */
};

/* What a file is, so that a foreign one is never touched. */
struct sqlite_file_kind {
    const char *what;       /* "bus", "store": for messages */
    const char *setting;    /* "bus.local.path": for messages */
    int32_t application_id; /* in the header of the file (SQLite "PRAGMA application_id") */
    int32_t version;        /* of the schema; another one is refused with both numbers */
    const char *schema;     /* SQL that makes the tables in a new file */
};

/* A failure sticks: after the first one every call below that can fail does nothing and answers 0,
 * false or NULL, until sqlite_file_take() asks what it was. So a run of calls is read, and checked,
 * as one. */
struct sqlite_file {
    sqlite3 *db;
    char *path;
    const struct sqlite_file_kind *kind;
    int lock_fd;
    struct stat opened;    /* what path was then */
    int64_t checkpoint_at; /* size of the WAL in bytes at which the next commit checkpoints */
    bool durable;          /* what PRAGMA synchronous is set to */
    struct sqlite_file_query *queries; /* each prepared at its first use */
    size_t n_queries, cap_queries;
    enum sqlite_file_rc rc; /* the failure that sticks, and its text */
    struct err err;
};

/* A number from a file that is larger than this, or smaller than the same below zero, is damage: so
 * that sums of a few of them never overflow. */
#define SQLITE_FILE_MAX (INT64_MAX / 8)

/* Opens path; with create makes it (and its folder) if it is not there, complete or not at all. New
 * files are 0660 and a new folder 0770, whatever the umask; folders above that are 0700. Refuses
 * network file systems, whose locks SQLite can't trust. The error names the path, what is wrong and
 * what to do. */
void sqlite_file_open(struct sqlite_file *f, const struct sqlite_file_kind *kind, const char *path,
                      bool create);
/* Fine on a zeroed struct and after a failed open. */
void sqlite_file_close(struct sqlite_file *f);
/* Opens path + tail, 0660 whatever the umask, and makes it where it is missing. -1: failed. */
int sqlite_file_beside(struct sqlite_file *f, const char *tail);

/* What failed first since the last time, or OK. */
enum sqlite_file_rc sqlite_file_take(struct sqlite_file *f, struct err *err);
/* Makes that a failure (FATAL), if it is the first. */
void sqlite_file_fail(struct sqlite_file *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The statement sql, a literal, ready for sqlite_file_step with what types says bound to it: 'i'
 * int64_t, 's' const char *, 't' a struct span as text, 'b' one as a blob; a span's .p NULL is
 * NULL. The bytes are borrowed until the statement is reset. '#', which comes first, is an int64_t
 * that stands for the # in sql: the number of a table. */
sqlite3_stmt *sqlite_file_query(struct sqlite_file *f, const char *sql, const char *types, ...);
/* True: there is a row. False: that was all, or it failed; it is reset then. Without a statement:
 * false. */
bool sqlite_file_step(struct sqlite_file *f, sqlite3_stmt *s);
/* A column of the row, as a number, or its bytes until the next step. Null has no .p, an empty
 * value has. */
int64_t sqlite_file_number(struct sqlite_file *f, sqlite3_stmt *s, int at);
struct span sqlite_file_span(sqlite3_stmt *s, int at);
/* Runs such a statement to its end: sql, types, what to bind. The last row's first column as a
 * number; 0 without a row, or if NULL. */
#define sqlite_file_run(f, ...) sqlite_file_finish((f), sqlite_file_query((f), __VA_ARGS__))
int64_t sqlite_file_finish(struct sqlite_file *f, sqlite3_stmt *s);
/* Runs any SQL without results. */
void sqlite_file_exec(struct sqlite_file *f, const char *sql);

/* Begins a write transaction: takes the lock file (waiting up to 5 s in steps of 200 µs), then
 * BEGIN IMMEDIATE. durable: the commit will be on disk when it returns; otherwise it may be lost,
 * whole, if the machine (not the process) dies. FATAL if the file was deleted or replaced. */
void sqlite_file_begin(struct sqlite_file *f, bool durable);
/* Always follows: commits if all went well since, else rolls back; releases the lock; now and then
 * checkpoints. True: committed. RETRY: rolled back. FATAL: unknown. */
bool sqlite_file_end(struct sqlite_file *f);

/* Is the path still the file that was opened? FATAL: deleted or replaced meanwhile. */
void sqlite_file_in_place(struct sqlite_file *f);
/* Bytes on disk: the database and its WAL. */
int64_t sqlite_file_size(const struct sqlite_file *f);
/* No write transaction is under way. Not between begin and end. */
bool sqlite_file_quiet(struct sqlite_file *f);
