/* store_check: asserts the contract of store.h around any engine, in tests and in builds with
 * DEV=1. A broken rule is a bug of the engine or of its caller, so the check writes the rule to
 * standard error and aborts, at the call and not pages later. Owns the handle that it wraps. One
 * thread a handle. libc only. SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdio.h>

#include "../base/mem.h"
#include "../base/utf8.h"

struct store_check {
    struct store store;         /* first, so that the handle is the check */
    struct store_engine engine; /* the inner one's row, with the functions of this file */
    struct store *inner;
    bool is_fatal; /* STORE_FATAL was returned: only close() may follow */
    bool is_busy;  /* a call is under way: none may begin from within its callbacks */
};

/* Not assert(3), which vanishes with NDEBUG: this file is linked only where it is wanted. */
static void store_check_must(bool holds, const struct store_check *c, const char *rule) {
    if (holds)
        return;
    fprintf(stderr, "store_check: engine %s: %s\n", c->inner->engine->name, rule);
    abort();
}

/* Begins a call. */
static struct store_check *store_check_enter(struct store *store) {
    struct store_check *c = (struct store_check *)store;
    store_check_must(!c->is_fatal, c, "a call after STORE_FATAL");
    store_check_must(!c->is_busy, c, "a call from within a callback");
    c->is_busy = true;
    c->inner->alive = store->alive;
    c->inner->alive_ctx = store->alive_ctx;
    return c;
}

/* Ends a call that returns rc. */
static enum store_rc store_check_leave(struct store_check *c, enum store_rc rc,
                                       const struct err *err) {
    const bool is_known = rc == STORE_OK || rc == STORE_RETRY || rc == STORE_FATAL;
    store_check_must(is_known, c, "an unknown result");
    store_check_must(rc == STORE_OK || err->text[0], c, "an error without a text");
    c->is_busy = false;
    c->is_fatal = rc == STORE_FATAL;
    return rc;
}

/* --- bulk --- */

static void store_check_doc(const struct store_check *c, const struct store_doc *d) {
    const bool is_id = d->id.p && d->id.n >= 1 && d->id.n <= 512;
    store_check_must(is_id, c, "an id has 1 to 512 bytes");
    const bool is_object = d->json.n >= 2 && d->json.p[0] == '{' && d->json.p[d->json.n - 1] == '}';
    store_check_must(is_object, c, "a document is an object");
    store_check_must(!memchr(d->json.p, '\n', d->json.n), c, "a document is one line");
    const struct span texts[] = {d->id,      d->json,  d->log_id, d->node,
                                 d->service, d->level, d->type,   d->message};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        store_check_must(utf8_valid(texts[i].p, texts[i].n), c, "a document is UTF-8");
}

/* before: the document's verdict before the call that returned rc. */
static void store_check_verdict(const struct store_check *c, const struct store_doc *d,
                                enum store_verdict before, enum store_rc rc) {
    store_check_must(before == STORE_PENDING || d->verdict == before, c, "a verdict is final");
    store_check_must(d->verdict != STORE_POISON || d->reason[0], c, "poison has a reason");
    store_check_must(rc != STORE_OK || d->verdict != STORE_PENDING, c,
                     "STORE_OK leaves none pending");
}

static enum store_rc store_check_bulk(struct store *store, struct store_doc *docs, size_t n,
                                      struct err *err) {
    struct store_check *c = store_check_enter(store);
    enum store_verdict *before = mem_calloc(n + 1, sizeof *before);
    for (size_t i = 0; i < n; i++) {
        before[i] = docs[i].verdict;
        if (before[i] != STORE_PENDING)
            continue; /* the engine must ignore it */
        store_check_doc(c, &docs[i]);
        docs[i].reason[0] = '\0';
    }
    const enum store_rc rc = c->inner->engine->bulk(c->inner, docs, n, err);
    for (size_t i = 0; i < n; i++)
        store_check_verdict(c, &docs[i], before[i], rc);
    free(before);
    return store_check_leave(c, rc, err);
}

/* --- search --- */

/* A search that is under way. */
struct store_check_search {
    const struct store_check *c;
    const struct store_query *query;
    store_each *each;
    void *ctx;
    int64_t n_hits;  /* so far */
    int64_t last_ms; /* of the last of them */
    bool is_stopped;
};

static bool store_check_in_order(const struct store_check_search *s, const struct store_hit *hit) {
    if (s->n_hits == 0 || s->query->cursor)
        return true;
    if (s->query->oldest_first)
        return s->last_ms <= hit->at_ms;
    return s->last_ms >= hit->at_ms;
}

static bool store_check_on_hit(void *ctx, const struct store_hit *hit) {
    struct store_check_search *s = ctx;
    const struct store_query *q = s->query;
    store_check_must(!s->is_stopped, s->c, "a hit after the caller ended the search");
    store_check_must(q->limit < 0 || s->n_hits < q->limit, s->c, "more hits than asked for");
    store_check_must(store_check_in_order(s, hit), s->c, "hits out of order");
    store_check_must(q->since_ms == 0 || hit->at_ms >= q->since_ms, s->c, "a hit before since");
    store_check_must(q->until_ms == 0 || hit->at_ms < q->until_ms, s->c, "a hit after until");
    store_check_must(hit->id.n >= 1 && hit->json.n >= 2, s->c, "a hit without id or document");
    s->n_hits++;
    s->last_ms = hit->at_ms;
    s->is_stopped = !s->each(s->ctx, hit);
    return !s->is_stopped;
}

static void store_check_query(const struct store_check *c, const struct store_query *q) {
    const char *const texts[] = {q->level, q->type, q->node, q->service, q->text};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        store_check_must(texts[i] != NULL, c, "\"\" does not restrict, NULL is no text");
    store_check_must(q->limit >= -1, c, "a limit below -1");
}

static enum store_rc store_check_find(struct store *store, const struct store_query *query,
                                      store_each *each, void *ctx, struct err *err) {
    struct store_check *c = store_check_enter(store);
    store_check_query(c, query);
    const bool begins_at_end = query->cursor && !query->cursor[0];
    struct store_check_search s = {.c = c, .query = query, .each = each, .ctx = ctx};
    const enum store_rc rc = c->inner->engine->search(c->inner, query, store_check_on_hit, &s, err);
    store_check_must(!begins_at_end || s.n_hits == 0, c, "an empty cursor finds nothing");
    const bool is_cursor_lost = query->cursor && !query->cursor[0];
    store_check_must(rc != STORE_OK || !is_cursor_lost, c, "a cursor is a place");
    return store_check_leave(c, rc, err);
}

/* --- the rest --- */

static enum store_rc store_check_delete(struct store *store, const struct store_query *query,
                                        bool dry_run, store_progress *progress, uint64_t *count,
                                        struct buf *answer, struct err *err) {
    struct store_check *c = store_check_enter(store);
    store_check_query(c, query);
    const enum store_rc rc =
        c->inner->engine->delete_matching(c->inner, query, dry_run, progress, count, answer, err);
    const struct span text = buf_view(answer);
    const bool is_object = text.n >= 2 && text.p[0] == '{';
    store_check_must(rc != STORE_OK || is_object, c, "the answer is JSON");
    store_check_must(!memchr(text.p, '\n', text.n), c, "the answer is one line");
    return store_check_leave(c, rc, err);
}

static void store_check_refresh(struct store *store) {
    struct store_check *c = store_check_enter(store);
    c->inner->engine->refresh(c->inner);
    store_check_leave(c, STORE_OK, NULL);
}

static void store_check_close(struct store *store) {
    struct store_check *c = (struct store_check *)store;
    if (!c)
        return;
    store_check_must(!c->is_busy, c, "closed from within a callback");
    c->inner->engine->close(c->inner);
    free(c);
}

struct store *store_check(struct store *inner) {
    struct store_check *c = mem_calloc(1, sizeof *c);
    c->inner = inner;
    c->engine = *inner->engine;
    c->engine.bulk = store_check_bulk;
    c->engine.search = store_check_find;
    c->engine.delete_matching = store_check_delete;
    c->engine.refresh = store_check_refresh;
    c->engine.close = store_check_close;
    c->store.engine = &c->engine;
    c->store.place = inner->place;
    store_check_must(inner->place.n > 0, c, "a store without a place");
    return &c->store;
}
