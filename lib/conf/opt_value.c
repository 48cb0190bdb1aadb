/* opt_value: see opt_value.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "opt_value.h"

#include "../base/escape.h"
#include "../base/name.h"
#include "../base/units.h"

enum { OPT_VALUE_SHOWN = 60 }; /* how many bytes of a refused value an error text shows */

/* Always returns -1. */
static int opt_value_refuse(const struct opt *row, const char *text, struct err *err) {
    BUF_LOCAL struct buf expected = {0};
    opt_expected(row, &expected);
    if (row->bits & (OPT_SECRET | OPT_URL))
        text = "******";
    const char *ellipsis = strlen(text) > OPT_VALUE_SHOWN ? "…" : "";
    return err_set(err, "'%.*s%s' is not %s", OPT_VALUE_SHOWN, text, ellipsis, expected.p);
}

/* True if s is one line of printable text, which YAML can represent unchanged. */
static bool opt_value_is_printable(struct span s) {
    /* U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF: YAML takes them for line breaks or refuses them. */
    static const char *const refused[] = {"\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf",
                                          "\xef\xbf\xbe", "\xef\xbf\xbf"};
    BUF_LOCAL struct buf printable = {0};
    buf_text(&printable, "");
    escape_printable(&printable, s);
    if (!span_eq(buf_view(&printable), s))
        return false;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strstr(printable.p, refused[i]))
            return false;
    return true;
}

/* A copy in the arena, or NULL with err. */
static char *opt_value_copy(struct span s, struct arena *arena, struct err *err) {
    if (!opt_value_is_printable(s)) {
        err_set(err, "the value is not one line of printable UTF-8");
        return NULL;
    }
    return (char *)arena_span(arena, s).p;
}

static bool opt_value_parse_bool(const char *text, bool *value) {
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *value = true;
            return true;
        }
        if (strcasecmp(text, no[i]) == 0) {
            *value = false;
            return true;
        }
    }
    return false;
}

static bool opt_value_is_choice(const char *choices, const char *word) {
    struct span rest = span_of(choices), choice;
    while (span_next(&rest, '|', &choice))
        if (span_is(choice, word))
            return true;
    return false;
}

/* True if text can be the name of an Elasticsearch index, once its date fields are filled in, and
 * needs no escaping in a URL. Elasticsearch refuses names that start with '-', '_' or '.'. */
static bool opt_value_is_pattern(const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    for (const char *c = text; *c; c++) {
        const bool is_date = *c == '%' && c[1] != '\0' && strchr("YmdH", c[1]);
        if (is_date)
            c++;
        else if (!strchr(letters, *c))
            return false;
    }
    const bool starts_well = *text != '\0' && !strchr("-_+.", *text);
    return starts_well && strlen(text) <= NAME_MOST;
}

/* True if a text, or an item's text, is what the row's choices or bits require. */
static bool opt_value_suits(const struct opt *row, const char *text) {
    if (row->type == OPT_CHOICE)
        return opt_value_is_choice(row->choices, text);
    if (row->bits & OPT_URL)
        return !strchr(text, '@');
    if (row->bits & OPT_NAME)
        return name_is_valid(text);
    if (row->bits & OPT_PATTERN)
        return opt_value_is_pattern(text);
    return true;
}

/* A file name in the data folder (OPT_DATA). */
static char *opt_value_in_data_folder(const char *name, const char *home, struct arena *arena) {
    const char *data = getenv("DISTLOG_DATA");
    if (data && *data)
        return arena_printf(arena, "%s/%s", data, name);
    const char *xdg = getenv("XDG_DATA_HOME");
    if (xdg && *xdg == '/') /* the XDG specification says to ignore a relative one */
        return arena_printf(arena, "%s/distlog/%s", xdg, name);
    return arena_printf(arena, "%s/.local/share/distlog/%s", home, name);
}

/* text, which is the arena's, as OPT_PATH and OPT_DATA change it. */
static char *opt_value_expand_path(const struct opt *row, char *text, struct arena *arena) {
    const char *home = getenv("HOME");
    if (!home)
        home = ""; /* the root folder, which only root may write to */
    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0'))
        return arena_printf(arena, "%s%s", home, text + 1);
    const bool is_bare_name = *text != '\0' && !strchr(text, '/');
    if (row->bits & OPT_DATA && is_bare_name)
        return opt_value_in_data_folder(text, home, arena);
    return text;
}

/* Checks item i and copies it to made, which holds the items before it. */
static int opt_value_copy_item(const struct opt *row, const struct str_map *items, size_t i,
                               struct str_map *made, struct arena *arena, struct err *err) {
    char *value = opt_value_copy(span_of(items->values[i]), arena, err);
    if (!value)
        return -1;
    if (!opt_value_suits(row, value))
        return opt_value_refuse(row, value, err);
    made->values[i] = value;
    if (row->type == OPT_LIST)
        return 0;
    char *key = opt_value_copy(span_of(items->keys[i]), arena, err);
    if (!key)
        return -1;
    for (size_t k = 0; k < i; k++)
        if (strcmp(made->keys[k], key) == 0)
            return err_set(err, "'%s' is given twice", key);
    made->keys[i] = key;
    return 0;
}

int opt_value_items(const struct opt *row, const struct str_map *items, void *field,
                    struct arena *arena, struct err *err) {
    const size_t size = (items->n + 1) * sizeof(char *);
    struct str_map made = {arena_take(arena, size), arena_take(arena, size), items->n};
    for (size_t i = 0; i < items->n; i++)
        if (opt_value_copy_item(row, items, i, &made, arena, err) != 0)
            return -1;
    if (row->type == OPT_LIST)
        *(struct str_list *)field = (struct str_list){made.values, made.n};
    else
        *(struct str_map *)field = made;
    return 0;
}

/* text without blanks around it; overwrites those at its end. */
static char *opt_value_trim(char *text) {
    static const char blanks[] = " \t";
    text += strspn(text, blanks);
    size_t n = strlen(text);
    while (n > 0 && strchr(blanks, text[n - 1]))
        n--;
    text[n] = '\0';
    return text;
}

/* Parses a,b,c or k=v,k=v. */
static int opt_value_parse_items(const struct opt *row, const char *text, void *field,
                                 struct arena *arena, struct err *err) {
    const size_t size = (strlen(text) + 1) * sizeof(char *);
    struct str_map items = {arena_take(arena, size), arena_take(arena, size), 0};
    char *rest = opt_value_trim((char *)arena_span(arena, span_of(text)).p);
    if (*rest == '\0')
        rest = NULL; /* no item, rather than an empty one */
    while (rest) {
        char *key = strsep(&rest, ","); /* of a list: the item itself */
        char *value = key;
        if (row->type == OPT_MAP) {
            char *equals = strchr(key, '=');
            if (!equals)
                return opt_value_refuse(row, text, err);
            *equals = '\0';
            value = equals + 1;
        }
        key = opt_value_trim(key);
        if (*key == '\0')
            return opt_value_refuse(row, text, err);
        items.keys[items.n] = key;
        items.values[items.n] = opt_value_trim(value);
        items.n++;
    }
    return opt_value_items(row, &items, field, arena, err);
}

static int opt_value_parse_number(const struct opt *row, const char *text, int64_t *field,
                                  struct err *err) {
    int64_t n;
    if (!units_parse(text, opt_units(row), &n))
        return opt_value_refuse(row, text, err);
    const bool is_too_large = row->max != 0 && n > row->max;
    if (n < row->min || is_too_large)
        return opt_value_refuse(row, text, err);
    *field = n;
    return 0;
}

int opt_value_parse(const struct opt *row, struct span text, void *field, struct arena *arena,
                    struct err *err) {
    char *copy = opt_value_copy(text, arena, err);
    if (!copy)
        return -1;
    switch (row->type) {
    case OPT_STRING:
    case OPT_CHOICE:
        if (!opt_value_suits(row, copy))
            return opt_value_refuse(row, copy, err);
        if (row->bits & OPT_PATH)
            copy = opt_value_expand_path(row, copy, arena);
        *(char **)field = copy;
        return 0;
    case OPT_BOOL:
        if (!opt_value_parse_bool(copy, field))
            return opt_value_refuse(row, copy, err);
        return 0;
    case OPT_LIST:
    case OPT_MAP:
        return opt_value_parse_items(row, copy, field, arena, err);
    case OPT_INT:
    case OPT_MS:
    case OPT_BYTES:
        return opt_value_parse_number(row, copy, field, err);
    }
    return opt_value_refuse(row, copy, err);
}
