/* cmd: what a command is. One row and one file a command: cmd/x.c ends with `const struct cmd
 * cmd_x`.
 *
 * To add a command x: write cmd/x.c with its row, its DESCRIPTION and EXAMPLES in man/text.c and
 * test/cli/NNNN-x.sh, add x to COMMANDS in the Makefile, run `make generate`. The rest of the man
 * page, help and completion come from the row.
 *
 * Owns the exit codes. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../lib/adapter/os/notify.h"
#include "../lib/base/log.h"
#include "../lib/conf/conf.h"

enum exit_code {
    EXIT_DONE = 0,   /* done; for a daemon: asked to stop, and stopped cleanly */
    EXIT_FAILED = 1, /* failed, or left without an engine's answer: the next start resolves it */
    EXIT_USAGE = 2   /* wrong usage or configuration: starting again will not help */
};

/* What main() made ready for a command. */
struct run {
    struct conf *conf;       /* complete: defaults, YAML, environment, command line */
    const char *config_file; /* the YAML that was read, or NULL */
    char **overrides;        /* what the -o of the command line say, NULL-terminated */
    int argc;                /* operands only, argv[argc] is NULL */
    char **argv;
    struct log log;
    struct notify *notify; /* to whoever started this process; never NULL */
};

/* Another name of a command, and what it sets: {"node1", "node.name=payment"}. set may be NULL. */
struct cmd_alias {
    const char *name, *set;
};

struct cmd {
    const char *name;
    const char *operands; /* as the synopsis shows them: "[IN PROCESSED ALERTS]"; NULL: none */
    int min_operands, max_operands;
    bool topics;         /* the operands are names of topics */
    const char *summary; /* one line, lower case, no full stop */
    const struct opt_section *const
        *sections;                   /* whose flags it takes; NULL-terminated; [0] is its own */
    const struct cmd_alias *aliases; /* ends with a NULL name; NULL for none */
    bool without_conf;               /* runs even if the configuration can't be read: help */
    int (*run)(struct run *run);     /* returns an enum exit_code */
};

/* Every command of this build, NULL-terminated (distlog.c). */
extern const struct cmd *const cmd_all[];
/* Every section of settings: engines_sections and each command's own; NULL-terminated. Made at
 * first use. */
const struct opt_section *const *cmd_sections(void);
/* Sets the level and the format of log as the settings have them. */
void cmd_configure_log(const struct conf *conf, struct log *log);
/* The command of this name, alias, or "distlog-" + name; *alias is set where it was one. NULL if
 * none. */
const struct cmd *cmd_find(const char *name, const struct cmd_alias **alias);
/* Logs why the command fails, and reports it to whoever started the process, who need not read the
 * log then. Returns code, for `return cmd_fail(…)`. */
int cmd_fail(const struct run *run, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says that there is no such command and which is the nearest. */
void cmd_unknown(const struct log *log, const char *name);
