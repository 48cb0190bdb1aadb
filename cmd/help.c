/* help: see help.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <stdio.h>

/* In characters. */
enum {
    HELP_WIDTH = 80,         /* of the page */
    HELP_OPTION_COLUMN = 28, /* where the help of an option begins */
    HELP_COMMAND_WIDTH = 10, /* of a command's name */
    HELP_COMMAND_COLUMN = 14 /* where its summary begins */
};

/* --- text in columns --- */

/* Fills up the line, which is at column `at`, up to another column; on the next line if the column
 * has been passed. Returns the column. */
static size_t help_move(size_t at, size_t column, struct buf *out) {
    if (at > column) {
        buf_char(out, '\n');
        at = 0;
    }
    buf_printf(out, "%*s", (int)(column - at), "");
    return column;
}

/* UTF-8: each byte but continuations begins a character. */
static size_t help_characters(const char *text, size_t n_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            n++;
    }
    return n;
}

/* Adds text that begins at column, broken between words, and ends the line. The line is at column
 * `at`; text starts on the next one unless two blanks fit in between. */
static void help_wrap(const char *text, size_t at, size_t column, struct buf *out) {
    if (at > 0 && at + 2 > column)
        at = HELP_WIDTH;
    at = help_move(at, column, out);
    while (*text) {
        const size_t n = strcspn(text, " "), width = help_characters(text, n);
        const bool is_first = at == column, fits = at + 1 + width <= HELP_WIDTH;
        if (!is_first && fits)
            at = help_move(at, at + 1, out);
        else if (!is_first)
            at = help_move(HELP_WIDTH, column, out);
        buf_add(out, text, n);
        at += width;
        text += n;
        text += strspn(text, " ");
    }
    buf_char(out, '\n');
}

/* --- options --- */

/* letter 0: only a long flag; flag NULL: only a letter; arg NULL: no value. */
static void help_option(char letter, const char *flag, const char *arg, const char *help,
                        struct buf *out) {
    const size_t start = out->n;
    if (letter)
        buf_printf(out, "  -%c", letter);
    else
        buf_text(out, "    ");
    if (flag)
        buf_printf(out, "%s--%s", letter ? ", " : "  ", flag);
    if (arg)
        buf_printf(out, " %s", arg);
    help_wrap(help, out->n - start, HELP_OPTION_COLUMN, out);
}

static void help_common_options(struct buf *out) {
    help_option('c', "config", "FILE", "read the settings from FILE; see distlog.yaml(5)", out);
    help_option('o', NULL, "KEY=VALUE", "override a setting, such as -o bus.type=kafka", out);
    help_option('h', "help", NULL, "show this page, or that of a command", out);
    help_option(0, "version", NULL, "show the versions of distlog and its libraries", out);
}

/* A default that stands for "none" is not worth its place. */
static bool help_shows_default(const struct opt *row) {
    const char *def = row->def;
    return *def && strcmp(def, "0") != 0 && strcmp(def, "0s") != 0;
}

static void help_row(const struct opt *row, struct buf *out) {
    BUF_LOCAL struct buf help = {0};
    buf_text(&help, row->help);
    if (row->type == OPT_BOOL) {
        if (strcmp(row->def, "true") == 0)
            buf_printf(&help, " (on; --no-%s: off)", row->flag);
        help_option(row->letter, row->flag, NULL, help.p, out);
        return;
    }
    if (help_shows_default(row))
        buf_printf(&help, " (%s)", row->def);
    help_option(row->letter, row->flag, opt_arg(row), help.p, out);
}

/* --- pages --- */

static void help_add_page(const struct cmd *cmd, struct buf *out) {
    buf_printf(out, "Usage: distlog %s [OPTIONS]", cmd->name);
    if (cmd->operands)
        buf_printf(out, " %s", cmd->operands);
    buf_text(out, "\n\n");
    help_wrap(cmd->summary, 0, 0, out);
    buf_text(out, "\nOptions:\n");
    for (size_t i = 0; cmd->sections[i]; i++) {
        const struct opt_section *s = cmd->sections[i];
        for (size_t k = 0; k < s->n; k++) {
            if (s->rows[k].flag)
                help_row(&s->rows[k], out);
        }
    }
    help_common_options(out);
    buf_printf(out, "\n`distlog config` shows all settings; distlog-%s(1) has the details.\n",
               cmd->name);
}

static void help_add_overview(const struct cmd *const *commands, struct buf *out) {
    buf_text(out, "Usage: distlog COMMAND [OPTIONS] [ARGS]\n"
                  "Carries events from nodes to a searchable store, and reports silent nodes.\n"
                  "\nCommands:\n");
    for (size_t i = 0; commands[i]; i++) {
        buf_printf(out, "  %-*s", HELP_COMMAND_WIDTH, commands[i]->name);
        help_wrap(commands[i]->summary, 2 + HELP_COMMAND_WIDTH, HELP_COMMAND_COLUMN, out);
    }
    buf_text(out, "\nOptions:\n");
    help_common_options(out);
    buf_text(out, "\n`distlog help COMMAND` explains a command; distlog(7) is an overview.\n");
}

void help_print(const struct cmd *const *commands, const struct cmd *cmd) {
    BUF_LOCAL struct buf page = {0};
    if (cmd)
        help_add_page(cmd, &page);
    else
        help_add_overview(commands, &page);
    fwrite(page.p, 1, page.n, stdout); /* main() checks that it was taken */
}

static int help_run(struct run *run) {
    const struct cmd *cmd = NULL;
    if (run->argc > 0) {
        const struct cmd_alias *alias;
        cmd = cmd_find(run->commands, run->argv[0], &alias);
        if (!cmd) {
            cmd_report_unknown(run->commands, run->argv[0], &run->log);
            return EXIT_USAGE;
        }
    }
    help_print(run->commands, cmd);
    return EXIT_DONE;
}

const struct cmd cmd_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .max_operands = 1,
    .summary = "show help for distlog or one of its commands",
    .sections = (const struct opt_section *const[]){NULL},
    .without_conf = true,
    .run = help_run,
};
