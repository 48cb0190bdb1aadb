/* settings: see settings.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <unistd.h>

#include "../lib/conf/conf_yaml.h"

/* --- the file --- */

/* The file in the user's own folder, or NULL. */
static const char *settings_user_file(struct command_line *l) {
    const char *config_home = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config_home && *config_home == '/')
        return arena_printf(&l->arena, "%s/distlog/distlog.yaml", config_home);
    if (home && *home)
        return arena_printf(&l->arena, "%s/.config/distlog/distlog.yaml", home);
    return NULL;
}

static bool settings_exist(const char *path) {
    return path && access(path, F_OK) == 0;
}

struct settings_file settings_find_file(struct command_line *l) {
    static const char here[] = "distlog.yaml", systems[] = SYSCONFDIR "/distlog/distlog.yaml";
    struct settings_file file = {.path = l->config_file, .is_chosen = true};
    if (!file.path)
        file.path = getenv("DISTLOG_CONFIG");
    if (file.path) {
        if (!*file.path)
            file.path = NULL;
        return file;
    }
    if (settings_exist(here))
        return (struct settings_file){.path = here, .is_chosen = false};
    file.path = settings_user_file(l);
    if (settings_exist(file.path))
        return file;
    file.path = settings_exist(systems) ? systems : NULL;
    return file;
}

/* --- the values --- */

/* Sets KEY=VALUE, which -o or an alias gives. */
static int settings_set_pair(struct command_line *l, struct conf *conf, const char *pair,
                             enum opt_origin origin, const char *where, struct err *err) {
    const char *equals = strchr(pair, '=');
    if (!equals)
        return err_set(err, "%s: '%s' is not KEY=VALUE", where, pair);
    const char *key = arena_span(&l->arena, (struct span){pair, (size_t)(equals - pair)}).p;
    return conf_set(conf, key, span_of(equals + 1), origin, where, err);
}

/* A secret of the command line, which ps shows to everybody, is overwritten there. pair has been
 * set, so it has a key and an '='. */
static void settings_hide_secret(struct command_line *l, const struct conf *conf, char *pair) {
    char *value = strchr(pair, '=') + 1;
    const struct span key = {pair, (size_t)(value - 1 - pair)};
    if (conf_find(conf, arena_span(&l->arena, key).p)->row->bits & OPT_SECRET)
        memset(value, '*', strlen(value));
}

/* What the caller has not written on this command line. 0, or -1 with err. */
static int settings_load_sources(struct command_line *l, struct conf *conf,
                                 const struct settings_file *file, struct err *err) {
    if (l->cmd->without_conf)
        return 0;
    if (file->path && conf_yaml_file(conf, file->path, file->is_chosen, err) != 0)
        return -1;
    if (conf_env(conf, err) != 0)
        return -1;
    if (l->alias && l->alias->set)
        return settings_set_pair(l, conf, l->alias->set, OPT_PRESET, l->alias->name, err);
    return 0;
}

/* 0, or -1 with err. */
static int settings_load_flag(struct command_line *l, struct conf *conf,
                              const struct command_line_flag *flag, struct err *err) {
    if (flag->row)
        return conf_flag(conf, flag->row, flag->value, err);
    if (settings_set_pair(l, conf, flag->value, OPT_COMMAND_LINE, "-o", err) != 0)
        return -1;
    settings_hide_secret(l, conf, flag->value);
    return 0;
}

enum exit_code settings_load(struct command_line *l, const struct settings_file *file,
                             struct run *run) {
    struct err err;
    size_t n = 0;
    run->overrides = arena_take(&l->arena, (l->n_flags + 1) * sizeof *run->overrides);
    run->overrides[0] = NULL;
    if (settings_load_sources(l, run->conf, file, &err) != 0)
        return (enum exit_code)cmd_fail(run, EXIT_USAGE, "%s", err.text);
    for (size_t i = 0; i < l->n_flags; i++) {
        const struct command_line_flag *flag = &l->flags[i];
        if (!flag->row) /* a copy, because a secret does not stay in argv */
            run->overrides[n++] = (char *)arena_span(&l->arena, span_of(flag->value)).p;
        if (settings_load_flag(l, run->conf, flag, &err) != 0) {
            cmd_fail(run, EXIT_USAGE, "%s", err.text);
            return command_line_hint(l);
        }
    }
    run->overrides[n] = NULL;
    return EXIT_DONE;
}
