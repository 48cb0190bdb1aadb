/* command_line: from argv to a command, its flags and its operands. Knows the flags of a command
 * from its rows, and those that all commands have. Reports wrong usage in the log; sets nothing:
 * that is the work of cmd/settings.
 * Owns the list of flags and the texts in its arena; everything else points into argv. Main thread.
 * Callers: distlog.c, cmd/settings.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <getopt.h>

#include "../lib/base/arena.h"
#include "cmd.h"

enum { COMMAND_LINE_MAX_FLAGS = 200 }; /* of one command; --no-FLAG counts */

/* A flag that was given. */
struct command_line_flag {
    const struct opt *row; /* NULL: -o, and value is KEY=VALUE */
    char *value;
};

struct command_line {
    const struct cmd *const *commands;
    const struct cmd *cmd;         /* NULL: none was named */
    const struct cmd_alias *alias; /* the name that cmd was called by, or NULL */
    struct log log;                /* its prefix names cmd */
    const char *config_file;       /* of -c, or NULL */
    bool wants_help, wants_version;
    struct command_line_flag *flags; /* all others, in the order of the command line */
    size_t n_flags, cap_flags;
    int n_operands;
    char **operands; /* NULL-terminated */
    /* What getopt_long knows, and the row behind each long option; NULL: common to all commands. */
    struct option options[COMMAND_LINE_MAX_FLAGS + 1];
    const struct opt *rows[COMMAND_LINE_MAX_FLAGS + 1];
    size_t n_options;
    struct buf letters;
    struct arena arena;
};

/* Reads all words. argv[0] may name the command, as a link does; else the first operand does. argc
 * is 1 at least; l must be zeroed. EXIT_DONE, or EXIT_USAGE if something is wrong (logged); the
 * caller calls command_line_release in both cases. */
enum exit_code command_line_read(struct command_line *l, const struct cmd *const *commands,
                                 int argc, char **argv);
/* Does the number of operands fit the command, and are they topics where they have to be?
 * EXIT_DONE, or EXIT_USAGE (logged). Only with a command. */
enum exit_code command_line_check_operands(const struct command_line *l);
/* After an error was logged: logs where to read about the usage. Returns EXIT_USAGE. */
enum exit_code command_line_hint(const struct command_line *l);
void command_line_release(struct command_line *l);
