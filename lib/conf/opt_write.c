/* opt_write: settings as YAML text that conf_yaml reads back; conf_print and conf_write of opt.h.
 * Owns nothing. One thread. SPDX-License-Identifier: Apache-2.0 */
#include "../base/escape.h"
#include "opt.h"

#include "opt_value.h"

/* May s stand without quotes, in a flow sequence too? Numbers and words such as true may: a
 * setting's type comes from its row. */
static bool is_plain(struct span s) {
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "/._-+:@%=";
    return s.n && strspn(s.p, safe) == s.n && !strchr("-+:@%=", s.p[0]) && s.p[s.n - 1] != ':' &&
           !span_is(s, "null");
}

/* text as a scalar. '$' is doubled, because ${NAME} is the environment. */
static void write_text(const char *text, struct buf *out) {
    if (is_plain(span_of(text))) {
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

/* Of a map that may hold secrets: is the value of that name one? */
static bool is_secret(const char *name) {
    static const char *const words[] = {"password", "secret", "token", "oauth", "jaas", "pem"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i]))
            return true;
    return false;
}

static bool is_hidden(const struct setting *v) {
    if (!(v->row->bits & OPT_SECRET))
        return false;
    if (opt_has_file(v->row))
        return **(char **)v->field;
    const struct str_map *map = v->field;
    for (size_t i = 0; i < map->n; i++)
        if (is_secret(map->keys[i]))
            return true;
    return false;
}

/* keys NULL: a list. */
static void write_items(char *const *keys, char *const *values, size_t n, bool secrets,
                        struct buf *out) {
    buf_char(out, keys ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        buf_text(out, i ? ", " : "");
        if (keys) {
            write_text(keys[i], out);
            buf_text(out, ": ");
        }
        if (secrets && is_secret(keys[i]))
            buf_text(out, "******");
        else
            write_text(values[i], out);
    }
    buf_char(out, keys ? '}' : ']');
}

void conf_print(const struct setting *v, struct buf *out) {
    const struct str_list *list = v->field;
    const struct str_map *map = v->field;
    switch (v->row->type) {
    case OPT_STRING:
    case OPT_CHOICE:
        if (is_hidden(v))
            buf_text(out, "******");
        else
            write_text(*(char **)v->field, out);
        break;
    case OPT_BOOL:
        buf_text(out, *(bool *)v->field ? "true" : "false");
        break;
    case OPT_INT:
    case OPT_MS:
    case OPT_BYTES:
        opt_value_number(v->row, *(int64_t *)v->field, out);
        break;
    case OPT_LIST:
        write_items(NULL, list->items, list->n, false, out);
        break;
    case OPT_MAP:
        write_items(map->keys, map->values, map->n, v->row->bits & OPT_SECRET, out);
        break;
    }
}

/* One setting with its comments. A secret that came from no file stands behind a '#', so that what
 * is read back never sets it to stars. */
static void write_setting(const struct setting *v, int indent, bool origin, struct buf *out) {
    buf_printf(out, "%*s%s%s%s: ", indent, "", is_hidden(v) && !v->file ? "# " : "", v->row->name,
               v->file ? "_file" : "");
    if (v->file)
        write_text(v->file, out);
    else
        conf_print(v, out);
    if (origin)
        buf_text(out, "  # ");
    if (origin)
        escape_printable(out, span_of(v->where));
    buf_char(out, '\n');
}

/* Opens the levels of the section's name ("bus.local") that the one before ("bus.kafka") has not.
 * How far its settings are indented. */
static int open_section(const struct opt_section *s, const char *before, struct buf *out) {
    int indent = 0;
    for (size_t at = 0, end; s->name[at]; at = end + (s->name[end] == '.'), indent += 2) {
        end = at + strcspn(s->name + at, ".");
        if (strncmp(s->name, before, end) == 0 && (before[end] == '.' || before[end] == '\0'))
            continue;
        buf_printf(out, "%*s%.*s:\n", indent, "", (int)(end - at), s->name + at);
    }
    return indent;
}

void conf_write(const struct conf *c, bool origin, struct buf *out) {
    const char *before = "";
    int indent = 0;
    for (const struct setting *v = c->all; v < c->end; v++) {
        if (v->row->bits & OPT_FLAG_ONLY)
            continue;
        if (before != v->section->name)
            indent = open_section(v->section, before, out);
        before = v->section->name;
        write_setting(v, indent, origin, out);
    }
}
