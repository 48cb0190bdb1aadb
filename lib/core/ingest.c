/* ingest: see ingest.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ingest.h"

#include "../base/mem.h"
#include "../base/json.h"

struct ingest_reader {
    const struct ingest_limits *limits;
    struct arena *arena;
    struct ingest_records *records;
    struct err *err;
};

static const char ingest_no_record[] = "expected at least one record";

/* --- one record --- */

static bool ingest_on_member(void *ctx, const struct json_member *m, struct err *err) {
    struct json_value *node_id = ctx;
    (void)err;
    if (span_is(m->key, "node_id"))
        *node_id = m->value;
    return true;
}

static enum input_rc ingest_add(struct ingest_reader *r, struct ingest_record record) {
    struct ingest_records *records = r->records;
    const size_t size = record.json.n + record.key.n;
    if (size > r->limits->max_record) {
        err_set(r->err,
                "a record of %zu bytes, its key counted twice, exceeds bus.max_record (%zu bytes)",
                size, r->limits->max_record);
        return INPUT_LARGE;
    }
    if (records->n == r->limits->max_records) {
        err_set(r->err, "more than %zu records in one request (collect.max_records)",
                r->limits->max_records);
        return INPUT_LARGE;
    }
    records->items = mem_room(records->items, records->n, &records->cap, sizeof *records->items);
    records->items[records->n++] = record;
    return INPUT_OK;
}

/* Reads the object that begins at in.p[*at], after optional white space, and moves *at behind it.
 */
static enum input_rc ingest_read_object(struct ingest_reader *r, struct span in, size_t *at) {
    struct json_value object, node_id = {.type = JSON_TYPE_NULL};
    if (json_scan(in, at, JSON_DEPTH, r->arena, &object, ingest_on_member, &node_id, r->err) != 0)
        return INPUT_BAD;
    if (object.type != JSON_TYPE_OBJECT)
        return err_set(r->err, "not a JSON object");
    struct ingest_record record = {.json = object.raw, .key = json_text(&node_id, r->arena)};
    if (record.key.n == 0)
        record.key.p = NULL;
    return ingest_add(r, record);
}

static enum input_rc ingest_check_end(struct ingest_reader *r, struct span in, size_t at) {
    at = json_space(in, at);
    if (at < in.n)
        return err_set(r->err, "unexpected data after the JSON value, at byte %zu", at);
    return INPUT_OK;
}

/* --- the formats --- */

/* Reads one object, which must be all of in. */
static enum input_rc ingest_read_one(struct ingest_reader *r, struct span in) {
    size_t at = 0;
    const enum input_rc rc = ingest_read_object(r, in, &at);
    if (rc != INPUT_OK)
        return rc;
    return ingest_check_end(r, in, at);
}

/* Reads the items of the array whose '[' is at in.p[at]; it must be the rest of in. */
static enum input_rc ingest_read_array(struct ingest_reader *r, struct span in, size_t at) {
    at = json_space(in, at + 1);
    if (at < in.n && in.p[at] == ']')
        return ingest_check_end(r, in, at + 1);
    char next = ',';
    for (size_t number = 1; next == ','; number++) {
        const enum input_rc rc = ingest_read_object(r, in, &at);
        if (rc != INPUT_OK) {
            err_prefix(r->err, "record %zu of the array", number);
            return rc;
        }
        at = json_space(in, at);
        next = at < in.n ? in.p[at] : '\0';
        if (next != ',' && next != ']')
            return err_set(r->err, "expected ',' or ']' after record %zu of the array, at byte %zu",
                           number, at);
        at++;
    }
    return ingest_check_end(r, in, at);
}

static enum input_rc ingest_read_json(struct ingest_reader *r, struct span in) {
    const size_t at = json_space(in, 0);
    if (at == in.n)
        return err_set(r->err, ingest_no_record);
    if (in.p[at] == '[')
        return ingest_read_array(r, in, at);
    return ingest_read_one(r, in);
}

/* Reads one object from each line that is not blank. unit: what an error text calls a line. */
static enum input_rc ingest_read_lines(struct ingest_reader *r, struct span in, const char *unit) {
    struct span line;
    for (size_t number = 1; span_next(&in, '\n', &line); number++) {
        const bool is_blank = json_space(line, 0) == line.n;
        if (is_blank)
            continue;
        const enum input_rc rc = ingest_read_one(r, line);
        if (rc != INPUT_OK) {
            err_prefix(r->err, "%s %zu", unit, number);
            return rc;
        }
    }
    return INPUT_OK;
}

static enum input_rc ingest_read_ndjson(struct ingest_reader *r, struct span in) {
    const enum input_rc rc = ingest_read_lines(r, in, "line");
    if (rc == INPUT_OK && r->records->n == 0)
        return err_set(r->err, ingest_no_record);
    return rc;
}

static enum input_rc ingest_read_msgpack(struct ingest_reader *r, struct span in) {
    return ingest_read_lines(r, in, "map");
}

/* Decodes the byte of a form that is at in.p[*at], and moves *at to the last byte of its code.
 * offset: of in.p in the whole form, for error texts. */
static enum input_rc ingest_decode_byte(struct ingest_reader *r, struct span in, size_t *at,
                                        size_t offset, char *byte) {
    const char c = in.p[*at];
    *byte = c;
    if ((unsigned char)c >= 0x80)
        return err_set(r->err, "byte %zu of the form must be percent-encoded", offset + *at);
    if (c == '+')
        *byte = ' ';
    if (c != '%')
        return INPUT_OK;
    const long code = span_hex((struct span){in.p + *at + 1, in.n - *at - 1}, 2);
    if (code < 0)
        return err_set(r->err,
                       "expected two hexadecimal digits after the %% at byte %zu of the form",
                       offset + *at);
    *byte = (char)code;
    *at += 2;
    return INPUT_OK;
}

/* Decodes a name or a value of the form. text is as large as the form, and each part is decoded to
 * the place that it has there, because decoding never makes it longer. */
static enum input_rc ingest_decode_part(struct ingest_reader *r, struct span form, char *text,
                                        struct span *part) {
    const struct span in = *part;
    size_t offset = 0;
    if (in.n > 0)
        offset = (size_t)(in.p - form.p);
    *part = (struct span){text + offset, 0};
    for (size_t at = 0; at < in.n; at++) {
        char *byte = &text[offset + part->n];
        if (ingest_decode_byte(r, in, &at, offset, byte) != INPUT_OK)
            return INPUT_BAD;
        part->n++;
    }
    return INPUT_OK;
}

/* Finds the parameters of a form. As in Fluentd, the last of several wins. */
static enum input_rc ingest_parse_form(struct ingest_reader *r, struct span form, struct span *json,
                                       struct span *ndjson) {
    struct span rest = form, value, name;
    char *text = arena_take(r->arena, form.n);
    while (span_next(&rest, '&', &value)) {
        span_next(&value, '=', &name);
        if (ingest_decode_part(r, form, text, &name) != INPUT_OK)
            return INPUT_BAD;
        if (ingest_decode_part(r, form, text, &value) != INPUT_OK)
            return INPUT_BAD;
        if (span_is(name, "json"))
            *json = value;
        else if (span_is(name, "ndjson"))
            *ndjson = value;
    }
    return INPUT_OK;
}

/* As in Fluentd, json is preferred to ndjson. */
static enum input_rc ingest_read_form(struct ingest_reader *r, struct span form) {
    struct span json = {0}, ndjson = {0};
    if (ingest_parse_form(r, form, &json, &ndjson) != INPUT_OK)
        return INPUT_BAD;
    if (json.p) {
        const enum input_rc rc = ingest_read_json(r, json);
        if (rc != INPUT_OK)
            err_prefix(r->err, "parameter json");
        return rc;
    }
    if (ndjson.p) {
        const enum input_rc rc = ingest_read_ndjson(r, ndjson);
        if (rc != INPUT_OK)
            err_prefix(r->err, "parameter ndjson");
        return rc;
    }
    return err_set(r->err, "the form has neither a parameter 'json' nor 'ndjson'");
}

/* --- a request --- */

/* To add a format: its enum ingest_format, a function that reads a body, and its row here. */
static const struct ingest_row {
    const char *content_types[4]; /* lower case, up to a NULL */
    enum input_rc (*read)(struct ingest_reader *r, struct span body);
} ingest_rows[] = {
    [INGEST_JSON] = {{"application/json"}, ingest_read_json},
    [INGEST_NDJSON] = {{"application/x-ndjson", "application/ndjson", "application/jsonl"},
                       ingest_read_ndjson},
    [INGEST_FORM] = {{"application/x-www-form-urlencoded"}, ingest_read_form},
    [INGEST_MSGPACK] = {{"application/msgpack", "application/x-msgpack"}, ingest_read_msgpack},
};
enum { INGEST_ROWS = sizeof ingest_rows / sizeof *ingest_rows };

enum input_rc ingest_read(enum ingest_format format, struct span body,
                          const struct ingest_limits *limits, struct arena *arena,
                          struct ingest_records *records, struct err *err) {
    struct ingest_reader r = {limits, arena, records, err};
    records->n = 0;
    if (format == INGEST_UNKNOWN)
        return err_set(err, "unknown format");
    const enum input_rc rc = ingest_rows[format].read(&r, body);
    if (rc != INPUT_OK)
        records->n = 0;
    return rc;
}

void ingest_release(struct ingest_records *records) {
    free(records->items);
    *records = (struct ingest_records){0};
}

/* The type of a Content-Type, without its parameters and the white space around it. */
static struct span ingest_media_type(struct span content_type) {
    const size_t from = json_space(content_type, 0);
    size_t to = from;
    while (to < content_type.n && !memchr("; \t", content_type.p[to], 3))
        to++;
    if (to == from)
        return (struct span){0};
    return (struct span){content_type.p + from, to - from};
}

enum ingest_format ingest_format_of(struct span content_type, struct err *err) {
    const struct span type = ingest_media_type(content_type);
    for (size_t format = 0; format < INGEST_ROWS; format++)
        for (const char *const *name = ingest_rows[format].content_types; *name; name++)
            if (span_is_word(type, *name))
                return (enum ingest_format)format;
    err_set(err, "expected a Content-Type of application/json, application/x-ndjson, "
                 "application/msgpack, or application/x-www-form-urlencoded with a parameter "
                 "'json' or 'ndjson'");
    return INGEST_UNKNOWN;
}

struct span ingest_tag(struct span path, struct arena *arena) {
    if (path.n && path.p[0] == '/')
        path = (struct span){path.p + 1, path.n - 1};
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    char *tag = arena_take(arena, path.n);
    for (size_t i = 0; i < path.n; i++) {
        tag[i] = path.p[i];
        if (tag[i] == '/')
            tag[i] = '.';
    }
    return (struct span){tag, path.n};
}

/* Whether text is seconds, such as "1500000000" or "1500000000.25". */
static bool ingest_is_seconds(struct span text) {
    struct span fraction = text, whole;
    if (!span_next(&fraction, '.', &whole) || !span_is_digits(whole))
        return false;
    return !fraction.p || span_is_digits(fraction);
}

int ingest_check_query(struct span query, struct err *err) {
    struct span value, name;
    while (span_next(&query, '&', &value)) {
        span_next(&value, '=', &name);
        const bool has_value = value.p != NULL;
        if (!has_value || !span_is(name, "time"))
            continue;
        if (!ingest_is_seconds(value))
            return err_set(err,
                           "parameter time: expected seconds since 1970, such as 1500000000.25");
    }
    return 0;
}
