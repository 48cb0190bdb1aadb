/* es_query: see es_query.h. json_pack() takes its arguments' NULLs as failure, so one check at the
 * end (es_json_write, es_json_append) finds every allocation that failed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_query.h"

#include "../../base/datetime.h"
#include "../os/clock.h"

json_t *es_query_bool(json_t *filter) {
    return json_pack("{s:{s:o}}", "bool", "filter", filter);
}

/* At least one of the clauses of an array holds. */
static json_t *es_query_any(json_t *clauses) {
    return json_pack("{s:{s:o}}", "bool", "should", clauses);
}

/* The field is the value; FIELD.keyword is, where the field is text. */
static json_t *es_query_term(const struct es_mapping *mapping, enum es_field field,
                             const char *value) {
    const char *name = es_field_names[field];
    json_t *fields = json_array();
    if (mapping->as_keyword[field] || !mapping->below_text[field])
        es_json_append(fields, json_string(name));
    es_json_append(fields, json_sprintf("%s.keyword", name));
    return json_pack("{s:{s:s, s:o, s:o}}", "multi_match", "analyzer", "keyword", "fields", fields,
                     "query", es_json_string(span_of(value)));
}

static json_t *es_query_match(struct span words) {
    return json_pack("{s:{s:{s:s, s:o}}}", "match", "message", "operator", "and", "query",
                     es_json_string(words));
}

/* The message has all the words. The engine keeps 10.0.0.1 or key:value as one word; a search for
 * "key: value" means two. So either reading matches. */
static json_t *es_query_text(const char *text) {
    BUF_LOCAL struct buf words = {0};
    for (const char *c = text; *c; c++) {
        if (strchr(".:'", *c))
            buf_char(&words, ' ');
        else
            buf_char(&words, *c);
    }
    json_t *readings = json_array();
    es_json_append(readings, es_query_match(span_of(text)));
    es_json_append(readings, es_query_match(buf_view(&words)));
    return es_query_any(readings);
}

/* The local time of older tools' documents, which have no @timestamp. Its text sorts as time. */
static json_t *es_query_local_time(const char *edge, int64_t ms) {
    BUF_LOCAL struct buf text = {0};
    datetime_format(&text, ms, clock_offset_s(ms), DATETIME_LOCAL);
    return json_pack("{s:{s:[{s:{s:s}}], s:[{s:{s:{s:s}}}]}}", "bool", "must_not", "exists",
                     "field", "@timestamp", "filter", "range", "timestamp.keyword", edge, text.p);
}

/* The document's time is before or after ms. edge: "gte" or "lt". */
static json_t *es_query_time(const struct es_mapping *mapping, const char *edge, int64_t ms) {
    json_t *times = json_array();
    es_json_append(times, json_pack("{s:{s:{s:s, s:I}}}", "range", "@timestamp", "format",
                                    "epoch_millis", edge, (json_int_t)ms));
    if (mapping->has_local_times)
        es_json_append(times, es_query_local_time(edge, ms));
    return es_query_any(times);
}

json_t *es_query_filter(const struct es_mapping *mapping, const struct store_query *q) {
    const struct {
        enum es_field field;
        const char *value;
    } exact[] = {
        {ES_LEVEL, q->level}, {ES_TYPE, q->type}, {ES_NODE, q->node}, {ES_SERVICE, q->service}};
    json_t *filter = json_array();
    es_json_append(filter, json_pack("{s:{}}", "match_all"));
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        if (*exact[i].value)
            es_json_append(filter, es_query_term(mapping, exact[i].field, exact[i].value));
    }
    if (*q->text)
        es_json_append(filter, es_query_text(q->text));
    if (q->since_ms != 0)
        es_json_append(filter, es_query_time(mapping, "gte", q->since_ms));
    if (q->until_ms != 0)
        es_json_append(filter, es_query_time(mapping, "lt", q->until_ms));
    return filter;
}

/* --- the order --- */

/* A field to sort by. In an index without the field no document counts as having it. */
static json_t *es_query_key(const char *name, const char *order, const char *missing,
                            const char *type) {
    json_t *key = json_object();
    json_t *how =
        json_pack("{s:s, s:s, s:s}", "order", order, "missing", missing, "unmapped_type", type);
    es_json_set(key, name, how);
    return key;
}

static json_t *es_query_tie(const struct es_mapping *mapping, enum es_field field) {
    BUF_LOCAL struct buf name = {0};
    buf_text(&name, es_field_names[field]);
    if (mapping->below_text[field] && !mapping->as_keyword[field])
        buf_text(&name, ".keyword");
    return es_query_key(name.p, "asc", "_last", "keyword");
}

json_t *es_query_sort(const struct es_mapping *mapping, bool oldest_first) {
    static const enum es_field ties[] = {ES_LOG_ID, ES_NODE, ES_TYPE};
    const char *order = "desc", *missing = "_last";
    json_t *sort = json_array();
    if (oldest_first) { /* a document without @timestamp counts as older than any that has one */
        order = "asc";
        missing = "_first";
    }
    es_json_append(sort, es_query_key("@timestamp", order, missing, "date"));
    if (mapping->has_local_times)
        es_json_append(sort, es_query_key("timestamp.keyword", order, missing, "keyword"));
    for (size_t i = 0; i < sizeof ties / sizeof *ties; i++)
        es_json_append(sort, es_query_tie(mapping, ties[i]));
    return sort;
}
