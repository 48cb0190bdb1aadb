/* collect: accepts records over HTTP as Fluentd's in_http does, and answers 200 once they are
 * durable on the bus. One loop, one thread: serve the sockets, write the records of all complete
 * requests as one group, answer these; requests that arrived meanwhile form the next group (natural
 * group commit). Owns the server and the collector. Main thread. SPDX-License-Identifier:
 * Apache-2.0 */
#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/app/collector.h"
#include "../lib/app/shutdown.h"
#include "../lib/conf/file.h"
#include "cmd.h"

enum {
    COLLECT_IDLE_MS = 1000,     /* one turn of the loop when nothing happens */
    COLLECT_DRAIN_TURN_MS = 20, /* one turn after SIGTERM */
    COLLECT_DRAIN_MS = 4000,    /* after SIGTERM: for requests in flight */
    COLLECT_TOTALS_MS = 1000,   /* the least time between two reports of the totals */
    COLLECT_PEM_BYTES = 1 << 20 /* a certificate chain larger than this is a mistake */
};

/* --- settings --- */

struct collect_conf {
    struct http_server_conf http;
    struct str_map routes; /* tag → topic */
    int64_t max_inflated;  /* bytes */
    int64_t max_records;
    struct str_list cors_allow_origins;
};
struct tls_conf {
    const char *cert, *key; /* files */
};
struct auth_conf {
    const char *user, *password, *token;
};

#define HTTP(key, T, field, ...) OPT_ROW(key, struct collect_conf, T, http.field, __VA_ARGS__)
static const struct opt collect_rows[] = {
    HTTP("listen", STRING, listen, "127.0.0.1:9880", .flag = "listen", .arg = "HOST:PORT",
         .help = "address to listen on; [::1]:PORT for IPv6, *:PORT for all addresses, port 0 "
                 "for any free port"),
    OPT(struct collect_conf, MAP, routes, "log.input=nodes", .bits = OPT_NAME,
        .help = "topic for each tag; the path is the tag (/log.input), and / goes to topics.input"),
    HTTP("max_body", BYTES, max_body, "32MB", .min = 1, .max = INT64_C(1) << 30,
         .help = "maximum size of a request body"),
    OPT(struct collect_conf, BYTES, max_inflated, "64MB", .min = 1, .max = INT64_C(1) << 30,
        .help = "maximum size of a request body after decompression or conversion from "
                "MessagePack"),
    OPT(struct collect_conf, INT, max_records, "500000", .min = 1, .max = 100000000,
        .help = "maximum number of records in a request"),
    HTTP("max_buffered", BYTES, max_buffered, "256MB", .min = 1,
         .help = "maximum memory for all request bodies being received"),
    HTTP("max_header", BYTES, max_header, "64KB", .min = 4096, .max = 1 << 24,
         .help = "maximum size of the request line and headers"),
    HTTP("max_connections", INT, max_connections, "1000", .min = 1, .max = 1000000,
         .help = "maximum number of connections; near it, the longest idle ones are closed"),
    HTTP("keepalive_timeout", MS, keepalive_ms, "10s", .min = 1, .max = 86400000,
         .help = "how long a connection may be idle between requests"),
    HTTP("request_timeout", MS, request_ms, "30s", .min = 1, .max = 86400000,
         .help = "how long a request may take to arrive, and the bus to store its records"),
    OPT(struct collect_conf, LIST, cors_allow_origins, "",
        .help = "origins of web pages that may post, or *; empty: CORS requests are refused"),
};
static const struct opt_section collect_section =
    OPT_SECTION("collect", "HTTP ingest", collect_rows, struct collect_conf);

static const struct opt tls_rows[] = {
    OPT(struct tls_conf, STRING, cert, "", .bits = OPT_PATH, .arg = "FILE",
        .help = "certificate chain (PEM); if set, collect accepts HTTPS only"),
    OPT(struct tls_conf, STRING, key, "", .bits = OPT_PATH | OPT_KEY, .arg = "FILE",
        .help = "the certificate's private key (PEM)"),
};
static const struct opt_section tls_section =
    OPT_SECTION("collect.tls", "HTTPS", tls_rows, struct tls_conf);

static const struct opt auth_rows[] = {
    OPT(struct auth_conf, STRING, user, "", .help = "user name for basic authentication"),
    OPT(struct auth_conf, STRING, password, "", .bits = OPT_SECRET,
        .help = "password for basic authentication"),
    OPT(struct auth_conf, STRING, token, "", .bits = OPT_SECRET,
        .help = "bearer token; if a user is set too, either is accepted"),
};
static const struct opt_section auth_section = OPT_SECTION(
    "collect.auth", "who may post; all empty: no authentication", auth_rows, struct auth_conf);

struct collect {
    const struct run *run;
    const struct collect_conf *conf;
    struct http_server *server;
    struct collector collector;
    struct buf flow;   /* "http://…, log.input → nodes", for the first log line */
    struct buf status; /* the STATUS while no outage lasts */
    int64_t totals_ms; /* when the totals were last reported, monotonic */
    uint64_t reported; /* the sum of what was reported then */
};

/* --- the start --- */

static int collect_check_auth(const struct auth_conf *auth, struct err *err) {
    const bool has_user = auth->user[0], has_password = auth->password[0];
    if (has_user != has_password)
        return err_set(err,
                       "collect.auth.user and collect.auth.password: only one is set; set both or "
                       "neither");
    if (strchr(auth->user, ':'))
        return err_set(err, "collect.auth.user: a user name must not contain ':'");
    return 0;
}

/* 0, or -1 with err if the settings can't work. */
static int collect_init(struct collect *c, struct err *err) {
    const struct conf *settings = c->run->conf;
    const struct auth_conf *auth = conf_section(settings, &auth_section);
    const struct bus_conf *bus = conf_section(settings, &bus_section);
    const struct topics_conf *topics = conf_section(settings, &topics_section);
    c->conf = conf_section(settings, &collect_section);
    const struct collector_conf conf = {.routes = &c->conf->routes,
                                        .default_topic = topics->input,
                                        .user = auth->user,
                                        .password = auth->password,
                                        .token = auth->token,
                                        .origins = &c->conf->cors_allow_origins,
                                        .limits = {.max_record = (size_t)bus->max_record,
                                                   .max_records = (size_t)c->conf->max_records},
                                        .max_inflated = (size_t)c->conf->max_inflated};
    collector_init(&c->collector, &conf);
    return collect_check_auth(auth, err);
}

/* Reads the certificate and its key, if they are set. 0, or -1 with err. */
static int collect_read_tls(const struct tls_conf *tls, struct buf *cert, struct buf *key,
                            struct err *err) {
    const bool has_cert = tls->cert[0], has_key = tls->key[0];
    if (has_cert != has_key)
        return err_set(
            err, "collect.tls.cert and collect.tls.key: only one is set; set both or neither");
    if (has_cert && file_read(cert, tls->cert, COLLECT_PEM_BYTES, err) != 0)
        return err_prefix(err, "collect.tls.cert");
    if (has_key && file_read(key, tls->key, COLLECT_PEM_BYTES, err) != 0)
        return err_prefix(err, "collect.tls.key");
    return 0;
}

/* Opens the server. EXIT_DONE, or the exit code of the failure, with err. */
static enum exit_code collect_listen(struct collect *c, struct err *err) {
    const struct tls_conf *tls = conf_section(c->run->conf, &tls_section);
    BUF_LOCAL struct buf cert = {0}, key = {0};
    bool is_config_error;
    if (collect_read_tls(tls, &cert, &key, err) != 0)
        return EXIT_USAGE;
    struct http_server_conf conf = c->conf->http;
    conf.cert = buf_view(&cert).p;
    conf.key = buf_view(&key).p;
    conf.head = collector_on_head;
    conf.body = collector_on_body;
    conf.ctx = &c->collector;
    c->server = http_server_open(&conf, &is_config_error, err);
    if (c->server)
        return EXIT_DONE;
    if (tls->cert[0])
        err_prefix(err, "collect.listen, collect.tls");
    else
        err_prefix(err, "collect.listen");
    return is_config_error ? EXIT_USAGE : EXIT_FAILED;
}

/* Opens the bus. The first line of the log ends with "http://127.0.0.1:9880, log.input → nodes". */
static int collect_open_queue(struct collect *c, struct err *err) {
    const struct str_map *routes = &c->conf->routes;
    const char *url = http_server_facts(c->server)->url;
    buf_text(&c->flow, url);
    for (size_t i = 0; i < routes->n; i++)
        buf_printf(&c->flow, ", %s → %s", routes->keys[i], routes->values[i]);
    const struct ingest_queue_conf conf = {.settings = c->run->conf,
                                           .log = &c->run->log,
                                           .notify = c->run->notify,
                                           .flow = c->flow.p,
                                           .timeout_ms = c->conf->http.request_ms,
                                           .respond = collector_respond};
    return ingest_queue_open(&c->collector.queue, &conf, err);
}

static void collect_warn_if_exposed(const struct collect *c) {
    const struct log *log = &c->run->log;
    const struct http_server_facts *facts = http_server_facts(c->server);
    const bool has_auth = access_is_required(&c->collector.access);
    const bool has_tls = strncmp(facts->url, "https", 5) == 0;
    const char *anybody = "requests need no authentication (set collect.auth)";
    const char *readable = "records are sent unencrypted (set collect.tls)";
    if (facts->loopback || (has_auth && has_tls))
        return;
    if (has_auth)
        log_warn(log, "%s is reachable from other machines: %s", facts->url, readable);
    else if (has_tls)
        log_warn(log, "%s is reachable from other machines: %s", facts->url, anybody);
    else
        log_warn(log, "%s is reachable from other machines: %s, %s", facts->url, anybody, readable);
}

static void collect_warn_of_limits(const struct collect *c) {
    const struct http_server_facts *facts = http_server_facts(c->server);
    if (facts->max_connections >= c->conf->http.max_connections)
        return;
    log_warn(&c->run->log,
             "collect.max_connections is %" PRId64 ", but the open-file limit allows only %" PRId64
             " (raise ulimit -n or LimitNOFILE)",
             c->conf->http.max_connections, facts->max_connections);
}

/* --- reports to the supervisor --- */

/* Before the bus is opened: where records can be posted. */
static void collect_report_address(const struct collect *c) {
    const struct str_map *routes = &c->conf->routes;
    notify_send(c->run->notify, "X_DISTLOG_URL=%s", http_server_facts(c->server)->url);
    if (routes->n > 0)
        notify_send(c->run->notify, "X_DISTLOG_ROUTE=%s", routes->keys[0]);
}

/* collect is ready even during an outage of the bus, because it answers requests; the outage has
 * then set the STATUS. */
static void collect_report_ready(struct collect *c) {
    struct outage *outage = &c->collector.queue.outage;
    buf_printf(&c->status, "accepting records at %s", http_server_facts(c->server)->url);
    outage->status = c->status.p;
    notify_send(c->run->notify, "READY=1");
    if (!outage->is_ongoing)
        notify_send(c->run->notify, "STATUS=%s", c->status.p);
}

/* variables: further variables of the same message, each with its line break; or "". */
static void collect_report_totals(struct collect *c, const char *variables) {
    const uint64_t accepted = c->collector.queue.accepted;
    const uint64_t refused = http_server_facts(c->server)->refused;
    c->reported = accepted + refused;
    notify_send(c->run->notify, "%sX_DISTLOG_TOTALS=accepted=%" PRIu64 " refused=%" PRIu64,
                variables, accepted, refused);
}

static void collect_report_progress(struct collect *c, int64_t now_ms) {
    notify_alive(c->run->notify, now_ms);
    if (now_ms - c->totals_ms < COLLECT_TOTALS_MS)
        return;
    c->totals_ms = now_ms;
    if (c->reported != c->collector.queue.accepted + http_server_facts(c->server)->refused)
        collect_report_totals(c, "");
}

/* --- the loop --- */

static void collect_turn(struct collect *c, int idle_ms) {
    struct ingest_queue *queue = &c->collector.queue;
    http_server_run(c->server, ingest_queue_wait_ms(queue, idle_ms), ingest_queue_wake_fd(queue));
    ingest_queue_serve(queue);
    collect_report_progress(c, clock_mono_ms());
}

/* Answers what is in flight. */
static void collect_drain(struct collect *c) {
    const struct http_server_facts *facts = http_server_facts(c->server);
    const int64_t begin_ms = clock_mono_ms();
    http_server_quiesce(c->server);
    for (;;) {
        /* At least once: a request may have arrived that has not been read. */
        collect_turn(c, COLLECT_DRAIN_TURN_MS);
        const bool is_drained = facts->in_flight == 0 && ingest_queue_is_empty(&c->collector.queue);
        if (is_drained || clock_mono_ms() - begin_ms >= COLLECT_DRAIN_MS)
            return;
    }
}

/* Serves until asked to stop; then answers the requests in flight and flushes the bus. */
static enum exit_code collect_serve(struct collect *c) {
    struct err err;
    while (!stop_asked())
        collect_turn(c, COLLECT_IDLE_MS);
    collect_drain(c);
    enum exit_code code = EXIT_DONE;
    if (ingest_queue_flush(&c->collector.queue, shutdown_left_ms(), &err) != 0) {
        cmd_fail(c->run, EXIT_FAILED, "stopped before the bus confirmed every record: %s",
                 err.text);
        code = EXIT_FAILED;
    }
    collect_report_totals(c, "STOPPING=1\n");
    log_info(&c->run->log, "stopped: accepted %" PRIu64 " records, refused %" PRIu64 " requests",
             c->collector.queue.accepted, http_server_facts(c->server)->refused);
    return code;
}

static enum exit_code collect_start(struct collect *c, struct err *err) {
    if (collect_init(c, err) != 0)
        return EXIT_USAGE;
    const enum exit_code code = collect_listen(c, err);
    if (code != EXIT_DONE)
        return code;
    shutdown_arm();
    collect_report_address(c);
    if (collect_open_queue(c, err) != 0)
        return EXIT_FAILED;
    collect_report_ready(c);
    return EXIT_DONE;
}

static int run_collect(struct run *run) {
    struct collect c = {.run = run};
    struct err err;
    enum exit_code code = collect_start(&c, &err);
    if (code == EXIT_DONE) {
        collect_warn_if_exposed(&c);
        collect_warn_of_limits(&c);
        code = collect_serve(&c);
    } else {
        cmd_fail(run, code, "%s", err.text);
    }
    /* In this order: closing the server may still hand on a request, which the closed queue answers
     * with 503. */
    ingest_queue_release(&c.collector.queue);
    http_server_close(c.server);
    collector_release(&c.collector);
    buf_release(&c.flow);
    buf_release(&c.status);
    return (int)code;
}

const struct cmd cmd_collect = {
    .name = "collect",
    .summary = "accept records over HTTP and put them on the bus",
    .sections =
        (const struct opt_section *const[]){&collect_section, &tls_section, &auth_section, NULL},
    .run = run_collect,
};
