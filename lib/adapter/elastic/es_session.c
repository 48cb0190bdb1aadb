/* es_session: see es_session.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_session.h"

#include "es_json.h"

const char *const es_field_names[ES_KEYWORDS] = {
    "log_level", "message_type", "node_id", "service_name", "log_id", "status", "alert"};

enum store_rc es_session_request(struct es_session *s, const char *method, const char *path,
                                 const char *doing, struct err *err) {
    s->call.http.method = method;
    s->call.path = path;
    es_client_run(s->client, &s->call, 1);
    buf_clear(&s->call.http.body);
    if (s->call.http.status / 100 == 2)
        return STORE_OK;
    return es_call_error(&s->call, doing, err);
}

json_t *es_session_reply(const struct es_session *s) {
    return es_json_read(buf_view(&s->call.http.reply));
}

/* --- the version --- */

/* Finds out which engine answers, and whether distlog can use it. */
static enum store_rc es_session_judge_version(struct es_session *s, const json_t *reply,
                                              struct err *err) {
    const char *name = "", *major = "8.";
    struct span version = es_json_text(reply, "version.number");
    s->is_opensearch = span_is(es_json_text(reply, "version.distribution"), "opensearch");
    if (version.p)
        name = "Elasticsearch ";
    if (s->is_opensearch) {
        name = "OpenSearch ";
        major = "2.";
    }
    if (version.n > 2 && memcmp(version.p, major, 2) == 0)
        return STORE_OK;
    if (!version.p)
        version = SPAN_LIT("an unknown server");
    err_set(err, "%s: found %s%.*s, but distlog needs Elasticsearch 8 or OpenSearch 2",
            s->call.host, name, SPAN_ARG(version));
    return STORE_FATAL;
}

static enum store_rc es_session_check_version(struct es_session *s, struct err *err) {
    enum store_rc rc = es_session_request(s, "GET", "/", "get its version", err);
    if (s->call.http.status == 403)
        return STORE_OK; /* an API key of least privilege may not ask */
    if (rc != STORE_OK)
        return rc;
    json_t *reply = es_session_reply(s);
    rc = es_session_judge_version(s, reply, err);
    json_decref(reply);
    return rc;
}

/* --- the mapping --- */

/* Adds how one index maps a field. False: the field can't be compared exactly there. */
static bool es_session_read_field(struct es_mapping *mapping, enum es_field field,
                                  const json_t *properties) {
    const json_t *property = json_object_get(properties, es_field_names[field]);
    if (!property)
        return true; /* no document has it yet */
    if (span_is(es_json_text(property, "type"), "keyword")) {
        mapping->as_keyword[field] = true;
        return true;
    }
    if (span_is(es_json_text(property, "fields.keyword.type"), "keyword")) {
        mapping->below_text[field] = true;
        return true;
    }
    return false;
}

static bool es_session_is_time(const json_t *properties) {
    const struct span type = es_json_text(properties, "@timestamp.type");
    return !type.p || span_is(type, "date") || span_is(type, "date_nanos");
}

/* Adds the mapping of one index of the reply to GET /INDEX. */
static enum store_rc es_session_read_index(struct es_session *s, const char *name,
                                           const json_t *index, struct err *err) {
    struct es_mapping *mapping = &s->mapping;
    const json_t *properties = es_json_at(index, "mappings.properties");
    const char *wrong = NULL, *wanted = "a keyword, or text with a .keyword";
    if (!es_session_is_time(properties)) {
        wrong = "@timestamp";
        wanted = "a date";
    }
    for (enum es_field f = 0; f < ES_FIELDS; f++) {
        if (!es_session_read_field(mapping, f, properties)) {
            wrong = es_field_names[f];
            wanted = "a keyword, or text with a .keyword";
        }
    }
    if (es_json_text(properties, "timestamp.fields.keyword.type").p)
        mapping->has_local_times = true;
    const struct span shards = es_json_text(index, "settings.index.number_of_shards");
    if (shards.p && strtoul(shards.p, NULL, 10) > mapping->shards)
        mapping->shards = strtoul(shards.p, NULL, 10);
    if (!wrong)
        return STORE_OK;
    err_set(
        err,
        "%s: index %s has an incompatible mapping: %s must be %s (reindex it, or choose another "
        "store.index)",
        s->call.host, name, wrong, wanted);
    return STORE_FATAL;
}

static enum store_rc es_session_read_indices(struct es_session *s, json_t *reply, struct err *err) {
    const char *name;
    json_t *index;
    if (!json_is_object(reply)) {
        err_set(err, "%s: can't read the index mapping: unexpected response", s->call.host);
        return STORE_FATAL;
    }
    json_object_foreach(reply, name, index) {
        const enum store_rc rc = es_session_read_index(s, name, index, err);
        if (rc != STORE_OK)
            return rc;
    }
    return STORE_OK;
}

enum store_rc es_session_read_mapping(struct es_session *s, bool must_exist, struct err *err) {
    BUF_LOCAL struct buf path = {0};
    buf_printf(&path, "/%s", s->wildcard);
    enum store_rc rc = es_session_request(s, "GET", path.p, "read the index mapping", err);
    const long status = s->call.http.status;
    const bool is_empty = rc == STORE_OK && s->call.http.reply.n <= strlen("{}");
    if (status == 403)
        return STORE_OK; /* an API key that may only write or read: assume the template's mapping */
    if (status == 404 || is_empty) {
        rc = STORE_OK;
        if (must_exist)
            rc = STORE_FATAL;
        err_set(err,
                "%s: index %s does not exist (nothing has been stored yet, or check store.index)",
                s->call.host, s->wildcard);
        return rc;
    }
    if (rc != STORE_OK)
        return rc;
    json_t *reply = es_session_reply(s);
    rc = es_session_read_indices(s, reply, err);
    json_decref(reply);
    return rc;
}

/* --- opening --- */

/* The pattern that matches every index of a name with a date: logs-%Y.%m → logs-*.*. */
static char *es_session_wildcard(const char *index) {
    struct buf wildcard = {0};
    for (const char *p = index; *p; p++) {
        if (*p == '%') {
            buf_char(&wildcard, '*');
            p++; /* the letter of the date's part */
        } else {
            buf_char(&wildcard, *p);
        }
    }
    return wildcard.p;
}

enum store_rc es_session_open(struct es_session *s, const struct es_conf *conf, const char *index,
                              struct err *err) {
    *s = (struct es_session){.conf = conf, .index = index, .mapping.shards = 1};
    s->wildcard = es_session_wildcard(index);
    const enum store_rc rc = es_client_open(&s->client, conf, err);
    if (rc != STORE_OK)
        return rc;
    return es_session_check_version(s, err);
}

void es_session_close(struct es_session *s) {
    es_client_close(s->client);
    http_call_release(&s->call.http);
    arena_release(&s->arena);
    free(s->wildcard);
}
