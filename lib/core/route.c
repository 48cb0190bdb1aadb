/* route: see route.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include "../base/json_writer.h"
#include "../base/mem.h"

/* What is made of a liveness event: a registry event if it has a status, else a liveness alert. */
static const struct route_liveness {
    const char *status;
    const char *alert;
    const char *id_part; /* of log_id: NODE_<id_part>_MS */
    const char *message; /* behind "Node ID" */
} route_liveness[] = {
    [LIVENESS_UP] = {.status = "UP"},
    [LIVENESS_DOWN] = {.status = "DOWN"},
    [LIVENESS_MISSED] = {.alert = "HEARTBEAT_MISSED",
                         .id_part = "missed",
                         .message = " missed its heartbeat!"},
    [LIVENESS_RECOVERED] = {.alert = "HEARTBEAT_RECOVERED",
                            .id_part = "recovered",
                            .message = " is back"},
};

void route_init(struct route *r, const struct route_conf *conf, struct registry *take_registry) {
    *r = (struct route){.conf = *conf, .registry = take_registry};
}

void route_release(struct route *r) {
    registry_free(r->registry);
    arena_release(&r->arena);
    buf_release(&r->record);
    buf_release(&r->text);
    free(r->outs);
    *r = (struct route){0};
}

static void route_clear(struct route *r) {
    arena_clear(&r->arena);
    r->step.arena = &r->arena;
    r->n = 0;
}

/* Adds a record and returns it; valid until the next one is added. */
static struct route_out *route_add(struct route *r, enum route_topic topic, struct span key,
                                   struct span value) {
    r->outs = mem_room(r->outs, r->n, &r->cap, sizeof *r->outs);
    struct route_out *out = &r->outs[r->n++];
    *out = (struct route_out){.topic = topic, .partition = -1, .key = key, .value = value};
    return out;
}

/* --- the records that are made here --- */

static void route_member_time(const struct route *r, struct json_writer *w, const char *key,
                              int64_t ms) {
    json_writer_key(w, key);
    json_writer_plain_begin(w);
    datetime_format(w->out, ms, r->conf.offset_s(ms), r->conf.style);
    json_writer_plain_end(w);
}

static void route_member_text(struct json_writer *w, const char *key, const char *text) {
    json_writer_member_string(w, key, span_of(text));
}

static void route_write_registry_event(struct route *r, const struct liveness_event *event,
                                       const char *status) {
    struct json_writer w = {.out = &r->record};
    json_writer_object_begin(&w);
    route_member_text(&w, "message_type", "REGISTRATION");
    json_writer_member_string(&w, "node_id", event->id);
    json_writer_member_string(&w, "service_name", event->service);
    route_member_time(r, &w, "timestamp", event->at_ms);
    route_member_text(&w, "status", status);
    json_writer_object_end(&w);
}

static void route_write_alert(struct route *r, const struct liveness_event *event,
                              const struct route_liveness *kind) {
    struct json_writer w = {.out = &r->record};
    json_writer_object_begin(&w);
    buf_clear(&r->text);
    buf_span(&r->text, event->id);
    buf_printf(&r->text, "_%s_%" PRId64, kind->id_part, event->at_ms);
    json_writer_member_string(&w, "log_id", buf_view(&r->text));
    json_writer_member_string(&w, "node_id", event->id);
    route_member_text(&w, "log_level", "ALERT");
    buf_clear(&r->text);
    buf_text(&r->text, "Node ");
    buf_span(&r->text, event->id);
    buf_text(&r->text, kind->message);
    json_writer_member_string(&w, "message", buf_view(&r->text));
    route_member_text(&w, "message_type", "ALERT");
    route_member_text(&w, "alert", kind->alert);
    route_member_time(r, &w, "last_heartbeat", event->last_seen_ms);
    json_writer_member_string(&w, "service_name", event->service);
    route_member_time(r, &w, "timestamp", event->at_ms);
    json_writer_object_end(&w);
}

static void route_add_event(struct route *r, const struct liveness_event *event) {
    const struct route_liveness *kind = &route_liveness[event->kind];
    const bool is_alert = !kind->status;
    buf_clear(&r->record);
    if (is_alert)
        route_write_alert(r, event, kind);
    else
        route_write_registry_event(r, event, kind->status);
    struct span value = arena_span(&r->arena, buf_view(&r->record));
    if (is_alert)
        route_add(r, ROUTE_ALERTS, event->id, value)->alarm = event->kind == LIVENESS_MISSED;
    route_add(r, ROUTE_PROCESSED, event->id, value);
}

/* --- the steps --- */

static void route_add_events(struct route *r, bool after_record) {
    if (r->step.n_events == 0)
        return; /* as for most records */
    for (size_t i = 0; i < r->step.n_events; i++)
        if (r->step.events[i].after_record == after_record)
            route_add_event(r, &r->step.events[i]);
}

static void route_add_changes(struct route *r) {
    for (size_t i = 0; i < r->step.n_changes; i++) {
        const struct registry_change *change = &r->step.changes[i];
        route_add(r, ROUTE_STATE, change->key, change->value)->partition = change->partition;
    }
}

static bool route_is_forwarded(const struct route *r, enum registry_verdict verdict) {
    switch (verdict) {
    case REGISTRY_UNKNOWN:
        return r->conf.forward_unknown;
    case REGISTRY_NEW:
        return false; /* its event UP stands for it */
    case REGISTRY_KNOWN:
    case REGISTRY_GONE:
        break;
    }
    return true;
}

static void route_forward(struct route *r, const struct event *e, struct span key) {
    const bool is_warning = span_is(e->level.text, "WARN") || span_is(e->level.text, "ERROR");
    if (e->kind == EVENT_LOG && is_warning)
        route_add(r, ROUTE_ALERTS, key, e->json)->forwarded = true;
    route_add(r, ROUTE_PROCESSED, key, e->json)->forwarded = true;
}

bool route_record(struct route *r, const struct event *e, struct span key,
                  const struct registry_at *at) {
    route_clear(r);
    const enum registry_verdict verdict = registry_apply(r->registry, e, at, &r->step);
    route_add_events(r, false);
    if (route_is_forwarded(r, verdict))
        route_forward(r, e, key);
    route_add_events(r, true);
    route_add_changes(r);
    return verdict != REGISTRY_UNKNOWN || r->conf.forward_unknown;
}

bool route_expire(struct route *r) {
    route_clear(r);
    const bool is_reported = registry_expire(r->registry, &r->step);
    route_add_events(r, false);
    route_add_changes(r);
    return is_reported;
}

bool route_save(struct route *r) {
    route_clear(r);
    const bool is_saved = registry_save(r->registry, &r->step);
    route_add_changes(r);
    return is_saved;
}
