/* daemon: see daemon.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <unistd.h>

static const struct opt daemon_rows[] = {
    OPT(struct shutdown_conf, BOOL, no_follow, "false", .flag = "no-follow", .bits = OPT_FLAG_ONLY,
        .help = "process the backlog, then exit"),
    OPT(struct shutdown_conf, BOOL, drain, "false", .flag = "drain", .bits = OPT_FLAG_ONLY,
        .help = "process the backlog before stopping, for up to 4 s"),
};
const struct opt_section daemon_section =
    OPT_SECTION("daemon", "how a daemon exits", daemon_rows, struct shutdown_conf);

struct consumer_conf daemon_consumer_conf(const struct run *run) {
    return (struct consumer_conf){.settings = run->conf,
                                  .log = &run->log,
                                  .notify = run->notify,
                                  .shutdown = conf_section(run->conf, &daemon_section)};
}

enum exit_code daemon_conclude(const struct run *run, bool is_done, const struct err *err) {
    if (is_done)
        return EXIT_DONE;
    if (err->text[0])
        cmd_fail(run, EXIT_FAILED, "%s", err->text);
    return EXIT_FAILED;
}

bool daemon_has_bus(const struct run *run) {
    const struct bus_conf *bus = conf_section(run->conf, &bus_section);
    if (strcmp(bus->type, "local") != 0)
        return true;
    const char *path = *(const char *const *)conf_find(run->conf, "bus.local.path")->field;
    if (access(path, F_OK) == 0)
        return true;
    log_error(&run->log, "no bus at %s: nothing has been sent to it yet (check bus.local.path)",
              path);
    return false;
}
