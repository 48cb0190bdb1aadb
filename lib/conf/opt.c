/* opt: see opt.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "opt.h"

#include "../base/units.h"

/* For each type: the word for its value in help, what a value must be, and the units of a number.
 */
static const struct opt_kind {
    const char *arg, *expected;
    const struct unit *units;
} opt_kinds[] = {
    [OPT_STRING] = {"TEXT", "text", NULL},
    [OPT_BOOL] = {"BOOL", "true or false", NULL},
    [OPT_INT] = {"N", "a number", units_none},
    [OPT_MS] = {"DURATION", "a duration such as 250ms, 5s, 15m, 2h or 7d", units_durations},
    [OPT_BYTES] = {"SIZE", "a size such as 512KB, 32MB or 10GB", units_sizes},
    [OPT_CHOICE] = {"WORD", "one of ", NULL},
    [OPT_LIST] = {"ITEM,…", "a list (a,b,c)", NULL},
    [OPT_MAP] = {"KEY=VALUE,…", "a mapping (key=value,key=value)", NULL},
};

const char *opt_arg(const struct opt *row) {
    if (row->arg)
        return row->arg;
    if (row->type == OPT_CHOICE)
        return row->choices;
    if (row->bits & OPT_PATH)
        return "FILE";
    return opt_kinds[row->type].arg;
}

const struct unit *opt_units(const struct opt *row) {
    return opt_kinds[row->type].units;
}

void opt_add_number(const struct opt *row, int64_t value, struct buf *out) {
    if (value == 0 && row->type == OPT_MS) {
        buf_text(out, "0s"); /* reads better than 0ms */
        return;
    }
    /* The largest unit that needs no fraction; 0 is written in the smallest one. */
    const struct unit *unit = opt_units(row);
    while (unit[1].name && (value == 0 || value % unit->factor != 0))
        unit++;
    buf_printf(out, "%" PRId64 "%s", value / unit->factor, unit->name);
}

static const char *opt_expected_kind(const struct opt *row) {
    if (row->bits & OPT_URL)
        return "a URL without user name and password (these are settings of their own)";
    if (row->bits & OPT_NAME)
        return "a name (letters, digits, '.', '_', '-', at most 200)";
    if (row->bits & OPT_PATTERN)
        return "a name (lower case letters, digits, '-', '_', '.', and the date fields %Y %m %d "
               "%H)";
    return opt_kinds[row->type].expected;
}

static void opt_add_choices(const char *choices, struct buf *out) {
    struct span rest = span_of(choices), choice;
    const char *separator = "";
    while (span_next(&rest, '|', &choice)) {
        buf_text(out, separator);
        buf_span(out, choice);
        separator = ", ";
    }
}

static void opt_add_range(const struct opt *row, struct buf *out) {
    if (row->max != 0) {
        buf_text(out, " (");
        opt_add_number(row, row->min, out);
        buf_text(out, " to ");
        opt_add_number(row, row->max, out);
    } else {
        buf_text(out, " (at least ");
        opt_add_number(row, row->min, out);
    }
    buf_char(out, ')');
}

void opt_expected(const struct opt *row, struct buf *out) {
    buf_text(out, opt_expected_kind(row));
    if (row->type == OPT_CHOICE)
        opt_add_choices(row->choices, out);
    /* Everybody expects a duration or a size to be 0 or more. */
    const bool has_range = row->type == OPT_INT || row->min != 0 || row->max != 0;
    if (opt_units(row) && has_range)
        opt_add_range(row, out);
}

bool opt_is_code(const struct opt *row, const char *item) {
    if (!row->code)
        return false;
    for (const char *const *code = row->code; *code; code++) {
        const size_t n = strlen(*code);
        const bool is_prefix = (*code)[n - 1] == '.';
        if (strncasecmp(item, *code, n) == 0 && (is_prefix || item[n] == '\0'))
            return true;
    }
    return false;
}
