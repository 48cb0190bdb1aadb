/* cmd: what a command is, and how to find one. Each command is a file and a row: cmd/x.c ends with
 * `const struct cmd cmd_x`. Nothing here knows which commands exist: main() hands the list down.
 *
 * To add a command x: write cmd/x.c with its row, its DESCRIPTION and EXAMPLES in man/text.c and
 * test/cli/NNNN-x.sh, add x to COMMANDS in the Makefile, run `make generate`. The rest of the man
 * page, help and completion come from the row.
 *
 * Owns the exit codes and the section of the log's settings. Main thread. Callers: distlog.c, cmd/,
 * man/generate.c.
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

/* What main() has prepared for a command. */
struct run {
    const struct cmd *const *commands; /* every command of this build, NULL-terminated */
    struct conf *conf;                 /* complete: defaults, YAML, environment, command line */
    const char *config_file;           /* the YAML that was read, or NULL */
    char **overrides;                  /* the KEY=VALUE of every -o, NULL-terminated */
    int argc;                          /* operands only, argv[argc] is NULL */
    char **argv;
    struct log log;
    struct notify *notify; /* to the process that started this one; never NULL */
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
    /* The sections whose flags it takes, its own first; NULL-terminated, never NULL. */
    const struct opt_section *const *sections;
    const struct cmd_alias *aliases; /* ends with a NULL name; NULL for none */
    bool without_conf;           /* reads neither file nor environment, so that it always runs */
    int (*run)(struct run *run); /* returns an enum exit_code */
};

enum { CMD_MAX_SECTIONS = 64 };

/* Every section of settings that a list of commands reads. A value of its own, because the settings
 * borrow the list for as long as they live. */
struct cmd_sections {
    const struct opt_section *list[CMD_MAX_SECTIONS + 1]; /* NULL-terminated */
};

/* Collects engines_sections, the log's section and each command's own, without repetitions.
 * commands is NULL-terminated. */
void cmd_sections_init(struct cmd_sections *s, const struct cmd *const *commands);
/* Sets the level and the format of log from the settings. */
void cmd_configure_log(const struct conf *conf, struct log *log);
/* The command that is called name: its own name, one of its aliases, or either of them after
 * "distlog-". NULL: no command is. *alias: the alias that it was, or NULL. */
const struct cmd *cmd_find(const struct cmd *const *commands, const char *name,
                           const struct cmd_alias **alias);
/* Logs that no command is called name, and suggests the one that is spelled most like it. */
void cmd_report_unknown(const struct cmd *const *commands, const char *name, const struct log *log);
/* Logs why the command fails, and reports it to the process that started this one, so that
 * it need not read the log. Returns code, for `return cmd_fail(…)`. */
int cmd_fail(const struct run *run, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
