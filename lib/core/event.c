/* event: see event.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include "../base/json.h"

/* The members that distlog itself reads. */
static const struct known {
    struct span key;
    size_t offset;
} known[] = {
/* clang-format off */
#define KNOWN(name, field) \
    { {name, sizeof(name) - 1}, offsetof(struct event, field) }
    /* clang-format on */
    KNOWN("node_id", node),    KNOWN("message_type", type),   KNOWN("service_name", service),
    KNOWN("log_level", level), KNOWN("log_id", log_id),       KNOWN("status", status),
    KNOWN("message", message), KNOWN("timestamp", timestamp), KNOWN("alert", alert),
#undef KNOWN
};

/* Up to here every pair of keys is compared, which beats sorting; above, they are sorted. */
enum { FEW = 16 };
enum { SHORTEST = 6 }; /* bytes of a member, "k":0, with its comma */

struct reading {
    struct event *e;
    struct arena *arena;
    struct span *keys;
    size_t n;
};

/* Of two keys, neither empty. Most differ in length or in the first byte. */
static inline bool same_key(struct span a, struct span b) {
    return a.n == b.n && a.p[0] == b.p[0] && memcmp(a.p, b.p, a.n) == 0;
}

static bool on_member(void *ctx, const struct json_member *m, struct err *err) {
    struct reading *r = ctx;
    if (m->key.n == 0)
        return err_as(false, err, "a key is empty");
    r->keys[r->n++] = m->key;
    if (m->value.type != JSON_TYPE_STRING)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!same_key(m->key, known[i].key))
            continue;
        struct text *text = (struct text *)(void *)((char *)r->e + known[i].offset);
        *text = (struct text){m->value.raw, json_decode(m->value.raw, r->arena)};
        break;
    }
    return true;
}

/* A key that is there twice, or NULL. */
static const struct span *twice(struct reading *r) {
    if (r->n <= FEW) {
        for (size_t i = 1; i < r->n; i++)
            for (size_t j = 0; j < i; j++)
                if (same_key(r->keys[i], r->keys[j]))
                    return &r->keys[i];
        return NULL;
    }
    qsort(r->keys, r->n, sizeof *r->keys, span_order);
    for (size_t i = 1; i < r->n; i++)
        if (span_eq(r->keys[i - 1], r->keys[i]))
            return &r->keys[i];
    return NULL;
}

static enum event_kind kind_of(const struct event *e) {
    static const char *const names[EVENT_OTHER] = {[EVENT_REGISTRATION] = "REGISTRATION",
                                                   [EVENT_HEARTBEAT] = "HEARTBEAT",
                                                   [EVENT_LOG] = "LOG",
                                                   [EVENT_ALERT] = "ALERT"};
    enum event_kind kind = 0;
    while (kind < EVENT_OTHER && !span_is(e->type.text, names[kind]))
        kind++;
    return kind;
}

enum input_rc event_parse(struct span bytes, struct arena *arena, struct event *e,
                          struct err *err) {
    *e = (struct event){.kind = EVENT_OTHER};
    struct reading r = {.e = e, .arena = arena};
    r.keys = arena_take(arena, (bytes.n / SHORTEST + 1) * sizeof *r.keys);
    struct json_value value;
    size_t at = 0;
    if (json_scan(bytes, &at, JSON_DEPTH, arena, &value, on_member, &r, err) != 0)
        return INPUT_BAD;
    if (value.type != JSON_TYPE_OBJECT)
        return err_set(err, "not a JSON object");
    at = json_space(bytes, at);
    if (at < bytes.n)
        return err_set(err, "expected the end of the record at byte %zu", at);
    const struct span *key = twice(&r);
    if (key)
        return err_set(err, "key \"%.*s\" is there twice", key->n < 64 ? (int)key->n : 64, key->p);
    e->json = value.raw;
    e->kind = kind_of(e);
    return INPUT_OK;
}

enum input_rc event_check_node(const struct event *e, struct err *err) {
    if (!e->node.text.p)
        return err_set(err, "node_id is missing or not a string");
    if (!e->node.text.n)
        return err_set(err, "node_id is empty");
    return e->type.text.p ? INPUT_OK : err_set(err, "message_type is missing or not a string");
}
