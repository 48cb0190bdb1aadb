/* ingest: one HTTP request's path, Content-Type and body → records, as Fluentd's in_http reads
 * them, all or none. Stricter where Fluentd drops data in silence: what can't be taken is refused
 * with the reason. Owns the list it fills; the bytes live in the body and in the caller's arena.
 * Pure: no I/O, no clock, no globals. Any thread. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "input.h"
#include "../base/arena.h"
#include "../base/err.h"

enum ingest_format {
    INGEST_UNKNOWN,
    INGEST_JSON,   /* one object, or an array of objects */
    INGEST_NDJSON, /* one object a line, LF or CRLF, blank lines skipped */
    INGEST_FORM,   /* application/x-www-form-urlencoded with json= or ndjson= */
    INGEST_MSGPACK /* msgpack_json (adapter) first makes lines of JSON out of the body */
};

struct ingest_record {
    struct span json; /* the object without white space between tokens, on one line */
    struct span key;  /* the decoded node_id; .p NULL if it is missing, empty or not a string */
};

/* A zeroed struct is an empty list. */
struct ingest_records {
    struct ingest_record *items;
    size_t n, cap;
};

struct ingest_limits {
    size_t max_record;  /* bytes of one record's compact JSON and its key */
    size_t max_records; /* in one request: bounds the memory that a body of `{},{},…` costs */
};

/* The format that a Content-Type (.p NULL: no such header) stands for, in any letter case,
 * parameters ignored; INGEST_UNKNOWN with err naming the accepted ones. */
enum ingest_format ingest_format_of(struct span content_type, struct err *err);

/* Reads a whole body, already decompressed. INGEST_MSGPACK: body is what msgpack_json made of it,
 * and may be empty. INPUT_BAD: err names the line, the place in the array, the byte; INPUT_LARGE: a
 * record above max_record, or more than max_records of them. On INPUT_OK records holds what was
 * read, in order; else nothing. body is borrowed for as long as the records are used. Duplicate
 * keys inside a record are taken: what a node's record must have is not judged here. */
enum input_rc ingest_read(enum ingest_format format, struct span body,
                          const struct ingest_limits *limits, struct arena *arena,
                          struct ingest_records *records, struct err *err);
void ingest_release(struct ingest_records *records);

/* The tag that a path stands for: "/a/b/" → "a.b", "/" → "". In the arena. */
struct span ingest_tag(struct span path, struct arena *arena);
/* A query may have time=, as Fluentd's does: seconds since 1970, perhaps with a fraction. 0, or -1
 * with err. The value is not used: collect stamps at arrival. */
int ingest_check_query(struct span query, struct err *err);
