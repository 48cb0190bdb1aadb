/* config: prints the settings as they are in effect, as YAML that can be read back.
 * Owns nothing. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd.h"

struct config_conf {
    bool origin, check;
};

static const struct opt rows[] = {
    OPT(struct config_conf, BOOL, origin, "false", .flag = "origin", .bits = OPT_FLAG_ONLY,
        .help = "say behind each setting where it came from"),
    OPT(struct config_conf, BOOL, check, "false", .flag = "check", .bits = OPT_FLAG_ONLY,
        .help = "print nothing; exit 0 if the configuration is good, else 2"),
};

static const struct opt_section config_section =
    OPT_SECTION("config", "options of distlog config", rows, struct config_conf);

/* The values of single settings, for scripts: text without YAML's quotes. */
static int print_operands(const struct run *run, bool origin, struct buf *out) {
    for (char **key = run->argv; *key; key++) {
        const struct setting *v = conf_find(run->conf, *key);
        struct err err;
        if (!v || strcmp(v->key, *key) != 0) { /* not even as NAME_file */
            conf_unknown(run->conf, *key, "", &err);
            log_say(&run->log, "%s", err.text);
            return EXIT_USAGE;
        }
        if (v->row->type == OPT_STRING && !(v->row->bits & OPT_SECRET)) buf_text(out, *(char **)v->field);
        else conf_print(v, out);
        if (origin) conf_print_origin(v, out);
        buf_char(out, '\n');
    }
    return EXIT_DONE;
}

static int run_config(struct run *run) {
    const struct config_conf *conf = conf_section(run->conf, &config_section);
    BUF_LOCAL struct buf out = {0};
    int code = EXIT_DONE;
    if (run->argc) code = print_operands(run, conf->origin, &out);
    else conf_write(run->conf, conf->origin, &out);
    if (code == EXIT_DONE && !conf->check) fwrite(out.p, 1, out.n, stdout);
    return code;
}

const struct cmd cmd_config = {
    .name = "config",
    .operands = "[KEY]...",
    .max_operands = 1000,
    .summary = "print the settings in effect, or check them",
    .sections = (const struct opt_section *const[]){&config_section, NULL},
    .run = run_config,
};
