/* pubsub_state: pubsub's settings, and its registry as the bus remembers it. Owns the section. Main
 * thread. Callers: pubsub, which goes on from there, and nodes, which shows it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../lib/core/registry.h"
#include "../lib/base/datetime.h"
#include "../lib/port/bus.h"
#include "cmd.h"

struct pubsub_conf {
    const char *group;
    struct registry_conf registry; /* but what the choices below say */
    const char *liveness, *on_error, *unregistered, *time_format;
};
extern const struct opt_section pubsub_section;

/* A registry as the settings have it; the caller frees it. */
struct registry *pubsub_registry(const struct pubsub_conf *c);
enum datetime_style pubsub_style(const struct pubsub_conf *c);

/* Clears the registry and loads it from the state topic and the beats of input: the partitions of
 * parts, up to what is committed; or, if that is NULL, all there are, up to the end of input.
 * *garbage: how many state records made no sense. Not BUS_OK: with err, and the registry is of no
 * use. */
enum bus_rc pubsub_load(struct bus *bus, const char *state, const char *input,
                        const struct bus_batch *parts, struct registry *registry, uint64_t *garbage,
                        struct err *err);
