/* bus_sqlite_write: what a handle of the embedded (SQLite) bus will write: the records put so far,
 * and the statements that store them. The transaction around them is bus_sqlite.c's.
 * Owns the staged records and the list of topics. One thread a handle; errors stick to db.
 * Callers: bus_sqlite.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/arena.h"
#include "sqlite_db.h"

/* A topic that was written to, as this handle knows it. */
struct sqlite_topic {
    char *name;
    int64_t id;          /* 0: not known yet */
    int64_t next_offset; /* valid within a write transaction, if touched */
    bool touched;        /* the transaction adds records to it */
    bool compacted;      /* a state topic: only the newest value of each key is kept */
};

/* A record that was put and is not written yet. */
struct sqlite_staged {
    size_t topic;           /* index into topics */
    struct span key, value; /* in the writer's bytes */
    uint64_t tag;           /* the caller's, for its report of delivery */
};

struct sqlite_writer {
    struct sqlite_db *db;
    struct sqlite_topic *topics;
    size_t n_topics, cap_topics;
    struct arena bytes; /* of the staged records */
    struct sqlite_staged *staged;
    size_t n_staged, cap_staged;
};

/* db is borrowed for the writer's life. state names the compacted topic; NULL: none. */
void sqlite_writer_init(struct sqlite_writer *writer, struct sqlite_db *db, const char *state);
void sqlite_writer_close(struct sqlite_writer *writer);

/* Stages a copy of a record. */
void sqlite_writer_put(struct sqlite_writer *writer, const char *topic, struct span key,
                       struct span value, uint64_t tag);
/* Drops all staged records. */
void sqlite_writer_clear(struct sqlite_writer *writer);
/* The end of the staged records from..end that fit into one transaction of at most about 10 ms. */
size_t sqlite_writer_slice_end(const struct sqlite_writer *writer, size_t from);

/* Within a write transaction: stores the staged records from..to with the timestamp now_ms (bus
 * clock), and creates topics that don't exist. */
void sqlite_writer_store(struct sqlite_writer *writer, size_t from, size_t to, int64_t now_ms);
/* To be called after a transaction was rolled back: topics that it created do not exist. */
void sqlite_writer_forget_topics(struct sqlite_writer *writer);
