/* sqlite_file: one SQLite database in WAL mode, shared by any number of processes of one machine:
 * how its file is created, opened, locked for writing and checkpointed. What it contains is up to
 * bus_sqlite and store_sqlite. Owns the connection and the lock file PATH-lock beside the database.
 * One thread a handle. Callers: bus_sqlite*, store_sqlite*.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/stat.h>

#include "sqlite_db.h"

struct sqlite_file {
    struct sqlite_db db; /* its sticky error is the file's, too */
    int lock_fd;
    struct stat opened;    /* identity of the file when it was opened */
    int64_t checkpoint_at; /* size of the WAL in bytes from which on a commit checkpoints */
    bool durable;          /* what PRAGMA synchronous is set to */
};

/* Opens path, which is copied; kind is borrowed until sqlite_file_close(). With create, a missing
 * file and its folder are created, completely or not at all. New files have mode 0660 and a new
 * folder has 0770, whatever the umask; folders above it get 0700. Refuses network file systems,
 * whose locks SQLite can't trust. Reports failure as a sticky error that names the path, the
 * problem and what to do; sqlite_file_close() must follow in any case. */
void sqlite_file_open(struct sqlite_file *f, const struct sqlite_db_kind *kind, const char *path,
                      bool create);
/* Closes the connection and frees what f owns. Accepts a zeroed struct and one whose open failed.
 */
void sqlite_file_close(struct sqlite_file *f);
/* Opens the file path + suffix, created with mode 0660 whatever the umask if it is missing. The
 * caller owns the descriptor. -1 on failure. */
int sqlite_file_open_beside(struct sqlite_file *f, const char *suffix);

/* Begins a write transaction: takes the lock file (waiting up to 5 s in steps of 200 µs), then
 * BEGIN IMMEDIATE. durable: the commit will be on disk when it returns; otherwise it may be lost,
 * as a whole, if the machine (not the process) crashes. FATAL if the file was deleted or replaced.
 */
void sqlite_file_begin(struct sqlite_file *f, bool durable);
/* Must follow every begin: commits if no error occurred since, else rolls back; releases the lock;
 * from time to time checkpoints. Returns true if it was committed. After RETRY it was rolled back,
 * after FATAL the outcome is unknown. */
bool sqlite_file_end(struct sqlite_file *f);

/* FATAL unless the path still names the file that was opened: it was deleted or replaced. */
void sqlite_file_check_in_place(struct sqlite_file *f);
/* Bytes on disk: the database and its WAL. */
int64_t sqlite_file_size(const struct sqlite_file *f);
/* Returns true if no write transaction is under way. Must not be called between begin and end. */
bool sqlite_file_no_writer_active(struct sqlite_file *f);
