/* opt_value: see opt_value.h; also opt_arg and opt_expected of opt.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "opt_value.h"

#include "../base/escape.h"
#include "../base/name.h"
#include "../base/units.h"

#include <ctype.h>
#include <errno.h>

/* How a type's value is called in help, what it must be, and the units of a number. */
static const struct kind {
    const char *arg, *expected;
    const struct unit *units;
} kinds[] = {
    [OPT_STRING] = {"TEXT", "text", NULL},
    [OPT_BOOL] = {"BOOL", "true or false", NULL},
    [OPT_INT] = {"N", "a number", units_none},
    [OPT_MS] = {"DURATION", "a duration such as 250ms, 5s, 15m, 2h or 7d", units_durations},
    [OPT_BYTES] = {"SIZE", "a size such as 512KB, 32MB or 10GB", units_sizes},
    [OPT_CHOICE] = {"WORD", "one of ", NULL},
    [OPT_LIST] = {"ITEM,…", "a list, or a,b,c", NULL},
    [OPT_MAP] = {"KEY=VALUE,…", "a mapping, or key=value,key=value", NULL},
};

static bool parse_bool(const char *text, bool *out) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    size_t i = 0, n = sizeof words / sizeof *words;
    while (i < n && strcasecmp(text, words[i]) != 0)
        i++;
    if (i < n)
        *out = i & 1;
    return i < n;
}

static bool is_choice(const char *choices, const char *word) {
    size_t n = strlen(word);
    for (const char *at = choices; n && !strchr(word, '|') && (at = strstr(at, word)); at += n)
        if ((at == choices || at[-1] == '|') && (at[n] == '|' || !at[n]))
            return true;
    return false;
}

/* A path with ~/ expanded, or in the data folder, as the row has it. */
static char *expand_path(const struct opt *row, char *text, struct arena *arena) {
    const char *data = getenv("DISTLOG_DATA"), *xdg = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");
    if (!home)
        home = ""; /* then in the root folder, where only root may write */
    if (text[0] == '~' && (!text[1] || text[1] == '/'))
        return arena_printf(arena, "%s%s", home, text + 1);
    if (!(row->bits & OPT_DATA) || !*text || strchr(text, '/'))
        return text;
    if (data && *data)
        return arena_printf(arena, "%s/%s", data, text);
    if (xdg && *xdg == '/') /* the XDG specification: ignore a relative one */
        return arena_printf(arena, "%s/distlog/%s", xdg, text);
    return arena_printf(arena, "%s/.local/share/distlog/%s", home, text);
}

const char *opt_arg(const struct opt *row) {
    if (row->arg)
        return row->arg;
    if (row->type == OPT_CHOICE)
        return row->choices;
    return row->bits & OPT_PATH ? "FILE" : kinds[row->type].arg;
}

void opt_value_number(const struct opt *row, int64_t value, struct buf *out) {
    const struct unit *u = kinds[row->type].units;
    while (u[1].name && (value == 0 || value % u->factor != 0))
        u++;
    if (value == 0 && row->type == OPT_MS)
        u = &units_durations[3]; /* 0s reads better than 0ms */
    buf_printf(out, "%lld%s", (long long)(value / u->factor), u->name);
}

void opt_expected(const struct opt *row, struct buf *out) {
    if (row->bits & OPT_URL)
        buf_text(out, "a URL without user and password (settings of their own)");
    else if (row->bits & OPT_NAME)
        buf_text(out, "a name (letters, digits, '.', '_', '-', at most 200)");
    else if (row->bits & OPT_PATTERN)
        buf_text(out,
                 "a name (lower case letters, digits, '-', '_', '.', and the dates %Y %m %d %H)");
    else
        buf_text(out, kinds[row->type].expected);
    for (const char *c = row->type == OPT_CHOICE ? row->choices : ""; *c; c++)
        buf_add(out, *c == '|' ? ", " : c, *c == '|' ? 2 : 1);
    if (!kinds[row->type].units || (row->type != OPT_INT && !row->min && !row->max))
        return;
    buf_text(out, row->max ? " (" : " (at least ");
    opt_value_number(row, row->min, out);
    buf_text(out, row->max ? " to " : "");
    if (row->max)
        opt_value_number(row, row->max, out);
    buf_char(out, ')');
}

static int refuse(const struct opt *row, const char *text, struct err *err) {
    enum { SHOWN = 60 };
    BUF_LOCAL struct buf expected = {0};
    opt_expected(row, &expected);
    if (row->bits & (OPT_SECRET | OPT_URL))
        text = "******";
    return err_set(err, "'%.*s%s' is not %s", SHOWN, text, strlen(text) > SHOWN ? "…" : "",
                   expected.p);
}

/* Is s one line of printable text, which YAML can hold again as it is? */
static bool is_text(struct span s) {
    /* U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF: line breaks to YAML, or no characters */
    static const char *const other[] = {"\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf",
                                        "\xef\xbf\xbe", "\xef\xbf\xbf"};
    BUF_LOCAL struct buf printable = {0};
    buf_text(&printable, "");
    escape_printable(&printable, s);
    bool ok = span_eq(buf_view(&printable), s);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        ok = ok && !strstr(printable.p, other[i]);
    return ok;
}

static char *copy(struct span s, struct arena *arena, struct err *err) {
    if (is_text(s))
        return (char *)arena_span(arena, s).p;
    return err_as(NULL, err, "the value is not one line of printable UTF-8");
}

#define DIGITS "0123456789._-"
#define LOWER  "abcdefghijklmnopqrstuvwxyz" DIGITS

/* Elasticsearch takes it for an index, and it needs no escaping in a URL. */
static bool is_pattern(const char *text) {
    for (const char *c = text; *c; c++) {
        if (*c == '%' && c[1] && strchr("YmdH", c[1]))
            c++;
        else if (!strchr(LOWER, *c))
            return false;
    }
    return *text && !strchr("-_+.", *text) && strlen(text) <= NAME_MOST;
}

bool opt_is_code(const struct opt *row, const char *item) {
    for (const char *const *code = row->code; code && *code; code++) {
        size_t n = strlen(*code);
        if (strncasecmp(item, *code, n) == 0 && ((*code)[n - 1] == '.' || !item[n]))
            return true;
    }
    return false;
}

/* Is a text what the row's choices or bits ask for? */
static bool suits(const struct opt *row, const char *text) {
    if (row->type == OPT_CHOICE)
        return is_choice(row->choices, text);
    if (row->bits & OPT_URL)
        return !strchr(text, '@');
    if (row->bits & OPT_NAME)
        return name_is_valid(text);
    return !(row->bits & OPT_PATTERN) || is_pattern(text);
}

int opt_value_items(const struct opt *row, const struct str_map *items, void *field,
                    struct arena *arena, struct err *err) {
    size_t size = (items->n + 1) * sizeof(char *);
    struct str_map made = {arena_take(arena, size), arena_take(arena, size), items->n};
    for (size_t i = 0; i < items->n; i++) {
        if (!(made.values[i] = copy(span_of(items->values[i]), arena, err)))
            return -1;
        if (!suits(row, made.values[i]))
            return refuse(row, made.values[i], err);
        if (row->type == OPT_LIST)
            continue;
        if (!(made.keys[i] = copy(span_of(items->keys[i]), arena, err)))
            return -1;
        for (size_t k = 0; k < i; k++)
            if (strcmp(made.keys[k], made.keys[i]) == 0)
                return err_set(err, "'%s' is given twice", made.keys[i]);
    }
    if (row->type == OPT_LIST)
        *(struct str_list *)field = (struct str_list){made.values, made.n};
    else
        *(struct str_map *)field = made;
    return 0;
}

static char *trim(char *text) {
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = '\0';
    return text;
}

/* a,b,c or k=v,k=v. text is the arena's, and is cut up. */
static int parse_items(const struct opt *row, char *text, void *field, struct arena *arena,
                       struct err *err) {
    size_t size = (strlen(text) + 1) * sizeof(char *);
    struct str_map items = {arena_take(arena, size), arena_take(arena, size), 0};
    char *rest = trim((char *)arena_span(arena, span_of(text)).p), *item;
    if (!*rest)
        rest = NULL;
    for (; (item = strsep(&rest, ",")); items.n++) {
        char *equals = row->type == OPT_MAP ? strchr(item, '=') : item;
        if (!equals)
            return refuse(row, text, err);
        if (row->type == OPT_MAP)
            *equals++ = '\0';
        items.keys[items.n] = trim(item);
        items.values[items.n] = trim(equals);
        if (!*items.keys[items.n])
            return refuse(row, text, err);
    }
    return opt_value_items(row, &items, field, arena, err);
}

int opt_value_parse(const struct opt *row, struct span span, void *field, struct arena *arena,
                    struct err *err) {
    int64_t n;
    char *text = copy(span, arena, err);
    if (!text)
        return -1;
    switch (row->type) {
    case OPT_STRING:
    case OPT_CHOICE:
        if (!suits(row, text))
            break;
        *(char **)field = row->bits & OPT_PATH ? expand_path(row, text, arena) : text;
        return 0;
    case OPT_BOOL:
        return parse_bool(text, field) ? 0 : refuse(row, text, err);
    case OPT_LIST:
    case OPT_MAP:
        return parse_items(row, text, field, arena, err);
    case OPT_INT:
    case OPT_MS:
    case OPT_BYTES:
        if (!units_parse(text, kinds[row->type].units, &n) || n < row->min ||
            (row->max && n > row->max))
            break;
        *(int64_t *)field = n;
        return 0;
    }
    return refuse(row, text, err);
}
