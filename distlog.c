/* distlog: main(). Finds the command's row, reads the command line and the configuration, sets the
 * signals, runs, and checks that standard output took everything. Names no library.
 * Owns the list of commands and what was on the command line.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/conf/conf_yaml.h"
#include "lib/adapter/os/process.h"
#include "lib/adapter/versions.h"
#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/base/name.h"
#include "lib/base/suggest.h"
#include "lib/adapter/os/stop.h"

#define X(name) extern const struct cmd cmd_##name;
DISTLOG_COMMANDS
#undef X
#define X(name) &cmd_##name,
const struct cmd *const cmd_all[] = {DISTLOG_COMMANDS NULL};
#undef X

enum {
    MOST = 200,
    VERSION = 256,
    FLAG
}; /* flags of a command; what getopt_long returns for words */

/* A flag that was given. */
struct given {
    const struct opt *row; /* NULL: an -o, value is KEY=VALUE */
    char *value;
};

/* The command line. The words are argv's. */
struct line {
    const struct cmd *cmd;         /* NULL: none was named */
    const struct cmd_alias *alias; /* the name that cmd was called by, or NULL */
    struct run run;                /* config_file: as -c has it, until one is looked for */
    bool found;                    /* config_file is in the current folder, and nobody named it */
    bool help, version;
    struct option names[MOST + 4]; /* what getopt_long is to know */
    const struct opt *rows[MOST + 4];
    struct buf letters; /* for getopt_long too */
    size_t n;           /* of names, and of the rows behind them */
    struct given *given;
    size_t n_given;
    struct arena arena;
};

/* letter 0: none; row NULL: main()'s own. */
static void add_flag(struct line *l, const char *name, int has_arg, int letter,
                     const struct opt *row) {
    if (l->n == MOST)
        abort(); /* it is time to raise it */
    l->names[l->n] = (struct option){name, has_arg, NULL, letter ? letter : FLAG + (int)l->n};
    l->rows[l->n++] = row;
}

/* Knows from now on the flags of the command, if there is one, and those that every command has. */
static void set_cmd(struct line *l, const struct cmd *cmd) {
    l->cmd = cmd;
    l->n = 0;
    const char *prefix = "distlog";
    if (cmd)
        prefix = arena_printf(&l->arena, "distlog %s", cmd->name);
    l->run.log = log_default(prefix);
    buf_clear(&l->letters);
    buf_printf(&l->letters, "%s:hc:o:", cmd ? "" : "+"); /* +: up to the command */
    for (const struct opt_section *const *s = cmd ? cmd->sections : NULL; s && *s; s++)
        for (const struct opt *row = (*s)->rows; row < (*s)->rows + (*s)->n; row++) {
            if (!row->flag)
                continue;
            int has_arg = row->type == OPT_BOOL ? optional_argument : required_argument;
            add_flag(l, row->flag, has_arg, row->letter, row);
            if (row->letter)
                buf_printf(&l->letters, "%c%s", row->letter, row->type == OPT_BOOL ? "" : ":");
            if (row->type == OPT_BOOL)
                add_flag(l, arena_printf(&l->arena, "no-%s", row->flag), no_argument, 0, row);
        }
    add_flag(l, "config", required_argument, 'c', NULL);
    add_flag(l, "help", no_argument, 'h', NULL);
    add_flag(l, "version", no_argument, VERSION, NULL);
    l->names[l->n] = (struct option){0};
    l->rows[l->n] = NULL;
}

/* Wrong usage was said: says where to look. */
static int usage(const struct line *l) {
    log_info(&l->run.log, "see 'distlog help%s%s'", l->cmd ? " " : "", l->cmd ? l->cmd->name : "");
    return EXIT_USAGE;
}

/* The place of the flag that getopt_long returned, n if there is none. */
static size_t find_flag(const struct line *l, int val) {
    size_t i = 0;
    while (i < l->n && l->names[i].val != val)
        i++;
    return i;
}

/* getopt_long did not take a word: a value is missing, or there is no such flag. */
static int wrong_flag(struct line *l, int c, const char *word) {
    size_t i = find_flag(l, optopt);
    int n = (int)strcspn(word, "=");
    if (c == ':') {
        const char *arg = optopt == 'o'   ? "KEY=VALUE"
                          : optopt == 'c' ? "FILE"
                                          : opt_arg(l->rows[i]);
        log_info(&l->run.log, "%s: %s is missing", word, arg);
    } else if (optopt && i < l->n) {
        log_info(&l->run.log, "%.*s takes no value", n, word);
    } else if (optopt) {
        log_info(&l->run.log, "-%c: no such option", optopt);
    } else {
        struct suggest near;
        const char *name = arena_printf(&l->arena, "%.*s", n, word);
        suggest_init(&near, name);
        for (i = 0; i < l->n; i++)
            suggest_offer(&near, "--%s", l->names[i].name);
        log_info(&l->run.log, "%s: no such option%s", name, near.hint);
    }
    return usage(l);
}

/* Reads the flags, without a command those before it. 0, or the exit code after having said what is
 * wrong. */
static int read_flags(struct line *l, int argc, char **argv) {
    int c;
    opterr = optind = 0; /* 0: from the start */
    while ((c = getopt_long(argc, argv, l->letters.p, l->names, NULL)) != -1) {
        if (c == '?' || c == ':')
            return wrong_flag(l, c, argv[optind - 1]);
        if (c == 'h')
            l->help = true;
        else if (c == VERSION)
            l->version = true;
        else if (c == 'c')
            l->run.config_file = optarg;
        else {
            size_t i = find_flag(l, c); /* behind the last one for -o */
            char *value = optarg ? optarg : l->names[i].has_arg == no_argument ? "false" : "true";
            l->given = mem_realloc(l->given, l->n_given + 1, sizeof *l->given);
            l->given[l->n_given++] = (struct given){l->rows[i], value};
        }
    }
    l->run.argv = argv + optind;
    l->run.argc = argc - optind;
    return 0;
}

/* Reads all words. 0, or the exit code after having said what is wrong. */
static int read_line(struct line *l, int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    set_cmd(l, cmd_find(slash ? slash + 1 : argv[0], &l->alias));
    int code = read_flags(l, argc, argv);
    if (code || l->cmd || !*l->run.argv)
        return code;
    argc -= optind;
    argv = l->run.argv;
    const struct cmd *cmd = cmd_find(argv[0], &l->alias);
    if (!cmd) {
        cmd_unknown(&l->run.log, argv[0]);
        return usage(l);
    }
    set_cmd(l, cmd);
    return read_flags(l, argc, argv);
}

static int check_operands(const struct line *l) {
    if (l->run.argc < l->cmd->min_operands)
        log_info(&l->run.log, "an operand is missing: distlog %s %s", l->cmd->name,
                 l->cmd->operands);
    else if (l->run.argc > l->cmd->max_operands)
        log_info(&l->run.log, "'%s' is one operand too many", l->run.argv[l->cmd->max_operands]);
    else {
        char **topic = l->run.argv;
        while (l->cmd->topics && *topic && name_is_valid(*topic))
            topic++;
        if (!l->cmd->topics || !*topic)
            return 0;
        log_info(&l->run.log,
                 "'%s' can't be a topic's name (letters, digits, '.', '_', '-', at most 200)",
                 *topic);
    }
    return usage(l);
}

/* The configuration to read, or NULL for none. Only the one in the current folder may be there
 * without the caller's knowledge: the other places are named by the caller, the caller's own, or
 * root's. */
static const char *find_config(struct line *l) {
    const char *named = l->run.config_file ? l->run.config_file : getenv("DISTLOG_CONFIG");
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME"), *own = NULL;
    if (named)
        return *named ? named : NULL;
    if (xdg && *xdg == '/')
        own = arena_printf(&l->arena, "%s/distlog/distlog.yaml", xdg);
    else if (home && *home)
        own = arena_printf(&l->arena, "%s/.config/distlog/distlog.yaml", home);
    const char *const places[] = {"distlog.yaml", own, SYSCONFDIR "/distlog/distlog.yaml"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i] && access(places[i], F_OK) == 0) {
            l->found = i == 0;
            return places[i];
        }
    return NULL;
}

/* KEY=VALUE, from -o or from an alias. A secret of the command line, which ps shows to everybody,
 * is overwritten there. */
static int set_pair(struct line *l, struct conf *conf, const char *pair, enum opt_origin origin,
                    const char *where, struct err *err) {
    char *equals = strchr(pair, '=');
    if (!equals)
        return err_set(err, "%s: '%s' is not KEY=VALUE", where, pair);
    const char *key = arena_span(&l->arena, (struct span){pair, (size_t)(equals - pair)}).p;
    int failed = conf_set(conf, key, span_of(equals + 1), origin, where, err);
    if (!failed && origin == OPT_COMMAND_LINE && conf_find(conf, key)->row->bits & OPT_SECRET)
        memset(equals + 1, '*', strlen(equals + 1));
    return failed;
}

/* Fills conf in the order of precedence. 0, or the exit code after having said what is wrong. */
static int configure(struct line *l, struct conf *conf) {
    struct err err;
    size_t n = 0;
    l->run.overrides = arena_take(&l->arena, (l->n_given + 1) * sizeof *l->run.overrides);
    if (!l->cmd->without_conf &&
        ((l->run.config_file && conf_yaml_file(conf, l->run.config_file, !l->found, &err)) ||
         conf_env(conf, &err) ||
         (l->alias && l->alias->set &&
          set_pair(l, conf, l->alias->set, OPT_PRESET, l->alias->name, &err)))) {
        return cmd_fail(&l->run, EXIT_USAGE, "%s", err.text);
    }
    for (size_t i = 0; i < l->n_given; i++) {
        const struct given *g = &l->given[i];
        if (!g->row)
            l->run.overrides[n++] = (char *)arena_span(&l->arena, span_of(g->value)).p;
        if (g->row ? conf_flag(conf, g->row, g->value, &err)
                   : set_pair(l, conf, g->value, OPT_COMMAND_LINE, "-o", &err)) {
            cmd_fail(&l->run, EXIT_USAGE, "%s", err.text);
            return usage(l);
        }
    }
    l->run.overrides[n] = NULL;
    return 0;
}

static int run_command(struct line *l) {
    struct conf *conf = l->run.conf = conf_new(cmd_sections());
    l->run.config_file = find_config(l);
    int code = configure(l, conf);
    if (!code) {
        cmd_configure_log(conf, &l->run.log);
        stop_install();
        if (conf_has_secret(conf))
            process_hide();
        code = l->cmd->run(&l->run);
    }
    conf_free(conf);
    return code;
}

static int print_version(void) {
    BUF_LOCAL struct buf page = {0};
    buf_text(&page, "distlog " DISTLOG_VERSION "\n");
    versions_print(&page);
    puts(page.p);
    return EXIT_DONE;
}

/* What `distlog help COMMAND` prints, for --help, or because there is no command. */
static int print_help(const struct line *l) {
    char *name = l->cmd ? (char *)l->cmd->name : NULL;
    cmd_help.run(&(struct run){
        .argc = name != NULL, .argv = &name, .log = l->run.log, .notify = l->run.notify});
    return l->help ? EXIT_DONE : EXIT_USAGE;
}

/* A full disk is an error; a reader that had enough (`| head`) is one without words. */
static int close_stdout(const struct line *l, int code) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    bool reader_gone = poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
    bool failed = ferror(stdout);
    errno = 0;
    if (fclose(stdout) == 0 && !failed)
        return code;
    if (!reader_gone && errno != EBADF)
        log_info(&l->run.log, "cannot write standard output: %s",
                 errno ? strerror(errno) : "some of it is lost");
    return code ? code : EXIT_FAILED;
}

int main(int argc, char **argv) {
    static struct line l;
    static struct notify notify;
    struct stat out;
    if (argc == 0)
        return EXIT_USAGE; /* not even a name */
    /* Line by line, except into a file: there commands flush when a batch is done. */
    bool in_file = fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(out.st_mode);
    setvbuf(stdout, NULL, in_file ? _IOFBF : _IOLBF, 1 << 16);
    notify_open(&notify);
    l.run.notify = &notify;

    int code = read_line(&l, argc, argv);
    if (!code && l.version)
        code = print_version();
    else if (!code && (l.help || !l.cmd))
        code = print_help(&l);
    else if (!code && (code = check_operands(&l)) == 0)
        code = run_command(&l);
    code = close_stdout(&l, code);

    notify_close(&notify);
    free(l.given);
    buf_release(&l.letters);
    arena_release(&l.arena);
    return code;
}
