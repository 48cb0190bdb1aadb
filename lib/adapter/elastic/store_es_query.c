/* store_es_query: searching and erasing in Elasticsearch and OpenSearch. Whatever the user gave
 * goes into the query as a JSON string, never as text of the query language.
 * SPDX-License-Identifier: Apache-2.0 */

#include "../../base/escape.h"
#include "../../base/json.h"
#include "../os/stop.h"
#include "../../base/datetime.h"
#include "../os/clock.h"
#include "store_es.h"

enum {
    PAGE = 250,   /* documents in one answer: a few hundred MB if all are as large as may be */
    STAMP = 24,   /* bytes of an @timestamp as the store writes it */
    BACK = 250,   /* sequence numbers that --follow goes back */
    TASK_MS = 250 /* between two looks at a deletion */
};

/* Where a deletion is refused, its task's answer says so; but who may not look at it is told only
 * that. */
#define ES_TASK_RIGHTS                                                                        \
    ", unless it was refused there too (to follow and stop it, grant the cluster privileges " \
    "monitor and "                                                                            \
    "cancel_task)"

/* F is V, or F.keyword is where the field is text. */
static void add_term(const struct store_es *s, enum es_field field, const char *value,
                     struct buf *out) {
    const char *name = es_field_names[field];
    buf_text(out, ",{\"multi_match\":{\"analyzer\":\"keyword\",\"fields\":[");
    if (s->as_keyword[field] || !s->below_text[field])
        buf_printf(out, "\"%s\",", name);
    buf_printf(out, "\"%s.keyword\"],\"query\":", name);
    escape_json(out, span_of(value));
    buf_text(out, "}}");
}

/* All the words. The engine keeps what has a dot or colon within as one word, 10.0.0.1 or
 * key:value; someone who looks for "key: value" means two: either reading will do. */
static void add_text(const char *text, struct buf *out) {
    BUF_LOCAL struct buf words = {0};
    for (const char *c = text; *c; c++)
        buf_char(&words, strchr(".:'", *c) ? ' ' : *c);
    buf_text(out,
             ",{\"bool\":{\"should\":[{\"match\":{\"message\":{\"operator\":\"and\",\"query\":");
    escape_json(out, span_of(text));
    buf_text(out, "}}},{\"match\":{\"message\":{\"operator\":\"and\",\"query\":");
    escape_json(out, buf_view(&words));
    buf_text(out, "}}}]}}");
}

/* edge: "gte" or "lt". Documents of older tools have no @timestamp but their own local time, whose
 * text sorts as it should. */
static void add_time(const struct store_es *s, const char *edge, int64_t ms, struct buf *out) {
    buf_printf(out,
               ",{\"bool\":{\"should\":[{\"range\":{\"@timestamp\":{\"format\":\"epoch_millis\",\"%"
               "s\":%lld}}}",
               edge, (long long)ms);
    if (s->old_times) {
        buf_printf(out,
                   ",{\"bool\":{\"must_not\":[{\"exists\":{\"field\":\"@timestamp\"}}],"
                   "\"filter\":[{\"range\":{\"timestamp.keyword\":{\"%s\":\"",
                   edge);
        datetime_format(out, ms, clock_offset_s(ms), DATETIME_LOCAL);
        buf_text(out, "\"}}}]}}");
    }
    buf_text(out, "]}}");
}

/* "query":{…} for what must hold; the caller may add "must_not" within and closes it with "}}". */
static void add_query(const struct store_es *s, const struct store_query *q, struct buf *out) {
    const char *exact[ES_FIELDS] = {q->level, q->type, q->node, q->service, ""};
    buf_text(out, "\"query\":{\"bool\":{\"filter\":[{\"match_all\":{}}");
    for (enum es_field f = 0; f < ES_FIELDS; f++)
        if (*exact[f])
            add_term(s, f, exact[f], out);
    if (*q->text)
        add_text(q->text, out);
    if (q->since_ms)
        add_time(s, "gte", q->since_ms, out);
    if (q->until_ms)
        add_time(s, "lt", q->until_ms, out);
    buf_char(out, ']');
}

/* A document without @timestamp counts as older than any that has one. */
static void add_sort(const struct store_es *s, const struct store_query *q, struct buf *out) {
    static const enum es_field ties[] = {ES_LOG_ID, ES_NODE, ES_TYPE};
    const char *way = q->oldest_first ? "asc\",\"missing\":\"_first" : "desc\",\"missing\":\"_last";
    buf_printf(out, ",\"sort\":[{\"@timestamp\":{\"order\":\"%s\",\"unmapped_type\":\"date\"}}",
               way);
    if (s->old_times)
        buf_printf(out, ",{\"timestamp.keyword\":{\"order\":\"%s\",\"unmapped_type\":\"keyword\"}}",
                   way);
    for (size_t i = 0; i < sizeof ties / sizeof *ties; i++)
        buf_printf(
            out,
            ",{\"%s%s\":{\"order\":\"asc\",\"missing\":\"_last\",\"unmapped_type\":\"keyword\"}}",
            es_field_names[ties[i]],
            s->below_text[ties[i]] && !s->as_keyword[ties[i]] ? ".keyword" : "");
    buf_char(out, ']');
}

/* Takes the @timestamp, which the store added as the last member, out of a source. */
static struct span as_sent(struct span source, struct arena *arena) {
    static const char name[] = ES_STAMP_KEY ":\"";
    size_t tail = sizeof name - 1 + STAMP + 2; /* "@timestamp":"…"} */
    if (source.n < tail + 1 || memcmp(source.p + source.n - tail, name, sizeof name - 1) != 0)
        return source;
    size_t n = source.n - tail - (source.p[source.n - tail - 1] == ',');
    return span_of(arena_printf(arena, "%.*s}", (int)n, source.p));
}

/* --follow goes by the engine's sequence numbers, which each shard of an index counts for itself.
 * One may become visible a little after its successors; so each look goes back by BACK and seen
 * tells the rest. */
static struct span end_key(size_t shard, struct span index, struct arena *arena) {
    return span_of(arena_printf(arena, "%zu %.*s", shard, SPAN_ARG(index)));
}

/* Moves an end up to number; it never goes back. */
static void move_end(struct map *ends, struct span key, int64_t number) {
    if ((intptr_t)map_get(ends, key) <= number)
        map_put(ends, key, (void *)(intptr_t)(number + 1));
}

/* Sets the ends of one shard number to what the indices have now. */
static enum store_rc find_ends(struct store_es *s, size_t shard, struct err *err) {
    char *path =
        arena_printf(&s->arena, "/%s/_search?ignore_unavailable=true&preference=_shards:%zu",
                     s->wildcard, shard);
    buf_text(&s->call.http.body,
             "{\"size\":0,\"aggs\":{\"by\":{\"terms\":{\"field\":\"_index\",\"size\":10000},"
             "\"aggs\":{\"end\":{\"max\":{\"field\":\"_seq_no\"}}}}}}");
    enum store_rc rc = es_ask(s, "POST", path, "search", err);
    struct span list =
                    json_get(buf_view(&s->call.http.reply), "aggregations.by.buckets", &s->arena),
                bucket;
    size_t at = 0;
    while (rc == STORE_OK && (bucket = json_item(list, &at, &s->arena)).p) {
        struct span index = es_text(bucket, "key", &s->arena);
        struct span number = json_get(bucket, "end.value", &s->arena); /* a double: 1.5E7 */
        double end = number.p ? strtod(number.p, NULL) : -1;
        if (end >= 0 && end < 1e15)
            move_end(&s->ends, end_key(shard, index, &s->arena), (int64_t)end);
    }
    return rc;
}

/* ,"must_not":[…]: all that was read already. */
static void add_ends(const struct store_es *s, size_t shard, struct buf *out) {
    size_t walk = 0;
    struct span key;
    void *end;
    const char *comma = "";
    buf_text(out, ",\"must_not\":[");
    while (map_next(&s->ends, &walk, &key, &end)) {
        char *index;
        if (strtoul(key.p, &index, 10) != shard)
            continue;
        index++;
        buf_printf(out, "%s{\"bool\":{\"filter\":[{\"term\":{\"_index\":", comma);
        escape_json(out, (struct span){index, key.n - (size_t)(index - key.p)});
        buf_printf(out, "}},{\"range\":{\"_seq_no\":{\"lte\":%lld}}}]}}",
                   (long long)(intptr_t)end - 1);
        comma = ",";
    }
    buf_char(out, ']');
}

/* One search under way. */
struct look {
    struct store_es *s;
    store_each *each;
    void *ctx;
    int64_t left; /* -1: all */
    bool more;
    bool follow;
    size_t shard;
    struct map ends, seen; /* of this look: counts when it is complete */
};

static int64_t number_at(struct span object, const char *path, struct arena *arena) {
    struct span raw = json_get(object, path, arena);
    int64_t number = raw.p ? strtoll(raw.p, NULL, 10) : 0;
    return number > 0 ? number : 0;
}

/* The document's time: what it was sorted by, or what an older tool wrote. */
static int64_t time_of(struct span sort, struct span source, struct arena *arena) {
    long long ms = strtoll(sort.p + 1, NULL, 10);
    if (ms > INT64_MIN && ms < INT64_MAX)
        return ms;
    int64_t now_ms = clock_wall_ms(), at_ms = 0;
    struct span text = es_text(source, "timestamp", arena);
    if (text.p)
        datetime_parse(text, now_ms, clock_offset_s(now_ms), &at_ms, &(struct err){0});
    return at_ms;
}

/* --follow: notes what was read. False: it was handed on before. */
static bool is_new(struct look *l, struct span hit, struct span id) {
    struct arena *arena = &l->s->arena;
    struct span index = es_text(hit, "_index", arena);
    int64_t number = number_at(hit, "_seq_no", arena);
    move_end(&l->ends, end_key(l->shard, index, arena), number - BACK);
    map_put(&l->seen, id, l);
    return !map_put(&l->s->seen, id, l); /* there too, in case this look breaks off */
}

static void hand_on(struct look *l, struct span raw) {
    struct arena *arena = &l->s->arena;
    struct span id = es_text(raw, "_id", arena), sort = json_get(raw, "sort", arena);
    struct span source = json_get(raw, "_source", arena); /* none if its mapping says so */
    if (!id.p || !source.p || *source.p != '{' || !sort.p || *sort.p != '[')
        return;
    struct store_hit hit = {id, as_sent(source, arena), time_of(sort, source, arena)};
    if (l->follow && !is_new(l, raw, hit.id))
        return;
    l->more = l->each(l->ctx, &hit) && (l->left < 0 || --l->left > 0);
}

/* All pages of a search. More than one is a scroll, which keeps one picture of the index, and is
 * given back; if that fails, it ends by itself in a minute. No filter_path: it would make the
 * engine write the documents anew, with other numbers. */
static enum store_rc pages(struct look *l, const char *path, struct err *err) {
    struct store_es *s = l->s;
    BUF_LOCAL struct buf scroll = {0};
    enum store_rc rc = STORE_OK;
    while ((rc = es_ask(s, "POST", path, "search", err)) == STORE_OK) {
        struct span reply = buf_view(&s->call.http.reply),
                    id = json_get(reply, "_scroll_id", &s->arena), hit;
        struct span list = json_get(reply, "hits.hits", &s->arena);
        size_t at = 0;
        buf_clear(&scroll);
        if (id.p)
            buf_printf(&scroll, "\"scroll_id\":%.*s}", SPAN_ARG(id));
        bool any = false;
        for (; l->more && (hit = json_item(list, &at, &s->arena)).p; any = true)
            hand_on(l, hit);
        if (!l->more || !any || !scroll.n)
            break;
        buf_printf(&s->call.http.body, "{\"scroll\":\"1m\",%s", scroll.p);
        path = "/_search/scroll";
        arena_clear(&s->arena);
    }
    if (scroll.n) {
        buf_printf(&s->call.http.body, "{%s", scroll.p);
        es_ask(s, "DELETE", "/_search/scroll", "", &(struct err){0});
    }
    return rc;
}

static enum store_rc look(struct look *l, const struct store_query *q, struct err *err) {
    struct store_es *s = l->s;
    struct buf *body = &s->call.http.body;
    bool one = q->limit >= 0 && q->limit <= PAGE;
    if (!l->more)
        return STORE_OK;
    buf_printf(body, "{\"size\":%d,\"seq_no_primary_term\":%s,", one ? (int)q->limit : PAGE,
               l->follow ? "true" : "false");
    add_query(s, q, body);
    if (l->follow)
        add_ends(s, l->shard, body);
    buf_text(body, "}}");
    add_sort(s, q, body);
    buf_char(body, '}');
    const char *shard =
        l->follow ? arena_printf(&s->arena, "&preference=_shards:%zu", l->shard) : "";
    const char *path = arena_printf(
        &s->arena, "/%s/_search?ignore_unavailable=true&allow_partial_search_results=false%s%s",
        s->wildcard, shard, one ? "" : "&scroll=1m");
    return pages(l, path, err);
}

/* A look is complete: what may be met again is what it met. */
static void settle(struct look *l) {
    size_t walk = 0;
    struct span key;
    void *end;
    while (map_next(&l->ends, &walk, &key, &end))
        move_end(&l->s->ends, key, (intptr_t)end - 1);
    struct map old = l->s->seen;
    l->s->seen = l->seen;
    l->seen = old;
}

enum store_rc es_search(struct store *store, const struct store_query *query, store_each *each,
                        void *ctx, struct err *err) {
    struct store_es *s = (struct store_es *)store;
    struct look l = {
        .s = s, .each = each, .ctx = ctx, .left = query->limit, .more = query->limit != 0};
    enum store_rc rc = STORE_OK;
    arena_clear(&s->arena);
    l.follow = query->cursor != NULL;
    if (!l.follow) {
        rc = look(&l, query, err);
    } else if (!*query->cursor) {
        for (size_t i = 0; i < s->shards && rc == STORE_OK; i++)
            rc = find_ends(s, i, err);
        if (rc == STORE_OK)
            memcpy(query->cursor, "+", 2); /* the place itself is in the handle */
    } else {
        for (; l.shard < s->shards && rc == STORE_OK; l.shard++)
            rc = look(&l, query, err);
        if (rc == STORE_OK)
            settle(&l);
    }
    map_release(&l.ends);
    map_release(&l.seen);
    buf_release(&s->call.http.reply); /* may have been large */
    return rc;
}

void es_refresh(struct store *store) {
    struct store_es *s = (struct store_es *)store;
    arena_clear(&s->arena);
    char *path = arena_printf(&s->arena, "/%s/_refresh?ignore_unavailable=true", s->wildcard);
    es_ask(s, "POST", path, "", &(struct err){0});
}

/* Asks about a deletion, which is a task of the engine and goes on without us. */
static enum store_rc ask_task(struct store_es *s, const char *method, const char *path,
                              struct err *err) {
    enum store_rc rc = es_ask(s, method, path, "follow the deletion", err);
    if (rc == STORE_RETRY)
        err_prefix(err, "the deletion goes on in the engine%s",
                   s->call.http.status != 403 ? "" : ES_TASK_RIGHTS);
    return rc;
}

/* Looks how far a deletion is until it is done. Told to stop, it cancels it and waits for the
 * answer just so. */
static enum store_rc follow_task(struct store_es *s, struct span task, store_progress *progress,
                                 struct err *err) {
    char *path = arena_printf(&s->arena, "/_tasks/%.*s", SPAN_ARG(task)), *cancel = NULL;
    for (int64_t wait_ms = 10;; wait_ms = wait_ms < TASK_MS ? 2 * wait_ms : TASK_MS) {
        enum store_rc rc = ask_task(s, "GET", path, err);
        struct span reply = buf_view(&s->call.http.reply);
        if (rc != STORE_OK || span_is(json_get(reply, "completed", &s->arena), "true"))
            return rc;
        int64_t done = number_at(reply, "task.status.deleted", &s->arena);
        int64_t all = number_at(reply, "task.status.total", &s->arena);
        if (progress && done < all)
            progress((uint64_t)done, (uint64_t)all);
        if (stop_asked() && !cancel) {
            cancel = arena_printf(&s->arena, "%s/_cancel", path);
            if (ask_task(s, "POST", cancel, err) == STORE_RETRY)
                return STORE_RETRY;
        }
        clock_sleep_ms(wait_ms);
    }
}

/* Why a deletion that is done failed, all of it or a first document or shard; .p NULL: it did not.
 */
static struct span find_failure(struct span reply, struct arena *arena) {
    size_t at = 0;
    struct span one = json_item(json_get(reply, "response.failures", arena), &at, arena);
    struct span why = es_text(reply, "error.reason", arena);
    if (!why.p)
        why = es_text(one, "cause.reason", arena);
    if (!why.p)
        why = es_text(one, "reason.reason", arena);
    return why.p ? why : one;
}

enum store_rc es_erase(struct store *store, const struct store_query *query, bool dry_run,
                       store_progress *progress, uint64_t *count, struct buf *answer,
                       struct err *err) {
    struct store_es *s = (struct store_es *)store;
    const char *doing = dry_run ? "count" : "delete";
    es_refresh(store); /* what was stored just now is deleted too; without the right to, soon */
    buf_char(&s->call.http.body, '{');
    add_query(s, query, &s->call.http.body);
    buf_text(&s->call.http.body, "}}}");
    char *path =
        arena_printf(&s->arena, "/%s/%s", s->wildcard,
                     dry_run ? "_count?ignore_unavailable=true&filter_path=count"
                             : "_delete_by_query?ignore_unavailable=true&conflicts=proceed&"
                               "refresh=true&wait_for_completion=false");
    enum store_rc rc = es_ask(s, "POST", path, doing, err);
    struct span reply = buf_view(&s->call.http.reply), task = es_text(reply, "task", &s->arena);
    if (rc == STORE_OK && task.p) {
        rc = follow_task(s, task, progress, err);
        reply = json_get(buf_view(&s->call.http.reply), "response", &s->arena);
    }
    if (rc != STORE_OK)
        return rc;
    struct span failure = find_failure(buf_view(&s->call.http.reply), &s->arena);
    struct span number = json_get(reply, dry_run ? "count" : "deleted", &s->arena);
    if (number.p) {
        *count = strtoull(number.p, NULL, 10);
        if (progress && !dry_run)
            progress(*count, *count);
        if (dry_run)
            buf_printf(answer, "{\"count\":%" PRIu64 "}", *count);
        else
            buf_span(answer, reply);
        if (!failure.p)
            return STORE_OK;
    }
    if (!failure.p)
        failure = SPAN_LIT("its answer is not understood");
    return err_as(STORE_FATAL, err, "%s: can't %s: %.*s", s->call.host, doing, SPAN_ARG(failure));
}
