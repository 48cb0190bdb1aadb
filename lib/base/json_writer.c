/* json_writer: see json_writer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_writer.h"

#include "escape.h"

enum { INT64_DIGITS = 20 }; /* of INT64_MIN, its sign included */

/* Every value and every key begins here. */
static void json_writer_separate(struct json_writer *w) {
    if (w->comma_due)
        buf_char(w->out, ',');
    w->comma_due = true;
}

static void json_writer_open(struct json_writer *w, char bracket) {
    json_writer_separate(w);
    buf_char(w->out, bracket);
    w->comma_due = false;
}

static void json_writer_close(struct json_writer *w, char bracket) {
    buf_char(w->out, bracket);
    w->comma_due = true;
}

void json_writer_object_begin(struct json_writer *w) {
    json_writer_open(w, '{');
}

void json_writer_object_end(struct json_writer *w) {
    json_writer_close(w, '}');
}

void json_writer_array_begin(struct json_writer *w) {
    json_writer_open(w, '[');
}

void json_writer_array_end(struct json_writer *w) {
    json_writer_close(w, ']');
}

void json_writer_key(struct json_writer *w, const char *key) {
    const size_t n = strlen(key);
    json_writer_separate(w);
    char *to = buf_room(w->out, n + 3);
    to[0] = '"';
    memcpy(to + 1, key, n);
    memcpy(to + 1 + n, "\":", 3); /* and a NUL, for which a buf always has room */
    w->out->n += n + 3;
    w->comma_due = false;
}

void json_writer_string(struct json_writer *w, struct span s) {
    json_writer_separate(w);
    escape_json(w->out, s);
}

void json_writer_int64(struct json_writer *w, int64_t number) {
    char digits[INT64_DIGITS];
    size_t at = sizeof digits;
    uint64_t left = (uint64_t)number;
    if (number < 0)
        left = 0 - left; /* unsigned, because INT64_MIN has no positive counterpart */
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        digits[--at] = '-';
    json_writer_separate(w);
    buf_add(w->out, digits + at, sizeof digits - at);
}

void json_writer_raw(struct json_writer *w, struct span json) {
    json_writer_separate(w);
    buf_span(w->out, json);
}

void json_writer_plain_begin(struct json_writer *w) {
    json_writer_separate(w);
    buf_char(w->out, '"');
}

void json_writer_plain_end(struct json_writer *w) {
    buf_char(w->out, '"');
}

void json_writer_member_string(struct json_writer *w, const char *key, struct span s) {
    json_writer_key(w, key);
    json_writer_string(w, s);
}

void json_writer_member_int64(struct json_writer *w, const char *key, int64_t number) {
    json_writer_key(w, key);
    json_writer_int64(w, number);
}

void json_writer_member_raw(struct json_writer *w, const char *key, struct span json) {
    json_writer_key(w, key);
    json_writer_raw(w, json);
}
