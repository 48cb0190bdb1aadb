/* generate: writes the files that follow from the tables: the manual, the bash completion and
 * distlog.yaml. `generate DIR` writes into DIR and DIR/man; `--aliases` and `--examples` print
 * lists for the Makefile and the tests. Owns the files it writes. Linked with all of distlog except
 * its main(). Main thread. SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../cmd/cmd.h"
#include "../lib/base/utf8.h"
#include "text.h"

/* Appends text, escaped so that roff prints it literally: no requests, no ligatures, plain dashes
 * and quotes. */
static void roff(struct buf *out, struct span text) {
    for (size_t i = 0, len; i < text.n; i += len) {
        const unsigned char *u = (const unsigned char *)text.p + i;
        bool at_start = out->n == 0 || out->p[out->n - 1] == '\n';
        len = utf8_sequence(text.p + i, text.n - i);
        if (at_start && (*u == '.' || *u == '\''))
            buf_text(out, "\\&");
        if (len == 2)
            buf_printf(out, "\\[u%04X]", (u[0] & 31u) << 6 | (u[1] & 63u));
        else if (len == 3)
            buf_printf(out, "\\[u%04X]", (u[0] & 15u) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u));
        else if (*u == '\\')
            buf_text(out, "\\e");
        else if (*u == '-')
            buf_text(out, "\\-");
        else if (*u == '\'')
            buf_text(out, "\\(aq");
        else if (*u == '`')
            buf_text(out, "\\(ga");
        else if (*u == '^')
            buf_text(out, "\\(ha");
        else if (*u == '~')
            buf_text(out, "\\(ti");
        else
            buf_add(out, u, len ? len : 1);
        if (len == 0)
            len = 1;
    }
}

static void roff_text(struct buf *out, const char *text) {
    roff(out, span_of(text));
}

/* Appends paragraphs, which are separated by empty lines. A paragraph that begins with a space is
 * an example, whose lines are kept. */
static void paragraphs(struct buf *out, const char *text) {
    while (*text) {
        const char *end = strstr(text, "\n\n");
        struct span one = {text, end ? (size_t)(end - text) : strlen(text)};
        bool as_is = *text == ' ';
        buf_text(out, as_is ? ".PP\n.EX\n" : ".PP\n");
        roff(out, one);
        buf_text(out, as_is ? "\n.EE\n" : "\n");
        text += one.n;
        text += strspn(text, "\n");
    }
}

static void heading(struct buf *out, const char *name, const char *section, const char *summary) {
    buf_text(
        out,
        ".\\\" Made by `make generate` from the tables in cmd/ and lib/; change them there.\n.TH ");
    for (const char *c = name; *c; c++)
        buf_char(out, (char)toupper((unsigned char)*c));
    buf_printf(out, " %s \"\" \"distlog %s\" \"distlog manual\"\n.SH NAME\n", section,
               DISTLOG_VERSION);
    roff_text(out, name);
    buf_text(out, " \\- ");
    roff_text(out, summary);
    buf_char(out, '\n');
}

/* Appends an option's heading, such as "-n, --limit N". */
static void flag(struct buf *out, const struct opt *row) {
    const char *arg = row->type == OPT_BOOL ? NULL : opt_arg(row);
    buf_text(out, ".TP\n");
    if (row->letter)
        buf_printf(out, "\\fB\\-%c\\fR, ", row->letter);
    buf_text(out, "\\fB\\-\\-");
    roff_text(out, row->flag);
    buf_text(out, "\\fR");
    if (arg) {
        buf_text(out, " \\fI");
        roff_text(out, arg);
        buf_text(out, "\\fR");
    }
    buf_char(out, '\n');
}

static bool is_setting(const struct opt *row) {
    return !(row->bits & OPT_FLAG_ONLY);
}

/* Appends the flag's help, the values that it accepts, its default and its setting. */
static void flag_help(struct buf *out, const struct opt_section *s, const struct opt *row) {
    roff_text(out, row->help);
    if (row->type == OPT_INT) {
        buf_text(out, "; ");
        struct buf expected = {0};
        opt_expected(row, &expected);
        roff(out, buf_view(&expected));
        buf_release(&expected);
    }
    buf_char(out, '.');
    if (row->type == OPT_BOOL && strcmp(row->def, "true") == 0)
        buf_printf(out, " On by default; \\fB\\-\\-no\\-%s\\fR turns it off.", row->flag);
    else if (row->type != OPT_BOOL && *row->def) {
        buf_text(out, " Default: ");
        roff_text(out, row->def);
        buf_char(out, '.');
    }
    if (is_setting(row)) {
        buf_text(out, " Setting: \\fB");
        roff_text(out, s->name);
        buf_char(out, '.');
        roff_text(out, row->name);
        buf_text(out, "\\fR.");
    }
    buf_char(out, '\n');
}

static void common_options(struct buf *out) {
    buf_text(out, ".TP\n\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIFILE\\fR\n"
                  "Read the settings from \\fIFILE\\fR; see \\fBdistlog.yaml\\fR(5).\n"
                  ".TP\n\\fB\\-o\\fR \\fISECTION.KEY=VALUE\\fR\n"
                  "Override one setting. May be given several times.\n"
                  ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nPrint a summary of this page.\n"
                  ".TP\n\\fB\\-\\-version\\fR\n"
                  "Print the versions of distlog and of the libraries that it is linked with.\n");
}

static void exit_status(struct buf *out) {
    buf_printf(out,
               ".SH \"EXIT STATUS\"\n"
               ".TP\n\\fB%d\\fR\nSuccess; for a daemon: it was asked to stop and stopped cleanly.\n"
               ".TP\n\\fB%d\\fR\nFailure, or the process exited before an engine answered; the "
               "next start resolves what was left open.\n"
               ".TP\n\\fB%d\\fR\nWrong usage or configuration; starting again will not help.\n",
               EXIT_DONE, EXIT_FAILED, EXIT_USAGE);
}

/* Appends the files and the environment variables that every command uses. */
static void surroundings(struct buf *out) {
    buf_text(
        out,
        ".SH ENVIRONMENT\n"
        ".TP\n\\fBDISTLOG_CONFIG\\fR\nThe file with the settings, unless \\fB\\-c\\fR names one.\n"
        ".TP\n\\fBDISTLOG_DATA\\fR\nThe data folder of the embedded engines.\n"
        ".TP\n\\fBDISTLOG_\\fISECTION\\fB_\\fIKEY\\fR\n"
        "One setting, such as \\fBDISTLOG_BUS_TYPE\\fR.\n"
        ".SH FILES\n"
        ".TP\n\\fI./distlog.yaml\\fR, \\fI\\(ti/.config/distlog/distlog.yaml\\fR, "
        "\\fI/etc/distlog/distlog.yaml\\fR\n"
        "The settings: the first of these files that exists.\n"
        ".TP\n\\fI\\(ti/.local/share/distlog\\fR\n"
        "The data folder, unless \\fBDISTLOG_DATA\\fR or \\fBXDG_DATA_HOME\\fR is set.\n");
}

static void see_also(struct buf *out, const char *self) {
    buf_text(out, ".SH \"SEE ALSO\"\n");
    for (size_t i = 0; cmd_all[i]; i++)
        if (!self || strcmp(cmd_all[i]->name, self) != 0)
            buf_printf(out, ".BR distlog\\-%s (1),\n", cmd_all[i]->name);
    buf_printf(out, "%s.BR distlog.yaml (5),\n.BR distlog (7)\n", self ? ".BR distlog (1),\n" : "");
}

/* Appends the sections whose settings the command reads, whether they have a flag or not. */
static void sections_of(const struct cmd *cmd, struct buf *out) {
    size_t n = 0;
    for (size_t i = 0; cmd->sections && cmd->sections[i]; i++) {
        const struct opt_section *s = cmd->sections[i];
        size_t r = 0;
        while (r < s->n && !is_setting(&s->rows[r]))
            r++;
        if (r == s->n)
            continue;
        buf_text(out, n++ ? ", "
                          : ".PP\nSettings without a flag can be given with \\fB\\-o\\fR. This "
                            "command\\(aqs own sections in \\fBdistlog.yaml\\fR(5): ");
        roff_text(out, s->name);
    }
    if (n)
        buf_text(out, ".\n");
}

static void command_page(const struct cmd *cmd, struct buf *out) {
    struct buf name = {0};
    buf_printf(&name, "distlog-%s", cmd->name);
    heading(out, name.p, "1", cmd->summary);
    buf_release(&name);
    buf_printf(out, ".SH SYNOPSIS\n\\fBdistlog %s\\fR [\\fIOPTIONS\\fR] ", cmd->name);
    roff_text(out, cmd->operands ? cmd->operands : "");
    buf_text(out, "\n.SH DESCRIPTION\n");
    paragraphs(out, man_text(cmd->name)->about);
    buf_text(out, ".SH OPTIONS\n");
    for (size_t i = 0; cmd->sections && cmd->sections[i]; i++)
        for (size_t r = 0; r < cmd->sections[i]->n; r++)
            if (cmd->sections[i]->rows[r].flag) {
                flag(out, &cmd->sections[i]->rows[r]);
                flag_help(out, cmd->sections[i], &cmd->sections[i]->rows[r]);
            }
    common_options(out);
    sections_of(cmd, out);
    exit_status(out);
    if (cmd->aliases) {
        buf_text(out, ".SH \"OTHER NAMES\"\nA link with one of these names, with or without .py, "
                      "runs:\n");
        for (const struct cmd_alias *a = cmd->aliases; a->name; a++) {
            buf_text(out, ".TP\n\\fB");
            roff_text(out, a->name);
            buf_printf(out, "\\fR\ndistlog %s%s", cmd->name, a->set ? " \\-o " : "");
            roff_text(out, a->set ? a->set : "");
            buf_char(out, '\n');
        }
    }
    buf_text(out, ".SH EXAMPLES\n");
    for (const struct man_example *e = man_text(cmd->name)->examples; e->command; e++) {
        buf_text(out, ".PP\n");
        roff_text(out, e->purpose);
        buf_text(out, "\n.PP\n.RS 4\n.EX\n");
        roff_text(out, e->command);
        buf_text(out, "\n.EE\n.RE\n");
    }
    surroundings(out);
    see_also(out, cmd->name);
}

static void main_page(struct buf *out) {
    heading(out, "distlog", "1",
            "carry events from nodes to a searchable store, and report silent nodes");
    buf_text(out,
             ".SH SYNOPSIS\n\\fBdistlog\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n"
             ".SH DESCRIPTION\n");
    paragraphs(
        out,
        "distlog carries events from microservice nodes to a searchable store, and reports within "
        "seconds when a node goes quiet. Each stage is a command; the stages are connected by a "
        "bus: one SQLite file on this machine, or Apache Kafka. distlog(7) is a tour of how they "
        "work together.\n\n"
        "A link named distlog-COMMAND runs that command.\n\n"
        "Results go to standard output, diagnostics to standard error. On TERM or INT a command "
        "finishes its current batch, commits, and exits within 5 seconds; a second signal ends it "
        "at once.");
    buf_text(out, ".SH COMMANDS\n");
    for (size_t i = 0; cmd_all[i]; i++) {
        buf_printf(out, ".TP\n.BR distlog\\-%s (1)\n", cmd_all[i]->name);
        roff_text(out, cmd_all[i]->summary);
        buf_text(out, ".\n");
    }
    buf_text(out, ".SH OPTIONS\n");
    common_options(out);
    exit_status(out);
    surroundings(out);
    see_also(out, NULL);
}

static void setting(struct buf *out, const struct opt_section *s, const struct opt *row) {
    struct buf expected = {0};
    opt_expected(row, &expected);
    buf_text(out, ".TP\n\\fB");
    roff_text(out, s->name);
    buf_char(out, '.');
    roff_text(out, row->name);
    buf_text(out, "\\fR\n");
    roff_text(out, row->help);
    buf_text(out, "; ");
    roff(out, buf_view(&expected));
    buf_text(out, ". Default: ");
    roff_text(out, *row->def ? row->def : "empty");
    buf_char(out, '.');
    if (row->flag) {
        buf_text(out, " Flag: \\fB\\-\\-");
        roff_text(out, row->flag);
        buf_text(out, "\\fR.");
    }
    if (row->code) {
        buf_text(out, " Refused in a file that others may change:");
        for (const char *const *code = row->code; *code; code++) {
            buf_text(out, code == row->code ? " " : ", ");
            roff_text(out, *code);
            if ((*code)[strlen(*code) - 1] == '.')
                buf_char(out, '*');
        }
        buf_char(out, '.');
    }
    if (opt_has_file(row)) {
        buf_text(out, " A secret: never printed, and \\fB");
        roff_text(out, row->name);
        buf_text(out, "_file\\fR names a file that holds it.");
    }
    buf_char(out, '\n');
    buf_release(&expected);
}

static void yaml_page(const struct opt_section *const *sections, struct buf *out) {
    heading(out, "distlog.yaml", "5", "the settings of distlog");
    buf_text(out, ".SH DESCRIPTION\n");
    paragraphs(
        out,
        "distlog reads one file of settings: the one named with -c, else the one named by "
        "$DISTLOG_CONFIG, else the first that exists of ./distlog.yaml and distlog/distlog.yaml "
        "in the user's and in the system's configuration folder. Without any, every setting has "
        "its default.\n\n"
        "Each setting is a key in the mapping of its section. It can be overridden in the "
        "environment, by a variable named DISTLOG_ followed by the setting's name in capitals "
        "with _ for each dot, and on the command line with -o section.key=value. The command line "
        "takes precedence over the environment, and the environment over the file. distlog config "
        "prints the values in effect, and with --origin where each came from.\n\n"
        "A ./distlog.yaml that others may change is not read: every command that needs settings "
        "then exits with code 2 and explains how to proceed. Others may change a file if it "
        "belongs to a user other than the caller or root, or if its group or everyone may write "
        "to it. The same applies to the folder that the file is in, unless the folder is sticky "
        "as /tmp is, and to the target of a symbolic link. A group whose number equals the "
        "owner's, such as a user's private group, does not count. Once you have inspected the "
        "file, -c ./distlog.yaml reads it nevertheless. Whichever way a file was named, if others "
        "may change it, items that load code or run programs are refused; each such setting below "
        "lists them.\n\n"
        "Durations are written 250ms, 5s, 15m, 2h or 7d, sizes 512KB, 32MB or 10GB. ${NAME} is "
        "replaced by the value of that environment variable, and $$ by a dollar sign. ~/ at the "
        "beginning of a path is expanded. Unknown or repeated keys, wrong types and invalid "
        "values are errors; the message names the file, the line, the key and what was "
        "expected.");
    buf_text(out,
             ".PP\n.RS 4\n.EX\nbus:\n  type: local\npubsub:\n  heartbeat_timeout: 10s\n.EE\n.RE\n"
             ".SH SETTINGS\n");
    for (size_t i = 0; sections[i]; i++) {
        const struct opt_section *s = sections[i];
        size_t settings = 0;
        for (size_t r = 0; r < s->n; r++)
            if (is_setting(&s->rows[r]) && settings++ == 0) {
                buf_text(out, ".SS ");
                roff_text(out, s->name);
                buf_char(out, '\n');
                roff_text(out, s->help);
                buf_text(out, ".\n");
            }
        for (size_t r = 0; r < s->n; r++)
            if (is_setting(&s->rows[r]))
                setting(out, s, &s->rows[r]);
    }
    see_also(out, "");
}

/* Appends the choices, which '|' separates in the n bytes at choices, as a list of words. */
static void one_of(const char *choices, size_t n, struct buf *values) {
    buf_text(values, " words='");
    for (size_t i = 0; i < n; i++)
        buf_char(values, choices[i] == '|' ? ' ' : choices[i]);
    buf_text(values, "' files='' ;;\n");
}

/* Appends the flags of cmd, and how to complete the values of its flags and its first operand where
 * they are one of a few words or a file. */
static void completion_case(const struct cmd *cmd, struct buf *flags, struct buf *values) {
    buf_printf(flags, "    %s) flags='", cmd->name);
    for (size_t i = 0; cmd->sections && cmd->sections[i]; i++)
        for (size_t r = 0; r < cmd->sections[i]->n; r++) {
            const struct opt *row = &cmd->sections[i]->rows[r];
            if (!row->flag)
                continue;
            buf_printf(flags, strcmp(row->def, "true") == 0 ? "--no-%s " : "--%s ", row->flag);
            if (row->type == OPT_CHOICE) {
                buf_printf(values, "    %s:--%s)", cmd->name, row->flag);
                one_of(row->choices, strlen(row->choices), values);
            } else if (row->type != OPT_BOOL) {
                buf_printf(values, "    %s:--%s) words='' files=%s ;;\n", cmd->name, row->flag,
                           row->bits & OPT_PATH ? "yes" : "");
            }
        }
    buf_text(flags, "--config --help --version' ;;\n");
    size_t n = cmd->operands ? strcspn(cmd->operands, " ") : 0;
    if (!n || !memchr(cmd->operands, '|', n))
        return;
    buf_printf(values, "    %s:*%s)", cmd->name, cmd->name);
    one_of(cmd->operands, n, values);
}

static void completion(const struct opt_section *const *sections, struct buf *out) {
    struct buf flags = {0}, values = {0};
    for (size_t i = 0; cmd_all[i]; i++)
        completion_case(cmd_all[i], &flags, &values);
    buf_text(
        out,
        "# Bash completion of distlog. Made by `make generate` from the tables in cmd/ and lib/.\n"
        "# SPDX-License-Identifier: Apache-2.0\n_distlog()\n{\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    local command='' i flags='--config --help --version' words='' files=yes\n"
        "    local commands='");
    for (size_t i = 0; cmd_all[i]; i++)
        buf_printf(out, "%s%s", i ? " " : "", cmd_all[i]->name);
    buf_text(out, "'\n    local settings='");
    for (size_t i = 0; sections[i]; i++)
        for (size_t r = 0; r < sections[i]->n; r++)
            if (is_setting(&sections[i]->rows[r]))
                buf_printf(out, "%s.%s= ", sections[i]->name, sections[i]->rows[r].name);
    buf_text(
        out,
        "'\n"
        "    case ${COMP_WORDS[0]##*/} in distlog-*) command=${COMP_WORDS[0]##*/distlog-} ;; esac\n"
        "    command=${command#distlog-}\n"
        "    for ((i = 1; i < COMP_CWORD && ${#command} == 0; i++)); do\n"
        "        case ${COMP_WORDS[i]} in\n"
        "        -c | -o | --config) i=$((i + 1)) ;;\n"
        "        -*) ;;\n"
        "        *) command=${COMP_WORDS[i]} ;;\n"
        "        esac\n"
        "    done\n"
        "    case $command in\n");
    buf_span(out, buf_view(&flags));
    buf_text(out, "    esac\n    case $command:$prev in\n"
                  "    *:-c | *:--config) ;;\n"
                  "    *:-o) words=$settings files='' ;;\n");
    buf_span(out, buf_view(&values));
    buf_text(
        out,
        "    help:help) words=$commands files='' ;;\n"
        "    *) case $cur in\n"
        "        -*) words=$flags files='' ;;\n"
        "        *) [ -n \"$command\" ] || { words=$commands files=''; } ;;\n"
        "        esac ;;\n"
        "    esac\n"
        "    [ \"${words: -2}\" != '= ' ] || compopt -o nospace 2>/dev/null\n"
        "    COMPREPLY=()\n"
        "    [ -z \"$words\" ] || mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
        "    [ -z \"$files\" ] || mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
        "    [ -z \"$files\" ] || compopt -o filenames 2>/dev/null\n"
        "}\ncomplete -F _distlog distlog");
    for (size_t i = 0; cmd_all[i]; i++)
        buf_printf(out, " distlog-%s", cmd_all[i]->name);
    buf_char(out, '\n');
    buf_release(&flags);
    buf_release(&values);
}

/* Writes the contents of out to dir/name and clears out. */
static void save(const char *dir, const char *name, struct buf *out) {
    struct buf path = {0};
    buf_printf(&path, "%s/%s", dir, name);
    FILE *f = fopen(path.p, "w");
    if (!f || fwrite(out->p, 1, out->n, f) != out->n || fclose(f) != 0) {
        fprintf(stderr, "generate: %s: %s\n", path.p, strerror(errno));
        exit(EXIT_FAILED);
    }
    buf_release(&path);
    buf_clear(out);
}

/* Appends one setting with its default. A file in the data folder is written as its row has it, not
 * with the path that it has here, so that the result is the same on every machine. */
static void yaml_setting(const struct conf *conf, const char *key, int indent, struct buf *out) {
    const struct setting *v = conf_find(conf, key);
    const struct opt *row = v->row;
    buf_printf(out, "%*s# %s", indent, "", row->help);
    if (row->type == OPT_CHOICE)
        buf_printf(out, " (%s)", row->choices);
    buf_printf(out, "\n%*s%s: ", indent, "", row->name);
    if (row->bits & OPT_DATA)
        buf_text(out, row->def);
    else
        conf_print(v, out);
    buf_char(out, '\n');
    if (opt_has_file(row))
        buf_printf(out, "%*s%s_file: ''\n", indent, "", row->name);
}

/* Appends distlog.yaml: every setting; each level of a section's name ("bus.local") is a mapping
 * that is opened once. */
static void yaml_file(const struct opt_section *const *sections, struct buf *out) {
    struct conf *conf = conf_new(sections);
    struct buf key = {0};
    const char *before = "";
    buf_text(out, "# Every setting of distlog with its default; distlog.yaml(5) explains them.\n"
                  "# distlog reads the file named with -c FILE, else the one named by\n"
                  "# $DISTLOG_CONFIG, else the first that exists of ./distlog.yaml,\n"
                  "# ~/.config/distlog/distlog.yaml and /etc/distlog/distlog.yaml. In values,\n"
                  "# ${NAME} is an environment variable and $$ a dollar sign. Files of the\n"
                  "# embedded engines whose names contain no / are in the data folder:\n"
                  "# $DISTLOG_DATA, else $XDG_DATA_HOME/distlog, else ~/.local/share/distlog.\n");
    for (const struct opt_section *s; (s = *sections); sections++) {
        int indent = 2;
        for (const char *dot = s->name; (dot = strchr(dot, '.')); dot++)
            indent += 2;
        for (const struct opt *row = s->rows; row < s->rows + s->n; row++) {
            if (!is_setting(row))
                continue;
            const char *dot = strrchr(s->name, '.'), *last = dot ? dot + 1 : s->name;
            if (before != s->name)
                buf_printf(out, "%s%*s# %s\n%*s%s:\n", dot ? "" : "\n", indent - 2, "", s->help,
                           indent - 2, "", last);
            before = s->name;
            buf_clear(&key);
            buf_printf(&key, "%s.%s", s->name, row->name);
            yaml_setting(conf, key.p, indent, out);
        }
    }
    buf_release(&key);
    conf_free(conf);
}

static void generate(const char *dir) {
    const struct opt_section *const *sections = cmd_sections();
    struct buf out = {0}, name = {0};
    for (size_t i = 0; cmd_all[i]; i++) {
        command_page(cmd_all[i], &out);
        buf_clear(&name);
        buf_printf(&name, "man/distlog-%s.1", cmd_all[i]->name);
        save(dir, name.p, &out);
    }
    main_page(&out);
    save(dir, "man/distlog.1", &out);
    yaml_page(sections, &out);
    save(dir, "man/distlog.yaml.5", &out);
    completion(sections, &out);
    save(dir, "man/distlog.bash", &out);
    yaml_file(sections, &out);
    save(dir, "distlog.yaml", &out);
    buf_release(&name);
    buf_release(&out);
}

int main(int argc, char **argv) {
    const char *what = argc == 2 ? argv[1] : "";
    if (*what && *what != '-') {
        generate(what);
        return EXIT_DONE;
    }
    bool aliases = strcmp(what, "--aliases") == 0, examples = strcmp(what, "--examples") == 0;
    if (!aliases && !examples) {
        fprintf(stderr, "usage: generate DIR | --aliases | --examples\n");
        return EXIT_USAGE;
    }
    for (size_t i = 0; cmd_all[i]; i++) {
        for (const struct cmd_alias *a = cmd_all[i]->aliases; aliases && a && a->name; a++)
            puts(a->name);
        for (const struct man_example *e = man_text(cmd_all[i]->name)->examples;
             examples && e->command; e++)
            printf("%s\t%s\n", cmd_all[i]->name, e->command);
    }
    return EXIT_DONE;
}
