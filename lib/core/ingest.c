/* ingest: see ingest.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ingest.h"

#include "../base/mem.h"
#include "../base/json.h"

struct reading {
    const struct ingest_limits *limits;
    struct arena *arena;
    struct ingest_records *records;
    struct err *err;
};

static bool on_member(void *ctx, const struct json_member *m, struct err *err) {
    (void)err;
    if (span_is(m->key, "node_id"))
        *(struct json_value *)ctx = m->value;
    return true;
}

static enum input_rc add(struct reading *r, struct ingest_record record) {
    struct ingest_records *to = r->records;
    size_t size = record.json.n + record.key.n;
    if (size > r->limits->max_record)
        return err_as(
            INPUT_LARGE, r->err,
            "a record of %zu bytes, its key counted twice, is larger than %zu (bus.max_record)",
            size, r->limits->max_record);
    if (to->n == r->limits->max_records)
        return err_as(INPUT_LARGE, r->err, "more than %zu records in one request",
                      r->limits->max_records);
    to->items = mem_room(to->items, to->n, &to->cap, sizeof *to->items);
    to->items[to->n++] = record;
    return INPUT_OK;
}

/* Reads one object that starts at in.p[*at], white space before it allowed. */
static enum input_rc read_object(struct reading *r, struct span in, size_t *at) {
    struct json_value value, node = {.type = JSON_TYPE_NULL};
    if (json_scan(in, at, JSON_DEPTH, r->arena, &value, on_member, &node, r->err) != 0)
        return INPUT_BAD;
    if (value.type != JSON_TYPE_OBJECT)
        return err_set(r->err, "not an object");
    struct ingest_record record = {.json = value.raw, .key = json_text(&node, r->arena)};
    if (record.key.n == 0)
        record.key.p = NULL;
    return add(r, record);
}

static enum input_rc check_end(struct reading *r, struct span in, size_t at) {
    at = json_space(in, at);
    return at == in.n ? INPUT_OK : err_set(r->err, "expected the end at byte %zu", at);
}

/* Reads one object, and nothing behind it. */
static enum input_rc read_whole(struct reading *r, struct span in) {
    size_t at = 0;
    enum input_rc rc = read_object(r, in, &at);
    return rc == INPUT_OK ? check_end(r, in, at) : rc;
}

/* The items of an array whose '[' is at in.p[at], and nothing behind it. */
static enum input_rc read_array(struct reading *r, struct span in, size_t at) {
    at = json_space(in, at + 1);
    bool more = at == in.n || in.p[at] != ']';
    if (!more)
        at++;
    for (size_t i = 1; more; i++) {
        enum input_rc rc = read_object(r, in, &at);
        if (rc != INPUT_OK)
            return err_prefix_as(rc, r->err, "record %zu of the array", i);
        at = json_space(in, at);
        char next = at < in.n ? in.p[at] : '\0';
        if (next != ',' && next != ']')
            return err_set(
                r->err, "expected ',' or ']' behind record %zu of the array, at byte %zu", i, at);
        at++;
        more = next == ',';
    }
    return check_end(r, in, at);
}

static const char nothing[] = "there is no record: the body is empty";

static enum input_rc read_json(struct reading *r, struct span in) {
    size_t at = json_space(in, 0);
    if (at == in.n)
        return err_set(r->err, nothing);
    return in.p[at] == '[' ? read_array(r, in, at) : read_whole(r, in);
}

/* what: how an error calls a line. */
static enum input_rc read_lines(struct reading *r, struct span in, const char *what) {
    struct span line;
    for (size_t number = 1; span_next(&in, '\n', &line); number++) {
        if (json_space(line, 0) == line.n)
            continue;
        enum input_rc rc = read_whole(r, line);
        if (rc != INPUT_OK)
            return err_prefix_as(rc, r->err, "%s %zu", what, number);
    }
    return INPUT_OK;
}

static enum input_rc read_ndjson(struct reading *r, struct span in) {
    enum input_rc rc = read_lines(r, in, "line");
    return rc == INPUT_OK && r->records->n == 0 ? err_set(r->err, nothing) : rc;
}

/* Decodes a name or a value of the form into text, at its place there: decoding never makes it
 * longer. */
static enum input_rc form_decode(struct reading *r, struct span form, char *text,
                                 struct span *part) {
    size_t from = part->n ? (size_t)(part->p - form.p) : 0;
    struct span in = *part, *out = part;
    *out = (struct span){text + from, 0};
    for (size_t i = 0; i < in.n; i++) {
        long c = in.p[i] == '+' ? ' ' : (unsigned char)in.p[i];
        if (c >= 0x80)
            return err_set(r->err, "byte %zu of the form must be percent-encoded", from + i);
        if (c == '%') {
            c = span_hex((struct span){in.p + i + 1, in.n - i - 1}, 2);
            if (c < 0)
                return err_set(r->err,
                               "expected %% and two hexadecimal digits at byte %zu of the form",
                               from + i);
            i += 2;
        }
        text[from + out->n++] = (char)c;
    }
    return INPUT_OK;
}

/* As Fluentd: the last of several wins, and json before ndjson. */
static enum input_rc read_form(struct reading *r, struct span in) {
    struct span json = {0}, ndjson = {0}, rest = in, name, value;
    char *text = arena_take(r->arena, in.n);
    while (span_next(&rest, '&', &value)) {
        span_next(&value, '=', &name);
        if (form_decode(r, in, text, &name) != INPUT_OK ||
            form_decode(r, in, text, &value) != INPUT_OK)
            return INPUT_BAD;
        if (span_is(name, "json"))
            json = value;
        else if (span_is(name, "ndjson"))
            ndjson = value;
    }
    if (!json.p && !ndjson.p)
        return err_set(r->err, "the form needs a parameter 'json' or 'ndjson'");
    enum input_rc rc = json.p ? read_json(r, json) : read_ndjson(r, ndjson);
    if (rc != INPUT_OK)
        err_prefix(r->err, "parameter %s", json.p ? "json" : "ndjson");
    return rc;
}

enum input_rc ingest_read(enum ingest_format format, struct span body,
                          const struct ingest_limits *limits, struct arena *arena,
                          struct ingest_records *records, struct err *err) {
    struct reading r = {limits, arena, records, err};
    enum input_rc rc;
    records->n = 0;
    switch (format) {
    case INGEST_JSON:
        rc = read_json(&r, body);
        break;
    case INGEST_NDJSON:
        rc = read_ndjson(&r, body);
        break;
    case INGEST_FORM:
        rc = read_form(&r, body);
        break;
    case INGEST_MSGPACK:
        rc = read_lines(&r, body, "map");
        break;
    default:
        rc = err_set(err, "unknown format");
    }
    if (rc != INPUT_OK)
        records->n = 0;
    return rc;
}

void ingest_release(struct ingest_records *records) {
    free(records->items);
    *records = (struct ingest_records){0};
}

enum ingest_format ingest_format_of(struct span content_type, struct err *err) {
    static const struct {
        const char *name;
        enum ingest_format format;
    } types[] = {
        {"application/json", INGEST_JSON},
        {"application/x-ndjson", INGEST_NDJSON},
        {"application/ndjson", INGEST_NDJSON},
        {"application/jsonl", INGEST_NDJSON},
        {"application/x-www-form-urlencoded", INGEST_FORM},
        {"application/msgpack", INGEST_MSGPACK},
        {"application/x-msgpack", INGEST_MSGPACK},
    };
    size_t from = json_space(content_type, 0), to = from;
    while (to < content_type.n && !memchr("; \t", content_type.p[to], 3))
        to++;
    struct span name = {to ? content_type.p + from : "", to - from};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (span_is_word(name, types[i].name))
            return types[i].format;
    return err_as(INGEST_UNKNOWN, err,
                  "expected a Content-Type of application/json, application/x-ndjson, "
                  "application/msgpack, or application/x-www-form-urlencoded with a parameter "
                  "'json' or 'ndjson'");
}

struct span ingest_tag(struct span path, struct arena *arena) {
    if (path.n && path.p[0] == '/')
        path = (struct span){path.p + 1, path.n - 1};
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    char *tag = arena_take(arena, path.n);
    for (size_t i = 0; i < path.n; i++)
        tag[i] = path.p[i] == '/' ? '.' : path.p[i];
    return (struct span){tag, path.n};
}

int ingest_check_query(struct span query, struct err *err) {
    struct span field, part;
    while (span_next(&query, '&', &field)) {
        span_next(&field, '=', &part);
        if (!field.p || !span_is(part, "time"))
            continue;
        span_next(&field, '.', &part);
        if (!span_is_digits(part) || (field.p && !span_is_digits(field)))
            return err_set(err,
                           "parameter time: expected seconds since 1970, such as 1500000000.25");
    }
    return 0;
}
