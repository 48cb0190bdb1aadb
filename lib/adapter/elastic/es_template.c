/* es_template: see es_template.h. An index keeps the fields it was made with, so the template has
 * every field that searches need, and a number that is malformed is stored but not indexed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_template.h"

#include "es_json.h"

enum {
    ES_TEMPLATE_PRIORITY = 501,    /* above the 500 that Elastic recommends for own templates */
    ES_TEMPLATE_KEYWORD_MAX = 8191 /* characters; Lucene's limit is 32,766 bytes */
};

static json_t *es_template_keyword(void) {
    return json_pack("{s:s, s:i}", "type", "keyword", "ignore_above", ES_TEMPLATE_KEYWORD_MAX);
}

static json_t *es_template_type(const char *name) {
    return json_pack("{s:s}", "type", name);
}

static json_t *es_template_properties(void) {
    json_t *properties = json_object();
    for (size_t i = 0; i < ES_KEYWORDS; i++)
        es_json_set(properties, es_field_names[i], es_template_keyword());
    es_json_set(properties, "@timestamp",
                json_pack("{s:s, s:b}", "type", "date", "ignore_malformed", false));
    es_json_set(
        properties, "message",
        json_pack("{s:s, s:{s:o}}", "type", "text", "fields", "keyword", es_template_keyword()));
    es_json_set(properties, "response_time_ms", es_template_type("long"));
    es_json_set(properties, "threshold_limit_ms", es_template_type("long"));
    es_json_set(properties, "error_details",
                json_pack("{s:{s:o, s:o}}", "properties", "error_code", es_template_type("long"),
                          "error_message", es_template_type("text")));
    return properties;
}

static json_t *es_template_document(const struct es_session *s) {
    json_t *settings = json_pack("{s:b}", "index.mapping.ignore_malformed", true);
    json_t *mappings = json_pack("{s:b, s:b, s:o}", "dynamic", (int)s->conf->dynamic,
                                 "date_detection", false, "properties", es_template_properties());
    return json_pack("{s:i, s:[s], s:{s:o, s:o}}", "priority", ES_TEMPLATE_PRIORITY,
                     "index_patterns", s->wildcard, "template", "settings", settings, "mappings",
                     mappings);
}

/* /_index_template/distlog-INDEX, without the '*'s, which a template's name can't have. */
static void es_template_path(const struct es_session *s, struct buf *path) {
    buf_text(path, "/_index_template/distlog-");
    for (const char *p = s->wildcard; *p; p++) {
        if (*p != '*')
            buf_char(path, *p);
    }
}

enum store_rc es_template_install(struct es_session *s, struct err *err) {
    BUF_LOCAL struct buf path = {0};
    es_template_path(s, &path);
    es_json_write(es_template_document(s), &s->call.http.body);
    const enum store_rc rc =
        es_session_request(s, "PUT", path.p, "install the index template", err);
    if (s->call.http.status != 403)
        return rc;
    err_prefix(err, "grant manage_index_templates, or install the template by hand and set "
                    "store.elasticsearch.template: false");
    return STORE_FATAL;
}
