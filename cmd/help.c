/* help: the pages on the terminal, made from the rows, for `help`, --help and no command at all;
 * distlog-X(1) says more. Owns nothing. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd.h"

enum { WIDTH = 80, COLUMN = 28 }; /* of the page; where an option's help begins */

/* Goes on from column at to a later one, or to that of the next line. */
static size_t move(size_t at, size_t column, struct buf *out) {
    buf_printf(out, "%s%*s", at > column ? "\n" : "", (int)(at > column ? column : column - at),
               "");
    return column;
}

/* Adds text from column on (the line is at column at, two before it at most), broken between words.
 */
static void wrap(const char *text, size_t at, size_t column, struct buf *out) {
    at = move(at && at + 2 > column ? WIDTH : at, column, out);
    for (size_t n; *text; text += n + strspn(text + n, " ")) {
        size_t columns = 0;
        n = strcspn(text, " ");
        for (size_t i = 0; i < n; i++)
            columns += (text[i] & 0xc0) != 0x80; /* UTF-8 continuations take no room */
        if (at > column)
            at = at + 1 + columns > WIDTH ? move(WIDTH, column, out) : move(at, at + 1, out);
        buf_add(out, text, n);
        at += columns;
    }
    buf_char(out, '\n');
}

/* letter 0: only a long one; flag NULL: only a letter; arg NULL: no value. */
static void option(char letter, const char *flag, const char *arg, const char *help,
                   struct buf *out) {
    size_t from = out->n;
    buf_printf(out, letter ? "  -%c" : "    ", letter);
    if (flag)
        buf_printf(out, "%s--%s", letter ? ", " : "  ", flag);
    if (arg)
        buf_printf(out, " %s", arg);
    wrap(help, out->n - from, COLUMN, out);
}

static void common_options(struct buf *out) {
    option('c', "config", "FILE", "the configuration (see distlog help config)", out);
    option('o', NULL, "KEY=VALUE", "any setting, such as -o bus.type=kafka", out);
    option('h', "help", NULL, "this page, or a command's", out);
    option(0, "version", NULL, "the version, and those of the libraries", out);
}

/* The options of the command, then those that every command has. */
static void options(const struct cmd *cmd, struct buf *out) {
    buf_text(out, "\nOptions:\n");
    for (const struct opt_section *const *s = cmd->sections; *s; s++)
        for (size_t i = 0; i < (*s)->n; i++) {
            const struct opt *row = &(*s)->rows[i];
            if (!row->flag)
                continue;
            BUF_LOCAL struct buf help = {0};
            buf_text(&help, row->help);
            bool none = !*row->def || strcmp(row->def, "0") == 0 || strcmp(row->def, "0s") == 0;
            if (row->type != OPT_BOOL && !none)
                buf_printf(&help, " (%s)", row->def);
            else if (row->type == OPT_BOOL && strcmp(row->def, "true") == 0)
                buf_printf(&help, " (on; --no-%s: off)", row->flag);
            option(row->letter, row->flag, row->type == OPT_BOOL ? NULL : opt_arg(row), help.p,
                   out);
        }
    common_options(out);
}

static void command_page(const struct cmd *cmd, struct buf *out) {
    buf_printf(out, "Usage: distlog %s [OPTIONS]%s%s\n\n", cmd->name, cmd->operands ? " " : "",
               cmd->operands ? cmd->operands : "");
    wrap(cmd->summary, 0, 0, out);
    options(cmd, out);
    buf_printf(out, "\n`distlog config` shows all settings, distlog-%s(1) tells more.\n",
               cmd->name);
}

static void overview(struct buf *out) {
    buf_text(out, "Usage: distlog COMMAND [OPTIONS] [ARGS]\n"
                  "Carries events from services to a searchable store; says when one goes quiet.\n"
                  "\nCommands:\n");
    for (const struct cmd *const *cmd = cmd_all; *cmd; cmd++) {
        buf_printf(out, "  %-10s", (*cmd)->name);
        wrap((*cmd)->summary, 12, 14, out);
    }
    buf_text(out, "\nOptions:\n");
    common_options(out);
    buf_text(out, "\n`distlog help COMMAND` tells more, distlog(7) is the tour.\n");
}

static int run_help(struct run *run) {
    BUF_LOCAL struct buf page = {0};
    const struct cmd_alias *alias;
    const struct cmd *cmd = run->argc ? cmd_find(run->argv[0], &alias) : NULL;
    if (run->argc && !cmd) {
        cmd_unknown(&run->log, run->argv[0]);
        return EXIT_USAGE;
    }
    if (cmd)
        command_page(cmd, &page);
    else
        overview(&page);
    fwrite(page.p, 1, page.n, stdout);
    return EXIT_DONE;
}

const struct cmd cmd_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .max_operands = 1,
    .summary = "say what distlog or one of its commands does",
    .sections = (const struct opt_section *const[]){NULL},
    .without_conf = true,
    .run = run_help,
};
