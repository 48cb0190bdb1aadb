/* deadletter: see deadletter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deadletter.h"

#include "../base/json.h"
#include "../base/name.h"
#include "../base/utf8.h"

/* The first n bytes of s; up to three less if that leaves whole characters of text. */
static struct span first(struct span s, size_t n) {
    if (s.n <= n)
        return s;
    for (size_t back = 0; back <= 3 && back <= n; back++)
        if (utf8_valid(s.p, n - back))
            return (struct span){s.p, n - back};
    return (struct span){s.p, n};
}

/* ,"name":"…" or ,"name_base64":"…" or ,"name":null */
static void add_bytes(struct buf *out, const char *name, struct span s) {
    bool text = utf8_valid(s.p, s.n);
    buf_printf(out, ",\"%s%s\":", name, text ? "" : "_base64");
    if (text) {
        buf_json(out, s);
    } else {
        buf_char(out, '"');
        buf_base64(out, s);
        buf_char(out, '"');
    }
}

static void add_envelope(struct buf *out, const struct deadletter *d, struct span key,
                         struct span value) {
    BUF_LOCAL struct buf reason = {0}; /* ours, but it may quote foreign bytes, cut anywhere */
    buf_printable(&reason, span_of(d->reason));
    buf_text(out, "{\"reason\":");
    buf_json(out, buf_view(&reason));
    buf_text(out, ",\"topic\":");
    buf_json(out, span_of(d->topic));
    buf_printf(out, ",\"partition\":%d,\"offset\":%lld,\"timestamp\":%lld", (int)d->partition,
               (long long)d->offset, (long long)d->ts_ms);
    add_bytes(out, "key", key);
    add_bytes(out, "value", value);
    if (key.n < d->key.n || value.n < d->value.n)
        buf_printf(out, ",\"truncated\":%zu", d->value.n);
    buf_char(out, '}');
}

void deadletter_write(struct buf *out, const struct deadletter *d, size_t limit) {
    size_t from = out->n;
    add_envelope(out, d, d->key, d->value);
    struct span key = first(d->key, DEADLETTER_KEY);
    /* Else parts of both: the value's is halved until it fits. */
    for (size_t part = 64 * 1024; out->n - from > limit && part; part /= 2) {
        out->n = from;
        add_envelope(out, d, key, first(d->value, part));
    }
}

enum { REASON, TOPIC, KEY, VALUE, KEY_64, VALUE_64, PARTITION, OFFSET, TIMESTAMP, FULL, MEMBERS };
static const char *const members[MEMBERS] = {"reason",     "topic",        "key",       "value",
                                             "key_base64", "value_base64", "partition", "offset",
                                             "timestamp",  "truncated"};

#define NONE INT64_MIN /* it is not there, or no integer that makes sense */

/* KEY or VALUE: text, null, or in base64. */
static bool read_bytes(const struct json_value *saved, size_t i, struct arena *arena,
                       struct span *bytes) {
    struct span coded = json_text(&saved[i - KEY + KEY_64], arena);
    *bytes = json_text(&saved[i], arena);
    bool there = bytes->p || saved[i].type == JSON_TYPE_NULL;
    if (there || !coded.p)
        return there;
    BUF_LOCAL struct buf plain = {0};
    bool good = buf_unbase64(&plain, coded);
    *bytes = arena_span(arena, buf_view(&plain));
    return good;
}

int deadletter_read(struct span envelope, struct arena *arena, struct deadletter *d,
                    struct err *err) {
    struct json_value saved[MEMBERS];
    *d = (struct deadletter){.full = -1};
    if (json_members(envelope, members, saved, MEMBERS, arena, err) != 0)
        return err_prefix(err, "not a dead letter");
    struct span reason = json_text(&saved[REASON], arena), topic = json_text(&saved[TOPIC], arena);
    int64_t partition = json_int(&saved[PARTITION], -1, INT32_MAX, NONE);
    int64_t full = saved[FULL].raw.p ? json_int(&saved[FULL], -1, INT64_MAX, NONE) : -1;
    d->reason = arena_span(arena, reason).p;
    d->topic = arena_span(arena, topic).p;
    d->offset = json_int(&saved[OFFSET], -1, INT64_MAX, NONE);
    d->ts_ms = json_int(&saved[TIMESTAMP], INT64_MIN, INT64_MAX, NONE);
    if (!reason.p || !name_is_valid(d->topic) || strlen(d->topic) < topic.n || partition == NONE ||
        d->offset == NONE || d->ts_ms == NONE || full == NONE ||
        !read_bytes(saved, KEY, arena, &d->key) || !read_bytes(saved, VALUE, arena, &d->value))
        return err_set(err, "not a dead letter: not all of its members are there and make sense");
    d->partition = (int32_t)partition;
    d->full = full;
    return 0;
}
