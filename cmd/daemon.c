/* daemon: see daemon.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <unistd.h>

#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/os/stop.h"

/* --drain works on for 4 s, so that the last commit fits into the 5 s after which every daemon has
 * left, whatever its engines do. */
enum {
    FIRST_WAIT_MS = 100,
    LAST_WAIT_MS = 5000,
    DRAIN_MS = 4000,
    LEAVE_MS = 5000,
    NAP_MS = 100,
    LAST_S = 6
};

static const struct opt rows[] = {
    OPT(struct daemon_conf, BOOL, no_follow, "false", .flag = "no-follow", .bits = OPT_FLAG_ONLY,
        .help = "exit once everything that is there has been handled"),
    OPT(struct daemon_conf, BOOL, drain, "false", .flag = "drain", .bits = OPT_FLAG_ONLY,
        .help = "when told to stop, handle what is there first, for up to 4 s"),
};
const struct opt_section daemon_section =
    OPT_SECTION("daemon", "how a daemon leaves", rows, struct daemon_conf);

void daemon_init(struct daemon *d, const struct run *run) {
    *d = (struct daemon){
        .run = run,
        .backoff = {.rng = {rng_os()}, .base_ms = FIRST_WAIT_MS, .max_ms = LAST_WAIT_MS}};
    stop_within(LAST_S);
}

void daemon_introduce(struct daemon *d, const struct bus *bus, const char *flow) {
    if (!d->introduced)
        log_info(&d->run->log, "%s, %s", bus->place.p, flow);
    d->introduced = true;
}

struct bus *daemon_bus(struct daemon *d, const struct bus_open *how, const char *flow) {
    struct err err;
    struct bus *bus = NULL;
    enum bus_rc rc;
    while ((rc = engines_open_bus(d->run->conf, how, &bus, &err)) == BUS_RETRY && !stop_asked())
        daemon_trouble(d, &err);
    if (rc == BUS_OK)
        daemon_introduce(d, bus, flow); /* whether the trouble is over, only poll() can tell */
    else if (rc != BUS_RETRY)
        log_info(&d->run->log, "%s", err.text);
    return bus;
}

bool daemon_has_bus(const struct run *run) {
    const struct bus_conf *bus = conf_section(run->conf, &bus_section);
    if (strcmp(bus->type, "local") != 0)
        return true;
    const char *path = *(char **)conf_find(run->conf, "bus.local.path")->field;
    if (access(path, F_OK) == 0)
        return true;
    log_info(&run->log, "no bus at %s: nothing was ever sent to it (bus.local.path)", path);
    return false;
}

struct store *daemon_store(struct daemon *d) {
    struct err err;
    struct store *store = NULL;
    enum store_rc rc;
    while ((rc = engines_open_store(d->run->conf, true, &store, &err)) == STORE_RETRY &&
           !stop_asked()) {
        daemon_trouble(d, &err);
        conf_renew_secrets(d->run->conf);
    }
    if (rc == STORE_OK)
        daemon_well(d);
    else if (rc != STORE_RETRY)
        log_info(&d->run->log, "%s", err.text);
    return store;
}

bool daemon_trouble(struct daemon *d, const struct err *err) {
    if (!d->in_trouble)
        log_info(&d->run->log, "%s; trying again until it works", err->text);
    d->in_trouble = true;
    /* In naps, because a signal that comes just before a wait does not end it. */
    int64_t left = backoff_next(&d->backoff);
    do {
        clock_sleep_ms(left < NAP_MS ? left : NAP_MS);
        left -= NAP_MS;
    } while (left > 0 && !stop_asked());
    return !daemon_overdue();
}

void daemon_well(struct daemon *d) {
    if (d->in_doubt)
        return;
    if (d->in_trouble)
        log_info(&d->run->log, "it works again");
    d->in_trouble = false;
    d->backoff.tries = 0;
}

bool daemon_done(struct daemon *d, bool at_end) {
    const struct daemon_conf *c = conf_section(d->run->conf, &daemon_section);
    if (!stop_asked())
        return at_end && c->no_follow;
    return !c->drain || at_end || clock_mono_ms() - stop_asked_ms() >= DRAIN_MS;
}

bool daemon_overdue(void) {
    return stop_asked() && clock_mono_ms() - stop_asked_ms() >= LEAVE_MS;
}
