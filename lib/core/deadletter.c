/* deadletter: see deadletter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deadletter.h"

#include "../base/base64.h"
#include "../base/escape.h"
#include "../base/json.h"
#include "../base/json_writer.h"
#include "../base/name.h"
#include "../base/utf8.h"

/* The members of an envelope. */
enum deadletter_member {
    DEADLETTER_REASON,
    DEADLETTER_TOPIC,
    DEADLETTER_PARTITION,
    DEADLETTER_OFFSET,
    DEADLETTER_TIMESTAMP,
    DEADLETTER_KEY,
    DEADLETTER_KEY_BASE64,
    DEADLETTER_VALUE,
    DEADLETTER_VALUE_BASE64,
    DEADLETTER_TRUNCATED,
    DEADLETTER_MEMBERS
};
static const char *const deadletter_members[DEADLETTER_MEMBERS] = {
    [DEADLETTER_REASON] = "reason",
    [DEADLETTER_TOPIC] = "topic",
    [DEADLETTER_PARTITION] = "partition",
    [DEADLETTER_OFFSET] = "offset",
    [DEADLETTER_TIMESTAMP] = "timestamp",
    [DEADLETTER_KEY] = "key",
    [DEADLETTER_KEY_BASE64] = "key_base64",
    [DEADLETTER_VALUE] = "value",
    [DEADLETTER_VALUE_BASE64] = "value_base64",
    [DEADLETTER_TRUNCATED] = "truncated",
};

/* --- writing --- */

static void deadletter_key(struct json_writer *w, enum deadletter_member member) {
    json_writer_key(w, deadletter_members[member]);
}

/* Adds bytes as a string, or in base64 if they are not UTF-8. */
static void deadletter_add_bytes(struct json_writer *w, enum deadletter_member as_string,
                                 enum deadletter_member as_base64, struct span bytes) {
    if (utf8_valid(bytes.p, bytes.n)) {
        deadletter_key(w, as_string);
        json_writer_string(w, bytes);
        return;
    }
    deadletter_key(w, as_base64);
    json_writer_plain_begin(w);
    base64_encode(w->out, bytes);
    json_writer_plain_end(w);
}

/* Appends an envelope that holds these parts of the key and the value. */
static void deadletter_add(struct buf *out, const struct deadletter *d, struct span key,
                           struct span value) {
    BUF_LOCAL struct buf reason = {0};
    /* The text is ours, but may quote foreign bytes, cut off in the middle of a character. */
    escape_printable(&reason, span_of(d->reason));
    struct json_writer w = {.out = out};
    json_writer_object_begin(&w);
    deadletter_key(&w, DEADLETTER_REASON);
    json_writer_string(&w, buf_view(&reason));
    deadletter_key(&w, DEADLETTER_TOPIC);
    json_writer_string(&w, span_of(d->topic));
    deadletter_key(&w, DEADLETTER_PARTITION);
    json_writer_int64(&w, d->partition);
    deadletter_key(&w, DEADLETTER_OFFSET);
    json_writer_int64(&w, d->offset);
    deadletter_key(&w, DEADLETTER_TIMESTAMP);
    json_writer_int64(&w, d->ts_ms);
    deadletter_add_bytes(&w, DEADLETTER_KEY, DEADLETTER_KEY_BASE64, key);
    deadletter_add_bytes(&w, DEADLETTER_VALUE, DEADLETTER_VALUE_BASE64, value);
    if (key.n < d->key.n || value.n < d->value.n) {
        deadletter_key(&w, DEADLETTER_TRUNCATED);
        json_writer_int64(&w, (int64_t)d->value.n);
    }
    json_writer_object_end(&w);
}

/* The first n bytes of s, or up to three less if that leaves whole characters of UTF-8. */
static struct span deadletter_cut(struct span s, size_t n) {
    if (s.n <= n)
        return s;
    for (size_t less = 0; less <= 3 && less <= n; less++)
        if (utf8_valid(s.p, n - less))
            return (struct span){s.p, n - less};
    return (struct span){s.p, n};
}

void deadletter_write(struct buf *out, const struct deadletter *d, size_t limit) {
    const size_t begin = out->n;
    const struct span key = deadletter_cut(d->key, DEADLETTER_KEY_MAX);
    deadletter_add(out, d, d->key, d->value);
    /* How much escapes and base64 add is not known before, so try ever smaller parts. */
    size_t part = DEADLETTER_VALUE_MAX;
    while (out->n - begin > limit && part > 0) {
        out->n = begin;
        deadletter_add(out, d, key, deadletter_cut(d->value, part));
        part /= 2;
    }
}

/* --- reading --- */

#define DEADLETTER_NO_NUMBER INT64_MIN /* absent, or not such an integer */

/* Reads an integer from low to high. */
static bool deadletter_read_number(const struct json_value *member, int64_t low, int64_t high,
                                   int64_t *number) {
    *number = json_int(member, low, high, DEADLETTER_NO_NUMBER);
    return *number != DEADLETTER_NO_NUMBER;
}

/* Reads a string; a NUL byte in it ends *text. */
static bool deadletter_read_text(const struct json_value *member, struct arena *arena,
                                 const char **text) {
    const struct span decoded = json_text(member, arena);
    *text = arena_span(arena, decoded).p;
    return decoded.p != NULL;
}

static bool deadletter_read_topic(const struct json_value *member, struct arena *arena,
                                  const char **topic) {
    const struct span decoded = json_text(member, arena);
    *topic = arena_span(arena, decoded).p;
    const bool has_nul_byte = strlen(*topic) < decoded.n;
    return !has_nul_byte && name_is_valid(*topic);
}

/* Reads the key or the value: a string, null, or base64. */
static bool deadletter_read_bytes(const struct json_value *as_string,
                                  const struct json_value *as_base64, struct arena *arena,
                                  struct span *bytes) {
    *bytes = json_text(as_string, arena);
    if (bytes->p || as_string->type == JSON_TYPE_NULL)
        return true;
    const struct span encoded = json_text(as_base64, arena);
    if (!encoded.p)
        return false;
    BUF_LOCAL struct buf decoded = {0};
    const bool is_base64 = base64_decode(&decoded, encoded);
    *bytes = arena_span(arena, buf_view(&decoded));
    return is_base64;
}

/* False: a member is missing, or makes no sense. */
static bool deadletter_read_members(const struct json_value *m, struct arena *arena,
                                    struct deadletter *d) {
    int64_t partition, full_size = -1;
    if (!deadletter_read_text(&m[DEADLETTER_REASON], arena, &d->reason))
        return false;
    if (!deadletter_read_topic(&m[DEADLETTER_TOPIC], arena, &d->topic))
        return false;
    if (!deadletter_read_number(&m[DEADLETTER_PARTITION], -1, INT32_MAX, &partition))
        return false;
    d->partition = (int32_t)partition;
    if (!deadletter_read_number(&m[DEADLETTER_OFFSET], -1, INT64_MAX, &d->offset))
        return false;
    if (!deadletter_read_number(&m[DEADLETTER_TIMESTAMP], INT64_MIN, INT64_MAX, &d->ts_ms))
        return false;
    if (!deadletter_read_bytes(&m[DEADLETTER_KEY], &m[DEADLETTER_KEY_BASE64], arena, &d->key))
        return false;
    if (!deadletter_read_bytes(&m[DEADLETTER_VALUE], &m[DEADLETTER_VALUE_BASE64], arena, &d->value))
        return false;
    const struct json_value *truncated = &m[DEADLETTER_TRUNCATED];
    const bool is_truncated = truncated->raw.p != NULL;
    if (is_truncated && !deadletter_read_number(truncated, -1, INT64_MAX, &full_size))
        return false;
    d->full_size = full_size;
    return true;
}

int deadletter_read(struct span envelope, struct arena *arena, struct deadletter *d,
                    struct err *err) {
    struct json_value members[DEADLETTER_MEMBERS];
    *d = (struct deadletter){.full_size = -1};
    if (json_members(envelope, deadletter_members, members, DEADLETTER_MEMBERS, arena, err) != 0)
        return err_prefix(err, "not a dead letter");
    if (!deadletter_read_members(members, arena, d))
        return err_set(err, "not a dead letter: a member is missing or invalid");
    return 0;
}
