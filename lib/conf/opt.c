/* opt: the values of all sections and where each came from; see opt.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "opt.h"

#include <ctype.h>
#include <stdio.h>

#include "../base/mem.h"
#include "../base/suggest.h"
#include "file.h"
#include "opt_value.h"

enum { SECRET_MOST = 65536 }; /* bytes of a secret's file */

static bool is_setting(const struct setting *v) {
    return !(v->row->bits & OPT_FLAG_ONLY);
}

struct conf *conf_new(const struct opt_section *const *sections) {
    struct conf *c = mem_calloc(1, sizeof *c);
    size_t n = 0;
    for (const struct opt_section *const *s = sections; *s; s++)
        n += (*s)->n;
    c->all = c->end = mem_calloc(n, sizeof *c->all);
    for (const struct opt_section *s; (s = *sections); sections++) {
        char *values = memset(arena_take(&c->arena, s->size), 0, s->size);
        for (const struct opt *row = s->rows; row < s->rows + s->n; row++) {
            struct err err;
            struct setting *v = c->end++;
            *v = (struct setting){
                .section = s, .row = row, .field = values + row->offset, .where = "default"};
            v->key = arena_printf(&c->arena, "%s.%s", s->name, row->name);
            if (opt_value_parse(row, span_of(row->def), v->field, &c->arena, &err)) {
                fprintf(stderr, "default of %s: %s\n", v->key, err.text);
                abort();
            }
        }
    }
    return c;
}

void conf_free(struct conf *c) {
    if (!c)
        return;
    arena_release(&c->arena);
    free(c->all);
    free(c);
}

const void *conf_section(const struct conf *c, const struct opt_section *s) {
    const struct setting *v = c->all;
    while (v < c->end && v->section != s)
        v++;
    if (v == c->end)
        abort(); /* a command asked for a section that is not in the list */
    return (const char *)v->field - v->row->offset;
}

struct setting *conf_find(const struct conf *c, const char *key) {
    for (struct setting *v = c->all; v < c->end; v++) {
        size_t n = strlen(v->key);
        if (!is_setting(v) || strncmp(key, v->key, n) != 0)
            continue;
        if (!key[n] || (opt_has_file(v->row) && strcmp(key + n, "_file") == 0))
            return v;
    }
    return NULL;
}

bool conf_has_section(const struct conf *c, const char *key) {
    size_t n = strlen(key);
    for (const struct setting *v = c->all; v < c->end; v++)
        if (is_setting(v) && strncmp(v->key, key, n) == 0 && v->key[n] == '.')
            return true;
    return false;
}

int conf_unknown(const struct conf *c, const char *key, const char *where, struct err *err) {
    const char *colon = *where ? ": " : "", *dot = strrchr(key, '.');
    if (conf_has_section(c, key))
        return err_set(err, "%s%s%s: a section, not a setting; name one of its settings", where,
                       colon, key);
    struct suggest whole, name; /* name: the right name in the wrong section */
    suggest_init(&whole, key);
    suggest_init(&name, key);
    name.distance_less = sizeof name.hint;
    for (const struct setting *v = c->all; v < c->end; v++) {
        if (!is_setting(v))
            continue;
        suggest_offer(&whole, "%s", v->section->name);
        suggest_offer(&whole, "%s", v->key);
        if (strcmp(v->row->name, dot ? dot + 1 : key) == 0)
            suggest_offer(&name, "%s", v->key);
    }
    return err_set(err, "%s%s%s: no such setting%s", where, colon, key,
                   *whole.hint ? whole.hint : name.hint);
}

/* file is the arena's, or NULL. */
static void remember(struct conf *c, struct setting *v, enum opt_origin origin, const char *where,
                     const char *file) {
    v->origin = origin;
    v->where = arena_span(&c->arena, span_of(where)).p;
    v->file = file;
}

/* A secret from its file, whose last newline is not part of it. Who may read the file is not
 * judged: Kubernetes and Docker mount secrets readable for everyone inside the container. */
static int read_secret(struct conf *c, const struct setting *v, const char *path, struct err *err) {
    BUF_LOCAL struct buf secret = {0};
    if (file_read(&secret, path, SECRET_MOST, err))
        return -1;
    struct span s = buf_view(&secret);
    if (s.n && s.p[s.n - 1] == '\n')
        s.n -= s.n > 1 && s.p[s.n - 2] == '\r' ? 2 : 1;
    return span_is(s, *(const char **)v->field)
               ? 0
               : opt_value_parse(v->row, s, v->field, &c->arena, err);
}

/* From text, or file: from the file that it names. */
static int set(struct conf *c, struct setting *v, bool file, struct span text,
               enum opt_origin origin, const char *where, struct err *err) {
    static const struct opt file_row = {.type = OPT_STRING, .bits = OPT_PATH};
    const char *path = NULL, *name = v->row->name;
    if (!text.n && v->row->bits & OPT_NOT_EMPTY)
        return err_set(err, "expected a value, this is empty");
    bool has = opt_has_file(v->row) && v->origin == origin && **(char **)v->field;
    if (has && text.n && file != (v->file != NULL))
        return err_set(err, "%s and %s_file are both given (%s); one of them is enough", name, name,
                       v->where);
    /* An empty one of the two is no second answer. */
    if (!text.n && (file || (has && v->file)))
        return 0;
    if (opt_value_parse(file ? &file_row : v->row, text, file ? &path : v->field, &c->arena, err))
        return -1;
    if (file && read_secret(c, v, path, err))
        return -1;
    remember(c, v, origin, where, path);
    return 0;
}

int conf_set(struct conf *c, const char *key, struct span text, enum opt_origin origin,
             const char *where, struct err *err) {
    struct setting *v = conf_find(c, key);
    if (!v)
        return conf_unknown(c, key, where, err);
    bool file = strcmp(key, v->key) != 0;
    return set(c, v, file, text, origin, where, err) ? err_prefix(err, "%s: %s", where, key) : 0;
}

int conf_set_items(struct conf *c, const char *key, const struct str_map *items, const char *where,
                   struct err *err) {
    struct setting *v = conf_find(c, key);
    if (!v)
        return conf_unknown(c, key, where, err);
    if (opt_value_items(v->row, items, v->field, &c->arena, err))
        return err_prefix(err, "%s: %s", where, key);
    remember(c, v, OPT_YAML, where, NULL);
    return 0;
}

int conf_flag(struct conf *c, const struct opt *row, const char *text, struct err *err) {
    const char *where = arena_printf(&c->arena, "--%s", row->flag);
    struct setting *v = c->all;
    while (v->row != row)
        v++;
    return set(c, v, false, span_of(text), OPT_COMMAND_LINE, where, err)
               ? err_prefix(err, "%s", where)
               : 0;
}

/* bus.local.path is DISTLOG_BUS_LOCAL_PATH. */
static int set_from_env(struct conf *c, struct setting *v, bool file, struct err *err) {
    static const char before[] = "environment ";
    char *where = arena_printf(&c->arena, "%sDISTLOG_%s%s", before, v->key, file ? "_FILE" : "");
    char *name = where + sizeof before - 1;
    for (char *at = name; *at; at++)
        *at = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
    const char *value = getenv(name);
    return value && set(c, v, file, span_of(value), OPT_ENV, where, err)
               ? err_prefix(err, "%s", where)
               : 0;
}

int conf_env(struct conf *c, struct err *err) {
    for (struct setting *v = c->all; v < c->end; v++)
        if (is_setting(v) && (set_from_env(c, v, false, err) ||
                              (opt_has_file(v->row) && set_from_env(c, v, true, err))))
            return -1;
    return 0;
}

bool conf_has_secret(const struct conf *c) {
    for (struct setting *v = c->all; v < c->end; v++)
        if (v->row->bits & (OPT_SECRET | OPT_KEY) && opt_value_given(v->row, v->field))
            return true;
    return false;
}

void conf_renew_secrets(struct conf *c) {
    for (struct setting *v = c->all; v < c->end; v++)
        if (v->file)
            read_secret(c, v, v->file, &(struct err){0});
}
