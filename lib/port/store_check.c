/* store_check: asserts the contract of store.h around any engine, in tests and with DEV=1. An
 * engine that breaks it, or a caller that does, aborts at the call and not pages later. Owns the
 * handle it wraps. One thread a handle. Callers: engines.c, test/contract.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "../base/mem.h"
#include "../base/utf8.h"
#include "store.h"

struct checked {
    struct store store;
    struct store_engine engine; /* the inner one's row, with these functions */
    struct store *inner;
    bool ended; /* FATAL was answered: only close may follow */
    bool busy;  /* a call is under way: none may begin from within its callbacks */
};

static struct checked *enter(struct store *store) {
    struct checked *c = (struct checked *)store;
    assert(!c->ended && "a call after STORE_FATAL");
    assert(!c->busy && "a call from within a callback");
    c->busy = true;
    return c;
}

static enum store_rc leave(struct checked *c, enum store_rc rc, const struct err *err) {
    assert((rc == STORE_OK || rc == STORE_RETRY || rc == STORE_FATAL) && "an unknown answer");
    assert((rc == STORE_OK || err->text[0]) && "failed without a reason");
    c->busy = false;
    c->ended = rc == STORE_FATAL;
    return rc;
}

static void check_utf8(struct span s) {
    for (size_t i = 0, n; i < s.n; i += n) {
        n = utf8_sequence(s.p + i, s.n - i);
        assert(n && "not UTF-8");
    }
}

static void check_doc(const struct store_doc *d) {
    assert(d->id.p && d->id.n >= 1 && d->id.n <= 512 && "an id has 1 to 512 bytes");
    assert(d->json.n >= 2 && d->json.p[0] == '{' && d->json.p[d->json.n - 1] == '}');
    assert(!memchr(d->json.p, '\n', d->json.n) && "a document is one line");
    const struct span all[] = {d->id,      d->json,  d->log_id, d->node,
                               d->service, d->level, d->type,   d->message};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_utf8(all[i]);
}

static enum store_rc check_bulk(struct store *store, struct store_doc *docs, size_t n,
                                struct err *err) {
    struct checked *c = enter(store);
    enum store_verdict *had = mem_calloc(n + 1, sizeof *had);
    for (size_t i = 0; i < n; i++) {
        had[i] = docs[i].verdict;
        if (had[i] != STORE_PENDING)
            continue; /* the engine has no business with it */
        check_doc(&docs[i]);
        docs[i].reason[0] = '\0';
    }
    enum store_rc rc = c->inner->engine->bulk(c->inner, docs, n, err);
    for (size_t i = 0; i < n; i++) {
        assert((had[i] == STORE_PENDING || docs[i].verdict == had[i]) && "a verdict is final");
        assert((docs[i].verdict != STORE_POISON || docs[i].reason[0]) && "poison has a reason");
        assert((rc != STORE_OK || docs[i].verdict != STORE_PENDING) && "STORE_OK leaves none");
    }
    free(had);
    return leave(c, rc, err);
}

/* What the hits so far say about the next one. */
struct hits {
    const struct store_query *query;
    store_each *each;
    void *ctx;
    int64_t n, last_ms;
    bool stopped;
};

static bool check_hit(void *ctx, const struct store_hit *hit) {
    struct hits *h = ctx;
    const struct store_query *q = h->query;
    assert(!h->stopped && "a hit after the caller said stop");
    assert((q->limit < 0 || h->n < q->limit) && "more hits than asked for");
    assert((h->n == 0 || q->cursor ||
            (q->oldest_first ? h->last_ms <= hit->at_ms : h->last_ms >= hit->at_ms)) &&
           "hits out of order");
    assert((q->since_ms == 0 || hit->at_ms >= q->since_ms) && "a hit before since");
    assert((q->until_ms == 0 || hit->at_ms < q->until_ms) && "a hit after until");
    assert(hit->id.n >= 1 && hit->json.n >= 2);
    h->n++;
    h->last_ms = hit->at_ms;
    h->stopped = !h->each(h->ctx, hit);
    return !h->stopped;
}

static void check_query(const struct store_query *q) {
    assert(q->level && q->type && q->node && q->service && q->text && "\"\" does not restrict");
    assert(q->limit >= -1);
}

static enum store_rc check_search(struct store *store, const struct store_query *query,
                                  store_each *each, void *ctx, struct err *err) {
    struct checked *c = enter(store);
    check_query(query);
    bool at_end = query->cursor && !query->cursor[0];
    struct hits h = {.query = query, .each = each, .ctx = ctx};
    enum store_rc rc = c->inner->engine->search(c->inner, query, check_hit, &h, err);
    assert((!at_end || h.n == 0) && "an empty cursor finds nothing");
    assert((rc != STORE_OK || !query->cursor || query->cursor[0]) && "a cursor is a place");
    return leave(c, rc, err);
}

static enum store_rc check_erase(struct store *store, const struct store_query *query, bool dry_run,
                                 store_progress *progress, uint64_t *count, struct buf *answer,
                                 struct err *err) {
    struct checked *c = enter(store);
    check_query(query);
    enum store_rc rc =
        c->inner->engine->delete_matching(c->inner, query, dry_run, progress, count, answer, err);
    struct span a = buf_view(answer);
    assert((rc != STORE_OK || (a.n >= 2 && a.p[0] == '{')) && "the answer is JSON");
    assert(!memchr(a.p, '\n', a.n) && "the answer is one line");
    return leave(c, rc, err);
}

static void check_refresh(struct store *store) {
    struct checked *c = enter(store);
    c->inner->engine->refresh(c->inner);
    leave(c, STORE_OK, NULL);
}

static void check_close(struct store *store) {
    struct checked *c = (struct checked *)store;
    if (!c)
        return;
    assert(!c->busy && "closed from within a callback");
    c->inner->engine->close(c->inner);
    free(c);
}

struct store *store_check(struct store *inner) {
    struct checked *c = mem_calloc(1, sizeof *c);
    c->inner = inner;
    c->engine = *inner->engine;
    c->engine.bulk = check_bulk;
    c->engine.search = check_search;
    c->engine.delete_matching = check_erase;
    c->engine.refresh = check_refresh;
    c->engine.close = check_close;
    c->store.engine = &c->engine;
    c->store.place = inner->place;
    assert(inner->place.n && "a store without a place");
    return &c->store;
}
