/* conf_write: settings as YAML text that conf_yaml reads back; conf_print and conf_write of conf.h.
 * Owns nothing. One thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../base/escape.h"
#include "conf.h"
#include "conf_internal.h"

static const char conf_hidden[] = "******";

/* True if s may be written without quotes, even in a list. Numbers and words such as true may: the
 * type of a setting comes from its row. */
static bool conf_is_plain(struct span s) {
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "/._-+:@%=";
    if (s.n == 0 || strspn(s.p, safe) != s.n)
        return false;
    const bool is_indicator = strchr("-+:@%=", s.p[0]) || s.p[s.n - 1] == ':';
    return !is_indicator && !span_is(s, "null");
}

/* text as a scalar. '$' is doubled, because ${NAME} stands for the environment. */
static void conf_write_text(const char *text, struct buf *out) {
    if (conf_is_plain(span_of(text))) {
        buf_text(out, text);
        return;
    }
    buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '$')
            buf_char(out, *text);
        buf_char(out, *text);
    }
    buf_char(out, '\'');
}

bool conf_is_secret_item(const char *name) {
    static const char *const words[] = {"password", "secret", "token", "oauth", "jaas", "pem"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i]))
            return true;
    return false;
}

bool conf_is_hidden(const struct setting *v) {
    if (!(v->row->bits & OPT_SECRET))
        return false;
    if (opt_has_file(v->row))
        return **(char **)v->field != '\0';
    const struct str_map *map = v->field;
    for (size_t i = 0; i < map->n; i++)
        if (conf_is_secret_item(map->keys[i]))
            return true;
    return false;
}

static void conf_write_list(const struct str_list *list, struct buf *out) {
    buf_char(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            buf_text(out, ", ");
        conf_write_text(list->items[i], out);
    }
    buf_char(out, ']');
}

static void conf_write_map(const struct str_map *map, bool may_have_secrets, struct buf *out) {
    buf_char(out, '{');
    for (size_t i = 0; i < map->n; i++) {
        if (i > 0)
            buf_text(out, ", ");
        conf_write_text(map->keys[i], out);
        buf_text(out, ": ");
        if (may_have_secrets && conf_is_secret_item(map->keys[i]))
            buf_text(out, conf_hidden);
        else
            conf_write_text(map->values[i], out);
    }
    buf_char(out, '}');
}

void conf_print(const struct setting *v, struct buf *out) {
    switch (v->row->type) {
    case OPT_STRING:
    case OPT_CHOICE:
        if (conf_is_hidden(v))
            buf_text(out, conf_hidden);
        else
            conf_write_text(*(char **)v->field, out);
        break;
    case OPT_BOOL:
        buf_text(out, *(bool *)v->field ? "true" : "false");
        break;
    case OPT_INT:
    case OPT_MS:
    case OPT_BYTES:
        opt_add_number(v->row, *(int64_t *)v->field, out);
        break;
    case OPT_LIST:
        conf_write_list(v->field, out);
        break;
    case OPT_MAP:
        conf_write_map(v->field, v->row->bits & OPT_SECRET, out);
        break;
    }
}

/* One setting with its comments. A secret that came from no file becomes a comment, so that reading
 * the text back never sets it to stars. */
static void conf_write_setting(const struct setting *v, int indent, bool with_origin,
                               struct buf *out) {
    const char *comment = conf_is_hidden(v) && !v->file ? "# " : "";
    const char *suffix = v->file ? "_file" : "";
    buf_printf(out, "%*s%s%s%s: ", indent, "", comment, v->row->name, suffix);
    if (v->file)
        conf_write_text(v->file, out);
    else
        conf_print(v, out);
    if (with_origin) {
        buf_text(out, "  # ");
        escape_printable(out, span_of(v->where));
    }
    buf_char(out, '\n');
}

/* True if the first n bytes of name are a level of the section previous, or all of it. */
static bool conf_is_open(const char *name, size_t n, const char *previous) {
    return strncmp(name, previous, n) == 0 && (previous[n] == '.' || previous[n] == '\0');
}

/* Writes the levels of the section's name ("bus.local") that the previous section ("bus.kafka")
 * does not share. Returns how far its settings are indented. */
static int conf_open_section(const char *name, const char *previous, struct buf *out) {
    struct span rest = span_of(name), level;
    int indent = 0;
    while (span_next(&rest, '.', &level)) {
        const size_t n = (size_t)(level.p - name) + level.n;
        if (!conf_is_open(name, n, previous))
            buf_printf(out, "%*s%.*s:\n", indent, "", SPAN_ARG(level));
        indent += 2;
    }
    return indent;
}

void conf_write(const struct conf *c, bool with_origin, struct buf *out) {
    const char *previous = "";
    int indent = 0;
    for (const struct setting *v = c->all; v < c->end; v++) {
        if (v->row->bits & OPT_FLAG_ONLY)
            continue;
        const char *name = v->section->name;
        if (name != previous)
            indent = conf_open_section(name, previous, out);
        previous = name;
        conf_write_setting(v, indent, with_origin, out);
    }
}
