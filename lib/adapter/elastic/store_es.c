/* store_es: Elasticsearch 8 or OpenSearch 2 behind the store door: opening, the index template, and
 * bulk requests whose items are judged one by one. Owns its client and what it learnt
 * of the index. One thread a handle. Callers: lib/engines.c hands it out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_es.h"

#include <stdio.h>

#include "../../base/escape.h"
#include "../../base/json.h"
#include "../../base/mem.h"
#include "../../base/datetime.h"

enum {
    BODY_BYTES = 8 << 20, /* of one bulk request; http.max_content_length is 100 MB by default */
    SHARE_MIN = 500,      /* documents: fewer are one request */
    GROW_AFTER = 64       /* requests that fitted: then try larger ones again */
};

const char *const es_field_names[ES_KEYWORDS] = {
    "log_level", "message_type", "node_id", "service_name", "log_id", "status", "alert"};

enum store_rc es_ask(struct store_es *s, const char *method, const char *path, const char *doing,
                     struct err *err) {
    s->call.http.method = method;
    s->call.path = path;
    es_client_run(s->client, &s->call, 1);
    buf_clear(&s->call.http.body);
    return s->call.http.status / 100 == 2 ? STORE_OK : es_call_error(&s->call, doing, err);
}

/* Who answers, and can we serve it? */
static enum store_rc check_version(struct store_es *s, struct err *err) {
    enum store_rc rc = es_ask(s, "GET", "/", "ask for its version", err);
    if (s->call.http.status == 403)
        return STORE_OK; /* a key with least privilege may not ask */
    if (rc != STORE_OK)
        return rc;
    struct span reply = buf_view(&s->call.http.reply),
                number = es_text(reply, "version.number", &s->arena);
    s->opensearch = span_is(es_text(reply, "version.distribution", &s->arena), "opensearch");
    if (number.n > 2 && number.p[0] == (s->opensearch ? '2' : '8') && number.p[1] == '.')
        return STORE_OK;
    const char *what = s->opensearch ? "OpenSearch " : number.p ? "Elasticsearch " : "";
    if (!number.p)
        number = SPAN_LIT("something else");
    return err_as(STORE_FATAL, err,
                  "%s: found %s%.*s, but distlog needs Elasticsearch 8 or OpenSearch 2",
                  s->call.host, what, SPAN_ARG(number));
}

static enum store_rc install_template(struct store_es *s, struct err *err) {
    BUF_LOCAL struct buf path = {0};
    struct buf *body = &s->call.http.body;
    buf_text(&path, "/_index_template/distlog-");
    for (const char *p = s->wildcard; *p; p++)
        if (*p != '*')
            buf_char(&path, *p);
    buf_text(body, "{\"priority\":501,\"index_patterns\":[");
    escape_json(body, span_of(s->wildcard));
    buf_printf(body,
               "],\"template\":{\"settings\":{\"index.mapping.ignore_malformed\":true},"
               "\"mappings\":{\"dynamic\":%s,\"date_detection\":false,\"properties\":{",
               s->conf->dynamic ? "true" : "false");
    for (size_t i = 0; i < ES_KEYWORDS; i++)
        buf_printf(body, "\"%s\":{\"type\":\"keyword\",\"ignore_above\":8191},", es_field_names[i]);
    buf_text(body,
             "\"@timestamp\":{\"type\":\"date\",\"ignore_malformed\":false},"
             "\"message\":{\"type\":\"text\",\"fields\":{\"keyword\":{\"type\":\"keyword\","
             "\"ignore_above\":8191}}},"
             "\"response_time_ms\":{\"type\":\"long\"},\"threshold_limit_ms\":{\"type\":\"long\"},"
             "\"error_details\":{\"properties\":{\"error_code\":{\"type\":\"long\"},"
             "\"error_message\":{\"type\":\"text\"}}}}}}}");
    enum store_rc rc = es_ask(s, "PUT", path.p, "install the index template", err);
    if (s->call.http.status != 403)
        return rc;
    return err_prefix_as(STORE_FATAL, err,
                         "grant manage_index_templates, or install the template by hand and set "
                         "store.elasticsearch.template: false");
}

/* Adds what one index's properties say of a field; false: it can't be compared exactly there. */
static bool learn(struct store_es *s, enum es_field field, struct span properties) {
    struct span p = json_get(properties, es_field_names[field], &s->arena);
    if (span_is(es_text(p, "type", &s->arena), "keyword"))
        s->as_keyword[field] = true;
    else if (span_is(es_text(p, "fields.keyword.type", &s->arena), "keyword"))
        s->below_text[field] = true;
    else
        return !p.p;
    return true;
}

/* One index of the reply to GET /INDEX: what is mapped, and how. False where that won't do. */
static bool learn_index(void *ctx, const struct json_member *m, struct err *err) {
    struct store_es *s = ctx;
    struct span properties = json_get(m->value.raw, "mappings.properties", &s->arena);
    struct span time = es_text(properties, "@timestamp.type", &s->arena);
    struct span shards = es_text(m->value.raw, "settings.index.number_of_shards", &s->arena);
    const char *wrong =
        time.p && !span_is(time, "date") && !span_is(time, "date_nanos") ? "@timestamp" : NULL;
    for (enum es_field f = 0; f < ES_FIELDS; f++)
        if (!learn(s, f, properties))
            wrong = es_field_names[f];
    if (es_text(properties, "timestamp.fields.keyword.type", &s->arena).p)
        s->old_times = true;
    size_t n = shards.p ? (size_t)strtoul(shards.p, NULL, 10) : 1; /* ends at the quote */
    if (n > s->shards)
        s->shards = n;
    if (!wrong)
        return true;
    return err_as(
        false, err,
        "%s: index %.*s has an incompatible mapping: %s must be %s (reindex it, or choose another "
        "store.index)",
        s->call.host, SPAN_ARG(m->key), wrong,
        *wrong == '@' ? "a date" : "a keyword, or text with a .keyword");
}

/* Learns how the index is mapped. With must_exist it is an error that there is none. */
static enum store_rc look_at_index(struct store_es *s, bool must_exist, struct err *err) {
    enum store_rc rc = es_ask(s, "GET", arena_printf(&s->arena, "/%s", s->wildcard),
                              "read the index's mapping", err);
    if (s->call.http.status == 403)
        return STORE_OK; /* a key that may only write, or only read: as the template has it */
    if (s->call.http.status == 404 || (rc == STORE_OK && s->call.http.reply.n <= 2))
        return err_as(must_exist ? STORE_FATAL : STORE_OK, err,
                      "%s: there is no index %s (nothing was stored yet, or see store.index)",
                      s->call.host, s->wildcard);
    if (rc != STORE_OK)
        return rc;
    struct json_value reply;
    size_t at = 0;
    bool fits = json_scan(buf_view(&s->call.http.reply), &at, JSON_DEPTH, &s->arena, &reply,
                          learn_index, s, err) == 0;
    return fits ? STORE_OK : STORE_FATAL;
}

static void store_es_close(struct store *store) {
    struct store_es *s = (struct store_es *)store;
    if (!s)
        return;
    es_client_close(s->client);
    http_call_release(&s->call.http);
    arena_release(&s->arena);
    map_release(&s->ends);
    map_release(&s->seen);
    free(s->wildcard);
    buf_release(&s->base.place);
    free(s);
}

static enum store_rc connect(struct store_es *s, bool create, struct err *err) {
    enum store_rc rc = es_client_open(&s->client, s->conf, err);
    if (rc == STORE_OK)
        rc = check_version(s, err);
    if (rc == STORE_OK && create && s->conf->template)
        rc = install_template(s, err);
    if (rc == STORE_OK)
        rc = look_at_index(s, !create, err);
    return rc;
}

static enum store_rc store_es_open(const struct conf *conf, const char *index, bool create,
                                   struct store **out, struct err *err) {
    struct store_es *s = mem_calloc(1, sizeof *s);
    struct buf wildcard = {0}, *place = &s->base.place;
    s->base.engine = &store_es;
    s->conf = conf_section(conf, &es_section);
    s->index = index;
    s->fit = (size_t)s->conf->batch;
    s->shards = 1;
    for (const char *p = s->index; *p; p++) {
        buf_char(&wildcard, *p == '%' ? '*' : *p);
        p += *p == '%';
    }
    s->wildcard = wildcard.p;
    enum store_rc rc = connect(s, create, err);
    buf_printf(place, "store %s ", s->opensearch ? "opensearch" : "elasticsearch");
    for (size_t i = 0; i < s->conf->urls.n; i++)
        buf_printf(place, "%s%s", i ? ", " : "", s->conf->urls.items[i]);
    buf_printf(place, ", index %s", s->index);
    if (rc == STORE_OK)
        *out = &s->base;
    else
        store_es_close(&s->base);
    return rc;
}

/* Does the record bring an @timestamp of its own at its top level? Adding another would be a
 * duplicate key, which the engine refuses. Seldom, so that it may be scanned for it. */
static bool has_stamp(struct span json, struct arena *arena) {
    bool maybe = false;
    for (const char *p = json.p, *end = p + json.n;
         !maybe && (p = memmem(p, (size_t)(end - p), "timestamp\"", 10)); p++)
        maybe = p[-1] != '"';
    return maybe && json_get(json, "@timestamp", arena).p;
}

/* Adds a document's two lines to a bulk body. */
static void add_lines(struct store_es *s, const struct store_doc *d, struct buf *body) {
    buf_text(body, "{\"create\":{\"_index\":\"");
    datetime_pattern(body, s->index, d->at_ms);
    buf_text(body, "\",\"_id\":");
    escape_json(body, d->id);
    buf_text(body, "}}\n");
    if (has_stamp(d->json, &s->arena)) {
        buf_span(body, d->json);
    } else {
        buf_add(body, d->json.p, d->json.n - 1);
        buf_text(body, d->json.n > 2 ? "," ES_STAMP_KEY ":\"" : ES_STAMP_KEY ":\"");
        datetime_format(body, d->at_ms, 0, DATETIME_RFC3339);
        buf_text(body, "\"}");
    }
    buf_char(body, '\n');
}

/* Makes a bulk request of the first of n documents. Its memory is kept from one to the next. */
static void fill(struct store_es *s, struct es_call *call, struct store_doc **docs, size_t n,
                 size_t most) {
    call->http.method = "POST";
    call->path = "/_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason";
    call->docs = 0;
    buf_clear(&call->http.body);
    while (call->docs < n && call->docs < most && call->http.body.n < BODY_BYTES)
        add_lines(s, docs[call->docs++], &call->http.body);
}

/* Is a refused item refused for what the engine is in and not for what the record has? */
static bool is_state(long status, struct span type) {
    static const char *const states[] = {"cluster_block_exception", "index_not_found_exception",
                                         "index_closed_exception",
                                         "validation_exception" /* no more shards may be made */};
    bool state = status == 429 || status == 401 || status == 403 || status >= 500 || status < 400;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        state = state || span_is(type, states[i]);
    return state;
}

static void poison(struct store_doc *d, const struct err *why) {
    d->verdict = STORE_POISON;
    snprintf(d->reason, sizeof d->reason, "%.*s", (int)sizeof d->reason - 1, why->text);
}

/* One item's answer: {"create":{"status":…,"error":{…}}}. False: left for later, err says why. */
static bool judge(struct store_doc *d, struct span item, struct arena *arena, struct err *err) {
    struct span number = json_get(item, "create.status", arena);
    long status = number.p ? strtol(number.p, NULL, 10) : 0;
    d->verdict = status / 100 == 2 ? STORE_STORED : status == 409 ? STORE_EXISTS : STORE_PENDING;
    if (d->verdict != STORE_PENDING)
        return true;
    struct span type = es_text(item, "create.error.type", arena);
    struct span reason = es_text(item, "create.error.reason", arena);
    err_set(err, "%.*s: %.*s", SPAN_ARG(type), SPAN_ARG(reason));
    if (is_state(status, type))
        return false;
    poison(d, err);
    return true;
}

static enum store_rc run_bulks(struct store_es *s, struct store_doc **docs, size_t n, size_t most,
                               struct err *err);

/* The whole request was refused for what is in it: halves, until the culprit stands alone. */
static enum store_rc halve(struct store_es *s, struct store_doc **docs, const struct es_call *call,
                           struct err *err) {
    if (call->docs > 1)
        return run_bulks(s, docs, call->docs, (call->docs + 1) / 2, err);
    s->alone++;
    es_call_error(call, "store it", err);
    poison(docs[0], err);
    return STORE_OK;
}

/* Reads one answer into the verdicts. */
static enum store_rc judge_all(struct store_es *s, struct store_doc **docs,
                               const struct es_call *call, struct err *err) {
    long status = call->http.status;
    size_t alone = s->alone;
    enum store_rc rc = status == 200 ? STORE_OK : es_call_error(call, "store", err);
    if (status == 400 && !es_text(buf_view(&call->http.reply), "error.type", &s->arena).p)
        rc = STORE_RETRY; /* a proxy's */
    else if (status == 400 || status == 413)
        rc = halve(s, docs, call, err);
    if (status == 429 ||
        (status == 413 && alone == s->alone)) { /* not for one that is too large alone */
        s->fits = 0;
        if (call->docs / 2 < s->fit)
            s->fit = call->docs > 1 ? call->docs / 2 : 1;
    }
    if (status != 200)
        return rc;
    if (++s->fits % GROW_AFTER == 0 && (s->fit *= 2) > (size_t)s->conf->batch)
        s->fit = (size_t)s->conf->batch;
    struct span items = json_get(buf_view(&call->http.reply), "items", &s->arena), item;
    size_t at = 0, n = 0;
    for (; n < call->docs && (item = json_item(items, &at, &s->arena)).p; n++) {
        struct err why;
        if (judge(docs[n], item, &s->arena, &why))
            continue;
        rc = STORE_RETRY;
        err_set(err, "%s: can't store: %.600s", call->host, why.text);
    }
    if (n == call->docs)
        return rc;
    return err_as(STORE_RETRY, err, "%s: the answer to a bulk request does not fit it", call->host);
}

/* Sends them in requests of at most so many, as many together as may be in flight, of which there
 * are the bodies in memory; what there is is shared among them. A request that has no certain
 * answer does not keep the others' from counting. */
static enum store_rc run_bulks(struct store_es *s, struct store_doc **docs, size_t n, size_t most,
                               struct err *err) {
    size_t together = (size_t)s->conf->in_flight;
    struct es_call *calls = mem_calloc(together, sizeof *calls);
    enum store_rc rc = STORE_OK;
    for (size_t at = 0, filled = 0; at < n && rc == STORE_OK;) {
        size_t share = (n - at + together - 1) / together, k = 0;
        if (share < SHARE_MIN)
            share = SHARE_MIN;
        if (share > most)
            share = most;
        if (share > s->fit)
            share = s->fit;
        for (; k < together && filled < n; filled += calls[k++].docs)
            fill(s, &calls[k], docs + filled, n - filled, share);
        es_client_run(s->client, calls, k);
        for (size_t i = 0; i < k; at += calls[i++].docs) {
            struct err why;
            enum store_rc one = judge_all(s, docs + at, &calls[i], &why);
            if (one <= rc)
                continue;
            rc = one;
            *err = why;
        }
    }
    for (size_t i = 0; i < together; i++)
        http_call_release(&calls[i].http);
    free(calls);
    return rc;
}

static enum store_rc store_es_bulk(struct store *store, struct store_doc *docs, size_t n,
                                   struct err *err) {
    struct store_es *s = (struct store_es *)store;
    struct store_doc **pending = mem_calloc(n + 1, sizeof *pending);
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if (docs[i].verdict == STORE_PENDING)
            pending[left++] = &docs[i];
    arena_clear(&s->arena);
    enum store_rc rc = run_bulks(s, pending, left, left, err);
    free(pending);
    return rc;
}

const struct store_engine store_es = {
    .name = "elasticsearch",
    .open = store_es_open,
    .bulk = store_es_bulk,
    .search = es_search,
    .delete_matching = es_erase,
    .refresh = es_refresh,
    .close = store_es_close,
};
