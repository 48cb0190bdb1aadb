/* wire: from the names in the YAML ("kafka", "local") to the engines behind the doors, and the list
 * of every section that lib/ knows. engines.c is the only file that names adapters of a door. Owns
 * nothing. Main thread. Callers: cmd/, distlog.c. SPDX-License-Identifier: Apache-2.0 */
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
extern const struct opt_section bus_section, topics_section;
/* bus_section, topics_section, store_section and those of all engines; NULL-terminated. */
extern const struct opt_section *const engines_sections[];

/* Opens the bus that conf names; with bus_check around it when built with DEV=1. */
enum bus_rc engines_open_bus(const struct conf *conf, const struct bus_open *how, struct bus **out,
                             struct err *err);
/* Opens the store that conf names. */
enum store_rc engines_open_store(const struct conf *conf, bool create, struct store **out,
                                 struct err *err);
