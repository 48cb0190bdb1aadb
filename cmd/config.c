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

static int run_config(struct run *run) {
    const struct config_conf *conf = conf_section(run->conf, &config_section);
    BUF_LOCAL struct buf out = {0};
    conf_write(run->conf, conf->origin, &out);
    if (!conf->check)
        fwrite(out.p, 1, out.n, stdout);
    return EXIT_DONE;
}

const struct cmd cmd_config = {
    .name = "config",
    .summary = "print the settings in effect, or check them",
    .sections = (const struct opt_section *const[]){&config_section, NULL},
    .run = run_config,
};
