/* opt: one row a setting. From that row come the flag, the YAML key, the environment name, the help
 * line, the man entry, the completion, distlog.yaml and the printed default; the default's text
 * goes through the same parser as the user's. Owns a struct conf: one C struct per section, each
 * value with its origin, and one arena for all texts. One thread while it is filled; read-only
 * afterwards. libc only, no I/O but opening a *_file.
 *
 * To add a setting: add a field to its section's struct and a row to its section's table. Nothing
 * else. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"
#include "../base/strlist.h"

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
    OPT_SECRET =
        1, /* a text: printed as ******, and has a YAML twin NAME_file that names a file with it;
            * a map: the values whose names speak of a secret are printed as ****** */
    OPT_FLAG_ONLY = 2, /* a flag of this command, not a setting: no YAML key, no environment name */
    OPT_NOT_EMPTY = 16, /* an empty value is an error, though the default may be empty */
    OPT_PATH = 4,       /* ~/ expands; "" stays "" */
    /* An OPT_PATH whose bare file name (no '/') lies in the data folder: $DISTLOG_DATA, else
     * $XDG_DATA_HOME/distlog, else ~/.local/share/distlog. Write `.def = "bus.db"`; the field then
     * holds the whole path. Always together with OPT_PATH. Whoever opens the file makes the folder.
     */
    OPT_DATA = 8,
    OPT_KEY = 32,      /* an OPT_PATH whose file is as good as a secret */
    OPT_URL = 64,      /* an address: no user and no password in it, for it is shown */
    OPT_NAME = 128,    /* name_is_valid; of a map its values */
    OPT_PATTERN = 256, /* a name in lower case that may have the dates %Y %m %d %H */
};

struct opt {
    const char *name; /* the YAML key within its section: "heartbeat_timeout" */
    const char
        *flag;   /* the long flag without dashes: "heartbeat-timeout"; NULL: only -o and YAML */
    char letter; /* the short flag, or 0 */
    enum opt_type type;
    size_t offset;       /* of the field in the section's struct */
    const char *def;     /* the default, as a user would write it in YAML */
    const char *choices; /* OPT_CHOICE: "local|kafka" */
    int64_t min, max;    /* OPT_INT OPT_MS OPT_BYTES; max 0: none */
    unsigned bits;
    /* OPT_MAP: the items that load code or run programs, which a file that others may write must
     * not set. NULL-terminated; a name that ends in '.' stands for all that begin so. NULL: none.
     */
    const char *const *code;
    const char *arg;  /* what help calls the value: "URL", "DURATION"; NULL: from the type */
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
/* A field's offset, and the proof that its type is right: with a wrong one the array's size is negative. */
#define OPT_FIELD(s, field, T) \
    ((size_t)(offsetof(s, field) + 0 * sizeof(char[_Generic(((s *)0)->field, T : 1, default : -1)])))
#define OPT_AT_STRING(s, f) .type = OPT_STRING, .offset = OPT_FIELD(s, f, const char *)
#define OPT_AT_BOOL(s, f)   .type = OPT_BOOL, .offset = OPT_FIELD(s, f, bool)
#define OPT_AT_INT(s, f)    .type = OPT_INT, .offset = OPT_FIELD(s, f, int64_t)
#define OPT_AT_MS(s, f)     .type = OPT_MS, .offset = OPT_FIELD(s, f, int64_t)
#define OPT_AT_BYTES(s, f)  .type = OPT_BYTES, .offset = OPT_FIELD(s, f, int64_t)
#define OPT_AT_CHOICE(s, f) .type = OPT_CHOICE, .offset = OPT_FIELD(s, f, const char *)
#define OPT_AT_LIST(s, f)   .type = OPT_LIST, .offset = OPT_FIELD(s, f, struct str_list)
#define OPT_AT_MAP(s, f)    .type = OPT_MAP, .offset = OPT_FIELD(s, f, struct str_map)

/* A row for a field of struct s, whose name is the key: OPT_ROW is for the few whose key is another. What
 * follows the default's text sets further members, .help at least. */
#define OPT(s, T, field, text, ...) OPT_ROW(#field, s, T, field, text, __VA_ARGS__)
#define OPT_ROW(key, s, T, field, text, ...) \
    { .name = (key), OPT_AT_##T(s, field), .def = (text), __VA_ARGS__ }
#define OPT_SECTION(key, about, table, s)                                                      \
    {                                                                                          \
        .name = (key), .help = (about), .rows = (table), .n = sizeof(table) / sizeof *(table), \
        .size = sizeof(s)                                                                      \
    }
/* clang-format on */

/* Where a value came from, later ones win. */
enum opt_origin { OPT_DEFAULT, OPT_YAML, OPT_ENV, OPT_PRESET, OPT_COMMAND_LINE };

/* One row of one section with what it is set to. */
struct setting {
    const char *key; /* "bus.local.path" */
    const struct opt_section *section;
    const struct opt *row;
    void *field; /* the value, in the section's struct */
    enum opt_origin origin;
    const char *where; /* "default", "distlog.yaml:12", … */
    const char *file;  /* the KEY_file that a secret was read from, or NULL */
};

struct conf; /* the settings of a list of sections */

/* Makes the values of sections (a NULL-terminated list, borrowed for the conf's life, each with a
 * row at least, those that share a first level in a row) and sets each to its default. A default
 * that does not parse is a bug: says so and aborts. */
struct conf *conf_new(const struct opt_section *const *sections);
void conf_free(struct conf *c);
/* The section's struct, filled; valid until conf_free. s must be one of the list. */
const void *conf_section(const struct conf *c, const struct opt_section *s);

/* Sets key ("bus.local.path") from text. where ("distlog.yaml:12", "-o") begins the error text and
 * is kept. An OPT_LIST or OPT_MAP is set whole. KEY_file of a secret reads it from that file. 0, or
 * -1 with err: unknown key (with the nearest one), wrong type, out of range, what was expected; the
 * old value stays. */
int conf_set(struct conf *c, const char *key, struct span text, enum opt_origin origin,
             const char *where, struct err *err);
/* The same for a list (keys NULL) or a mapping whose items come one by one, as YAML's do. */
int conf_set_items(struct conf *c, const char *key, const struct str_map *items, const char *where,
                   struct err *err);
/* Sets what a flag of the command line says: no key to look up, and where is the flag. */
int conf_flag(struct conf *c, const struct opt *row, const char *text, struct err *err);
/* Sets all that the environment says: DISTLOG_ + key in capitals, '.' as '_' (DISTLOG_BUS_TYPE, and
 * the _FILE twin of a secret). Other DISTLOG_ names are left alone, because they may be somebody
 * else's: Kubernetes gives every container DISTLOG_PORT when a service is called distlog. */
int conf_env(struct conf *c, struct err *err);

/* Is any secret set, so that nobody may look into this process? */
bool conf_has_secret(const struct conf *c);
/* Reads the secrets that came from files again, for they may have been changed; what can't be read
 * stays as it is. The old texts live as long as the conf. */
void conf_renew_secrets(struct conf *c);

/* Is it a secret that may come from a file, by KEY_file? */
static inline bool opt_has_file(const struct opt *row) {
    return row->type == OPT_STRING && row->bits & OPT_SECRET;
}
/* The setting of that key, or that secret for its KEY_file twin; NULL if there is none. */
struct setting *conf_find(const struct conf *c, const char *key);
/* True if key ("bus", "bus.local") has settings below it. */
bool conf_has_section(const struct conf *c, const char *key);
/* Says that there is no such key, and which is the nearest. where may be "". Returns -1. */
int conf_unknown(const struct conf *c, const char *key, const char *where, struct err *err);
/* Adds the value as a user would write it in YAML, on one line; a secret as ****** if it is set. */
void conf_print(const struct setting *v, struct buf *out);

/* Adds all settings as YAML that can be read back. A secret's value is never in it: a comment
 * stands for it, or its KEY_file. origin: behind each setting, as a comment, where it came from. */
void conf_write(const struct conf *c, bool origin, struct buf *out);

/* What help calls the value: row->arg, or after its type. */
const char *opt_arg(const struct opt *row);
/* Is the item of this name one of row->code? Case does not matter. */
bool opt_is_code(const struct opt *row, const char *item);
/* Adds what a value must be: "a number (1 to 100000)", "one of local, kafka". */
void opt_expected(const struct opt *row, struct buf *out);
