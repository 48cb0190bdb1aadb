/* event: see event.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include "../base/json.h"

/* The members that distlog itself reads, and where they go. */
static const struct event_member {
    struct span key;
    size_t offset; /* of the struct text in struct event */
} event_members[] = {
/* clang-format off */
#define EVENT_MEMBER(name, field) {{name, sizeof(name) - 1}, offsetof(struct event, field)}
    EVENT_MEMBER("node_id", node),
    EVENT_MEMBER("message_type", type),
    EVENT_MEMBER("service_name", service),
    EVENT_MEMBER("log_level", level),
    EVENT_MEMBER("log_id", log_id),
    EVENT_MEMBER("status", status),
    EVENT_MEMBER("message", message),
    EVENT_MEMBER("timestamp", timestamp),
    EVENT_MEMBER("alert", alert),
#undef EVENT_MEMBER
    /* clang-format on */
};

enum {
    /* Up to this many keys, comparing every pair is faster than sorting. */
    EVENT_FEW_KEYS = 16,
    /* Bytes of the shortest member, "k":0 with its comma: bounds how many keys a record has. */
    EVENT_SHORTEST_MEMBER = 6,
    /* Bytes of a key that an error text quotes. */
    EVENT_QUOTED_KEY = 64
};

struct event_parser {
    struct event *event;
    struct arena *arena;
    struct span *keys; /* all top-level keys so far, none of them empty */
    size_t n_keys;
};

/* Whether two keys, neither empty, are the same. Most differ in length or in the first byte. */
static inline bool event_same_key(struct span a, struct span b) {
    return a.n == b.n && a.p[0] == b.p[0] && memcmp(a.p, b.p, a.n) == 0;
}

static bool event_on_member(void *ctx, const struct json_member *m, struct err *err) {
    struct event_parser *parser = ctx;
    if (m->key.n == 0) {
        err_set(err, "a key is empty");
        return false;
    }
    parser->keys[parser->n_keys++] = m->key;
    if (m->value.type != JSON_TYPE_STRING)
        return true;
    for (size_t i = 0; i < sizeof event_members / sizeof *event_members; i++) {
        const struct event_member *member = &event_members[i];
        if (!event_same_key(m->key, member->key))
            continue;
        void *place = (char *)parser->event + member->offset;
        struct text *text = place;
        text->raw = m->value.raw;
        text->text = json_decode(m->value.raw, parser->arena);
        break;
    }
    return true;
}

static const struct span *event_duplicate_by_pairs(const struct span *keys, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (const struct span *earlier = keys; earlier < &keys[i]; earlier++)
            if (event_same_key(keys[i], *earlier))
                return &keys[i];
    return NULL;
}

static const struct span *event_duplicate_by_sorting(struct span *keys, size_t n) {
    qsort(keys, n, sizeof *keys, span_order);
    for (size_t i = 1; i < n; i++)
        if (span_eq(keys[i - 1], keys[i]))
            return &keys[i];
    return NULL;
}

/* A key that occurs twice, or NULL. May sort the keys. */
static const struct span *event_duplicate_key(struct span *keys, size_t n) {
    if (n <= EVENT_FEW_KEYS)
        return event_duplicate_by_pairs(keys, n);
    return event_duplicate_by_sorting(keys, n);
}

static enum event_kind event_kind_of(struct span message_type) {
    static const char *const names[EVENT_OTHER] = {[EVENT_REGISTRATION] = "REGISTRATION",
                                                   [EVENT_HEARTBEAT] = "HEARTBEAT",
                                                   [EVENT_LOG] = "LOG",
                                                   [EVENT_ALERT] = "ALERT"};
    enum event_kind kind = 0;
    while (kind < EVENT_OTHER && !span_is(message_type, names[kind]))
        kind++;
    return kind;
}

enum input_rc event_parse(struct span bytes, struct arena *arena, struct event *e,
                          struct err *err) {
    *e = (struct event){.kind = EVENT_OTHER};
    struct event_parser parser = {.event = e, .arena = arena};
    const size_t most_keys = bytes.n / EVENT_SHORTEST_MEMBER + 1;
    parser.keys = arena_take(arena, most_keys * sizeof *parser.keys);
    struct json_value value;
    size_t at = 0;
    if (json_scan(bytes, &at, JSON_DEPTH, arena, &value, event_on_member, &parser, err) != 0)
        return INPUT_BAD;
    if (value.type != JSON_TYPE_OBJECT)
        return err_set(err, "not a JSON object");
    at = json_space(bytes, at);
    if (at < bytes.n)
        return err_set(err, "unexpected data after the JSON object, at byte %zu", at);
    const struct span *key = event_duplicate_key(parser.keys, parser.n_keys);
    if (key) {
        const int quoted = key->n < EVENT_QUOTED_KEY ? (int)key->n : EVENT_QUOTED_KEY;
        return err_set(err, "duplicate key \"%.*s\"", quoted, key->p);
    }
    e->json = value.raw;
    e->kind = event_kind_of(e->type.text);
    return INPUT_OK;
}

enum input_rc event_check_node(const struct event *e, struct err *err) {
    if (!e->node.text.p)
        return err_set(err, "node_id is missing or not a string");
    if (!e->node.text.n)
        return err_set(err, "node_id is empty");
    if (!e->type.text.p)
        return err_set(err, "message_type is missing or not a string");
    return INPUT_OK;
}
