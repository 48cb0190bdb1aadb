/* collector: see collector.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "collector.h"

#include "../adapter/codec/msgpack_json.h"
#include "../adapter/codec/zip.h"
#include "../base/escape.h"
#include "../base/mem.h"

enum { COLLECTOR_TAG_SHOWN_BYTES = 256 }; /* of an unknown tag, in the answer */

/* What the head of a request states about its records. */
struct collector_facts {
    const char *topic;
    enum inflate_coding coding;
    enum ingest_format format;
};

void collector_init(struct collector *c, const struct collector_conf *conf) {
    *c = (struct collector){.conf = *conf};
    access_init(&c->access, conf->user, conf->password, conf->token, conf->origins);
}

void collector_release(struct collector *c) {
    ingest_queue_release(&c->queue);
    ingest_release(&c->records);
    arena_release(&c->arena);
    access_release(&c->access);
}

/* --- answers --- */

void collector_respond(void *ctx, struct http_request *r, unsigned status, const char *reason) {
    (void)ctx;
    if (status == 503)
        http_field(r, "Retry-After", "1");
    if (reason)
        http_refuse(r, status, reason);
    else
        http_respond(r, status, SPAN_LIT(""));
}

static void collector_refuse_tag(const struct collector *c, struct http_request *r,
                                 struct span tag) {
    const struct str_map *routes = c->conf.routes;
    BUF_LOCAL struct buf reason = {0};
    if (tag.n > COLLECTOR_TAG_SHOWN_BYTES)
        tag.n = COLLECTOR_TAG_SHOWN_BYTES;
    buf_text(&reason, "no route for tag '");
    escape_printable(&reason, tag);
    buf_text(&reason, "'; known tags:");
    for (size_t i = 0; i < routes->n; i++) {
        if (i > 0)
            buf_char(&reason, ',');
        buf_printf(&reason, " %s", routes->keys[i]);
    }
    http_refuse(r, 404, reason.p);
}

/* GET / is for people, GET /healthz for supervisors. */
static void collector_answer_get(const struct collector *c, struct http_request *r) {
    if (span_is(r->path, "/")) {
        http_respond(r, 200,
                     SPAN_LIT("distlog collect " DISTLOG_VERSION
                              ": POST records as JSON, NDJSON, a json= form "
                              "or MessagePack to /TAG\n"));
        return;
    }
    const char *fault = ingest_queue_fault(&c->queue);
    if (fault)
        http_respond(r, 503, span_of(fault));
    else
        http_respond(r, 200, SPAN_LIT("ok\n"));
}

/* --- the head --- */

/* Answers the preflight request of a page whose origin may post. */
static void collector_answer_preflight(struct http_request *r) {
    const struct span headers = http_header(r, "Access-Control-Request-Headers");
    http_field(r, "Access-Control-Allow-Methods", "POST");
    if (headers.p)
        http_field(r, "Access-Control-Allow-Headers", headers.p);
    else
        http_field(r, "Access-Control-Allow-Headers", "");
    http_respond(r, 200, SPAN_LIT(""));
}

/* A request from a web page is refused unless the page's origin may post. True: answered. */
static bool collector_answer_page(const struct collector *c, struct http_request *r) {
    const char *origin;
    const enum access_origin page =
        access_check_origin(&c->access, http_header(r, "Origin"), &origin);
    const bool is_preflight = span_is(r->method, "OPTIONS");
    bool is_allowed = page != ACCESS_ORIGIN_DENIED;
    if (page == ACCESS_ORIGIN_ALLOWED) {
        http_field(r, "Access-Control-Allow-Origin", origin);
        http_field(r, "Vary", "Origin");
    }
    if (is_preflight) {
        const struct span method = http_header(r, "Access-Control-Request-Method");
        is_allowed = page == ACCESS_ORIGIN_ALLOWED && span_is(method, "POST");
    }
    if (!is_allowed) {
        http_refuse(r, 403, "this origin or method is not allowed (collect.cors_allow_origins)");
        return true;
    }
    if (is_preflight)
        collector_answer_preflight(r);
    return is_preflight;
}

static const char *collector_topic(const struct collector *c, struct span tag) {
    const struct str_map *routes = c->conf.routes;
    for (size_t i = 0; i < routes->n; i++) {
        if (span_is(tag, routes->keys[i]))
            return routes->values[i];
    }
    if (tag.n == 0)
        return c->conf.default_topic;
    return NULL;
}

/* Finds out how to read the body, or refuses the request. */
static void collector_expect_records(struct collector *c, struct http_request *r) {
    struct collector_facts facts;
    struct err err;
    const struct span tag = ingest_tag(r->path, &c->arena);
    facts.topic = collector_topic(c, tag);
    if (!facts.topic) {
        collector_refuse_tag(c, r, tag);
        return;
    }
    facts.coding = inflate_coding_of(http_header(r, "Content-Encoding"));
    if (facts.coding == INFLATE_UNKNOWN) {
        http_refuse(r, 415, "unsupported Content-Encoding; expected gzip, x-gzip or deflate");
        return;
    }
    facts.format = ingest_format_of(http_header(r, "Content-Type"), &err);
    if (facts.format == INGEST_UNKNOWN || ingest_check_query(r->query, &err) != 0) {
        http_refuse(r, 400, err.text);
        return;
    }
    struct collector_facts *kept = mem_calloc(1, sizeof *kept);
    *kept = facts;
    r->owner = kept;
}

/* Refuses whatever can be refused before the body is received. */
void collector_on_head(void *ctx, struct http_request *r) {
    struct collector *c = ctx;
    if (collector_answer_page(c, r))
        return;
    const bool has_get = span_is(r->path, "/") || span_is(r->path, "/healthz");
    if (has_get && span_is(r->method, "GET")) {
        collector_answer_get(c, r);
    } else if (!span_is(r->method, "POST") && !span_is(r->method, "PUT")) {
        const char *allow = "POST, PUT";
        if (has_get)
            allow = "GET, POST, PUT";
        http_field(r, "Allow", allow);
        http_refuse(r, 405, "send records with POST or PUT");
    } else if (!access_allows(&c->access, http_header(r, "Authorization"))) {
        http_field(r, "WWW-Authenticate", access_challenge(&c->access));
        http_refuse(r, 401,
                    "authentication required: user and password, or a bearer token (collect.auth)");
    } else {
        collector_expect_records(c, r);
    }
    arena_clear(&c->arena);
}

/* --- the body --- */

/* Turns the body into c->records, which point into it, or into plain and lines, the bytes that were
 * made of it. */
static enum input_rc collector_read_body(struct collector *c, const struct collector_facts *facts,
                                         struct span body, struct buf *plain, struct buf *lines,
                                         struct err *err) {
    if (facts->coding != INFLATE_NONE) {
        const enum input_rc rc =
            inflate_body(facts->coding, body, c->conf.max_inflated, plain, err);
        if (rc != INPUT_OK)
            return rc;
        body = buf_view(plain);
    }
    if (facts->format == INGEST_MSGPACK) {
        const enum input_rc rc = msgpack_json(body, c->conf.max_inflated, lines, err);
        if (rc != INPUT_OK)
            return rc;
        body = buf_view(lines);
    }
    return ingest_read(facts->format, body, &c->conf.limits, &c->arena, &c->records, err);
}

void collector_on_body(void *ctx, struct http_request *r) {
    struct collector *c = ctx;
    const struct collector_facts *facts = r->owner;
    struct err err;
    BUF_LOCAL struct buf plain = {0}, lines = {0};
    switch (collector_read_body(c, facts, r->body, &plain, &lines, &err)) {
    case INPUT_OK:
        ingest_queue_put(&c->queue, r, facts->topic, &c->records);
        break;
    case INPUT_LARGE:
        http_refuse(r, 413, err.text);
        break;
    case INPUT_BAD:
        http_refuse(r, 400, err.text);
        break;
    }
    arena_clear(&c->arena);
}
