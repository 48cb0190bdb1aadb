/* opt: the tables of settings, one row a setting. From its row come the flag, the YAML key, the
 * environment name, the help line, the man entry, the completion, distlog.yaml and the default,
 * whose text goes through the same parser as the user's. A table and its values are two things: the
 * values are conf.h's. Owns nothing: rows are constants. Any thread. libc only.
 *
 * To add a setting, add a field to its section's struct and a row to its section's table.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"
#include "../base/strlist.h"

struct unit;

enum opt_type {
    OPT_STRING, /* const char *, never NULL, "" when unset */
    OPT_BOOL,   /* bool: true false yes no on off */
    OPT_INT,    /* int64_t, within min..max */
    OPT_MS,     /* int64_t milliseconds: 250ms 5s 15m 2h 7d, 0 alone is fine */
    OPT_BYTES,  /* int64_t bytes: 512 512KB 32MB 10GB (powers of 1024) */
    OPT_CHOICE, /* const char *, one of the '|'-separated choices */
    OPT_LIST,   /* struct str_list of strings; on one line: a,b,c */
    OPT_MAP,    /* struct str_map of string → string; on one line: k=v,k=v */
};

enum opt_bits {
    /* Of a text: it is printed as ******, and has a YAML twin NAME_file, which names a file that
     * contains it. Of a map: the values whose names suggest a secret are printed as ******. */
    OPT_SECRET = 1u << 0,
    /* A flag of one command and not a setting: it has no YAML key and no environment name. */
    OPT_FLAG_ONLY = 1u << 1,
    /* A path: a leading ~/ is expanded; "" stays "". */
    OPT_PATH = 1u << 2,
    /* An OPT_PATH, which must be set too: a bare file name (without '/') is in the data folder,
     * which is $DISTLOG_DATA, else $XDG_DATA_HOME/distlog, else ~/.local/share/distlog. Write
     * `.def = "bus.db"`; the field then holds the whole path. The code that opens the file creates
     * the folder. */
    OPT_DATA = 1u << 3,
    /* An empty value is an error, though the default may be empty. */
    OPT_NOT_EMPTY = 1u << 4,
    /* An OPT_PATH to a file that is as confidential as a secret. */
    OPT_KEY = 1u << 5,
    /* A URL, which is displayed: it must not contain a user name or a password. */
    OPT_URL = 1u << 6,
    /* A name (name_is_valid); of a map, its values. */
    OPT_NAME = 1u << 7,
    /* A name in lower case that may contain the date fields %Y %m %d %H. */
    OPT_PATTERN = 1u << 8,
};

struct opt {
    const char *name; /* the YAML key within its section: "heartbeat_timeout" */
    const char *flag; /* the long flag without dashes; NULL: set by -o, YAML, environment only */
    char letter;      /* the short flag, or 0 */
    enum opt_type type;
    size_t offset;       /* of the field in the section's struct */
    const char *def;     /* the default, as a user would write it in YAML */
    const char *choices; /* of OPT_CHOICE: "local|kafka" */
    int64_t min, max; /* of OPT_INT, OPT_MS and OPT_BYTES, both included; max 0: no upper limit */
    unsigned bits;    /* enum opt_bits */
    /* Of OPT_MAP: the items that load code or run programs, which a file that others may write must
     * not set. NULL-terminated; a name that ends in '.' covers all names that start with it. NULL:
     * none. */
    const char *const *code;
    const char *arg; /* what help calls the value: "URL", "DURATION"; NULL: derived from the type */
    const char *help; /* one line, no full stop */
};

struct opt_section {
    const char *name; /* "bus.local"; its YAML key is name + "." + row name */
    const char *help; /* one line for distlog.yaml(5) */
    const struct opt *rows;
    size_t n;
    size_t size; /* of the section's struct */
};

/* clang-format off */
/* A field's offset. If the field is not of type T, the array's size is negative, which the compiler
 * refuses. */
#define OPT_FIELD(s, field, T) \
    ((size_t)(offsetof(s, field) + \
              0 * sizeof(char[_Generic(((s *)0)->field, T : 1, default : -1)])))
#define OPT_AT_STRING(s, f) .type = OPT_STRING, .offset = OPT_FIELD(s, f, const char *)
#define OPT_AT_BOOL(s, f)   .type = OPT_BOOL, .offset = OPT_FIELD(s, f, bool)
#define OPT_AT_INT(s, f)    .type = OPT_INT, .offset = OPT_FIELD(s, f, int64_t)
#define OPT_AT_MS(s, f)     .type = OPT_MS, .offset = OPT_FIELD(s, f, int64_t)
#define OPT_AT_BYTES(s, f)  .type = OPT_BYTES, .offset = OPT_FIELD(s, f, int64_t)
#define OPT_AT_CHOICE(s, f) .type = OPT_CHOICE, .offset = OPT_FIELD(s, f, const char *)
#define OPT_AT_LIST(s, f)   .type = OPT_LIST, .offset = OPT_FIELD(s, f, struct str_list)
#define OPT_AT_MAP(s, f)    .type = OPT_MAP, .offset = OPT_FIELD(s, f, struct str_map)

/* A row for a field of struct s that is named like its key; OPT_ROW is for the few that are not.
 * What follows the default's text sets further members, at least .help. */
#define OPT(s, T, field, text, ...) OPT_ROW(#field, s, T, field, text, __VA_ARGS__)
#define OPT_ROW(key, s, T, field, text, ...) \
    { .name = (key), OPT_AT_##T(s, field), .def = (text), __VA_ARGS__ }
#define OPT_SECTION(key, about, table, s)                                                      \
    {                                                                                          \
        .name = (key), .help = (about), .rows = (table), .n = sizeof(table) / sizeof *(table), \
        .size = sizeof(s)                                                                      \
    }
/* clang-format on */

/* True if it is a secret that may come from a file, by KEY_file. */
static inline bool opt_has_file(const struct opt *row) {
    return row->type == OPT_STRING && row->bits & OPT_SECRET;
}
/* Returns what help calls the value: row->arg, or a word for the type. */
const char *opt_arg(const struct opt *row);
/* Appends what a value must be: "a number (1 to 100000)", "one of local, kafka". */
void opt_expected(const struct opt *row, struct buf *out);
/* Returns the units of a number of the row's type; NULL if it is no number. */
const struct unit *opt_units(const struct opt *row);
/* Appends a number as a user would write it for the row's type: 5s, 32MB, 3. */
void opt_add_number(const struct opt *row, int64_t value, struct buf *out);
/* True if the item of this name is one of row->code; case does not matter. */
bool opt_is_code(const struct opt *row, const char *item);
