/* nodes: prints which nodes are known, UP or silent, since when (lib/app/node_view). Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/adapter/os/clock.h"
#include "../lib/app/node_view.h"
#include "../lib/base/escape.h"
#include "../lib/base/json_writer.h"
#include "daemon.h"
#include "line.h"

struct nodes_conf {
    const char *format;
};

static const struct opt nodes_rows[] = {
    OPT(struct nodes_conf, CHOICE, format, "table", .flag = "format", .choices = "table|json",
        .bits = OPT_FLAG_ONLY, .help = "a table, or one JSON object per line"),
};
static const struct opt_section nodes_section =
    OPT_SECTION("nodes", "what nodes prints", nodes_rows, struct nodes_conf);

/* Of columns; a longer service moves its node to the right. */
enum { NODES_STATUS_WIDTH = 8, NODES_SERVICE_WIDTH = 16 };

static const char *nodes_status(const struct registry_node *node) {
    return node->silent ? "silent" : "UP";
}

static void nodes_add_time(struct buf *out, int64_t ms, enum datetime_style style) {
    datetime_format(out, ms, clock_offset_s(ms), style);
}

/* --- JSON --- */

static void nodes_write_time(struct json_writer *w, const char *key, int64_t ms,
                             enum datetime_style style) {
    json_writer_key(w, key);
    json_writer_plain_begin(w);
    nodes_add_time(w->out, ms, style);
    json_writer_plain_end(w);
}

static void nodes_add_json(struct buf *out, const struct registry_node *node,
                           enum datetime_style style) {
    BUF_LOCAL struct buf json = {0};
    struct json_writer w = {.out = &json};
    json_writer_object_begin(&w);
    json_writer_member_string(&w, "node_id", node->id);
    json_writer_member_string(&w, "service_name", node->service);
    json_writer_member_string(&w, "status", span_of(nodes_status(node)));
    nodes_write_time(&w, "since", node->since_ms, style);
    nodes_write_time(&w, "last_heartbeat", node->last_seen_ms, style);
    json_writer_object_end(&w);
    line_json(out, buf_view(&json));
    buf_char(out, '\n');
}

/* --- the table --- */

static int nodes_time_width(enum datetime_style style) {
    if (style == DATETIME_LOCAL)
        return (int)strlen("2024-01-31 23:59:59");
    return (int)strlen("2024-01-31T23:59:59+01:00");
}

static void nodes_add_header(struct buf *out, enum datetime_style style) {
    const int width = nodes_time_width(style);
    buf_printf(out, "%-*s%-*s  %-*s  %-*s  NODE\n", NODES_STATUS_WIDTH, "STATUS", width, "SINCE",
               width, "LAST", NODES_SERVICE_WIDTH, "SERVICE");
}

/* Status and times have fixed widths, so they come first, and the names last. */
static void nodes_add_row(struct buf *out, const struct registry_node *node,
                          enum datetime_style style) {
    BUF_LOCAL struct buf service = {0};
    struct span name = SPAN_LIT("-");
    if (node->service.p)
        name = node->service;
    escape_printable(&service, name);
    buf_printf(out, "%-*s", NODES_STATUS_WIDTH, nodes_status(node));
    nodes_add_time(out, node->since_ms, style);
    buf_text(out, "  ");
    nodes_add_time(out, node->last_seen_ms, style);
    buf_printf(out, "  %-*s  ", NODES_SERVICE_WIDTH, buf_view(&service).p);
    escape_printable(out, node->id);
    buf_char(out, '\n');
}

/* --- the command --- */

static bool nodes_print(const struct run *run, const struct node_view *view) {
    const struct nodes_conf *conf = conf_section(run->conf, &nodes_section);
    const enum datetime_style style = router_style(conf_section(run->conf, &router_section));
    const bool is_table = strcmp(conf->format, "table") == 0;
    BUF_LOCAL struct buf out = {0};
    if (is_table)
        nodes_add_header(&out, style);
    for (size_t i = 0; i < view->n; i++) {
        if (is_table)
            nodes_add_row(&out, &view->nodes[i], style);
        else
            nodes_add_json(&out, &view->nodes[i], style);
    }
    return line_write(run, &out);
}

static void nodes_report_lag(const struct run *run, const struct node_view *view) {
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    if (view->lag)
        log_warn(&run->log, "pubsub is behind: %" PRId64 " records of %s are not routed yet",
                 view->lag, topics->input);
}

static int nodes_run(struct run *run) {
    struct node_view view;
    struct err err;
    int code = EXIT_FAILED;
    if (!daemon_has_bus(run))
        return EXIT_FAILED;
    if (node_view_load(&view, run->conf, &err) != BUS_OK) {
        log_error(&run->log, "%s", err.text);
    } else {
        nodes_report_lag(run, &view);
        if (nodes_print(run, &view))
            code = EXIT_DONE;
    }
    node_view_release(&view);
    return code;
}

const struct cmd cmd_nodes = {
    .name = "nodes",
    .summary = "show the known nodes, UP or silent, and since when",
    .sections = (const struct opt_section *const[]){&nodes_section, NULL},
    .run = nodes_run,
};
