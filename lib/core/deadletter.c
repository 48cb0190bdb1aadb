/* deadletter: see deadletter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deadletter.h"

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
