/* es_delete: see es_delete.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_delete.h"

#include "../os/clock.h"
#include "../os/stop.h"
#include "es_query.h"

enum { ES_DELETE_FIRST_WAIT_MS = 10, ES_DELETE_WAIT_MS = 250 /* between two looks at a task */ };

/* Whether the engine refused the deletion is in the task, which not every user may read. */
#define ES_DELETE_TASK_RIGHTS                                                             \
    ", unless it was refused there as well (to monitor and cancel it, grant the cluster " \
    "privileges monitor and cancel_task)"

void es_refresh(struct es_session *s) {
    struct err unused;
    arena_clear(&s->arena);
    const char *path = arena_printf(&s->arena, "/%s/_refresh?ignore_unavailable=true", s->wildcard);
    es_session_request(s, "POST", path, "", &unused);
}

/* --- the task --- */

/* Asks about a deletion, which goes on in the engine whatever happens here. */
static enum store_rc es_delete_ask_task(struct es_session *s, const char *method, const char *path,
                                        struct err *err) {
    const enum store_rc rc = es_session_request(s, method, path, "monitor the deletion", err);
    const char *rights = "";
    if (rc != STORE_RETRY)
        return rc;
    if (s->call.http.status == 403)
        rights = ES_DELETE_TASK_RIGHTS;
    err_prefix(err, "the deletion continues in the engine%s", rights);
    return rc;
}

static void es_delete_report(const json_t *task, store_progress *progress) {
    const int64_t done = es_json_count(task, "task.status.deleted");
    const int64_t all = es_json_count(task, "task.status.total");
    if (progress && done < all)
        progress((uint64_t)done, (uint64_t)all);
}

/* Looks at the task once. *reply is its answer if it is complete, else NULL. */
static enum store_rc es_delete_look(struct es_session *s, const char *path,
                                    store_progress *progress, json_t **reply, struct err *err) {
    *reply = NULL;
    const enum store_rc rc = es_delete_ask_task(s, "GET", path, err);
    if (rc != STORE_OK)
        return rc;
    json_t *task = es_session_reply(s);
    if (json_is_true(json_object_get(task, "completed"))) {
        *reply = task;
        return STORE_OK;
    }
    es_delete_report(task, progress);
    json_decref(task);
    return STORE_OK;
}

/* Waits until the task is complete, and returns its answer in *reply. */
static enum store_rc es_delete_follow_task(struct es_session *s, struct span task,
                                           store_progress *progress, json_t **reply,
                                           struct err *err) {
    const char *path = arena_printf(&s->arena, "/_tasks/%.*s", SPAN_ARG(task));
    const char *cancel = arena_printf(&s->arena, "%s/_cancel", path);
    int64_t wait_ms = ES_DELETE_FIRST_WAIT_MS;
    bool is_cancelled = false;
    for (;;) {
        const enum store_rc rc = es_delete_look(s, path, progress, reply, err);
        if (rc != STORE_OK || *reply)
            return rc;
        if (stop_asked() && !is_cancelled) {
            is_cancelled = true;
            if (es_delete_ask_task(s, "POST", cancel, err) == STORE_RETRY)
                return STORE_RETRY;
        }
        clock_sleep_ms(wait_ms);
        wait_ms *= 2;
        if (wait_ms > ES_DELETE_WAIT_MS)
            wait_ms = ES_DELETE_WAIT_MS;
    }
}

/* --- the result --- */

/* Appends why a complete deletion failed: all of it, or its first document or shard that did. */
static void es_delete_add_failure(const json_t *reply, struct buf *out) {
    const json_t *first = json_array_get(es_json_at(reply, "response.failures"), 0);
    struct span reason = es_json_text(reply, "error.reason");
    if (!reason.p)
        reason = es_json_text(first, "cause.reason");
    if (!reason.p)
        reason = es_json_text(first, "reason.reason");
    if (reason.p)
        buf_span(out, reason);
    else if (first)
        es_json_write(json_incref((json_t *)(uintptr_t)first), out);
}

/* Reads how many documents a deletion, or its dry run, found. False: the reply does not say so. */
static bool es_delete_read_count(const json_t *reply, bool dry_run, uint64_t *count,
                                 struct buf *answer) {
    json_t *result = json_object_get(reply, "response");
    const char *name = "deleted";
    if (dry_run) {
        result = (json_t *)(uintptr_t)reply;
        name = "count";
    }
    if (!json_is_number(json_object_get(result, name)))
        return false;
    *count = (uint64_t)es_json_count(result, name);
    if (dry_run)
        result = json_pack("{s:I}", "count", (json_int_t)*count);
    else
        json_incref(result);
    es_json_write(result, answer);
    return true;
}

static enum store_rc es_delete_read_result(const struct es_session *s, const json_t *reply,
                                           bool dry_run, uint64_t *count, struct buf *answer,
                                           struct err *err) {
    const char *doing = "delete";
    BUF_LOCAL struct buf failure = {0};
    const bool has_count = es_delete_read_count(reply, dry_run, count, answer);
    es_delete_add_failure(reply, &failure);
    if (has_count && failure.n == 0)
        return STORE_OK;
    if (dry_run)
        doing = "count";
    if (failure.n == 0)
        buf_text(&failure, "unexpected response");
    err_set(err, "%s: can't %s: %s", s->call.host, doing, failure.p);
    return STORE_FATAL;
}

static enum store_rc es_delete_request(struct es_session *s, const struct store_query *query,
                                       bool dry_run, struct err *err) {
    const char *doing = "delete",
               *what = "_delete_by_query?ignore_unavailable=true&conflicts=proceed&refresh=true&"
                       "wait_for_completion=false";
    if (dry_run) {
        doing = "count";
        what = "_count?ignore_unavailable=true&filter_path=count";
    }
    json_t *condition = es_query_bool(es_query_filter(&s->mapping, query));
    es_json_write(json_pack("{s:o}", "query", condition), &s->call.http.body);
    const char *path = arena_printf(&s->arena, "/%s/%s", s->wildcard, what);
    return es_session_request(s, "POST", path, doing, err);
}

enum store_rc es_delete(struct es_session *s, const struct store_query *query, bool dry_run,
                        store_progress *progress, uint64_t *count, struct buf *answer,
                        struct err *err) {
    es_refresh(s); /* what was stored just now is deleted, too */
    enum store_rc rc = es_delete_request(s, query, dry_run, err);
    if (rc != STORE_OK)
        return rc;
    json_t *reply = es_session_reply(s);
    const struct span task = es_json_text(reply, "task");
    if (task.p) {
        json_t *begun = reply;
        rc = es_delete_follow_task(s, task, progress, &reply, err);
        json_decref(begun);
    }
    if (rc == STORE_OK) {
        rc = es_delete_read_result(s, reply, dry_run, count, answer, err);
        if (answer->n > 0 && !dry_run && progress)
            progress(*count, *count);
    }
    json_decref(reply);
    return rc;
}
