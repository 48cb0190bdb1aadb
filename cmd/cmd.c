/* cmd: see cmd.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmd.h"

#include <stdarg.h>
#include <stdio.h>

#include "../lib/app/failure.h"
#include "../lib/base/suggest.h"
#include "../lib/engines.h"

enum { CMD_MAX_REASON_BYTES = 2048 };

/* --- the log's settings --- */

struct log_conf {
    const char *level, *format;
};

static const struct opt log_rows[] = {
    OPT(struct log_conf, CHOICE, level, "info", .choices = "error|warn|info|debug",
        .help = "lowest level of log lines to write"),
    OPT(struct log_conf, CHOICE, format, "text", .choices = "text|json",
        .help = "log lines as text, with priorities under systemd, or as JSON objects"),
};
static const struct opt_section log_section =
    OPT_SECTION("log", "what is logged on standard error", log_rows, struct log_conf);

void cmd_configure_log(const struct conf *conf, struct log *log) {
    static const char *const levels[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    const struct log_conf *c = conf_section(conf, &log_section);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(c->level, levels[i]) == 0)
            log->level = (enum log_level)i;
    }
    if (strcmp(c->format, "json") == 0)
        log->format = LOG_JSON;
}

/* --- the sections of all commands --- */

static void cmd_add_section(struct cmd_sections *s, size_t *n, const struct opt_section *section) {
    for (size_t i = 0; i < *n; i++) {
        if (s->list[i] == section)
            return;
    }
    if (*n == CMD_MAX_SECTIONS)
        abort(); /* raise the limit */
    s->list[(*n)++] = section;
}

void cmd_sections_init(struct cmd_sections *s, const struct cmd *const *commands) {
    size_t n = 0;
    *s = (struct cmd_sections){{NULL}};
    for (size_t i = 0; engines_sections[i]; i++)
        cmd_add_section(s, &n, engines_sections[i]);
    cmd_add_section(s, &n, &log_section);
    for (size_t i = 0; commands[i]; i++) {
        const struct opt_section *const *sections = commands[i]->sections;
        for (size_t k = 0; sections[k]; k++)
            cmd_add_section(s, &n, sections[k]);
    }
}

/* --- names --- */

/* Links may be called distlog-COMMAND. */
static const char *cmd_skip_prefix(const char *name) {
    static const char prefix[] = "distlog-";
    const size_t n = sizeof prefix - 1;
    if (strncmp(name, prefix, n) == 0)
        return name + n;
    return name;
}

/* The tools whose names are aliases were scripts: node1.py. */
static struct span cmd_cut_suffix(const char *name) {
    static const char suffix[] = ".py";
    const size_t n = sizeof suffix - 1;
    struct span stem = span_of(name);
    if (stem.n > n && memcmp(stem.p + stem.n - n, suffix, n) == 0)
        stem.n -= n;
    return stem;
}

static const struct cmd_alias *cmd_find_alias(const struct cmd *cmd, struct span name) {
    for (const struct cmd_alias *a = cmd->aliases; a && a->name; a++) {
        if (span_is(name, a->name))
            return a;
    }
    return NULL;
}

const struct cmd *cmd_find(const struct cmd *const *commands, const char *name,
                           const struct cmd_alias **alias) {
    name = cmd_skip_prefix(name);
    const struct span stem = cmd_cut_suffix(name);
    *alias = NULL;
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
        *alias = cmd_find_alias(commands[i], stem);
        if (*alias)
            return commands[i];
    }
    return NULL;
}

void cmd_report_unknown(const struct cmd *const *commands, const char *name,
                        const struct log *log) {
    struct suggest suggest;
    suggest_init(&suggest, name);
    for (size_t i = 0; commands[i]; i++)
        suggest_offer(&suggest, "%s", commands[i]->name);
    log_error(log, "'%s' is not a distlog command%s", name, suggest.hint);
}

/* --- failures --- */

int cmd_fail(const struct run *run, enum exit_code code, const char *format, ...) {
    char reason[CMD_MAX_REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    failure_report(&run->log, run->notify, "%s", reason);
    return (int)code;
}
