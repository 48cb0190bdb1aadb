/* node: simulated services that post their registration, heartbeats and logs over HTTP, each node's
 * in order. Owns the nodes and their sender. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/app/sender.h"
#include "../lib/app/traffic.h"
#include "../lib/base/arena.h"
#include "../lib/base/mem.h"
#include "line.h"

enum {
    NODE_IDLE_MS = 1000, /* a turn of the loop when nothing is due */
    NODE_LEAVE_MS = 4500 /* for the goodbyes after a stop: every command has left within 5 s */
};

struct node_conf {
    const char *name, *id, *time_format;
    struct http_client_conf http;
    struct traffic_conf traffic; /* without service, weights and style, which node_traffic sets */
    struct str_map weights;
    int64_t queue, parallel, nodes, run_for, seed;
    const char *url;
    bool quiet;
};

static const struct opt rows[] = {
    OPT(struct node_conf, STRING, name, "payment", .flag = "name", .arg = "SERVICE",
        .help = "name of the service: payment, order, service, or any other"),
    OPT(struct node_conf, STRING, id, "", .flag = "id",
        .help = "node_id; empty: node_01, node_02, node_03 for payment, order, service, else "
                "node_NAME"),
    OPT(struct node_conf, STRING, url, "http://localhost:9880/log.input", .flag = "url",
        .arg = "URL", .bits = OPT_URL, .help = "URL to post to"),
    OPT_ROW("heartbeat", struct node_conf, MS, traffic.heartbeat_ms, "5s", .flag = "heartbeat",
            .min = 1, .max = 86400000, .help = "time between heartbeats"),
    OPT_ROW("interval", struct node_conf, MS, traffic.interval_ms, "1s", .flag = "interval",
            .min = 1, .max = 86400000, .help = "time between logs"),
    OPT(struct node_conf, MAP, weights, "INFO=80,WARN=15,ERROR=5", .flag = "weights",
        .help = "relative frequency of each log level"),
    OPT_ROW("message", struct node_conf, STRING, traffic.message,
            "Sample log message from {node_id}", .flag = "message", .arg = "TEXT",
            .help = "message of each log; {node_id} is replaced by the node's id"),
    OPT(struct node_conf, CHOICE, time_format, "local", .flag = "time-format",
        .choices = "local|rfc3339", .help = "format of timestamps"),
    OPT_ROW("keep_going", struct node_conf, BOOL, traffic.keep_going, "false", .flag = "keep-going",
            .help = "after an ERROR, register again and continue instead of exiting"),
    OPT(struct node_conf, INT, queue, "1000", .flag = "queue", .min = INT64_C(2) * SENDER_BATCH,
        .max = 1000000,
        .help = "records that each node queues during an outage of the collector; further ones "
                "are dropped"),
    OPT(struct node_conf, INT, parallel, "32", .flag = "parallel", .min = 1, .max = 10000,
        .help = "maximum number of concurrent requests of all nodes"),
    OPT_ROW("timeout", struct node_conf, MS, http.timeout_ms, "10s", .flag = "timeout", .min = 1,
            .max = 3600000, .help = "time limit of a request"),
    OPT_ROW("ca", struct node_conf, STRING, http.ca, "", .flag = "ca", .bits = OPT_PATH,
            .arg = "FILE", .help = "CA certificates for https (PEM); empty: the system's"),
    OPT_ROW("user", struct node_conf, STRING, http.user, "",
            .help = "user name for basic authentication"),
    OPT_ROW("password", struct node_conf, STRING, http.password, "", .bits = OPT_SECRET,
            .help = "password for basic authentication"),
    OPT_ROW("token", struct node_conf, STRING, http.token, "", .bits = OPT_SECRET,
            .help = "bearer token, used if no password is set"),
    OPT(struct node_conf, INT, nodes, "1", .flag = "nodes", .min = 1, .max = 1000000,
        .bits = OPT_FLAG_ONLY,
        .help = "number of nodes; their ids are numbered: node_0001, node_0002, …"),
    OPT_ROW("count", struct node_conf, INT, traffic.count, "0", .flag = "count", .letter = 'n',
            .bits = OPT_FLAG_ONLY, .help = "exit after this many logs of each node; 0: never"),
    OPT_ROW("for", struct node_conf, MS, run_for, "0", .flag = "for", .bits = OPT_FLAG_ONLY,
            .help = "exit after this time; 0: never"),
    OPT(struct node_conf, INT, seed, "0", .flag = "seed", .bits = OPT_FLAG_ONLY,
        .help = "the same seed produces the same records, including ids; 0: random"),
    OPT(struct node_conf, BOOL, quiet, "false", .flag = "quiet", .letter = 'q',
        .help = "do not print the records"),
};
static const struct opt_section node_section =
    OPT_SECTION("node", "the simulated services", rows, struct node_conf);

struct simulation {
    const struct run *run;
    const struct node_conf *conf;
    struct traffic_conf traffic_conf;
    struct sender sender;
    struct traffic *nodes; /* sender.sources has the queue of each at the same index */
    size_t n, alive;       /* nodes: all, and those that have not ended */
    int64_t next_due_ms;   /* when the next node does something, monotonic */
    int64_t end_ms;        /* --for, monotonic; INT64_MAX: never */
    bool is_leaving;
    struct buf record; /* the one being written */
    struct buf lines;  /* for standard output */
    struct arena ids;
};

/* --- what the nodes do --- */

static struct traffic_now node_now(void) {
    struct traffic_now now = {.mono_ms = clock_mono_ms(), .wall_ms = clock_wall_ms()};
    now.offset_s = clock_offset_s(now.wall_ms);
    return now;
}

/* How many places of the queue this kind of record leaves free. The last two are reserved for the
 * registration after an ERROR and for the goodbye, without which the other records would be
 * misread. */
static size_t node_spare_places(enum traffic_kind kind) {
    switch (kind) {
    case TRAFFIC_GOODBYE:
        return 0;
    case TRAFFIC_REGISTRATION:
        return 1;
    case TRAFFIC_INFO:
    case TRAFFIC_WARN:
    case TRAFFIC_ERROR:
    case TRAFFIC_HEARTBEAT:
        break;
    }
    return 2;
}

/* Queues the record in s->record. */
static void node_send(struct simulation *s, size_t node, enum traffic_kind kind) {
    sender_put(&s->sender, &s->sender.sources[node], buf_view(&s->record), node_spare_places(kind));
    buf_clear(&s->record);
}

static void node_end(struct simulation *s, size_t node, const struct traffic_now *now) {
    if (traffic_goodbye(&s->nodes[node], now, &s->record))
        node_send(s, node, TRAFFIC_GOODBYE);
    s->alive--;
}

static void node_act(struct simulation *s, size_t node, const struct traffic_now *now) {
    struct traffic *traffic = &s->nodes[node];
    enum traffic_kind kind;
    while (traffic_take(traffic, now, &s->record, &kind))
        node_send(s, node, kind);
    if (traffic->ended)
        node_end(s, node, now);
}

/* Lets every node do what is due, and computes when the next one is due. */
static void node_act_all(struct simulation *s) {
    const struct traffic_now now = node_now();
    if (now.mono_ms < s->next_due_ms || s->is_leaving)
        return;
    s->next_due_ms = INT64_MAX;
    for (size_t i = 0; i < s->n; i++) {
        if (s->nodes[i].ended)
            continue;
        node_act(s, i, &now);
        const int64_t due_ms = traffic_due(&s->nodes[i]);
        if (due_ms < s->next_due_ms)
            s->next_due_ms = due_ms;
    }
}

static void node_leave(struct simulation *s) {
    const struct traffic_now now = node_now();
    s->is_leaving = true;
    s->next_due_ms = INT64_MAX;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->nodes[i].ended)
            node_end(s, i, &now);
    }
    sender_leave(&s->sender, NODE_LEAVE_MS);
}

/* --- the loop --- */

/* The records were delivered: prints them, if there is only one node. */
static bool node_on_delivered(void *ctx, struct span lines) {
    struct simulation *s = ctx;
    struct span line;
    if (s->conf->quiet || s->n > 1)
        return true;
    while (span_next(&lines, '\n', &line))
        line_add(&s->lines, "%\n", line);
    return line_write(s->run, &s->lines);
}

/* How long a turn may wait: monotonic ms. */
static int64_t node_next_ms(const struct simulation *s) {
    int64_t until_ms = clock_mono_ms() + NODE_IDLE_MS;
    if (s->next_due_ms < until_ms)
        until_ms = s->next_due_ms;
    if (s->end_ms < until_ms && !s->is_leaving)
        until_ms = s->end_ms;
    return until_ms;
}

static void node_loop(struct simulation *s) {
    while (s->alive > 0 || s->sender.waiting > 0) {
        const bool is_time_to_leave = stop_asked() || clock_mono_ms() >= s->end_ms;
        if (is_time_to_leave && !s->is_leaving)
            node_leave(s);
        node_act_all(s);
        sender_turn(&s->sender, node_next_ms(s));
        if (sender_has_given_up(&s->sender))
            return;
    }
}

/* --- the start --- */

/* node_01 → node_0001, node_billing → node_billing_0001. */
static const char *node_number(struct arena *arena, const char *id, int64_t number) {
    const char *separator = "";
    int stem = (int)strlen(id);
    while (stem > 0 && id[stem - 1] >= '0' && id[stem - 1] <= '9')
        stem--;
    if (!id[stem])
        separator = "_";
    return arena_printf(arena, "%.*s%s%04lld", stem, id, separator, (long long)number);
}

/* Sets *id, which is numbered if there are several nodes, and what all nodes send. 0, or -1 with
 * err. */
static int node_traffic(struct simulation *s, const char **id, struct err *err) {
    const struct node_conf *conf = s->conf;
    const char *service = conf->name;
    const char *preset = traffic_preset(conf->name, &service);
    if (*conf->id)
        *id = conf->id;
    else if (preset)
        *id = preset;
    else
        *id = arena_printf(&s->ids, "node_%s", conf->name);
    s->traffic_conf = conf->traffic;
    s->traffic_conf.service = service;
    s->traffic_conf.style = DATETIME_RFC3339;
    if (strcmp(conf->time_format, "local") == 0)
        s->traffic_conf.style = DATETIME_LOCAL;
    if (traffic_weights(&conf->weights, s->traffic_conf.weights, err) != 0)
        return err_prefix(err, "node.weights");
    return 0;
}

static void node_make(struct simulation *s, const char *id) {
    const int64_t now_ms = clock_mono_ms(), many = s->conf->nodes;
    s->nodes = mem_calloc(s->n, sizeof *s->nodes);
    for (int64_t i = 0; i < many; i++) {
        uint64_t seed = (uint64_t)(s->conf->seed + i);
        if (!s->conf->seed)
            seed = rng_os();
        const char *name = id;
        if (many > 1)
            name = node_number(&s->ids, id, i + 1);
        s->sender.sources[i].name = name;
        /* Spread over one heartbeat interval, so that thousands do not send at the same moment. */
        traffic_init(&s->nodes[i], &s->traffic_conf, name, seed,
                     now_ms + s->conf->traffic.heartbeat_ms * i / many);
    }
    s->alive = s->n;
    s->end_ms = INT64_MAX;
    if (s->conf->run_for)
        s->end_ms = now_ms + s->conf->run_for;
}

static void node_introduce(const struct simulation *s) {
    const struct log *log = &s->run->log;
    const char *first = s->nodes[0].node, *service = s->traffic_conf.service;
    if (s->n > 1)
        log_info(log, "%s to %s (%s) → %s", first, s->nodes[s->n - 1].node, service, s->conf->url);
    else
        log_info(log, "%s (%s) → %s", first, service, s->conf->url);
}

static int node_open_sender(struct simulation *s, struct err *err) {
    const struct sender_conf conf = {.url = s->conf->url,
                                     .section = "node",
                                     .http = &s->conf->http,
                                     .log = &s->run->log,
                                     .queue = (size_t)s->conf->queue,
                                     .parallel = (size_t)s->conf->parallel,
                                     .on_delivered = node_on_delivered,
                                     .ctx = s};
    return sender_init(&s->sender, &conf, s->n, err);
}

static enum exit_code node_simulate(struct simulation *s, const char *id) {
    node_make(s, id);
    node_introduce(s);
    node_loop(s);
    const struct sender *sender = &s->sender;
    log_info(&s->run->log,
             "stopped: posted %" PRIu64 ", refused %" PRIu64 ", dropped %" PRIu64
             ", undelivered %zu",
             sender->posted, sender->refused, sender->dropped, sender->waiting);
    if (sender->phase == SENDER_FAILED || sender->waiting > 0)
        return EXIT_FAILED;
    return EXIT_DONE;
}

static int run_node(struct run *run) {
    const struct node_conf *conf = conf_section(run->conf, &node_section);
    struct simulation s = {.run = run, .conf = conf, .n = (size_t)conf->nodes};
    struct err err;
    const char *id;
    int code;
    if (node_traffic(&s, &id, &err) != 0 || node_open_sender(&s, &err) != 0)
        code = cmd_fail(run, EXIT_USAGE, "%s", err.text);
    else
        code = (int)node_simulate(&s, id);
    sender_release(&s.sender);
    buf_release(&s.record);
    buf_release(&s.lines);
    arena_release(&s.ids);
    free(s.nodes);
    return code;
}

const struct cmd cmd_node = {
    .name = "node",
    .summary = "simulate a service that posts heartbeats and logs",
    .sections = (const struct opt_section *const[]){&node_section, NULL},
    .aliases = (const struct cmd_alias[]){{"node1", "node.name=payment"},
                                          {"node2", "node.name=order"},
                                          {"node3", "node.name=service"},
                                          {NULL, NULL}},
    .run = run_node,
};
