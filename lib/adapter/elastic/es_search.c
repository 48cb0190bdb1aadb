/* es_search: see es_search.h. Answers with documents are read with the scanner (base/json), so that
 * a document comes out as its node spelled it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_search.h"

#include "../../base/datetime.h"
#include "../../base/json.h"
#include "../os/clock.h"
#include "es_query.h"
#include "es_stamp.h"

enum {
    ES_SEARCH_PAGE = 250,       /* hits in one answer: some 100 MB if all are as large as may be */
    ES_SEARCH_STAMP_BYTES = 24, /* of an @timestamp as store writes it */
    ES_SEARCH_BACK = 250,       /* sequence numbers that a pass of --follow goes back */
    ES_SEARCH_INDICES = 10000   /* at most that --follow looks for */
};

/* One search in progress; of --follow, one pass over one shard. */
struct es_search {
    struct es_session *session;
    store_each *each;
    void *ctx;
    int64_t left;             /* hits to return, -1: all */
    bool is_done;             /* the limit is reached, or each wants no more */
    struct es_follow *follow; /* what earlier passes have read; NULL: not following */
    size_t shard;
    struct es_follow pass; /* what this pass has read; it counts once the pass is complete */
};

/* --- following --- */

void es_follow_release(struct es_follow *f) {
    map_release(&f->ends);
    map_release(&f->seen);
}

static struct span es_follow_key(size_t shard, struct span index, struct arena *arena) {
    return span_of(arena_printf(arena, "%zu %.*s", shard, SPAN_ARG(index)));
}

/* The shard of a key, whose index is set. */
static size_t es_follow_shard(struct span key, struct span *index) {
    char *end;
    const size_t shard = strtoul(key.p, &end, 10);
    end++; /* the space */
    *index = (struct span){end, key.n - (size_t)(end - key.p)};
    return shard;
}

/* Moves an end behind a sequence number; it never goes back. */
static void es_follow_advance(struct map *ends, struct span key, int64_t number) {
    const intptr_t end = (intptr_t)map_get(ends, key);
    if (end <= number)
        map_put(ends, key, (void *)(intptr_t)(number + 1));
}

/* Takes over what a complete pass has read. */
static void es_follow_take(struct es_follow *f, struct es_follow *pass) {
    size_t walk = 0;
    struct span key;
    void *end;
    while (map_next(&pass->ends, &walk, &key, &end))
        es_follow_advance(&f->ends, key, (intptr_t)end - 1);
    map_release(&f->seen);
    f->seen = pass->seen;
    pass->seen = (struct map){0};
}

/* The request for the highest sequence number of each index. */
static json_t *es_follow_ends_body(void) {
    json_t *end = json_pack("{s:{s:s}}", "max", "field", "_seq_no");
    json_t *by_index = json_pack("{s:s, s:i}", "field", "_index", "size", ES_SEARCH_INDICES);
    return json_pack("{s:i, s:{s:{s:o, s:{s:o}}}}", "size", 0, "aggs", "by", "terms", by_index,
                     "aggs", "end", end);
}

static void es_follow_read_ends(struct es_follow *f, size_t shard, const json_t *reply,
                                struct arena *arena) {
    const json_t *buckets = es_json_at(reply, "aggregations.by.buckets");
    const json_t *bucket;
    size_t i;
    json_array_foreach(buckets, i, bucket) {
        const struct span index = es_json_text(bucket, "key");
        const struct span key = es_follow_key(shard, index, arena);
        if (json_is_number(es_json_at(bucket, "end.value"))) /* null: the shard has no documents */
            es_follow_advance(&f->ends, key, es_json_count(bucket, "end.value"));
    }
}

/* Sets the ends of one shard number to what the indices have now. */
static enum store_rc es_follow_find_ends(struct es_session *s, struct es_follow *f, size_t shard,
                                         struct err *err) {
    const char *path =
        arena_printf(&s->arena, "/%s/_search?ignore_unavailable=true&preference=_shards:%zu",
                     s->wildcard, shard);
    es_json_write(es_follow_ends_body(), &s->call.http.body);
    const enum store_rc rc = es_session_request(s, "POST", path, "search", err);
    if (rc != STORE_OK)
        return rc;
    json_t *reply = es_session_reply(s);
    es_follow_read_ends(f, shard, reply, &s->arena);
    json_decref(reply);
    return STORE_OK;
}

/* The documents of one index that were read already. */
static json_t *es_follow_read_part(struct span index, int64_t last) {
    json_t *filter = json_pack("[{s:{s:o}}, {s:{s:{s:I}}}]", "term", "_index",
                               es_json_string(index), "range", "_seq_no", "lte", (json_int_t)last);
    return es_query_bool(filter);
}

/* The documents of a shard that were read already, an array of clauses. */
static json_t *es_follow_read(const struct es_follow *f, size_t shard) {
    size_t walk = 0;
    struct span key, index;
    void *end;
    json_t *read = json_array();
    while (map_next(&f->ends, &walk, &key, &end)) {
        if (es_follow_shard(key, &index) == shard)
            es_json_append(read, es_follow_read_part(index, (intptr_t)end - 1));
    }
    return read;
}

/* --- hits --- */

/* The document as it was sent: without the @timestamp that store added as its last member. */
static struct span es_search_without_stamp(struct span source, struct arena *arena) {
    static const char name[] = "\"" ES_STAMP_KEY "\":\"";
    const size_t tail = sizeof name - 1 + ES_SEARCH_STAMP_BYTES + strlen("\"}");
    if (source.n <= tail || memcmp(source.p + source.n - tail, name, sizeof name - 1) != 0)
        return source;
    size_t n = source.n - tail;
    if (source.p[n - 1] == ',')
        n--;
    char *document = arena_take(arena, n + 1);
    memcpy(document, source.p, n);
    document[n] = '}';
    return (struct span){document, n + 1};
}

/* The document's time: the one it was sorted by, or what an older tool wrote. */
static int64_t es_search_time(struct span sort, struct span source, struct arena *arena) {
    const long long sorted_by = strtoll(sort.p + 1, NULL, 10);
    if (sorted_by > INT64_MIN && sorted_by < INT64_MAX) /* the engine's marks for "missing" */
        return sorted_by;
    const int64_t now_ms = clock_wall_ms();
    const struct span text = es_scan_text(source, "timestamp", arena);
    int64_t at_ms = 0;
    struct err unused;
    if (text.p)
        datetime_parse(text, now_ms, clock_offset_s(now_ms), &at_ms, &unused);
    return at_ms;
}

/* --follow: records that a hit was read. False: it was returned before. */
static bool es_search_is_new(struct es_search *l, struct span hit, struct span id) {
    struct arena *arena = &l->session->arena;
    const struct span index = es_scan_text(hit, "_index", arena);
    const struct span raw = json_get(hit, "_seq_no", arena);
    int64_t number = 0;
    if (raw.p)
        number = strtoll(raw.p, NULL, 10); /* a ',' or a '}' follows */
    if (number < 0)
        number = 0;
    es_follow_advance(&l->pass.ends, es_follow_key(l->shard, index, arena),
                      number - ES_SEARCH_BACK);
    map_put(&l->pass.seen, id, l);
    /* There, too, in case this pass breaks off. */
    return map_put(&l->follow->seen, id, l) == NULL;
}

/* Returns one hit to the caller. */
static void es_search_on_hit(struct es_search *l, struct span raw) {
    struct arena *arena = &l->session->arena;
    const struct span id = es_scan_text(raw, "_id", arena);
    const struct span sort = json_get(raw, "sort", arena);
    const struct span source = json_get(raw, "_source", arena); /* a mapping may switch it off */
    const bool has_source = source.p && *source.p == '{';
    const bool has_sort = sort.p && *sort.p == '[';
    if (!id.p || !has_source || !has_sort)
        return;
    if (l->follow && !es_search_is_new(l, raw, id))
        return;
    const struct store_hit hit = {.id = id,
                                  .json = es_search_without_stamp(source, arena),
                                  .at_ms = es_search_time(sort, source, arena)};
    if (l->left > 0)
        l->left--;
    if (!l->each(l->ctx, &hit) || l->left == 0)
        l->is_done = true;
}

/* --- pages --- */

/* Returns the hits of one answer. False: there were none, or the search is done. */
static bool es_search_on_page(struct es_search *l, struct span reply) {
    struct arena *arena = &l->session->arena;
    const struct span hits = json_get(reply, "hits.hits", arena);
    size_t at = 0;
    struct span hit = json_item(hits, &at, arena);
    if (!hit.p)
        return false;
    while (hit.p && !l->is_done) {
        es_search_on_hit(l, hit);
        hit = json_item(hits, &at, arena);
    }
    return !l->is_done;
}

/* Asks for the next page of a scroll. */
static void es_search_scroll_body(struct es_session *s, const struct buf *scroll_id) {
    es_json_write(
        json_pack("{s:s, s:o}", "scroll", "1m", "scroll_id", es_json_string(buf_view(scroll_id))),
        &s->call.http.body);
}

/* Gives a scroll back. Where that fails, it ends by itself in a minute. */
static void es_search_end_scroll(struct es_session *s, const struct buf *scroll_id) {
    struct err unused;
    es_json_write(json_pack("{s:o}", "scroll_id", es_json_string(buf_view(scroll_id))),
                  &s->call.http.body);
    es_session_request(s, "DELETE", "/_search/scroll", "", &unused);
}

/* Runs the search whose body is in the call, and returns the hits of all its pages. More than one
 * page is a scroll, which shows one state of the index. There is no filter_path: it would make the
 * engine write the documents again, with other numbers. */
static enum store_rc es_search_pages(struct es_search *l, const char *path, struct err *err) {
    struct es_session *s = l->session;
    BUF_LOCAL struct buf scroll_id = {0};
    enum store_rc rc;
    for (;;) {
        rc = es_session_request(s, "POST", path, "search", err);
        if (rc != STORE_OK)
            break;
        const struct span reply = buf_view(&s->call.http.reply);
        buf_clear(&scroll_id);
        buf_span(&scroll_id, es_scan_text(reply, "_scroll_id", &s->arena));
        if (!es_search_on_page(l, reply) || scroll_id.n == 0)
            break;
        arena_clear(&s->arena);
        es_search_scroll_body(s, &scroll_id);
        path = "/_search/scroll";
    }
    if (scroll_id.n > 0)
        es_search_end_scroll(s, &scroll_id);
    return rc;
}

static json_t *es_search_body(const struct es_search *l, const struct store_query *q, int size) {
    const struct es_mapping *mapping = &l->session->mapping;
    json_t *query = es_query_bool(es_query_filter(mapping, q));
    if (l->follow)
        es_json_set(json_object_get(query, "bool"), "must_not",
                    es_follow_read(l->follow, l->shard));
    return json_pack("{s:i, s:b, s:o, s:o}", "size", size, "seq_no_primary_term",
                     (int)(l->follow != NULL), "query", query, "sort",
                     es_query_sort(mapping, q->oldest_first));
}

/* Searches once; of --follow, one shard. */
static enum store_rc es_search_run(struct es_search *l, const struct store_query *q,
                                   struct err *err) {
    struct es_session *s = l->session;
    const bool is_one_page = q->limit >= 0 && q->limit <= ES_SEARCH_PAGE;
    const char *shard = "", *scroll = "&scroll=1m";
    int size = ES_SEARCH_PAGE;
    if (l->is_done)
        return STORE_OK;
    if (is_one_page) {
        scroll = "";
        size = (int)q->limit;
    }
    if (l->follow)
        shard = arena_printf(&s->arena, "&preference=_shards:%zu", l->shard);
    const char *path = arena_printf(
        &s->arena, "/%s/_search?ignore_unavailable=true&allow_partial_search_results=false%s%s",
        s->wildcard, shard, scroll);
    es_json_write(es_search_body(l, q, size), &s->call.http.body);
    return es_search_pages(l, path, err);
}

/* The first call of --follow: begins at the end of the index. */
static enum store_rc es_search_begin_follow(struct es_session *s, struct es_follow *follow,
                                            char *cursor, struct err *err) {
    for (size_t shard = 0; shard < s->mapping.shards; shard++) {
        const enum store_rc rc = es_follow_find_ends(s, follow, shard, err);
        if (rc != STORE_OK)
            return rc;
    }
    memcpy(cursor, "+", 2); /* only "not the first": the place itself is in the handle */
    return STORE_OK;
}

/* A pass of --follow over all shards. */
static enum store_rc es_search_follow(struct es_search *l, const struct store_query *query,
                                      struct err *err) {
    for (l->shard = 0; l->shard < l->session->mapping.shards; l->shard++) {
        const enum store_rc rc = es_search_run(l, query, err);
        if (rc != STORE_OK)
            return rc;
    }
    es_follow_take(l->follow, &l->pass);
    return STORE_OK;
}

enum store_rc es_search(struct es_session *s, struct es_follow *follow,
                        const struct store_query *query, store_each *each, void *ctx,
                        struct err *err) {
    struct es_search l = {.session = s, .each = each, .ctx = ctx, .left = query->limit};
    enum store_rc rc;
    arena_clear(&s->arena);
    l.is_done = query->limit == 0;
    if (!query->cursor) {
        rc = es_search_run(&l, query, err);
    } else if (!*query->cursor) {
        rc = es_search_begin_follow(s, follow, query->cursor, err);
    } else {
        l.follow = follow;
        rc = es_search_follow(&l, query, err);
    }
    es_follow_release(&l.pass);
    buf_release(&s->call.http.reply); /* may have been large */
    return rc;
}
