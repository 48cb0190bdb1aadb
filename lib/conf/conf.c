/* conf: see conf.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf.h"

#include <ctype.h>
#include <stdio.h>

#include "../base/mem.h"
#include "../base/suggest.h"
#include "conf_internal.h"
#include "file.h"
#include "opt_value.h"

enum { CONF_SECRET_BYTES = 65536 }; /* at most, in a secret's file */

/* Who sets a value, and how. */
struct conf_source {
    enum opt_origin origin;
    const char *where;
    bool is_file; /* the text names a file with the value (KEY_file) */
};

/* False for a flag that has no key. */
static bool conf_has_key(const struct setting *v) {
    return !(v->row->bits & OPT_FLAG_ONLY);
}

/* True if a secret, a text or a map, has a value. */
static bool conf_is_given(const struct setting *v) {
    if (v->row->type == OPT_MAP)
        return ((const struct str_map *)v->field)->n > 0;
    return **(char *const *)v->field != '\0';
}

/* Adds the row's setting with its default; values: the section's struct. */
static void conf_add_setting(struct conf *c, const struct opt_section *s, const struct opt *row,
                             char *values) {
    struct setting *v = c->end;
    c->end++;
    *v = (struct setting){
        .key = arena_printf(&c->arena, "%s.%s", s->name, row->name),
        .section = s,
        .row = row,
        .origin = OPT_DEFAULT,
        .where = "default",
    };
    v->field = values + row->offset;
    struct err err;
    if (opt_value_parse(row, span_of(row->def), v->field, &c->arena, &err) != 0) {
        fprintf(stderr, "default of %s: %s\n", v->key, err.text);
        abort();
    }
}

struct conf *conf_new(const struct opt_section *const *sections) {
    struct conf *c = mem_calloc(1, sizeof *c);
    size_t n = 0;
    for (const struct opt_section *const *s = sections; *s; s++)
        n += (*s)->n;
    c->all = mem_calloc(n, sizeof *c->all);
    c->end = c->all;
    for (const struct opt_section *const *at = sections; *at; at++) {
        const struct opt_section *s = *at;
        char *values = arena_take(&c->arena, s->size);
        memset(values, 0, s->size);
        for (size_t i = 0; i < s->n; i++)
            conf_add_setting(c, s, &s->rows[i], values);
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
    for (const struct setting *v = c->all; v < c->end; v++)
        if (v->section == s)
            return (const char *)v->field - v->row->offset;
    abort(); /* a command asked for a section that is not in the list */
}

struct setting *conf_find(const struct conf *c, const char *key) {
    for (struct setting *v = c->all; v < c->end; v++) {
        const size_t n = strlen(v->key);
        if (!conf_has_key(v) || strncmp(key, v->key, n) != 0)
            continue;
        const char *suffix = key + n;
        if (*suffix == '\0')
            return v;
        if (opt_has_file(v->row) && strcmp(suffix, "_file") == 0)
            return v;
    }
    return NULL;
}

bool conf_has_section(const struct conf *c, const char *key) {
    const size_t n = strlen(key);
    for (const struct setting *v = c->all; v < c->end; v++)
        if (conf_has_key(v) && strncmp(v->key, key, n) == 0 && v->key[n] == '.')
            return true;
    return false;
}

int conf_unknown(const struct conf *c, const char *key, const char *where, struct err *err) {
    const char *colon = *where ? ": " : "";
    if (conf_has_section(c, key))
        return err_set(err, "%s%s%s: a section, not a setting; name one of its settings", where,
                       colon, key);
    const char *dot = strrchr(key, '.');
    const char *name = dot ? dot + 1 : key;
    struct suggest similar_key;
    struct suggest same_name; /* the right name in the wrong section, however far that is */
    suggest_init(&similar_key, key);
    suggest_init(&same_name, key);
    same_name.distance_less = SIZE_MAX;
    for (const struct setting *v = c->all; v < c->end; v++) {
        if (!conf_has_key(v))
            continue;
        suggest_offer(&similar_key, "%s", v->section->name);
        suggest_offer(&similar_key, "%s", v->key);
        if (strcmp(v->row->name, name) == 0)
            suggest_offer(&same_name, "%s", v->key);
    }
    const char *hint = *similar_key.hint ? similar_key.hint : same_name.hint;
    return err_set(err, "%s%s%s: unknown setting%s", where, colon, key, hint);
}

/* file: the arena's, or NULL. */
static void conf_set_origin(struct conf *c, struct setting *v, enum opt_origin origin,
                            const char *where, const char *file) {
    v->origin = origin;
    v->where = arena_span(&c->arena, span_of(where)).p;
    v->file = file;
}

static struct span conf_without_newline(struct span s) {
    if (s.n == 0 || s.p[s.n - 1] != '\n')
        return s;
    s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

/* Sets a secret to the content of its file without the last newline. Who else may read the file is
 * not checked: Kubernetes and Docker mount secrets readable for everyone inside the container. */
static int conf_read_secret(struct conf *c, const struct setting *v, const char *path,
                            struct err *err) {
    BUF_LOCAL struct buf content = {0};
    if (file_read(&content, path, CONF_SECRET_BYTES, err) != 0)
        return -1;
    const struct span secret = conf_without_newline(buf_view(&content));
    if (span_is(secret, *(const char **)v->field))
        return 0; /* unchanged: take no more of the arena */
    return opt_value_parse(v->row, secret, v->field, &c->arena, err);
}

/* Sets v from the file that text names, and *path to its expanded name. */
static int conf_set_from_file(struct conf *c, const struct setting *v, struct span text,
                              const char **path, struct err *err) {
    static const struct opt path_row = {.type = OPT_STRING, .bits = OPT_PATH};
    if (opt_value_parse(&path_row, text, path, &c->arena, err) != 0)
        return -1;
    return conf_read_secret(c, v, *path, err);
}

static int conf_set_value(struct conf *c, struct setting *v, struct span text,
                          const struct conf_source *source, struct err *err) {
    const char *name = v->row->name;
    if (text.n == 0 && v->row->bits & OPT_NOT_EMPTY)
        return err_set(err, "the value must not be empty");
    /* One origin may give a secret or its file. An empty one of the two does not count. */
    const bool is_given = opt_has_file(v->row) && v->origin == source->origin && conf_is_given(v);
    const bool is_twin_given = is_given && source->is_file != (v->file != NULL);
    if (is_twin_given && text.n > 0)
        return err_set(err, "%s and %s_file are both set (%s); set only one of them", name, name,
                       v->where);
    if (text.n == 0 && (source->is_file || is_twin_given))
        return 0;
    const char *path = NULL;
    int failed;
    if (source->is_file)
        failed = conf_set_from_file(c, v, text, &path, err);
    else
        failed = opt_value_parse(v->row, text, v->field, &c->arena, err);
    if (failed)
        return -1;
    conf_set_origin(c, v, source->origin, source->where, path);
    return 0;
}

int conf_set(struct conf *c, const char *key, struct span text, enum opt_origin origin,
             const char *where, struct err *err) {
    struct setting *v = conf_find(c, key);
    if (!v)
        return conf_unknown(c, key, where, err);
    const bool is_file = strcmp(key, v->key) != 0;
    const struct conf_source source = {origin, where, is_file};
    if (conf_set_value(c, v, text, &source, err) != 0)
        return err_prefix(err, "%s: %s", where, key);
    return 0;
}

int conf_set_items(struct conf *c, const char *key, const struct str_map *items, const char *where,
                   struct err *err) {
    struct setting *v = conf_find(c, key);
    if (!v)
        return conf_unknown(c, key, where, err);
    if (opt_value_items(v->row, items, v->field, &c->arena, err) != 0)
        return err_prefix(err, "%s: %s", where, key);
    conf_set_origin(c, v, OPT_YAML, where, NULL);
    return 0;
}

int conf_flag(struct conf *c, const struct opt *row, const char *text, struct err *err) {
    struct setting *v = c->all;
    while (v->row != row)
        v++;
    const char *where = arena_printf(&c->arena, "--%s", row->flag);
    const struct conf_source source = {OPT_COMMAND_LINE, where, false};
    if (conf_set_value(c, v, span_of(text), &source, err) != 0)
        return err_prefix(err, "%s", where);
    return 0;
}

/* DISTLOG_BUS_LOCAL_PATH for bus.local.path. */
static char *conf_env_name(struct conf *c, const struct setting *v, bool is_file) {
    char *name = arena_printf(&c->arena, "DISTLOG_%s%s", v->key, is_file ? "_FILE" : "");
    for (char *at = name; *at; at++) {
        if (*at == '.')
            *at = '_';
        else
            *at = (char)toupper((unsigned char)*at);
    }
    return name;
}

/* Sets v, or v from its file, if there is such a variable. */
static int conf_set_from_env(struct conf *c, struct setting *v, bool is_file, struct err *err) {
    const char *name = conf_env_name(c, v, is_file);
    const char *value = getenv(name);
    if (!value)
        return 0;
    const char *where = arena_printf(&c->arena, "environment %s", name);
    const struct conf_source source = {OPT_ENV, where, is_file};
    if (conf_set_value(c, v, span_of(value), &source, err) != 0)
        return err_prefix(err, "%s", where);
    return 0;
}

int conf_env(struct conf *c, struct err *err) {
    for (struct setting *v = c->all; v < c->end; v++) {
        if (!conf_has_key(v))
            continue;
        if (conf_set_from_env(c, v, false, err) != 0)
            return -1;
        if (opt_has_file(v->row) && conf_set_from_env(c, v, true, err) != 0)
            return -1;
    }
    return 0;
}

bool conf_has_secret(const struct conf *c) {
    for (const struct setting *v = c->all; v < c->end; v++) {
        const bool is_confidential = v->row->bits & (OPT_SECRET | OPT_KEY);
        if (is_confidential && conf_is_given(v))
            return true;
    }
    return false;
}

void conf_renew_secrets(struct conf *c) {
    struct err ignored;
    for (struct setting *v = c->all; v < c->end; v++)
        if (v->file)
            conf_read_secret(c, v, v->file, &ignored);
}
