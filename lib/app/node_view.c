/* node_view: see node_view.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "node_view.h"

#include "../base/mem.h"
#include "../core/topics.h"
#include "../engines.h"

/* All nodes, by id. */
static void node_view_collect(struct node_view *v) {
    struct registry_node node;
    size_t place = 0, cap = 0;
    while (registry_each(v->registry, &place, &node)) {
        v->nodes = mem_room(v->nodes, v->n, &cap, sizeof *v->nodes);
        v->nodes[v->n++] = node;
    }
    if (v->n > 0)
        qsort(v->nodes, v->n, sizeof *v->nodes, span_order); /* a node begins with its id */
}

/* Has the registry's time advance to the bus's, so that it knows who is silent now. */
static enum bus_rc node_view_confirm(struct node_view *v, struct bus *bus, struct err *err) {
    struct bus_batch batch = {0};
    const enum bus_rc rc = bus->engine->poll(bus, 0, &batch, err);
    if (rc != BUS_OK)
        return rc;
    struct registry_position part;
    for (size_t i = 0; registry_position(v->registry, i, &part); i++)
        registry_confirm(v->registry, part.partition, 0, batch.now_ms);
    return BUS_OK;
}

static enum bus_rc node_view_read(struct node_view *v, struct bus *bus, const char *group,
                                  const char *input, struct err *err) {
    BUF_LOCAL struct buf state = {0};
    uint64_t invalid;
    topics_state(&state, group);
    enum bus_rc rc = router_load(bus, state.p, input, NULL, v->registry, &invalid, err);
    if (rc == BUS_OK)
        rc = bus->engine->lag(bus, group, input, &v->lag, err);
    if (rc == BUS_OK)
        rc = node_view_confirm(v, bus, err);
    return rc;
}

enum bus_rc node_view_load(struct node_view *v, const struct conf *settings, struct err *err) {
    const struct router_conf *conf = conf_section(settings, &router_section);
    const struct topics_conf *topics = conf_section(settings, &topics_section);
    struct bus *bus;
    *v = (struct node_view){.registry = router_registry(conf)};
    enum bus_rc rc = engines_open_bus(settings, &(struct bus_open){0}, &bus, err);
    if (rc != BUS_OK)
        return rc;
    rc = node_view_read(v, bus, conf->group, topics->input, err);
    bus->engine->close(bus);
    if (rc == BUS_OK)
        node_view_collect(v);
    return rc;
}

void node_view_release(struct node_view *v) {
    free(v->nodes);
    registry_free(v->registry);
}
