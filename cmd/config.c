/* config: prints the settings as they are in effect: as YAML that can be read back, or as JSON for
 * programs.
 * Owns nothing. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "../lib/conf/conf_json.h"
#include "cmd.h"

struct config_conf {
    bool origin, check;
    const char *format;
};

static const struct opt config_rows[] = {
    OPT(struct config_conf, BOOL, origin, "false", .flag = "origin", .bits = OPT_FLAG_ONLY,
        .help = "show where each setting came from"),
    OPT(struct config_conf, BOOL, check, "false", .flag = "check", .bits = OPT_FLAG_ONLY,
        .help = "print nothing; exit 0 if the configuration is valid, else 2"),
    OPT(struct config_conf, CHOICE, format, "yaml", .flag = "format", .choices = "yaml|json",
        .bits = OPT_FLAG_ONLY,
        .help = "yaml, which can be read back, or one JSON object, with durations and sizes as "
                "strings"),
};
static const struct opt_section config_section =
    OPT_SECTION("config", "options of distlog config", config_rows, struct config_conf);

static int config_run(struct run *run) {
    const struct config_conf *conf = conf_section(run->conf, &config_section);
    BUF_LOCAL struct buf out = {0};
    if (conf->check)
        return EXIT_DONE;
    if (strcmp(conf->format, "json") == 0) {
        conf_json_write(run->conf, conf->origin, &out);
        buf_char(&out, '\n');
    } else {
        conf_write(run->conf, conf->origin, &out);
    }
    fwrite(out.p, 1, out.n, stdout); /* main() checks that it was taken */
    return EXIT_DONE;
}

const struct cmd cmd_config = {
    .name = "config",
    .summary = "print the settings in effect, or check them",
    .sections = (const struct opt_section *const[]){&config_section, NULL},
    .run = config_run,
};
