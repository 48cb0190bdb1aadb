/* deadletter: see deadletter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deadletter.h"

#include "../base/json.h"
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

/* The members; the first NEEDED of them are always there. */
enum { REASON, TOPIC, PARTITION, OFFSET, TIMESTAMP, KEY, VALUE, NEEDED, TRUNCATED = NEEDED, NAMES };
static const char *const names[NAMES] = {"reason",    "topic", "partition", "offset",
                                         "timestamp", "key",   "value",     "truncated"};

struct reading {
    struct arena *arena;
    struct deadletter *d;
    unsigned seen; /* a bit a member */
};

/* Text for a C string: without a NUL. */
static bool read_text(const struct reading *r, const struct json_value *v, const char **to) {
    if (v->type != JSON_TYPE_STRING) return false;
    struct span text = arena_span(r->arena, json_decode(v->raw, r->arena));
    *to = text.p;
    return strlen(text.p) == text.n;
}

/* An integer from least to most, which has at most 18 digits. */
static bool read_number(const struct json_value *v, int64_t least, int64_t most, int64_t *to) {
    bool minus = v->raw.p[0] == '-';
    struct span digits = {v->raw.p + minus, v->raw.n - minus};
    if (!span_is_digits(digits) || digits.n > 18) return false;
    *to = strtoll(v->raw.p, NULL, 10); /* a ',', a '}' or white space follows */
    return *to >= least && *to <= most;
}

static bool read_bytes(const struct reading *r, const struct json_value *v, bool base64, struct span *to) {
    *to = (struct span){0};
    if (v->type == JSON_TYPE_NULL) return !base64;
    if (v->type != JSON_TYPE_STRING) return false;
    *to = json_decode(v->raw, r->arena);
    if (!base64) return true;
    struct buf bytes = {0};
    bool good = buf_unbase64(&bytes, *to);
    *to = arena_span(r->arena, buf_view(&bytes));
    buf_release(&bytes);
    return good;
}

static bool read_member(struct reading *r, size_t i, bool base64, const struct json_value *v) {
    struct deadletter *d = r->d;
    int64_t partition = 0;
    bool good = false;
    switch (i) {
    case REASON: return read_text(r, v, &d->reason);
    case TOPIC: return read_text(r, v, &d->topic) && *d->topic;
    case PARTITION:
        good = read_number(v, -1, INT32_MAX, &partition);
        d->partition = (int32_t)partition;
        return good;
    case OFFSET: return read_number(v, -1, INT64_MAX, &d->offset);
    case TIMESTAMP: return read_number(v, INT64_MIN, INT64_MAX, &d->ts_ms);
    case KEY: return read_bytes(r, v, base64, &d->key);
    case VALUE: return read_bytes(r, v, base64, &d->value);
    default: return read_number(v, 0, INT64_MAX, &d->full);
    }
}

static bool on_member(void *ctx, const struct json_member *m, struct err *err) {
    static const char tail[] = "_base64";
    struct reading *r = ctx;
    size_t i = 0, n = m->key.n - (sizeof tail - 1);
    bool base64 = m->key.n >= sizeof tail && memcmp(m->key.p + n, tail, sizeof tail - 1) == 0;
    struct span name = {m->key.p, base64 ? n : m->key.n};
    while (i < NAMES && !span_is(name, names[i])) i++;
    if (i == NAMES || (base64 && i != KEY && i != VALUE)) return true;
    bool good = !(r->seen >> i & 1) && read_member(r, i, base64, &m->value);
    r->seen |= 1u << i;
    if (!good) err_set(err, "not a dead letter: its %s makes no sense", names[i]);
    return good;
}

int deadletter_read(struct span envelope, struct arena *arena, struct deadletter *d, struct err *err) {
    *d = (struct deadletter){.full = -1};
    struct reading r = {.arena = arena, .d = d};
    struct json_value whole;
    size_t at = 0;
    if (json_scan(envelope, &at, arena, &whole, on_member, &r, err) != 0) return -1;
    if (json_space(envelope, at) < envelope.n || whole.type != JSON_TYPE_OBJECT)
        return err_set(err, "not a dead letter: not one JSON object");
    for (size_t i = 0; i < NEEDED; i++)
        if (!(r.seen >> i & 1)) return err_set(err, "not a dead letter: it has no %s", names[i]);
    return 0;
}
