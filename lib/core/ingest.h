/* ingest: the path, Content-Type and body of one HTTP request → records, as Fluentd's in_http reads
 * them, all or none. Stricter where Fluentd drops data in silence: what can't be accepted is
 * refused with the reason. Owns the list it fills; the bytes live in the body and in the caller's
 * arena. Pure: no I/O, no clock, no globals. Any thread. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "input.h"
#include "../base/arena.h"
#include "../base/err.h"

enum ingest_format {
    INGEST_UNKNOWN,
    INGEST_JSON,   /* one object, or an array of objects */
    INGEST_NDJSON, /* one object a line, LF or CRLF, blank lines skipped */
    INGEST_FORM,   /* application/x-www-form-urlencoded with json= or ndjson= */
    INGEST_MSGPACK /* msgpack_json (adapter) first turns the body into lines of JSON */
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

/* The format that a Content-Type (.p NULL: no such header) stands for, in any letter case, its
 * parameters ignored. INGEST_UNKNOWN with err, which names the accepted types. */
enum ingest_format ingest_format_of(struct span content_type, struct err *err);

/* Reads a whole body, already decompressed; with INGEST_MSGPACK it is what msgpack_json made of
 * it, and may be empty. On INPUT_OK records holds what was read, in order; else it is empty.
 * INPUT_BAD: err names the line, the place in the array, the byte. INPUT_LARGE: a record is above
 * max_record, or there are more than max_records. body is borrowed for as long as the records are
 * used. Duplicate keys inside a record are accepted: event_parse judges records of nodes, later. */
enum input_rc ingest_read(enum ingest_format format, struct span body,
                          const struct ingest_limits *limits, struct arena *arena,
                          struct ingest_records *records, struct err *err);
void ingest_release(struct ingest_records *records);

/* The tag that a path stands for, in the arena: "/a/b/" → "a.b", "/" → "". */
struct span ingest_tag(struct span path, struct arena *arena);
/* Checks the time= that a query may have, as Fluentd's does: seconds since 1970, with a fraction or
 * without. 0, or -1 with err. The value is not used, because collect stamps records at arrival. */
int ingest_check_query(struct span query, struct err *err);
