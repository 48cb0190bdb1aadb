/* conf_json: see conf_json.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf_json.h"

#include <jansson.h>

#include "../base/escape.h"
#include "../base/mem.h"
#include "conf_internal.h"

static const char conf_json_hidden[] = "******";

/* jansson returns NULL for want of memory alone: the texts of settings are valid UTF-8. */
static json_t *conf_json_made(json_t *value) {
    if (!value)
        mem_abort();
    return value;
}

static json_t *conf_json_text(const char *text) {
    return conf_json_made(json_string(text));
}

static void conf_json_set(json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        mem_abort();
}

static json_t *conf_json_list(const struct str_list *list) {
    json_t *array = conf_json_made(json_array());
    for (size_t i = 0; i < list->n; i++) {
        if (json_array_append_new(array, conf_json_text(list->items[i])) != 0)
            mem_abort();
    }
    return array;
}

static json_t *conf_json_map(const struct setting *v) {
    const struct str_map *map = v->field;
    const bool may_have_secrets = v->row->bits & OPT_SECRET;
    json_t *object = conf_json_made(json_object());
    for (size_t i = 0; i < map->n; i++) {
        const char *value = map->values[i];
        if (may_have_secrets && conf_is_secret_item(map->keys[i]))
            value = conf_json_hidden;
        conf_json_set(object, map->keys[i], conf_json_text(value));
    }
    return object;
}

/* Durations and sizes, as YAML spells them. */
static json_t *conf_json_with_unit(const struct setting *v) {
    BUF_LOCAL struct buf text = {0};
    conf_print(v, &text);
    return conf_json_text(text.p);
}

static json_t *conf_json_string(const struct setting *v) {
    if (v->file)
        return conf_json_text(v->file);
    if (conf_is_hidden(v))
        return conf_json_text(conf_json_hidden);
    return conf_json_text(*(const char *const *)v->field);
}

static json_t *conf_json_value(const struct setting *v) {
    switch (v->row->type) {
    case OPT_STRING:
    case OPT_CHOICE:
        return conf_json_string(v);
    case OPT_BOOL:
        return conf_json_made(json_boolean(*(const bool *)v->field));
    case OPT_INT:
        return conf_json_made(json_integer(*(const int64_t *)v->field));
    case OPT_MS:
    case OPT_BYTES:
        return conf_json_with_unit(v);
    case OPT_LIST:
        return conf_json_list(v->field);
    case OPT_MAP:
        break;
    }
    return conf_json_map(v);
}

static json_t *conf_json_with_origin(const struct setting *v) {
    BUF_LOCAL struct buf where = {0};
    escape_printable(&where, span_of(v->where)); /* it may name a file, of any bytes */
    json_t *object = conf_json_made(json_object());
    conf_json_set(object, "value", conf_json_value(v));
    conf_json_set(object, "origin", conf_json_text(where.p));
    return object;
}

/* Returns the object of a section ("bus.local"), made with the levels above it where it is missing.
 * It stays root's. */
static json_t *conf_json_section(json_t *root, const char *name) {
    struct span rest = span_of(name), level;
    json_t *object = root;
    while (span_next(&rest, '.', &level)) {
        BUF_LOCAL struct buf key = {0};
        buf_span(&key, level);
        json_t *inner = json_object_get(object, key.p);
        if (!inner) {
            inner = conf_json_made(json_object());
            conf_json_set(object, key.p, inner);
        }
        object = inner;
    }
    return object;
}

static int conf_json_on_bytes(const char *bytes, size_t n, void *out) {
    buf_add(out, bytes, n);
    return 0;
}

void conf_json_write(const struct conf *c, bool with_origin, struct buf *out) {
    json_t *root = conf_json_made(json_object());
    for (const struct setting *v = c->all; v < c->end; v++) {
        if (v->row->bits & OPT_FLAG_ONLY)
            continue;
        BUF_LOCAL struct buf key = {0};
        buf_printf(&key, "%s%s", v->row->name, v->file ? "_file" : "");
        json_t *section = conf_json_section(root, v->section->name);
        if (with_origin)
            conf_json_set(section, key.p, conf_json_with_origin(v));
        else
            conf_json_set(section, key.p, conf_json_value(v));
    }
    if (json_dump_callback(root, conf_json_on_bytes, out, JSON_PRESERVE_ORDER) != 0)
        mem_abort();
    json_decref(root);
}
