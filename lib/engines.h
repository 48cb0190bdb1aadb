/* engines: from the names in the YAML ("kafka", "local") to the engines behind the ports, and the
 * list of every section of settings that lib/ knows. engines.c is the only file that names the
 * adapters of a port.
 * Owns nothing. Main thread. Callers: lib/app, cmd/, distlog.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "port/bus.h"
#include "port/store.h"

struct bus_conf {
    const char *type;
    int64_t max_record; /* bytes */
};
struct topics_conf {
    const char *input, *processed, *alerts;
};
/* The section "store": which engine keeps what, and the settings of the command `store` alone. They
 * are one table, because users read and write them in one order. */
struct store_conf {
    const char *type, *group, *index;
    bool quiet;
};
extern const struct opt_section bus_section, topics_section, store_section;
/* bus_section, topics_section, store_section and those of all engines; NULL-terminated. */
extern const struct opt_section *const engines_sections[];

/* Opens the bus that bus.type names, as the engine's open() does (lib/port/bus.h); how->max_record
 * is set here. *out is the caller's to close. Built with DEV=1, it checks the port's contract. */
enum bus_rc engines_open_bus(const struct conf *conf, const struct bus_open *how, struct bus **out,
                             struct err *err);
/* The same for store.type and lib/port/store.h. */
enum store_rc engines_open_store(const struct conf *conf, bool create, struct store **out,
                                 struct err *err);
