/* store_sqlite_find: see store_sqlite_find.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_sqlite_find.h"

#include "../../base/mem.h"

void sqlite_find_init(struct sqlite_db *db) {
    sqlite_db_exec(db, "CREATE TABLE temp.hit (n INTEGER PRIMARY KEY, row INTEGER NOT NULL)");
}

static bool sqlite_find_is_word_char(char c) {
    bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    bool is_digit = c >= '0' && c <= '9';
    bool is_non_ascii = (unsigned char)c >= 0x80; /* FTS5 knows which of these are letters */
    return is_letter || is_digit || is_non_ascii || c == '_';
}

/* Quotes each word of text, so that nothing in it is an operator of FTS5; all of them must match.
 * FTS5 ignores empty quotes beside others; if there are only empty ones, nothing matches. */
static void sqlite_find_quote_words(struct buf *words, const char *text) {
    buf_char(words, '"');
    for (const char *c = text; *c; c++) {
        if (sqlite_find_is_word_char(*c))
            buf_char(words, *c);
        else
            buf_text(words, "\" \"");
    }
    buf_char(words, '"');
}

/* Adds " AND column = 'text'" unless text is empty. */
static void sqlite_find_add_equals(sqlite3_str *sql, const char *column, const char *text) {
    if (*text)
        sqlite3_str_appendf(sql, " AND %s = %Q", column, text);
}

/* The SQL that collects the row ids of everything that matches query; %Q quotes. */
static sqlite3_str *sqlite_find_sql(struct sqlite_db *db, const char *index,
                                    const struct store_query *query) {
    sqlite3_str *sql = sqlite3_str_new(db->handle);
    sqlite3_str_appendf(sql,
                        "DELETE FROM temp.hit;"
                        "INSERT INTO temp.hit(row)"
                        " SELECT row FROM doc"
                        " WHERE ix = (SELECT n FROM ix WHERE name = %Q)",
                        index);
    sqlite_find_add_equals(sql, "level", query->level);
    sqlite_find_add_equals(sql, "type", query->type);
    sqlite_find_add_equals(sql, "node", query->node);
    sqlite_find_add_equals(sql, "service", query->service);
    if (query->since_ms)
        sqlite3_str_appendf(sql, " AND at_ms >= %lld", (long long)query->since_ms);
    if (query->until_ms)
        sqlite3_str_appendf(sql, " AND at_ms < %lld", (long long)query->until_ms);
    if (*query->text) {
        BUF_LOCAL struct buf words = {0};
        sqlite_find_quote_words(&words, query->text);
        sqlite3_str_appendf(sql, " AND row IN (SELECT rowid FROM word WHERE word MATCH %Q)",
                            words.p);
    }
    return sql;
}

/* Runs the SQL, which it frees. Returns how many ids it collected. */
static int64_t sqlite_find_run(struct sqlite_db *db, sqlite3_str *builder) {
    char *sql = sqlite3_str_finish(builder);
    if (!sql)
        mem_abort();
    sqlite_db_exec(db, sql);
    sqlite3_free(sql);
    return sqlite_db_run(db, "SELECT count(*) FROM temp.hit");
}

int64_t sqlite_find_collect_ids(struct sqlite_db *db, const char *index,
                                const struct store_query *query) {
    return sqlite_find_run(db, sqlite_find_sql(db, index, query));
}

/* Restricts the search to what was stored after the cursor, up to the end of the store. */
static void sqlite_find_add_cursor(sqlite3_str *sql, const char *cursor, int64_t end) {
    long long after = end;
    if (*cursor)
        after = strtoll(cursor, NULL, 10);
    sqlite3_str_appendf(sql, " AND row > %lld AND row <= %lld", after, (long long)end);
}

int64_t sqlite_find_collect_ordered_ids(struct sqlite_db *db, const char *index,
                                        const struct store_query *query, int64_t *end) {
    *end = 0;
    sqlite3_str *sql = sqlite_find_sql(db, index, query);
    if (query->cursor) {
        *end = sqlite_db_run(db, "SELECT seq FROM sqlite_sequence WHERE name = 'doc'");
        sqlite_find_add_cursor(sql, query->cursor, *end);
    }
    sqlite3_str_appendf(sql,
                        " ORDER BY at_ms %s,"
                        " log_id NULLS LAST, node NULLS LAST, type NULLS LAST, id"
                        " LIMIT %lld",
                        query->oldest_first ? "" : "DESC", (long long)query->limit);
    return sqlite_find_run(db, sql);
}
