/* es_bulk: see es_bulk.h.
 *
 * The documents to send form a stack of ranges. Requests are filled from the range on top; what a
 * refused request had becomes a new range, with half its size as the limit. So one document that
 * the cluster can't take costs a logarithm of requests, and the stack stays short.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_bulk.h"

#include <stdio.h>

#include "../../base/datetime.h"
#include "../../base/json.h"
#include "../../base/json_writer.h"
#include "../../base/mem.h"
#include "es_json.h"
#include "es_stamp.h"

enum {
    ES_BULK_BODY_BYTES = 8 << 20, /* http.max_content_length is 100 MB by default */
    ES_BULK_SHARE_MIN = 500,      /* fewer documents are not shared among several requests */
    ES_BULK_GROW_AFTER = 64,      /* requests in ok_streak: then try larger ones again */
    ES_BULK_HOUR_MS = 3600 * 1000
};

/* What the answer to a whole request means. */
enum es_bulk_answer {
    ES_BULK_ANSWER_ITEMS,     /* 200: each document has a verdict of its own */
    ES_BULK_ANSWER_MALFORMED, /* 400 from the engine: a document spoils the request */
    ES_BULK_ANSWER_TOO_LARGE, /* 413 */
    ES_BULK_ANSWER_OVERLOAD,  /* 429: the cluster's queue is full */
    ES_BULK_ANSWER_PROXY,     /* 400, but not the engine's: the documents may be fine */
    ES_BULK_ANSWER_FAILED     /* all others, no answer among them */
};

struct es_bulk_range {
    struct store_doc **docs; /* not sent yet */
    size_t n;
    size_t limit;      /* documents in one request */
    size_t parent;     /* index of the range whose request was split */
    size_t too_large;  /* documents in that request if it was too large, else 0 */
    bool has_isolated; /* a document of it was refused in a request of its own */
};

/* One call of es_bulk_store. */
struct es_bulk_run {
    struct es_bulk *bulk;
    struct es_session *session;
    struct es_call *calls; /* as many as may be in flight; their memory serves every round */
    size_t n_calls;
    struct es_bulk_range *ranges; /* a stack; the root, at 0, has all documents */
    size_t n_ranges, cap_ranges;
    struct buf index; /* the name of the index for documents of this hour */
    int64_t hour;     /* since 1970 */
};

void es_bulk_init(struct es_bulk *b, const struct es_conf *conf) {
    *b = (struct es_bulk){.batch_limit = (size_t)conf->batch};
}

/* --- the body --- */

/* Has the record an @timestamp at its top level? A second one would be a duplicate key, which the
 * engine refuses. Records rarely have the name anywhere, so few are scanned. */
static bool es_bulk_has_stamp(struct span json, struct arena *arena) {
    static const char name[] = "timestamp\"";
    const char *p = json.p, *end = json.p + json.n;
    for (;;) {
        p = memmem(p, (size_t)(end - p), name, sizeof name - 1);
        if (!p)
            return false;
        if (p[-1] != '"') /* a longer name, perhaps with an escape before this */
            return json_get(json, "@timestamp", arena).p != NULL;
        p++;
    }
}

/* The name of a document's index. No pattern is finer than an hour, and documents come in order of
 * time, so a name serves many of them. */
static struct span es_bulk_index(struct es_bulk_run *r, int64_t at_ms) {
    const int64_t hour = at_ms / ES_BULK_HOUR_MS;
    const bool is_known = r->index.n > 0 && hour == r->hour && at_ms >= 0;
    if (!is_known) {
        buf_clear(&r->index);
        datetime_pattern(&r->index, r->session->index, at_ms);
        r->hour = hour;
    }
    return buf_view(&r->index);
}

/* {"create":{"_index":"logs","_id":"…"}} */
static void es_bulk_add_action(struct es_bulk_run *r, const struct store_doc *d, struct buf *body) {
    struct json_writer w = {.out = body};
    json_writer_object_begin(&w);
    json_writer_key(&w, "create");
    json_writer_object_begin(&w);
    json_writer_key(&w, "_index");
    json_writer_plain_begin(&w);
    buf_span(body, es_bulk_index(r, d->at_ms));
    json_writer_plain_end(&w);
    json_writer_member_string(&w, "_id", d->id);
    json_writer_object_end(&w);
    json_writer_object_end(&w);
    buf_char(body, '\n');
}

/* The record, with an @timestamp as its last member. */
static void es_bulk_add_document(struct es_session *s, const struct store_doc *d,
                                 struct buf *body) {
    if (es_bulk_has_stamp(d->json, &s->arena)) {
        buf_span(body, d->json);
        buf_char(body, '\n');
        return;
    }
    struct json_writer w = {.out = body, .comma_due = d->json.n > strlen("{}")};
    buf_add(body, d->json.p, d->json.n - strlen("}"));
    json_writer_key(&w, ES_STAMP_KEY);
    json_writer_plain_begin(&w);
    datetime_format(body, d->at_ms, 0, DATETIME_RFC3339);
    json_writer_plain_end(&w);
    json_writer_object_end(&w);
    buf_char(body, '\n');
}

/* --- requests --- */

/* Moves documents from the front of a range into a request. */
static void es_bulk_fill(struct es_bulk_run *r, struct es_call *call, struct es_bulk_range *range,
                         size_t share) {
    struct buf *body = &call->http.body;
    call->http.method = "POST";
    call->path = "/_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason";
    call->docs = 0;
    buf_clear(body);
    while (call->docs < range->n && call->docs < share && body->n < ES_BULK_BODY_BYTES) {
        const struct store_doc *d = range->docs[call->docs];
        es_bulk_add_action(r, d, body);
        es_bulk_add_document(r->session, d, body);
        call->docs++;
    }
    range->docs += call->docs;
    range->n -= call->docs;
}

/* How many documents each request gets: what is left is shared among those in flight. */
static size_t es_bulk_share(const struct es_bulk_run *r, const struct es_bulk_range *range) {
    size_t share = (range->n + r->n_calls - 1) / r->n_calls;
    if (share < ES_BULK_SHARE_MIN)
        share = ES_BULK_SHARE_MIN;
    if (share > range->limit)
        share = range->limit;
    if (share > r->bulk->batch_limit)
        share = r->bulk->batch_limit;
    return share;
}

/* Fills requests from a range and returns how many. */
static size_t es_bulk_fill_requests(struct es_bulk_run *r, struct es_bulk_range *range) {
    const size_t share = es_bulk_share(r, range);
    size_t filled = 0;
    while (filled < r->n_calls && range->n > 0) {
        es_bulk_fill(r, &r->calls[filled], range, share);
        filled++;
    }
    return filled;
}

/* --- how large requests may be --- */

/* A request of that many documents was too much. */
static void es_bulk_shrink_batch(struct es_bulk *b, size_t docs) {
    size_t limit = docs / 2;
    if (limit == 0)
        limit = 1;
    b->ok_streak = 0;
    if (limit < b->batch_limit)
        b->batch_limit = limit;
}

/* A request was not too large. */
static void es_bulk_grow_batch(struct es_bulk *b, size_t most) {
    b->ok_streak++;
    if (b->ok_streak % ES_BULK_GROW_AFTER != 0)
        return;
    b->batch_limit *= 2;
    if (b->batch_limit > most)
        b->batch_limit = most;
}

/* --- ranges --- */

static void es_bulk_push(struct es_bulk_run *r, struct es_bulk_range range) {
    r->ranges = mem_room(r->ranges, r->n_ranges, &r->cap_ranges, sizeof *r->ranges);
    r->ranges[r->n_ranges] = range;
    r->n_ranges++;
}

/* Removes the range on top. Requests shrink after one was too large, unless a single document was
 * to blame: that one is dead-lettered and does not show that requests are too large. */
static void es_bulk_pop(struct es_bulk_run *r) {
    r->n_ranges--;
    const struct es_bulk_range *done = &r->ranges[r->n_ranges];
    if (done->has_isolated)
        r->ranges[done->parent].has_isolated = true;
    else if (done->too_large > 0)
        es_bulk_shrink_batch(r->bulk, done->too_large);
}

/* --- verdicts --- */

static void es_bulk_poison(struct store_doc *d, const struct err *why) {
    d->verdict = STORE_POISON;
    snprintf(d->reason, sizeof d->reason, "%.*s", (int)sizeof d->reason - 1, why->text);
}

/* Was an item refused for the state that the cluster is in, and not for what the record has? */
static bool es_bulk_is_cluster_state_error(long status, struct span type) {
    static const char *const states[] = {
        "cluster_block_exception", "index_not_found_exception", "index_closed_exception",
        "validation_exception" /* no more shards may be created */};
    if (status < 400 || status >= 500)
        return true;
    if (status == 401 || status == 403 || status == 429)
        return true;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (span_is(type, states[i]))
            return true;
    }
    return false;
}

/* Reads one item: {"create":{"status":…,"error":{…}}}. False with err: the document stays pending.
 */
static bool es_bulk_judge(struct store_doc *d, struct span item, struct arena *arena,
                          struct err *err) {
    const struct span number = json_get(item, "create.status", arena);
    long status = 0;
    if (number.p)
        status = strtol(number.p, NULL, 10); /* a ',' or a '}' follows */
    if (status / 100 == 2) {
        d->verdict = STORE_STORED;
        return true;
    }
    if (status == 409) {
        d->verdict = STORE_EXISTS;
        return true;
    }
    const struct span type = es_scan_text(item, "create.error.type", arena);
    const struct span reason = es_scan_text(item, "create.error.reason", arena);
    err_set(err, "%.*s: %.*s", SPAN_ARG(type), SPAN_ARG(reason));
    if (es_bulk_is_cluster_state_error(status, type))
        return false;
    es_bulk_poison(d, err);
    return true;
}

/* Reads the items of an answer into the verdicts of the documents that its request had. */
static enum store_rc es_bulk_judge_items(struct es_session *s, struct store_doc **docs,
                                         const struct es_call *call, struct err *err) {
    const struct span items = json_get(buf_view(&call->http.reply), "items", &s->arena);
    enum store_rc rc = STORE_OK;
    size_t at = 0;
    for (size_t i = 0; i < call->docs; i++) {
        struct err why;
        const struct span item = json_item(items, &at, &s->arena);
        if (!item.p) {
            err_set(err, "%s: the bulk response has fewer items than the request", call->host);
            return STORE_RETRY;
        }
        if (!es_bulk_judge(docs[i], item, &s->arena, &why)) {
            rc = STORE_RETRY;
            err_set(err, "%s: can't store: %.600s", call->host, why.text);
        }
    }
    return rc;
}

/* --- answers --- */

static bool es_bulk_is_from_engine(const struct es_call *call) {
    json_t *reply = es_json_read(buf_view(&call->http.reply));
    const bool has_type = es_json_text(reply, "error.type").p != NULL;
    json_decref(reply);
    return has_type;
}

static enum es_bulk_answer es_bulk_classify(const struct es_call *call) {
    switch (call->http.status) {
    case 200:
        return ES_BULK_ANSWER_ITEMS;
    case 400:
        if (es_bulk_is_from_engine(call))
            return ES_BULK_ANSWER_MALFORMED;
        return ES_BULK_ANSWER_PROXY;
    case 413:
        return ES_BULK_ANSWER_TOO_LARGE;
    case 429:
        return ES_BULK_ANSWER_OVERLOAD;
    default:
        return ES_BULK_ANSWER_FAILED;
    }
}

/* A request was refused for its content: poison its only document, or split it. */
static void es_bulk_split(struct es_bulk_run *r, size_t parent, struct store_doc **docs,
                          const struct es_call *call, bool is_too_large) {
    struct es_bulk_range half = {docs, call->docs, (call->docs + 1) / 2, parent, 0, false};
    struct err why;
    if (call->docs == 1) {
        r->ranges[parent].has_isolated = true;
        es_call_error(call, "store the document", &why);
        es_bulk_poison(docs[0], &why);
        return;
    }
    if (is_too_large)
        half.too_large = call->docs;
    es_bulk_push(r, half);
}

/* Judges the answer to one request, which had these documents of the range parent. */
static enum store_rc es_bulk_judge_request(struct es_bulk_run *r, size_t parent,
                                           struct store_doc **docs, const struct es_call *call,
                                           struct err *err) {
    switch (es_bulk_classify(call)) {
    case ES_BULK_ANSWER_ITEMS:
        es_bulk_grow_batch(r->bulk, (size_t)r->session->conf->batch);
        return es_bulk_judge_items(r->session, docs, call, err);
    case ES_BULK_ANSWER_MALFORMED:
        es_bulk_split(r, parent, docs, call, false);
        return STORE_OK;
    case ES_BULK_ANSWER_TOO_LARGE:
        es_bulk_split(r, parent, docs, call, true);
        return STORE_OK;
    case ES_BULK_ANSWER_OVERLOAD:
        es_bulk_shrink_batch(r->bulk, call->docs);
        return es_call_error(call, "store", err);
    case ES_BULK_ANSWER_PROXY:
        es_call_error(call, "store", err);
        return STORE_RETRY;
    case ES_BULK_ANSWER_FAILED:
        break;
    }
    return es_call_error(call, "store", err);
}

/* Judges n answers; the last one's documents end where the range's unsent ones begin. Every answer
 * counts, also behind one that failed. The worst rc, with the error of the first that had it. */
static enum store_rc es_bulk_judge_requests(struct es_bulk_run *r, size_t parent, size_t n,
                                            struct err *err) {
    struct store_doc **end = r->ranges[parent].docs;
    enum store_rc worst = STORE_OK;
    for (size_t i = n; i-- > 0;) { /* backwards, so that the first one's half is on top */
        struct err why;
        end -= r->calls[i].docs;
        const enum store_rc rc = es_bulk_judge_request(r, parent, end, &r->calls[i], &why);
        if (rc != STORE_OK && rc >= worst) {
            worst = rc;
            *err = why;
        }
    }
    return worst;
}

/* Sends one round of requests, as many as may be in flight, and judges their answers. */
static enum store_rc es_bulk_round(struct es_bulk_run *r, struct err *err) {
    const size_t top = r->n_ranges - 1;
    const size_t n = es_bulk_fill_requests(r, &r->ranges[top]);
    es_client_run(r->session->client, r->calls, n);
    return es_bulk_judge_requests(r, top, n, err);
}

static void es_bulk_run_release(struct es_bulk_run *r) {
    for (size_t i = 0; i < r->n_calls; i++)
        http_call_release(&r->calls[i].http);
    free(r->calls);
    free(r->ranges);
    buf_release(&r->index);
}

static enum store_rc es_bulk_send(struct es_bulk_run *r, struct err *err) {
    enum store_rc rc = STORE_OK;
    while (r->n_ranges > 0) {
        if (rc == STORE_OK && r->ranges[r->n_ranges - 1].n > 0)
            rc = es_bulk_round(r, err);
        else
            es_bulk_pop(r); /* after a failure without sending the rest */
    }
    return rc;
}

enum store_rc es_bulk_store(struct es_bulk *b, struct es_session *s, struct store_doc *docs,
                            size_t n, struct err *err) {
    struct store_doc **pending = mem_calloc(n + 1, sizeof(struct store_doc *));
    size_t n_pending = 0;
    for (size_t i = 0; i < n; i++) {
        if (docs[i].verdict == STORE_PENDING) {
            pending[n_pending] = &docs[i];
            n_pending++;
        }
    }
    struct es_bulk_run run = {.bulk = b, .session = s, .n_calls = (size_t)s->conf->in_flight};
    run.calls = mem_calloc(run.n_calls, sizeof *run.calls);
    arena_clear(&s->arena);
    if (n_pending > 0)
        es_bulk_push(&run,
                     (struct es_bulk_range){.docs = pending, .n = n_pending, .limit = n_pending});
    const enum store_rc rc = es_bulk_send(&run, err);
    es_bulk_run_release(&run);
    free(pending);
    return rc;
}
