/* settings: fills a struct conf in the order of precedence: the configuration file, the
 * environment, what the command's alias presets, the command line. Decides which file is read, and
 * which one is not trusted.
 * Owns nothing: texts live in the arena of the command line. Main thread. Callers: distlog.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "command_line.h"

/* Which configuration file to read. */
struct settings_file {
    const char *path; /* NULL: none */
    /* It was chosen: by the caller, who named it or has it in a folder of their own, or by root.
     * Only ./distlog.yaml may lie where the caller happens to be, without the caller's knowledge:
     * it is not read if others may change it. */
    bool is_chosen;
};

/* The file that -c names, else $DISTLOG_CONFIG (of both, "" means none), else the first one that
 * exists: ./distlog.yaml, the user's, the system's. */
struct settings_file settings_find_file(struct command_line *l);
/* Fills conf; a command with without_conf has only its flags. *overrides: the KEY=VALUE of every
 * -o, NULL-terminated, as they were given; where one sets a secret, it is overwritten with stars in
 * argv, which ps shows to everybody. EXIT_DONE, or EXIT_USAGE if something is wrong, which run's
 * log and its notify report; conf is then half filled. */
enum exit_code settings_load(struct command_line *l, const struct settings_file *file,
                             struct run *run);
