/* deadletter: see deadletter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deadletter.h"

#include "../base/json.h"
#include "../base/opt.h"
#include "../base/utf8.h"

/* What is left of value and key when they don't fit. */
enum { VALUE_PART = 64 * 1024, KEY_PART = 1024 };

/* The first n bytes of s; up to three less if that leaves whole characters of text. */
static struct span first(struct span s, size_t n) {
    if (s.n <= n) return s;
    for (size_t back = 0; back <= 3 && back <= n; back++)
        if (utf8_valid(s.p, n - back)) return (struct span){s.p, n - back};
    return (struct span){s.p, n};
}

/* ,"name":"…" or ,"name_base64":"…" or ,"name":null */
static void add_bytes(struct buf *out, const char *name, struct span s) {
    bool text = utf8_valid(s.p, s.n);
    buf_printf(out, ",\"%s%s\":", name, text ? "" : "_base64");
    if (!s.p) {
        buf_text(out, "null");
    } else if (text) {
        buf_json(out, s);
    } else {
        buf_char(out, '"');
        buf_base64(out, s);
        buf_char(out, '"');
    }
}

static void add_envelope(struct buf *out, const struct deadletter *d, struct span key, struct span value) {
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
    if (key.n < d->key.n || value.n < d->value.n) buf_printf(out, ",\"truncated\":%zu", d->value.n);
    buf_char(out, '}');
}

void deadletter_write(struct buf *out, const struct deadletter *d, size_t limit) {
    size_t from = out->n;
    add_envelope(out, d, d->key, d->value);
    struct span key = first(d->key, KEY_PART);
    for (size_t part = VALUE_PART; out->n - from > limit && part; part /= 2) {
        out->n = from;
        add_envelope(out, d, key, first(d->value, part));
    }
}

enum { REASON, TOPIC, KEY, VALUE, KEY_64, VALUE_64, TEXTS };
enum { PARTITION, OFFSET, TIMESTAMP, FULL, NUMBERS };

struct reading {
    struct arena *arena;
    struct span texts[TEXTS]; /* .p NULL: not there, or no string */
    bool null[TEXTS];
    int64_t numbers[NUMBERS]; /* NONE: not there, or no integer */
};
#define NONE INT64_MIN

static int64_t number(struct span s) {
    bool minus = s.p[0] == '-';
    bool good = span_is_digits((struct span){s.p + minus, s.n - minus}) && s.n <= 18;
    return good ? strtoll(s.p, NULL, 10) : NONE; /* a ',', a '}' or white space follows */
}

static bool on_member(void *ctx, const struct json_member *m, struct err *err) {
    static const char *const texts[] = {"reason", "topic", "key", "value", "key_base64", "value_base64"};
    static const char *const numbers[] = {"partition", "offset", "timestamp", "truncated"};
    struct reading *r = ctx;
    (void)err;
    for (size_t i = 0; i < TEXTS; i++) {
        if (!span_is(m->key, texts[i])) continue;
        r->null[i] = m->value.type == JSON_TYPE_NULL;
        if (m->value.type == JSON_TYPE_STRING) r->texts[i] = json_decode(m->value.raw, r->arena);
    }
    for (size_t i = 0; i < NUMBERS; i++)
        if (span_is(m->key, numbers[i])) r->numbers[i] = number(m->value.raw);
    return true;
}

/* KEY or VALUE: text, null, or in base64. */
static bool read_bytes(const struct reading *r, size_t i, struct span *bytes) {
    struct span coded = r->texts[i - KEY + KEY_64];
    *bytes = r->texts[i];
    if (bytes->p || r->null[i] || !coded.p) return bytes->p || r->null[i];
    BUF_LOCAL struct buf plain = {0};
    bool good = buf_unbase64(&plain, coded);
    *bytes = arena_span(r->arena, buf_view(&plain));
    return good;
}

int deadletter_read(struct span envelope, struct arena *arena, struct deadletter *d, struct err *err) {
    struct reading r = {.arena = arena, .numbers = {NONE, NONE, NONE, -1}};
    const int64_t *n = r.numbers;
    struct json_value whole;
    size_t at = 0;
    *d = (struct deadletter){.full = -1};
    if (json_scan(envelope, &at, arena, &whole, on_member, &r, err) != 0)
        return err_prefix(err, "not a dead letter");
    d->reason = arena_span(arena, r.texts[REASON]).p;
    d->topic = arena_span(arena, r.texts[TOPIC]).p;
    if (json_space(envelope, at) < envelope.n || !r.texts[REASON].p || !opt_is_name(d->topic) ||
        strlen(d->topic) < r.texts[TOPIC].n || n[PARTITION] < -1 || n[PARTITION] > INT32_MAX ||
        n[OFFSET] < -1 || n[TIMESTAMP] == NONE || n[FULL] < -1 || !read_bytes(&r, KEY, &d->key) ||
        !read_bytes(&r, VALUE, &d->value))
        return err_set(err, "not a dead letter: not all of its members are there and make sense");
    d->partition = (int32_t)n[PARTITION];
    d->offset = n[OFFSET];
    d->ts_ms = n[TIMESTAMP];
    d->full = n[FULL];
    return 0;
}
