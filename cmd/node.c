/* node: simulated services that post their records over HTTP: registration, heartbeats, logs, each
 * node's in order. Owns the nodes and what they have not delivered. Main thread; everything goes
 * through one http_client.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/http/http_client.h"
#include "../lib/base/arena.h"
#include "../lib/base/mem.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/core/backoff.h"
#include "../lib/app/traffic.h"
#include "line.h"

/* After a stop the goodbyes have 4.5 s: every command has left within 5 s. */
enum { BATCH = 100, NAP_MS = 1000, LEAVE_MS = 4500, FIRST_WAIT_MS = 200, LAST_WAIT_MS = 5000 };
enum { LONGEST_RETRY_AFTER_S = 60, REPLY_MOST = 1 << 20 };

struct node_conf {
    const char *name, *id, *time_format;
    struct http_client_conf http;
    struct traffic_conf traffic; /* without what run_node works out: service, weights, style */
    struct str_map weights;
    int64_t queue, parallel, nodes, run_for, seed;
    const char *url;
    bool quiet;
};

static const struct opt rows[] = {
    OPT(struct node_conf, STRING, name, "payment", .flag = "name", .arg = "SERVICE",
        .help = "the service: payment, order, service, or one of your own"),
    OPT(struct node_conf, STRING, id, "", .flag = "id",
        .help = "the node_id; empty: node_01, node_02, node_03 for payment, order, service, else "
                "node_NAME"),
    OPT(struct node_conf, STRING, url, "http://localhost:9880/log.input", .flag = "url",
        .arg = "URL", .bits = OPT_URL, .help = "where to post"),
    OPT_ROW("heartbeat", struct node_conf, MS, traffic.heartbeat_ms, "5s", .flag = "heartbeat",
            .min = 1, .max = 86400000, .help = "time between two heartbeats"),
    OPT_ROW("interval", struct node_conf, MS, traffic.interval_ms, "1s", .flag = "interval",
            .min = 1, .max = 86400000, .help = "time between two logs"),
    OPT(struct node_conf, MAP, weights, "INFO=80,WARN=15,ERROR=5", .flag = "weights",
        .help = "how often each log level comes"),
    OPT_ROW("message", struct node_conf, STRING, traffic.message,
            "Sample log message from {node_id}", .flag = "message", .arg = "TEXT",
            .help = "the text of a log; {node_id} in it becomes the node's id"),
    OPT(struct node_conf, CHOICE, time_format, "local", .flag = "time-format",
        .choices = "local|rfc3339", .help = "how timestamps are written"),
    OPT_ROW("keep_going", struct node_conf, BOOL, traffic.keep_going, "false", .flag = "keep-going",
            .help = "after an ERROR register again and go on, instead of ending"),
    OPT(struct node_conf, INT, queue, "1000", .flag = "queue", .min = 2 * BATCH, .max = 1000000,
        .help = "records that a node keeps while the collector is away; beyond it new ones are "
                "dropped"),
    OPT(struct node_conf, INT, parallel, "32", .flag = "parallel", .min = 1, .max = 10000,
        .help = "requests at a time, all nodes together"),
    OPT_ROW("timeout", struct node_conf, MS, http.timeout_ms, "10s", .flag = "timeout", .min = 1,
            .max = 3600000, .help = "how long a request may take"),
    OPT_ROW("ca", struct node_conf, STRING, http.ca, "", .flag = "ca", .bits = OPT_PATH,
            .arg = "FILE", .help = "certificates to trust for https (PEM); empty: the system's"),
    OPT_ROW("user", struct node_conf, STRING, http.user, "",
            .help = "user for basic authentication"),
    OPT_ROW("password", struct node_conf, STRING, http.password, "", .bits = OPT_SECRET,
            .help = "its password"),
    OPT_ROW("token", struct node_conf, STRING, http.token, "", .bits = OPT_SECRET,
            .help = "bearer token, where there is no password"),
    OPT(struct node_conf, INT, nodes, "1", .flag = "nodes", .min = 1, .max = 1000000,
        .bits = OPT_FLAG_ONLY,
        .help = "that many nodes at once; their ids are numbered: node_0001, node_0002, …"),
    OPT_ROW("count", struct node_conf, INT, traffic.count, "0", .flag = "count", .letter = 'n',
            .bits = OPT_FLAG_ONLY, .help = "end after that many logs a node; 0: never"),
    OPT_ROW("for", struct node_conf, MS, run_for, "0", .flag = "for", .bits = OPT_FLAG_ONLY,
            .help = "end after that time; 0: never"),
    OPT(struct node_conf, INT, seed, "0", .flag = "seed", .bits = OPT_FLAG_ONLY,
        .help = "the same seed gives the same records, ids included; 0: different ones each time"),
    OPT(struct node_conf, BOOL, quiet, "false", .flag = "quiet", .letter = 'q',
        .help = "do not print the records"),
};
static const struct opt_section node_section =
    OPT_SECTION("node", "the simulated services", rows, struct node_conf);

struct node {
    struct http_call call; /* first, so that what is done is the node's */
    const char *id;
    struct traffic traffic;
    struct buf queue; /* what is not delivered yet, oldest first, a line each */
    size_t head;      /* where its oldest line begins */
    size_t count;     /* of its lines */
    size_t sending;   /* records of the request under way, 0: none */
    size_t alone;     /* that many go one by one, because an array with them was refused */
    bool probe;       /* the request was sent to find out whether trouble is over */
};

struct sim {
    const struct run *run;
    const struct node_conf *conf;
    struct traffic_conf traffic;
    struct http_client *client;
    struct node *nodes;
    size_t n, turn;                   /* nodes; the next one that may post */
    size_t alive, waiting, in_flight; /* nodes that have not ended; records; requests */
    int64_t next_due_ms, end_ms;      /* monotonic; end_ms 0: never */
    int64_t leave_ms;                 /* set when stopping: then it leaves whatever is left */
    struct backoff backoff;
    bool in_trouble, dropping, failed;
    int64_t trouble_ms, retry_ms; /* since when; the next try */
    uint64_t posted, refused, dropped;
    struct buf body;
    struct arena ids;
};

/* Queues the record in s->body. A full queue takes no more, but what it holds must make sense to
 * whoever gets it: a registration behind its ERROR and a goodbye have the room that the others
 * leave. */
static void keep(struct sim *s, struct node *n, enum traffic_kind kind) {
    size_t spare = kind == TRAFFIC_GOODBYE ? 0 : kind == TRAFFIC_REGISTRATION ? 1 : 2;
    if (n->count + spare < (size_t)s->conf->queue) {
        buf_span(&n->queue, buf_view(&s->body));
        buf_char(&n->queue, '\n');
        n->count++;
        s->waiting++;
    } else {
        s->dropped++;
        if (!s->dropping)
            log_info(&s->run->log, "%s has %zu undelivered records (node.queue): dropping new ones",
                     n->id, n->count);
        s->dropping = true;
    }
    buf_clear(&s->body);
}

/* The oldest `some` records, a line each, without the last one's end. */
static struct span oldest(const struct node *n, size_t some) {
    const char *from = n->queue.p + n->head, *end = from;
    while (some--)
        end = strchr(end, '\n') + 1;
    return (struct span){from, (size_t)(end - from) - 1};
}

/* They are delivered or given up. */
static void forget(struct sim *s, struct node *n, size_t some) {
    n->head += oldest(n, some).n + 1;
    n->count -= some;
    s->waiting -= some;
    if (n->head < n->queue.n / 2)
        return;
    n->queue.n -= n->head;
    memmove(n->queue.p, n->queue.p + n->head, n->queue.n + 1);
    n->head = 0;
}

static struct traffic_now time_now(void) {
    struct traffic_now now = {.mono_ms = clock_mono_ms(), .wall_ms = clock_wall_ms()};
    now.offset_s = clock_offset_s(now.wall_ms);
    return now;
}

static void say_goodbye(struct sim *s, struct node *n, const struct traffic_now *now) {
    if (traffic_goodbye(&n->traffic, now, &s->body))
        keep(s, n, TRAFFIC_GOODBYE);
    s->alive--;
}

/* Lets every node do what is due, and finds out when the next one is. */
static void make_events(struct sim *s) {
    struct traffic_now now = time_now();
    enum traffic_kind kind;
    if (now.mono_ms < s->next_due_ms || s->leave_ms)
        return;
    s->next_due_ms = INT64_MAX;
    for (struct node *n = s->nodes; n < s->nodes + s->n; n++) {
        if (n->traffic.ended)
            continue;
        while (traffic_take(&n->traffic, &now, &s->body, &kind))
            keep(s, n, kind);
        if (n->traffic.ended)
            say_goodbye(s, n, &now);
        if (traffic_due(&n->traffic) < s->next_due_ms)
            s->next_due_ms = traffic_due(&n->traffic);
    }
}

static void begin_stop(struct sim *s) {
    struct traffic_now now = time_now();
    s->leave_ms = now.mono_ms + LEAVE_MS;
    s->retry_ms = now.mono_ms;
    s->next_due_ms = INT64_MAX;
    for (struct node *n = s->nodes; n < s->nodes + s->n; n++)
        if (!n->traffic.ended)
            say_goodbye(s, n, &now);
}

/* Posts its oldest `some` records: one as it is, several as an array. */
static void post(struct sim *s, struct node *n, size_t some) {
    struct span lines = oldest(n, some);
    struct buf *body = &n->call.body;
    n->sending = some;
    n->call.method = "POST";
    buf_clear(body);
    buf_printf(body, some > 1 ? "[%.*s]" : "%.*s", SPAN_ARG(lines));
    for (char *at = body->p; (at = strchr(at, '\n'));)
        *at = ',';
    http_client_start(s->client, &n->call, s->conf->url);
}

/* Node after node posts what it has, as long as there are requests free. While there is trouble one
 * at a time finds out whether it is over. */
static void post_ready(struct sim *s, int64_t now_ms) {
    for (size_t i = 0; i < s->n; i++, s->turn = (s->turn + 1) % s->n) {
        struct node *n = &s->nodes[s->turn];
        if (n->sending || !n->count)
            continue;
        if (s->in_trouble && (s->in_flight || now_ms < s->retry_ms))
            return;
        if (s->in_flight == (size_t)s->conf->parallel)
            return;
        post(s, n, n->alone ? 1 : n->count < BATCH ? n->count : BATCH);
        s->in_flight++;
        n->probe = s->in_trouble;
    }
}

/* The line of an answer's body that says most: the last one. */
static const char *reason(struct http_call *call) {
    struct buf *text = &call->reply;
    while (text->n && strchr("\r\n", text->p[text->n - 1]))
        text->p[--text->n] = '\0';
    const char *all = buf_view(text).p, *line = strrchr(all, '\n');
    return line ? line + 1 : all;
}

static void on_trouble(struct sim *s, struct http_call *call, int64_t now_ms) {
    if (!s->in_trouble) {
        s->trouble_ms = now_ms;
        log_info(&s->run->log,
                 "%s does not take records: %s%.0ld%s%s; keeping them and trying again",
                 s->conf->url, call->status ? "HTTP " : "", call->status, call->status ? " " : "",
                 reason(call));
    } else if (now_ms < s->retry_ms)
        return; /* an answer to a request from before */
    s->in_trouble = true;
    s->retry_ms = now_ms + backoff_next(&s->backoff);
    int64_t asked_s = call->wait_s < LONGEST_RETRY_AFTER_S ? call->wait_s : LONGEST_RETRY_AFTER_S;
    if (s->retry_ms < now_ms + asked_s * 1000)
        s->retry_ms = now_ms + asked_s * 1000;
    if (s->leave_ms)
        s->leave_ms = now_ms; /* one try was due; nobody waits longer for a stop */
}

static void on_success(struct sim *s, struct node *n, size_t sent, int64_t now_ms) {
    if (s->in_trouble && n->probe) {
        log_info(&s->run->log, "%s takes records again, after %lld s; %zu are waiting",
                 s->conf->url, (long long)(now_ms - s->trouble_ms + 500) / 1000, s->waiting);
        s->in_trouble = s->dropping = false;
        s->backoff.tries = 0;
    }
    s->posted += sent;
    if (s->conf->quiet || s->n > 1)
        return;
    for (struct span line, lines = oldest(n, sent); span_next(&lines, '\n', &line);)
        line_add(&s->body, "%\n", line);
    s->failed = !line_write(s->run, &s->body);
}

static void on_reply(struct sim *s, struct node *n) {
    size_t sent = n->sending;
    int64_t now_ms = clock_mono_ms();
    int status = (int)n->call.status;
    bool denied = status == 401 || status == 403;
    s->in_flight--;
    n->sending = 0;
    if (status / 100 == 2)
        on_success(s, n, sent, now_ms);
    else if (status == 0 || status == 408 || status == 429 || status >= 500) {
        on_trouble(s, &n->call, now_ms);
        return;
    } else if (status < 400 || denied || status == 404) {
        if (!s->failed)
            log_info(
                &s->run->log, "%s: HTTP %d %s; nothing can be delivered there (see node.url%s)",
                s->conf->url, status, reason(&n->call), denied ? ", node.user, node.token" : "");
        s->failed = true;
        return;
    } else if (sent > 1) {
        n->alone = sent; /* which of them is it? */
        return;
    } else {
        s->refused++;
        struct span line = oldest(n, 1);
        log_info(&s->run->log, "%s refuses a record: HTTP %d %s: %.*s", s->conf->url, status,
                 reason(&n->call), SPAN_ARG(line));
    }
    forget(s, n, sent);
    if (n->alone)
        n->alone--;
}

static int wait_ms(const struct sim *s, int64_t now_ms) {
    int64_t until = now_ms + NAP_MS;
    if (s->next_due_ms < until)
        until = s->next_due_ms;
    if (s->end_ms && s->end_ms < until)
        until = s->end_ms;
    if (s->leave_ms && s->leave_ms < until)
        until = s->leave_ms;
    if (s->in_trouble && !s->in_flight && s->waiting && s->retry_ms < until)
        until = s->retry_ms;
    return until > now_ms ? (int)(until - now_ms) : 0;
}

static void work(struct sim *s) {
    while (!s->failed && (s->alive || s->waiting)) {
        int64_t now_ms = clock_mono_ms();
        if (!s->leave_ms && (stop_asked() || (s->end_ms && now_ms >= s->end_ms)))
            begin_stop(s);
        make_events(s);
        post_ready(s, now_ms);
        http_client_wait(s->client, wait_ms(s, now_ms));
        for (struct http_call *done; (done = http_client_done(s->client));)
            on_reply(s, (struct node *)done);
        if (s->leave_ms && clock_mono_ms() >= s->leave_ms)
            break;
    }
}

/* node_01 → node_0001, node_billing → node_billing_0001. */
static const char *numbered(struct arena *arena, const char *id, int64_t number) {
    int stem = (int)strlen(id);
    while (stem && id[stem - 1] >= '0' && id[stem - 1] <= '9')
        stem--;
    return arena_printf(arena, "%.*s%s%04lld", stem, id, id[stem] ? "" : "_", (long long)number);
}

static void make_nodes(struct sim *s, const char *id) {
    int64_t now_ms = clock_mono_ms(), many = s->conf->nodes;
    s->n = s->alive = (size_t)many;
    s->nodes = mem_calloc(s->n, sizeof *s->nodes);
    for (int64_t i = 0; i < many; i++) {
        struct node *n = &s->nodes[i];
        uint64_t seed = s->conf->seed ? (uint64_t)(s->conf->seed + i) : rng_os();
        n->id = many > 1 ? numbered(&s->ids, id, i + 1) : id;
        /* Spread over one heartbeat, so that thousands do not beat in step. */
        traffic_init(&n->traffic, &s->traffic, n->id, seed,
                     now_ms + s->conf->traffic.heartbeat_ms * i / many);
    }
    if (s->conf->run_for)
        s->end_ms = now_ms + s->conf->run_for;
    log_info(&s->run->log, "%s%s%s (%s) → %s", s->nodes[0].id, many > 1 ? " to " : "",
             many > 1 ? s->nodes[many - 1].id : "", s->traffic.service, s->conf->url);
}

static int run_node(struct run *run) {
    const struct node_conf *c = conf_section(run->conf, &node_section);
    struct sim s = {
        .run = run, .conf = c, .backoff = {.base_ms = FIRST_WAIT_MS, .max_ms = LAST_WAIT_MS}};
    const char *service = c->name, *preset = traffic_preset(c->name, &service);
    const char *id = *c->id ? c->id : preset ? preset : arena_printf(&s.ids, "node_%s", c->name);
    struct err err;
    int code = EXIT_USAGE;
    s.traffic = c->traffic;
    s.traffic.service = service;
    s.traffic.style = strcmp(c->time_format, "local") ? DATETIME_RFC3339 : DATETIME_LOCAL;
    if (traffic_weights(&c->weights, s.traffic.weights, &err))
        err_prefix(&err, "node.weights");
    else if (http_client_check_url(c->url, &err) == 0)
        s.client = http_client_new(&c->http, 0, REPLY_MOST, &err);
    if (s.client) {
        s.backoff.rng.state = rng_os();
        make_nodes(&s, id);
        work(&s);
        log_info(&run->log, "stopped: posted %llu, refused %llu, dropped %llu, undelivered %zu",
                 (unsigned long long)s.posted, (unsigned long long)s.refused,
                 (unsigned long long)s.dropped, s.waiting);
        code = s.failed || s.waiting ? EXIT_FAILED : EXIT_DONE;
    } else
        log_info(&run->log, "%s", err.text);
    for (size_t i = 0; i < s.n; i++) {
        http_call_release(&s.nodes[i].call);
        buf_release(&s.nodes[i].queue);
    }
    http_client_free(s.client);
    buf_release(&s.body);
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
