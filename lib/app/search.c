/* search: see search.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search.h"

#include "../adapter/os/clock.h"
#include "../adapter/os/stop.h"
#include "../base/arena.h"
#include "../base/map.h"
#include "../base/mem.h"
#include "outage.h"

enum { SEARCH_INTERVAL_MS = 500 }; /* between two looks for new documents */

/* The state of one call of search_once or search_follow. */
struct searching {
    const struct search *search;
    bool was_refused; /* by the caller's callbacks, which the store reports as success */
    struct outage outage;
    char cursor[STORE_CURSOR];
    /* What the first search of search_follow has found, newest first, and their ids: what is stored
     * during that search may be found by it and behind the cursor, too. */
    struct store_hit *first;
    size_t n_first, cap_first;
    struct map first_ids;
    struct arena arena; /* the texts of first */
    /* The ids that were handed over since the cursor last moved: after an outage the store begins
     * again there. */
    struct map new_ids;
};

static bool searching_on_hit(void *ctx, const struct store_hit *hit) {
    struct searching *s = ctx;
    if (!s->search->on_hit(s->search->ctx, hit)) {
        s->was_refused = true;
        return false;
    }
    return !stop_asked();
}

static void searching_pause(struct searching *s) {
    if (!s->search->on_pause(s->search->ctx))
        s->was_refused = true;
}

/* What the store's answer means for the whole search; when it has ended well, the caller may write
 * out what was found. */
static enum search_result searching_end(struct searching *s, enum store_rc rc) {
    if (rc != STORE_OK)
        return SEARCH_FAILED;
    if (!s->was_refused)
        searching_pause(s);
    if (s->was_refused)
        return SEARCH_REFUSED;
    return SEARCH_DONE;
}

static enum store_rc searching_ask(const struct searching *s, const struct store_query *query,
                                   store_each *each, struct err *err) {
    struct store *store = s->search->store;
    return store->engine->search(store, query, each, (void *)s, err);
}

enum search_result search_once(const struct search *search, struct err *err) {
    struct searching s = {.search = search};
    struct store_query query = *search->query;
    query.cursor = NULL;
    query.oldest_first = false;
    return searching_end(&s, searching_ask(&s, &query, searching_on_hit, err));
}

/* --- following --- */

/* Waits after the store did not answer. False: the process was asked to stop. */
static bool searching_wait(struct searching *s, const struct err *err) {
    outage_report(&s->outage, err, outage_retrying);
    outage_sleep(&s->outage);
    return !stop_asked();
}

/* Collects the hits of the first search, because they have to be handed over the other way round.
 */
static bool searching_on_first(void *ctx, const struct store_hit *hit) {
    struct searching *s = ctx;
    s->first = mem_room(s->first, s->n_first, &s->cap_first, sizeof *s->first);
    s->first[s->n_first++] = (struct store_hit){.id = arena_span(&s->arena, hit->id),
                                                .json = arena_span(&s->arena, hit->json),
                                                .at_ms = hit->at_ms};
    map_put(&s->first_ids, hit->id, s);
    return !stop_asked();
}

static void searching_forget_first(struct searching *s) {
    s->n_first = 0;
    map_release(&s->first_ids);
    arena_clear(&s->arena);
}

static enum search_result searching_hand_over_first(struct searching *s) {
    const struct search *search = s->search;
    for (size_t i = s->n_first; i > 0; i--) {
        if (!search->on_hit(search->ctx, &s->first[i - 1]))
            return SEARCH_REFUSED;
    }
    s->n_first = 0;
    arena_release(&s->arena);
    if (!search->on_pause(search->ctx))
        return SEARCH_REFUSED;
    return SEARCH_DONE;
}

/* What is stored already. After an outage the search is repeated from the start. */
static enum search_result searching_first(struct searching *s, struct err *err) {
    struct store_query query = *s->search->query;
    query.cursor = NULL;
    query.oldest_first = false;
    enum store_rc rc = searching_ask(s, &query, searching_on_first, err);
    while (rc == STORE_RETRY) {
        searching_forget_first(s);
        if (!searching_wait(s, err))
            return SEARCH_DONE;
        rc = searching_ask(s, &query, searching_on_first, err);
    }
    if (rc != STORE_OK)
        return SEARCH_FAILED;
    outage_recovered(&s->outage);
    return searching_hand_over_first(s);
}

static bool searching_on_new(void *ctx, const struct store_hit *hit) {
    struct searching *s = ctx;
    if (map_get(&s->first_ids, hit->id) || map_get(&s->new_ids, hit->id))
        return true;
    map_put(&s->new_ids, hit->id, s);
    return searching_on_hit(s, hit);
}

/* What was stored behind the cursor, which moves; an empty cursor is set to the end. */
static enum search_result searching_next(struct searching *s, struct err *err) {
    struct store_query query = *s->search->query;
    query.cursor = s->cursor;
    query.limit = -1;
    query.oldest_first = true;
    enum store_rc rc = searching_ask(s, &query, searching_on_new, err);
    while (rc == STORE_RETRY) {
        if (!searching_wait(s, err))
            break;
        rc = searching_ask(s, &query, searching_on_new, err);
    }
    map_release(&s->new_ids);
    if (rc == STORE_RETRY)
        return SEARCH_DONE; /* asked to stop during the outage */
    if (rc == STORE_OK)
        outage_recovered(&s->outage);
    return searching_end(s, rc);
}

enum search_result search_follow(const struct search *search, struct err *err) {
    struct searching s = {.search = search};
    outage_init(&s.outage, search->log, NULL);
    s.outage.place = buf_view(&search->store->place).p;
    /* The cursor first, so that nothing is missed that is stored meanwhile. */
    enum search_result result = searching_next(&s, err);
    if (result == SEARCH_DONE)
        result = searching_first(&s, err);
    while (result == SEARCH_DONE && !stop_asked()) {
        result = searching_next(&s, err);
        if (result == SEARCH_DONE && !stop_asked())
            clock_sleep_ms(SEARCH_INTERVAL_MS);
    }
    free(s.first);
    map_release(&s.first_ids);
    arena_release(&s.arena);
    return result;
}
