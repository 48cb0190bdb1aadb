/* conf: the values of all settings and where each came from. Owns a struct conf: one C struct per
 * section and an arena for all texts. One thread while values are set; any thread reads them
 * afterwards. libc only, no I/O but reading the files of secrets. conf.c sets values, conf_write.c
 * prints them.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "opt.h"

/* Where a value came from. A later one overrides an earlier one. */
enum opt_origin { OPT_DEFAULT, OPT_YAML, OPT_ENV, OPT_PRESET, OPT_COMMAND_LINE };

/* One row of one section and its value. */
struct setting {
    const char *key; /* "bus.local.path" */
    const struct opt_section *section;
    const struct opt *row;
    void *field; /* the value, in the section's struct */
    enum opt_origin origin;
    const char *where; /* "default", "distlog.yaml:12", … */
    const char *file;  /* the KEY_file that a secret was read from, or NULL */
};

struct conf;

/* Creates the values of a NULL-terminated list of sections and sets them to their defaults. The
 * list is borrowed for the conf's life; each section has at least one row, and sections that share
 * a first level are neighbours. A default that does not parse is a bug: prints it and aborts. The
 * caller calls conf_free. */
struct conf *conf_new(const struct opt_section *const *sections);
/* c may be NULL. */
void conf_free(struct conf *c);
/* Returns the section's struct, valid until conf_free. s must be in the list. */
const void *conf_section(const struct conf *c, const struct opt_section *s);

/* Sets key ("bus.local.path") from text. where ("distlog.yaml:12", "-o") is copied, and begins the
 * error text. An OPT_LIST or OPT_MAP is replaced as a whole. KEY_file of a secret reads it from the
 * file that text names. Returns 0, or -1 with err (unknown key, wrong type, out of range); the
 * value is then unchanged. */
int conf_set(struct conf *c, const char *key, struct span text, enum opt_origin origin,
             const char *where, struct err *err);
/* The same for a list (items->keys NULL) or a mapping whose items are already separate, as those of
 * YAML are. */
int conf_set_items(struct conf *c, const char *key, const struct str_map *items, const char *where,
                   struct err *err);
/* Sets what a flag of the command line gives. row must be in the list of sections; the flag is the
 * origin. Returns 0, or -1 with err. */
int conf_flag(struct conf *c, const struct opt *row, const char *text, struct err *err);
/* Sets what the environment gives: DISTLOG_ and the key in capitals with '_' for '.', such as
 * DISTLOG_BUS_TYPE, and the _FILE twin of a secret. Other names with DISTLOG_ are ignored, because
 * they may not be ours: Kubernetes sets DISTLOG_PORT if a service is called distlog. Returns 0, or
 * -1 with err. */
int conf_env(struct conf *c, struct err *err);

/* True if a secret is set: then no other process of this user should be able to look into this
 * one. */
bool conf_has_secret(const struct conf *c);
/* Reads the secrets that came from files again, because they may have changed. One that cannot be
 * read keeps its value. Old texts stay valid until conf_free. */
void conf_renew_secrets(struct conf *c);

/* Returns the setting of key, or the secret whose KEY_file twin it is; NULL if there is none. */
struct setting *conf_find(const struct conf *c, const char *key);
/* True if key ("bus", "bus.local") has settings below it. */
bool conf_has_section(const struct conf *c, const char *key);
/* Sets err to the message for a key that is not a setting, with the most similar one if there is
 * any. where may be "". Returns -1. */
int conf_unknown(const struct conf *c, const char *key, const char *where, struct err *err);

/* Returns true if the item of this name is a secret, in a map whose row has OPT_SECRET. */
bool conf_is_secret_item(const char *name);
/* Returns true if v contains a secret, in part or as a whole, so that it is not printed as it is.
 */
bool conf_is_hidden(const struct setting *v);
/* Appends the value as a user would write it in YAML, on one line; a secret that is set is ******.
 */
void conf_print(const struct setting *v, struct buf *out);
/* Appends all settings as YAML that can be read back. The value of a secret is never included: its
 * KEY_file or a comment takes its place. with_origin: a comment behind each setting shows where it
 * came from. */
void conf_write(const struct conf *c, bool with_origin, struct buf *out);
