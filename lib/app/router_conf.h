/* router_conf: the settings of routing (section "pubsub"), and loading the registry from the bus:
 * for the router when it starts, for the command `nodes` to print.
 * Owns the section. Main thread. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/datetime.h"
#include "../core/registry.h"
#include "../port/bus.h"

struct router_conf {
    const char *group;
    struct registry_conf registry; /* without the fields that liveness and on_error decide */
    const char *liveness, *on_error, *unregistered, *time_format;
};
extern const struct opt_section router_section;

/* An empty registry with these settings; the caller frees it. */
struct registry *router_registry(const struct router_conf *conf);
/* The format of timestamps in records that pubsub makes. */
enum datetime_style router_style(const struct router_conf *conf);

/* Clears the registry and loads it from the topic `state` and from the heartbeats in `input`: the
 * partitions of a batch, up to the committed offsets; or, with batch NULL, all partitions, up to
 * the end of input. *invalid: the number of state records that could not be read. If the result is
 * not BUS_OK, err says why, and the registry must not be used. */
enum bus_rc router_load(struct bus *bus, const char *state, const char *input,
                        const struct bus_batch *batch, struct registry *registry, uint64_t *invalid,
                        struct err *err);
