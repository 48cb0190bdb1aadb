/* bare: the throughput of SQLite alone with the same records, as a baseline for `make bench`.
 *   bare insert FROM TABLE TO BATCH   the rows of FROM's TABLE into a new file with FROM's schema
 *   bare copy FILE IN OUT BATCH       the rows of IN to a new table OUT, reading and writing by
 * turns BATCH rows a transaction, each on disk before the next (WAL, synchronous=FULL), prepared
 * statements. Prints the seconds of the loop alone. Owns the files it creates. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ends the program unless code is SQLITE_OK, ROW or DONE. */
static int check(sqlite3 *db, int rc) {
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        fprintf(stderr, "bare: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    return rc;
}

static void run(sqlite3 *db, const char *sql) {
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static sqlite3 *open_file(const char *path) {
    sqlite3 *db = NULL;
    check(db, sqlite3_open(path, &db));
    run(db, "PRAGMA secure_delete=OFF; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
            "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY");
    return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, char *sql) {
    sqlite3_stmt *statement;
    check(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
    sqlite3_free(sql);
    return statement;
}

/* "INSERT INTO TABLE VALUES(?,?,…)" */
static sqlite3_stmt *prepare_insert(sqlite3 *db, const char *table, int columns) {
    sqlite3_str *sql = sqlite3_str_new(db);
    sqlite3_str_appendf(sql, "INSERT INTO \"%w\" VALUES(", table);
    for (int i = 0; i < columns; i++)
        sqlite3_str_appendall(sql, i ? ",?" : "?");
    sqlite3_str_appendall(sql, ")");
    return prepare(db, sqlite3_str_finish(sql));
}

/* Creates the schema of `from` in `to`, except for the tables that virtual tables create. */
static void copy_schema(sqlite3 *from, sqlite3 *to) {
    sqlite3_stmt *all =
        prepare(from, sqlite3_mprintf("SELECT sql, name FROM sqlite_schema WHERE sql IS NOT NULL "
                                      "AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\'"));
    while (check(from, sqlite3_step(all)) == SQLITE_ROW) {
        sqlite3_stmt *there =
            prepare(to, sqlite3_mprintf("SELECT 1 FROM sqlite_schema WHERE name = %Q",
                                        sqlite3_column_text(all, 1)));
        if (sqlite3_step(there) != SQLITE_ROW)
            run(to, (const char *)sqlite3_column_text(all, 0));
        sqlite3_finalize(there);
    }
    sqlite3_finalize(all);
}

static double insert(const char *from_path, const char *table, const char *to_path, long batch) {
    sqlite3 *from = open_file(from_path), *to = open_file(to_path);
    copy_schema(from, to);
    sqlite3_stmt *all = prepare(from, sqlite3_mprintf("SELECT * FROM \"%w\"", table));
    int columns = sqlite3_column_count(all);
    size_t n = 0, room = 0;
    sqlite3_value **values = NULL;
    while (check(from, sqlite3_step(all)) == SQLITE_ROW)
        for (int i = 0; i < columns; i++) {
            if (n == room && !(values = realloc(values, (room = room * 2 + 4096) * sizeof *values)))
                exit(1);
            values[n++] = sqlite3_value_dup(sqlite3_column_value(all, i));
        }
    sqlite3_finalize(all);
    sqlite3_close(from);

    sqlite3_stmt *add = prepare_insert(to, table, columns);
    size_t rows = n / (size_t)columns;
    double began = now();
    for (size_t row = 0; row < rows; row++) {
        if (row % (size_t)batch == 0)
            run(to, row ? "COMMIT; BEGIN IMMEDIATE" : "BEGIN IMMEDIATE");
        for (int i = 0; i < columns; i++)
            check(to, sqlite3_bind_value(add, i + 1, values[row * (size_t)columns + (size_t)i]));
        check(to, sqlite3_step(add));
        check(to, sqlite3_reset(add));
    }
    run(to, rows ? "COMMIT" : "");
    double took = now() - began;
    for (size_t i = 0; i < n; i++)
        sqlite3_value_free(values[i]);
    free(values);
    sqlite3_finalize(add);
    sqlite3_close(to);
    return took;
}

static double copy(const char *path, const char *in, const char *out, long batch) {
    sqlite3 *db = open_file(path);
    char *sql = sqlite3_mprintf(
        "CREATE TABLE \"%w\" (\"offset\" INTEGER PRIMARY KEY, ts, key, value);"
        "CREATE TABLE bare_place (place INTEGER); INSERT INTO bare_place VALUES(-1)",
        out);
    run(db, sql);
    sqlite3_free(sql);
    sqlite3_stmt *some = prepare(db, sqlite3_mprintf("SELECT * FROM \"%w\" WHERE \"offset\" > ?"
                                                     " ORDER BY \"offset\" LIMIT ?",
                                                     in));
    sqlite3_stmt *place = prepare(db, sqlite3_mprintf("UPDATE bare_place SET place = ?"));
    sqlite3_stmt *add = prepare_insert(db, out, 4);
    long n = batch;
    sqlite3_int64 at = -1;
    double began = now();
    while (n == batch) {
        run(db, "BEGIN IMMEDIATE");
        sqlite3_bind_int64(some, 1, at);
        sqlite3_bind_int64(some, 2, batch);
        for (n = 0; check(db, sqlite3_step(some)) == SQLITE_ROW; n++) {
            at = sqlite3_column_int64(some, 0);
            for (int i = 0; i < 4; i++)
                check(db, sqlite3_bind_value(add, i + 1, sqlite3_column_value(some, i)));
            check(db, sqlite3_step(add));
            check(db, sqlite3_reset(add));
        }
        sqlite3_reset(some);
        sqlite3_bind_int64(place, 1, at);
        check(db, sqlite3_step(place));
        sqlite3_reset(place);
        run(db, "COMMIT");
    }
    double took = now() - began;
    sqlite3_finalize(some);
    sqlite3_finalize(place);
    sqlite3_finalize(add);
    sqlite3_close(db);
    return took;
}

int main(int argc, char **argv) {
    long batch = argc == 6 ? strtol(argv[5], NULL, 10) : 0;
    double took;
    if (batch > 0 && strcmp(argv[1], "insert") == 0)
        took = insert(argv[2], argv[3], argv[4], batch);
    else if (batch > 0 && strcmp(argv[1], "copy") == 0)
        took = copy(argv[2], argv[3], argv[4], batch);
    else {
        fprintf(stderr, "usage: bare insert FROM TABLE TO BATCH | bare copy FILE IN OUT BATCH\n");
        return 2;
    }
    printf("%.4f\n", took);
    return 0;
}
