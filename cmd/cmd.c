/* cmd: the rows of all commands, looked up; see cmd.h. Owns the list of sections, made once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmd.h"

#include <stdarg.h>
#include <stdio.h>

#include "../lib/app/failure.h"
#include "../lib/base/suggest.h"
#include "../lib/engines.h"

struct log_conf {
    const char *level, *format;
};

static const struct opt log_rows[] = {
    OPT(struct log_conf, CHOICE, level, "info", .choices = "error|warn|info|debug",
        .help = "the least important log lines to write"),
    OPT(struct log_conf, CHOICE, format, "text", .choices = "text|json",
        .help = "log lines as text, with priorities under systemd, or as JSON objects"),
};
static const struct opt_section log_section =
    OPT_SECTION("log", "what is logged on standard error", log_rows, struct log_conf);

void cmd_configure_log(const struct conf *conf, struct log *log) {
    static const char *const levels[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    const struct log_conf *c = conf_section(conf, &log_section);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(c->level, levels[i]) == 0)
            log->level = (enum log_level)i;
    }
    if (strcmp(c->format, "json") == 0)
        log->format = LOG_JSON;
}

const struct opt_section *const *cmd_sections(void) {
    enum { MOST = 64 };
    static const struct opt_section *all[MOST + 1];
    size_t n = 0;
    if (all[0])
        return all;
    for (const struct opt_section *const *s = engines_sections; *s && n < MOST; s++)
        all[n++] = *s;
    all[n++] = &log_section;
    for (const struct cmd *const *cmd = cmd_all; *cmd; cmd++)
        for (const struct opt_section *const *s = (*cmd)->sections; *s && n < MOST; s++) {
            size_t k = 0;
            while (k < n && all[k] != *s)
                k++;
            if (k == n)
                all[n++] = *s;
        }
    return all;
}

const struct cmd *cmd_find(const char *name, const struct cmd_alias **alias) {
    static const char own[] = "distlog-", python[] = ".py";
    size_t n = strlen(name);
    *alias = NULL;
    if (strncmp(name, own, sizeof own - 1) == 0)
        name += sizeof own - 1, n -= sizeof own - 1;
    if (n > sizeof python - 1 && strcmp(name + n - (sizeof python - 1), python) == 0)
        n -= sizeof python - 1; /* node1.py: the old tools were scripts */
    for (const struct cmd *const *cmd = cmd_all; *cmd; cmd++) {
        if (strcmp((*cmd)->name, name) == 0)
            return *cmd;
        for (const struct cmd_alias *a = (*cmd)->aliases; a && a->name; a++)
            if (span_is((struct span){name, n}, a->name)) {
                *alias = a;
                return *cmd;
            }
    }
    return NULL;
}

int cmd_fail(const struct run *run, enum exit_code code, const char *format, ...) {
    char reason[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    failure_report(&run->log, run->notify, "%s", reason);
    return (int)code;
}

void cmd_unknown(const struct log *log, const char *name) {
    struct suggest near;
    suggest_init(&near, name);
    for (const struct cmd *const *cmd = cmd_all; *cmd; cmd++)
        suggest_offer(&near, "%s", (*cmd)->name);
    log_info(log, "'%s' is not a distlog command%s", name, near.hint);
}
