/* route: see route.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include "../base/mem.h"

void route_init(struct route *r, const struct route_conf *conf, struct registry *take_registry) {
    *r = (struct route){.conf = *conf, .registry = take_registry};
}

void route_release(struct route *r) {
    registry_free(r->registry);
    arena_release(&r->arena);
    buf_release(&r->text);
    buf_release(&r->word);
    free(r->outs);
    *r = (struct route){0};
}

static void begin(struct route *r) {
    arena_clear(&r->arena);
    r->step.arena = &r->arena;
    r->n = 0;
}

static struct route_out *add(struct route *r, enum route_topic topic, struct span key,
                             struct span value) {
    r->outs = mem_room(r->outs, r->n, &r->cap, sizeof *r->outs);
    struct route_out *out = &r->outs[r->n++];
    *out = (struct route_out){.topic = topic, .partition = -1, .key = key, .value = value};
    return out;
}

/* Adds what stands before a value, and the value: a JSON string, or null for .p NULL. */
static void add_string(struct route *r, const char *before, struct span string) {
    buf_text(&r->text, before);
    buf_json(&r->text, string);
}

static void add_time(struct route *r, const char *before, int64_t ms) {
    buf_printf(&r->text, "%s\"", before);
    datetime_format(&r->text, ms, r->conf.offset_s(ms), r->conf.style);
    buf_char(&r->text, '"');
}

/* A registry event (UP, DOWN) to processed, a liveness alert (MISSED, RECOVERED) to both topics. */
static void add_sign(struct route *r, const struct registry_sign *s) {
    struct buf *word = &r->word;
    buf_clear(&r->text);
    if (s->kind == SIGN_UP || s->kind == SIGN_DOWN) {
        add_string(r, "{\"message_type\":\"REGISTRATION\",\"node_id\":", s->id);
        add_string(r, ",\"service_name\":", s->service);
        add_time(r, ",\"timestamp\":", s->at_ms);
        buf_printf(&r->text, ",\"status\":\"%s\"}", s->kind == SIGN_UP ? "UP" : "DOWN");
        add(r, ROUTE_PROCESSED, s->id, arena_span(&r->arena, buf_view(&r->text)));
        return;
    }
    bool missed = s->kind == SIGN_MISSED;
    buf_clear(word);
    buf_span(word, s->id);
    buf_printf(word, "_%s_%lld", missed ? "missed" : "recovered", (long long)s->at_ms);
    add_string(r, "{\"log_id\":", buf_view(word));
    add_string(r, ",\"node_id\":", s->id);
    buf_clear(word);
    buf_text(word, "Node ");
    buf_span(word, s->id);
    buf_text(word, missed ? " missed its heartbeat!" : " is back");
    add_string(r, ",\"log_level\":\"ALERT\",\"message\":", buf_view(word));
    buf_printf(&r->text, ",\"message_type\":\"ALERT\",\"alert\":\"HEARTBEAT_%s\"",
               missed ? "MISSED" : "RECOVERED");
    add_time(r, ",\"last_heartbeat\":", s->last_proof_ms);
    add_string(r, ",\"service_name\":", s->service);
    add_time(r, ",\"timestamp\":", s->at_ms);
    buf_char(&r->text, '}');
    struct span json = arena_span(&r->arena, buf_view(&r->text));
    add(r, ROUTE_ALERTS, s->id, json)->alarm = missed;
    add(r, ROUTE_PROCESSED, s->id, json);
}

static void add_changes(struct route *r) {
    for (size_t i = 0; i < r->step.n_changes; i++) {
        const struct registry_change *c = &r->step.changes[i];
        add(r, ROUTE_STATE, c->key, c->value)->partition = c->partition;
    }
}

static void forward(struct route *r, const struct event *e, struct span key) {
    bool bad =
        e->kind == EVENT_LOG && (span_is(e->level.text, "WARN") || span_is(e->level.text, "ERROR"));
    if (bad)
        add(r, ROUTE_ALERTS, key, e->json)->forwarded = true;
    add(r, ROUTE_PROCESSED, key, e->json)->forwarded = true;
}

bool route_record(struct route *r, const struct event *e, struct span key,
                  const struct registry_at *at) {
    begin(r);
    enum registry_verdict verdict = registry_apply(r->registry, e, at, &r->step);
    bool unknown = verdict == REGISTRY_UNKNOWN;
    size_t n = r->step.n_signs, before = verdict == REGISTRY_GONE ? n - 1 : n;
    for (size_t i = 0; i < before; i++)
        add_sign(r, &r->step.signs[i]);
    if (unknown ? r->conf.forward_unknown : verdict != REGISTRY_NEW)
        forward(r, e, key);
    for (size_t i = before; i < n; i++)
        add_sign(r, &r->step.signs[i]);
    add_changes(r);
    return !unknown || r->conf.forward_unknown;
}

static bool take(struct route *r,
                 bool (*step)(struct registry *registry, struct registry_step *step)) {
    begin(r);
    bool more = step(r->registry, &r->step);
    for (size_t i = 0; i < r->step.n_signs; i++)
        add_sign(r, &r->step.signs[i]);
    add_changes(r);
    return more;
}

bool route_expire(struct route *r) {
    return take(r, registry_expire);
}

bool route_save(struct route *r) {
    return take(r, registry_save);
}
