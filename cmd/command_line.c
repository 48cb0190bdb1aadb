/* command_line: see command_line.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "command_line.h"

#include "../lib/base/mem.h"
#include "../lib/base/name.h"
#include "../lib/base/suggest.h"

/* What getopt_long returns for options without a letter: one number for each. */
enum { COMMAND_LINE_VERSION = 256, COMMAND_LINE_FIRST_FLAG };

/* --- which flags there are --- */

static void command_line_add_option(struct command_line *l, const struct option *option,
                                    const struct opt *row) {
    if (l->n_options == COMMAND_LINE_MAX_FLAGS)
        abort(); /* raise the limit */
    l->options[l->n_options] = *option;
    l->rows[l->n_options] = row;
    l->n_options++;
}

/* --flag VALUE, or for a bool --flag and --no-flag. */
static void command_line_add_row(struct command_line *l, const struct opt *row) {
    const bool is_bool = row->type == OPT_BOOL;
    int value = (unsigned char)row->letter;
    if (!value)
        value = COMMAND_LINE_FIRST_FLAG + (int)l->n_options;
    const int has_arg = is_bool ? optional_argument : required_argument;
    command_line_add_option(l, &(struct option){row->flag, has_arg, NULL, value}, row);
    if (row->letter)
        buf_char(&l->letters, row->letter);
    if (row->letter && !is_bool)
        buf_char(&l->letters, ':');
    if (!is_bool)
        return;
    const char *negation = arena_printf(&l->arena, "no-%s", row->flag);
    value = COMMAND_LINE_FIRST_FLAG + (int)l->n_options;
    command_line_add_option(l, &(struct option){negation, no_argument, NULL, value}, row);
}

static void command_line_add_rows(struct command_line *l, const struct opt_section *section) {
    for (size_t i = 0; i < section->n; i++) {
        if (section->rows[i].flag)
            command_line_add_row(l, &section->rows[i]);
    }
}

/* From now on the flags are those of cmd, or without one those that every command has. */
static void command_line_set_cmd(struct command_line *l, const struct cmd *cmd) {
    static const struct option common[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, COMMAND_LINE_VERSION},
    };
    const char *prefix = "distlog";
    l->cmd = cmd;
    l->n_options = 0;
    buf_clear(&l->letters);
    if (cmd)
        prefix = arena_printf(&l->arena, "distlog %s", cmd->name);
    else
        buf_char(&l->letters, '+'); /* stops at the first operand: it names the command */
    l->log = log_default(prefix);
    buf_text(&l->letters, ":hc:o:");
    for (size_t i = 0; cmd && cmd->sections[i]; i++)
        command_line_add_rows(l, cmd->sections[i]);
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        command_line_add_option(l, &common[i], NULL);
    l->options[l->n_options] = (struct option){0};
    l->rows[l->n_options] = NULL;
}

/* --- wrong usage --- */

enum exit_code command_line_hint(const struct command_line *l) {
    if (l->cmd)
        log_info(&l->log, "see 'distlog help %s'", l->cmd->name);
    else
        log_info(&l->log, "see 'distlog help'");
    return EXIT_USAGE;
}

/* The index of the option for which getopt_long returns value; n_options if there is none. */
static size_t command_line_find(const struct command_line *l, int value) {
    size_t i = 0;
    while (i < l->n_options && l->options[i].val != value)
        i++;
    return i;
}

/* What the option's value is called. */
static const char *command_line_arg(const struct command_line *l, int value) {
    if (value == 'o')
        return "KEY=VALUE";
    if (value == 'c')
        return "FILE";
    return opt_arg(l->rows[command_line_find(l, value)]);
}

static void command_line_report_unknown(struct command_line *l, const char *word) {
    struct suggest suggest;
    const char *flag = arena_printf(&l->arena, "%.*s", (int)strcspn(word, "="), word);
    suggest_init(&suggest, flag);
    for (size_t i = 0; i < l->n_options; i++)
        suggest_offer(&suggest, "--%s", l->options[i].name);
    log_error(&l->log, "%s: no such option%s", flag, suggest.hint);
}

/* getopt_long has refused a word: with ':' because a value is missing, else with '?'. optopt is the
 * option's value, or 0 for a long one that is unknown. */
static enum exit_code command_line_refuse(struct command_line *l, int code, const char *word) {
    if (code == ':')
        log_error(&l->log, "%s: %s is missing", word, command_line_arg(l, optopt));
    else if (optopt && command_line_find(l, optopt) < l->n_options)
        log_error(&l->log, "%.*s takes no value", (int)strcspn(word, "="), word);
    else if (optopt)
        log_error(&l->log, "-%c: no such option", optopt);
    else
        command_line_report_unknown(l, word);
    return command_line_hint(l);
}

/* --- reading --- */

static void command_line_add_flag(struct command_line *l, const struct opt *row, char *value) {
    l->flags = mem_room(l->flags, l->n_flags, &l->cap_flags, sizeof *l->flags);
    struct command_line_flag *flag = &l->flags[l->n_flags++];
    flag->row = row;
    flag->value = value;
}

/* A flag of the command. A bool one needs no value. */
static void command_line_take_row(struct command_line *l, int value) {
    static char yes[] = "true", no[] = "false";
    const size_t i = command_line_find(l, value);
    char *text = optarg;
    if (!text)
        text = l->options[i].has_arg == no_argument ? no : yes;
    command_line_add_flag(l, l->rows[i], text);
}

/* Reads the flags, without a command those in front of it; the rest are the operands. */
static enum exit_code command_line_read_flags(struct command_line *l, int argc, char **argv) {
    opterr = 0;
    optind = 0; /* resets getopt_long */
    for (;;) {
        const int value = getopt_long(argc, argv, l->letters.p, l->options, NULL);
        if (value == -1)
            break;
        switch (value) {
        case '?':
        case ':':
            return command_line_refuse(l, value, argv[optind - 1]);
        case 'h':
            l->wants_help = true;
            break;
        case COMMAND_LINE_VERSION:
            l->wants_version = true;
            break;
        case 'c':
            l->config_file = optarg;
            break;
        case 'o':
            command_line_add_flag(l, NULL, optarg);
            break;
        default:
            command_line_take_row(l, value);
        }
    }
    l->operands = argv + optind;
    l->n_operands = argc - optind;
    return EXIT_DONE;
}

enum exit_code command_line_read(struct command_line *l, const struct cmd *const *commands,
                                 int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    const char *own_name = slash ? slash + 1 : argv[0];
    l->commands = commands;
    command_line_set_cmd(l, cmd_find(commands, own_name, &l->alias));
    const enum exit_code code = command_line_read_flags(l, argc, argv);
    if (code != EXIT_DONE || l->cmd || l->n_operands == 0)
        return code;
    const char *name = l->operands[0];
    const struct cmd *cmd = cmd_find(commands, name, &l->alias);
    if (!cmd) {
        cmd_report_unknown(commands, name, &l->log);
        return command_line_hint(l);
    }
    command_line_set_cmd(l, cmd);
    return command_line_read_flags(l, l->n_operands, l->operands);
}

/* The first operand that cannot be a topic's name, or NULL. */
static const char *command_line_find_bad_topic(const struct command_line *l) {
    for (int i = 0; i < l->n_operands; i++) {
        if (!name_is_valid(l->operands[i]))
            return l->operands[i];
    }
    return NULL;
}

enum exit_code command_line_check_operands(const struct command_line *l) {
    const struct cmd *cmd = l->cmd;
    const char *bad_topic = NULL;
    if (cmd->topics)
        bad_topic = command_line_find_bad_topic(l);
    if (l->n_operands < cmd->min_operands)
        log_error(&l->log, "missing operand; usage: distlog %s %s", cmd->name, cmd->operands);
    else if (l->n_operands > cmd->max_operands)
        log_error(&l->log, "unexpected operand '%s'", l->operands[cmd->max_operands]);
    else if (bad_topic)
        log_error(&l->log,
                  "'%s' is not a valid topic name (letters, digits, '.', '_', '-', at most 200)",
                  bad_topic);
    else
        return EXIT_DONE;
    return command_line_hint(l);
}

void command_line_release(struct command_line *l) {
    free(l->flags);
    buf_release(&l->letters);
    arena_release(&l->arena);
}
