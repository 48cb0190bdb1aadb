/* router_conf: the settings of routing (section "pubsub"), and the registry as they have it and as
 * the bus keeps it. The router starts from there; `nodes` shows it.
 * Owns the section. Main thread. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/datetime.h"
#include "../core/registry.h"
#include "../port/bus.h"

struct router_conf {
    const char *group;
    struct registry_conf registry; /* except for what liveness and on_error decide */
    const char *liveness, *on_error, *unregistered, *time_format;
};
extern const struct opt_section router_section;

/* An empty registry with these settings; the caller frees it. */
struct registry *router_registry(const struct router_conf *conf);
/* How to write the times that distlog itself reports. */
enum datetime_style router_style(const struct router_conf *conf);

/* Clears the registry and loads it from the topic `state` and from the heartbeats in `input`: the
 * partitions of a batch, up to what is committed; or, with batch NULL, all there are, up to the end
 * of input. *invalid: how many records of the state made no sense. If the result is not BUS_OK, err
 * says why, and the registry must not be used. */
enum bus_rc router_load(struct bus *bus, const char *state, const char *input,
                        const struct bus_batch *batch, struct registry *registry, uint64_t *invalid,
                        struct err *err);
