/* cmd: the rows of all commands, looked up; see cmd.h. Owns the list of sections, made once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cmd.h"

#include "../lib/base/suggest.h"
#include "../lib/engines.h"

const struct opt_section *const *cmd_sections(void) {
    enum { MOST = 64 };
    static const struct opt_section *all[MOST + 1];
    size_t n = 0;
    if (all[0])
        return all;
    for (const struct opt_section *const *s = engines_sections; *s && n < MOST; s++)
        all[n++] = *s;
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

void cmd_unknown(const struct log *log, const char *name) {
    struct suggest near;
    suggest_init(&near, name);
    for (const struct cmd *const *cmd = cmd_all; *cmd; cmd++)
        suggest_offer(&near, "%s", (*cmd)->name);
    log_say(log, "'%s' is not a distlog command%s", name, near.hint);
}
