/* nodes: who is known, UP or silent, since when. Looks at what pubsub keeps in the bus, and reads
 * the beats on to the end; owns no place in any topic. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/adapter/os/clock.h"
#include "../lib/base/escape.h"
#include "../lib/base/mem.h"
#include "../lib/app/router_conf.h"
#include "../lib/core/topics.h"
#include "daemon.h"
#include "line.h"

struct nodes_conf {
    const char *format;
};

static const struct opt rows[] = {
    OPT(struct nodes_conf, CHOICE, format, "table", .flag = "format", .choices = "table|json",
        .bits = OPT_FLAG_ONLY, .help = "a table, or a JSON object a line"),
};
static const struct opt_section nodes_section =
    OPT_SECTION("nodes", "what nodes prints", rows, struct nodes_conf);

enum { SERVICE_WIDTH = 16 }; /* of its column; a longer one pushes the node aside */

/* All nodes by id; the caller frees them. */
static struct registry_node *sorted(const struct registry *r, size_t *n) {
    struct registry_node *nodes = NULL, node;
    size_t cap = 0;
    *n = 0;
    for (size_t place = 0; registry_each(r, &place, &node); nodes[(*n)++] = node)
        nodes = mem_room(nodes, *n, &cap, sizeof *nodes);
    if (nodes)
        qsort(nodes, *n, sizeof *nodes, span_order);
    return nodes;
}

static void add_json(struct buf *out, const struct registry_node *n, const char *since,
                     const char *last) {
    BUF_LOCAL struct buf json = {0};
    buf_text(&json, "{\"node_id\":");
    escape_json(&json, n->id);
    buf_text(&json, ",\"service_name\":");
    escape_json(&json, n->service);
    buf_printf(&json, ",\"status\":\"%s\",\"since\":\"%s\",\"last_heartbeat\":\"%s\"}",
               n->silent ? "silent" : "UP", since, last);
    line_json(out, buf_view(&json));
    buf_char(out, '\n');
}

/* Times and status are of one width, so they come first, and the names last. */
static void add_row(struct buf *out, const struct registry_node *n, const char *since,
                    const char *last) {
    BUF_LOCAL struct buf service = {0};
    escape_printable(&service, n->service.p ? n->service : SPAN_LIT("-"));
    buf_printf(out, "%-8s%s  %s  %-*s  ", n->silent ? "silent" : "UP", since, last, SERVICE_WIDTH,
               buf_view(&service).p);
    escape_printable(out, n->id);
    buf_char(out, '\n');
}

static bool show(const struct run *run, const struct registry *r) {
    const struct nodes_conf *conf = conf_section(run->conf, &nodes_section);
    enum datetime_style style = router_style(conf_section(run->conf, &router_section));
    BUF_LOCAL struct buf out = {0};
    size_t n;
    struct registry_node *nodes = sorted(r, &n);
    bool table = strcmp(conf->format, "table") == 0;
    int width =
        (int)strlen(style == DATETIME_LOCAL ? "2024-01-31 23:59:59" : "2024-01-31T23:59:59+01:00");
    if (table)
        buf_printf(&out, "%-8s%-*s  %-*s  %-*s  NODE\n", "STATUS", width, "SINCE", width, "LAST",
                   SERVICE_WIDTH, "SERVICE");
    for (struct registry_node *node = nodes; node < nodes + n; node++) {
        BUF_LOCAL struct buf since = {0}, last = {0};
        datetime_format(&since, node->since_ms, clock_offset_s(node->since_ms), style);
        datetime_format(&last, node->last_seen_ms, clock_offset_s(node->last_seen_ms), style);
        (table ? add_row : add_json)(&out, node, since.p, last.p);
    }
    bool ok = line_write(run, &out);
    free(nodes);
    return ok;
}

/* Loads the registry up to the end of the input and to the bus's time. */
static enum bus_rc look(const struct run *run, struct registry *r, struct err *err) {
    const struct router_conf *conf = conf_section(run->conf, &router_section);
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    BUF_LOCAL struct buf state = {0};
    topics_state(&state, conf->group);
    uint64_t garbage;
    int64_t left = 0;
    struct bus_batch now = {0};
    struct bus *bus;
    enum bus_rc rc = engines_open_bus(run->conf, &(struct bus_open){0}, &bus, err);
    if (rc != BUS_OK)
        return rc;
    rc = router_load(bus, state.p, topics->input, NULL, r, &garbage, err);
    if (rc == BUS_OK)
        rc = bus->engine->lag(bus, conf->group, topics->input, &left, err);
    if (rc == BUS_OK)
        rc = bus->engine->poll(bus, 0, &now, err);
    struct registry_position part;
    for (size_t i = 0; rc == BUS_OK && registry_position(r, i, &part); i++)
        registry_confirm(r, part.partition, 0, now.now_ms);
    if (rc == BUS_OK && left)
        log_info(&run->log, "pubsub is behind: %" PRId64 " records of %s are not routed yet", left,
                 topics->input);
    bus->engine->close(bus);
    return rc;
}

static int run_nodes(struct run *run) {
    struct registry *registry = router_registry(conf_section(run->conf, &router_section));
    struct err err;
    int code = EXIT_FAILED;
    if (daemon_has_bus(run)) {
        if (look(run, registry, &err) != BUS_OK)
            log_info(&run->log, "%s", err.text);
        else if (show(run, registry))
            code = EXIT_DONE;
    }
    registry_free(registry);
    return code;
}

const struct cmd cmd_nodes = {
    .name = "nodes",
    .summary = "show who is known, UP or silent, since when",
    .sections = (const struct opt_section *const[]){&nodes_section, NULL},
    .run = run_nodes,
};
