/* es_json: see es_json.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_json.h"

#include "../../base/escape.h"
#include "../../base/json.h"
#include "../../base/mem.h"
#include "../../base/utf8.h"

enum { ES_JSON_TREE_BYTES = 64 << 20 };

json_t *es_json_read(struct span text) {
    json_error_t error;
    if (text.n > ES_JSON_TREE_BYTES)
        return NULL;
    json_t *read = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &error);
    if (!read && json_error_code(&error) == json_error_out_of_memory)
        mem_abort();
    return read;
}

static int es_json_on_bytes(const char *bytes, size_t n, void *ctx) {
    buf_add(ctx, bytes, n);
    return 0;
}

void es_json_write(json_t *document, struct buf *out) {
    if (!document ||
        json_dump_callback(document, es_json_on_bytes, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        mem_abort();
    json_decref(document);
}

void es_json_append(json_t *array, json_t *item) {
    if (json_array_append_new(array, item) != 0)
        mem_abort();
}

void es_json_set(json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        mem_abort();
}

json_t *es_json_string(struct span text) {
    BUF_LOCAL struct buf escaped = {0};
    if (!utf8_valid(text.p, text.n)) {
        escape_printable(&escaped, text);
        text = buf_view(&escaped);
    }
    json_t *string = json_stringn(text.p, text.n);
    if (!string)
        mem_abort();
    return string;
}

const json_t *es_json_at(const json_t *object, const char *path) {
    struct span rest = span_of(path), key;
    while (object && span_next(&rest, '.', &key))
        object = json_object_getn(object, key.p, key.n);
    return object;
}

struct span es_json_text(const json_t *object, const char *path) {
    const json_t *value = es_json_at(object, path);
    return (struct span){json_string_value(value), json_string_length(value)};
}

int64_t es_json_count(const json_t *object, const char *path) {
    const double number = json_number_value(es_json_at(object, path));
    if (number < 0 || number >= 1e15)
        return 0;
    return (int64_t)number;
}

struct span es_scan_text(struct span object, const char *path, struct arena *arena) {
    const struct span raw = json_get(object, path, arena);
    if (!raw.p || *raw.p != '"')
        return (struct span){0};
    return json_decode(raw, arena);
}
