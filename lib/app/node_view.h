/* node_view: which nodes are known, as pubsub keeps them in the bus, with the heartbeats up to the
 * end of the input. Only looks: it has no position in any topic, and changes nothing.
 * Owns the registry that the nodes' texts are in. Main thread. Callers: cmd/nodes.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "router_conf.h"

struct node_view {
    struct registry *registry;
    struct registry_node *nodes; /* by id */
    size_t n;
    int64_t lag; /* records of the input that pubsub has not routed yet */
};

/* Opens the bus of these settings, which must exist, and looks. BUS_OK, or what failed, with err;
 * the caller calls node_view_release in both cases. */
enum bus_rc node_view_load(struct node_view *v, const struct conf *settings, struct err *err);
void node_view_release(struct node_view *v);
