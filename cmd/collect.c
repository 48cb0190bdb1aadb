/* collect: takes records over HTTP as Fluentd's in_http does, and answers 200 when the bus has them
 * durably. One loop, one thread: serve the sockets; write what all complete requests brought as one
 * group; answer them; what arrived meanwhile is the next group (natural group commit). Owns the
 * server and the outbox. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */

#include "../lib/adapter/os/clock.h"
#include "../lib/adapter/http/http_server.h"
#include "../lib/adapter/codec/zip.h"
#include "../lib/adapter/codec/msgpack_json.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/core/access.h"
#include "line.h"
#include "outbox.h"

enum {
    IDLE_MS = 1000,     /* one turn of the loop when nothing happens */
    DRAIN_TURN_MS = 20, /* … after TERM */
    DRAIN_MS = 4000,    /* after TERM: for requests in flight */
    LEAVE_MS = 5000,    /* … and for the bus, all in all */
    PEM_BYTES = 1 << 20 /* a certificate chain larger than this is a mistake */
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
         .help = "where to listen; [::1]:PORT for IPv6, *:PORT for every address, port 0 for a "
                 "free one"),
    OPT(struct collect_conf, MAP, routes, "log.input=nodes", .bits = OPT_NAME,
        .help =
            "which topic a tag goes to; the tag is the path, /log.input; / goes to topics.input"),
    HTTP("max_body", BYTES, max_body, "32MB", .min = 1, .max = INT64_C(1) << 30,
         .help = "largest body of one request"),
    OPT(struct collect_conf, BYTES, max_inflated, "64MB", .min = 1, .max = INT64_C(1) << 30,
        .help = "largest body of one request after gzip or deflate is undone, or MessagePack made "
                "JSON"),
    OPT(struct collect_conf, INT, max_records, "500000", .min = 1, .max = 100000000,
        .help = "most records in one request"),
    HTTP("max_buffered", BYTES, max_buffered, "256MB", .min = 1,
         .help = "most bytes of all bodies that are being received at once"),
    HTTP("max_header", BYTES, max_header, "64KB", .min = 4096, .max = 1 << 24,
         .help = "largest request line and headers of one request"),
    HTTP("max_connections", INT, max_connections, "1000", .min = 1, .max = 1000000,
         .help = "most connections at once; near it, the longest idle ones are closed"),
    HTTP("keepalive_timeout", MS, keepalive_ms, "10s", .min = 1, .max = 86400000,
         .help = "how long a connection may stay open between requests"),
    HTTP("request_timeout", MS, request_ms, "30s", .min = 1, .max = 86400000,
         .help = "how long one request may take to arrive, and the bus to take its records"),
    OPT(struct collect_conf, LIST, cors_allow_origins, "",
        .help =
            "web pages that may post: exact origins, or *; none: requests with CORS are refused"),
};
static const struct opt_section collect_section =
    OPT_SECTION("collect", "HTTP ingest", collect_rows, struct collect_conf);

static const struct opt tls_rows[] = {
    OPT(struct tls_conf, STRING, cert, "", .bits = OPT_PATH, .arg = "FILE",
        .help = "certificate chain (PEM); with it collect speaks HTTPS only"),
    OPT(struct tls_conf, STRING, key, "", .bits = OPT_PATH | OPT_KEY, .arg = "FILE",
        .help = "the certificate's private key (PEM)"),
};
static const struct opt_section tls_section =
    OPT_SECTION("collect.tls", "HTTPS", tls_rows, struct tls_conf);

static const struct opt auth_rows[] = {
    OPT(struct auth_conf, STRING, user, "", .help = "who may post, by basic authentication"),
    OPT(struct auth_conf, STRING, password, "", .bits = OPT_SECRET, .help = "that user's password"),
    OPT(struct auth_conf, STRING, token, "", .bits = OPT_SECRET,
        .help = "bearer token that may post; with a user too, either is taken"),
};
static const struct opt_section auth_section =
    OPT_SECTION("collect.auth", "who may post; all empty: everybody who reaches it", auth_rows,
                struct auth_conf);

struct collect {
    const struct run *run;
    const struct collect_conf *conf;
    struct ingest_limits limits;
    struct access access;
    struct http_server *server;
    struct outbox outbox;
    struct buf flow; /* of the first line */
    struct arena arena;
    struct ingest_records records;
};

/* --- answers --- */

/* The bus has a request's records durably, or why it does not. */
static void on_settled(void *ctx, struct http_request *r, unsigned status, const char *why) {
    (void)ctx;
    if (status == 503)
        http_field(r, "Retry-After", "1");
    if (why)
        http_refuse(r, status, why);
    else
        http_respond(r, status, SPAN_LIT(""));
}

static const char *topic_of(const struct collect *c, struct span tag) {
    const struct topics_conf *topics = conf_section(c->run->conf, &topics_section);
    for (size_t i = 0; i < c->conf->routes.n; i++)
        if (span_is(tag, c->conf->routes.keys[i]))
            return c->conf->routes.values[i];
    return tag.n == 0 ? topics->input : NULL;
}

static void refuse_tag(const struct collect *c, struct http_request *r, struct span tag) {
    BUF_LOCAL struct buf why = {0};
    line_add(&why, "no route for the tag '%'; known tags:",
             (struct span){tag.p, tag.n < 256 ? tag.n : 256});
    for (size_t i = 0; i < c->conf->routes.n; i++)
        buf_printf(&why, "%s %s", i ? "," : "", c->conf->routes.keys[i]);
    http_refuse(r, 404, why.p);
}

/* GET /healthz for a supervisor, GET / for a person. */
static void answer_get(struct collect *c, struct http_request *r) {
    const char *trouble = outbox_trouble(&c->outbox);
    if (span_is(r->path, "/"))
        http_respond(r, 200,
                     SPAN_LIT("distlog collect " DISTLOG_VERSION
                              ": POST records as JSON, NDJSON, a json= form "
                              "or MessagePack to /TAG\n"));
    else
        http_respond(r, trouble ? 503 : 200, span_of(trouble ? trouble : "ok\n"));
}

/* --- requests --- */

/* May it come from this web page, if it does? What a browser asks before it posts is answered here.
 * True: answered. */
static bool answer_page(const struct collect *c, struct http_request *r) {
    const char *origin;
    enum access_page page = access_page(&c->access, http_header(r, "Origin"), &origin);
    struct span headers = http_header(r, "Access-Control-Request-Headers");
    bool preflight = span_is(r->method, "OPTIONS"), ok = page != ACCESS_FOREIGN;
    if (page == ACCESS_PAGE) {
        http_field(r, "Access-Control-Allow-Origin", origin);
        http_field(r, "Vary", "Origin");
    }
    if (preflight)
        ok =
            page == ACCESS_PAGE && span_is(http_header(r, "Access-Control-Request-Method"), "POST");
    if (!ok) {
        http_refuse(r, 403,
                    "this origin and method may not post here (collect.cors_allow_origins)");
    } else if (preflight) {
        http_field(r, "Access-Control-Allow-Methods", "POST");
        http_field(r, "Access-Control-Allow-Headers", headers.p ? headers.p : "");
        http_respond(r, 200, SPAN_LIT(""));
    }
    return !ok || preflight;
}

/* What can be refused before the body is received, is. */
static void on_head(void *ctx, struct http_request *r) {
    struct collect *c = ctx;
    struct err err;
    bool get = span_is(r->path, "/") || span_is(r->path, "/healthz");
    if (answer_page(c, r))
        return;
    struct span tag = ingest_tag(r->path, &c->arena);
    if (get && span_is(r->method, "GET")) {
        answer_get(c, r);
    } else if (!span_is(r->method, "POST") && !span_is(r->method, "PUT")) {
        http_field(r, "Allow", get ? "GET, POST, PUT" : "POST, PUT");
        http_refuse(r, 405, "records come with POST or PUT");
    } else if (!access_allows(&c->access, http_header(r, "Authorization"))) {
        http_field(r, "WWW-Authenticate", access_challenge(&c->access));
        http_refuse(r, 401, "a user and password or a token is needed (collect.auth)");
    } else if (!topic_of(c, tag)) {
        refuse_tag(c, r, tag);
    } else if (inflate_coding_of(http_header(r, "Content-Encoding")) == INFLATE_UNKNOWN) {
        http_refuse(r, 415, "Content-Encoding: gzip, x-gzip or deflate expected");
    } else if (ingest_format_of(http_header(r, "Content-Type"), &err) == INGEST_UNKNOWN ||
               ingest_check_query(r->query, &err) != 0) {
        http_refuse(r, 400, err.text);
    }
    arena_clear(&c->arena);
}

/* Turns the body into c->records. 0, or the status to refuse it with. plain and lines hold what was
 * made of the body. */
static unsigned read_body(struct collect *c, const struct http_request *r, struct buf *plain,
                          struct buf *lines, struct err *err) {
    struct span body = r->body;
    size_t limit = (size_t)c->conf->max_inflated;
    enum inflate_coding coding = inflate_coding_of(http_header(r, "Content-Encoding"));
    enum ingest_format format = ingest_format_of(http_header(r, "Content-Type"), err);
    enum input_rc rc = INPUT_OK;
    if (coding != INFLATE_NONE) {
        rc = inflate_body(coding, body, limit, plain, err);
        body = buf_view(plain);
    }
    if (rc == INPUT_OK && format == INGEST_MSGPACK) {
        rc = msgpack_json(body, limit, lines, err);
        body = buf_view(lines);
    }
    if (rc == INPUT_OK)
        rc = ingest_read(format, body, &c->limits, &c->arena, &c->records, err);
    return rc == INPUT_OK ? 0 : rc == INPUT_LARGE ? 413 : 400;
}

static void on_body(void *ctx, struct http_request *r) {
    struct collect *c = ctx;
    struct err err;
    BUF_LOCAL struct buf plain = {0}, lines = {0};
    unsigned status = read_body(c, r, &plain, &lines, &err);
    if (status)
        http_refuse(r, status, err.text);
    else
        outbox_put(&c->outbox, r, topic_of(c, ingest_tag(r->path, &c->arena)), &c->records);
    arena_clear(&c->arena);
}

/* --- start and end --- */

/* Reads the settings that need more than a range check. 0, or -1 with err. */
static int prepare(struct collect *c, struct err *err) {
    const struct auth_conf *auth = conf_section(c->run->conf, &auth_section);
    const struct bus_conf *bus = conf_section(c->run->conf, &bus_section);
    c->conf = conf_section(c->run->conf, &collect_section);
    c->limits = (struct ingest_limits){.max_record = (size_t)bus->max_record,
                                       .max_records = (size_t)c->conf->max_records};
    access_init(&c->access, auth->user, auth->password, auth->token, &c->conf->cors_allow_origins);
    if (!auth->user[0] != !auth->password[0])
        return err_set(
            err, "collect.auth.user and collect.auth.password: one without the other; set both or "
                 "none");
    if (strchr(auth->user, ':'))
        return err_set(err, "collect.auth.user: a user's name can't have a ':'");
    return 0;
}

/* Opens the server. EXIT_DONE, or what to leave with, and err. */
static enum exit_code listen_http(struct collect *c, struct err *err) {
    const struct tls_conf *tls = conf_section(c->run->conf, &tls_section);
    BUF_LOCAL struct buf cert = {0}, key = {0};
    bool hopeless = true;
    if (!tls->cert[0] != !tls->key[0])
        err_set(err,
                "collect.tls.cert and collect.tls.key: one without the other; set both or none");
    else if (tls->cert[0] && buf_file(&cert, tls->cert, PEM_BYTES, err) != 0)
        err_prefix(err, "collect.tls.cert");
    else if (tls->key[0] && buf_file(&key, tls->key, PEM_BYTES, err) != 0)
        err_prefix(err, "collect.tls.key");
    else {
        struct http_server_conf how = c->conf->http;
        how.cert = buf_view(&cert).p;
        how.key = buf_view(&key).p;
        how.head = on_head;
        how.body = on_body;
        how.ctx = c;
        c->server = http_server_open(&how, &hopeless, err);
        if (!c->server)
            err_prefix(err, tls->cert[0] ? "collect.listen, collect.tls" : "collect.listen");
    }
    return c->server ? EXIT_DONE : hopeless ? EXIT_USAGE : EXIT_FAILED;
}

static void warn(const struct collect *c) {
    const struct log *log = &c->run->log;
    const struct http_server_facts *facts = http_server_facts(c->server);
    bool auth = access_asks(&c->access), tls = strncmp(facts->url, "https", 5) == 0;
    if (!facts->loopback && !(auth && tls))
        log_info(log, "%s can be reached from other machines: %s%s%s", facts->url,
                 auth ? "" : "anybody there can post (collect.auth)", auth || tls ? "" : ", ",
                 tls ? "" : "what is sent can be read on the way (collect.tls)");
    if (facts->max_connections < c->conf->http.max_connections)
        log_info(log,
                 "collect.max_connections is %" PRId64
                 ", but the limit of open files (ulimit -n) allows "
                 "%" PRId64,
                 c->conf->http.max_connections, facts->max_connections);
}

/* Opens the bus. The first line says, behind it: "http://127.0.0.1:9880, log.input → nodes". */
static bool open_bus(struct collect *c) {
    const struct str_map *routes = &c->conf->routes;
    buf_text(&c->flow, http_server_facts(c->server)->url);
    for (size_t i = 0; i < routes->n; i++)
        buf_printf(&c->flow, ", %s → %s", routes->keys[i], routes->values[i]);
    c->outbox = (struct outbox){
        .patience_ms = c->conf->http.request_ms, .settle = on_settled, .ctx = c, .flow = c->flow.p};
    return outbox_open(&c->outbox, c->run);
}

static void turn(struct collect *c, int idle_ms) {
    const struct bus *bus = c->outbox.bus;
    http_server_run(c->server, outbox_wait_ms(&c->outbox, idle_ms), bus ? bus->wake : -1);
    outbox_serve(&c->outbox);
}

/* Serves until asked to stop; then answers what is in flight and hands everything to the bus,
 * within LEAVE_MS. */
static enum exit_code serve(struct collect *c) {
    const struct http_server_facts *facts = http_server_facts(c->server);
    while (!stop_asked())
        turn(c, IDLE_MS);
    int64_t begin = clock_mono_ms(), now;
    http_server_quiesce(c->server);
    do { /* at least once: a request may have arrived that nobody has looked at */
        turn(c, DRAIN_TURN_MS);
        now = clock_mono_ms();
    } while ((facts->in_flight || !LIST_EMPTY(&c->outbox.waiting)) && now - begin < DRAIN_MS);
    bool done = outbox_flush(&c->outbox, LEAVE_MS - (now - begin));
    log_info(&c->run->log, "stopped: accepted %" PRIu64 " records, refused %" PRIu64 " requests",
             c->outbox.accepted, facts->refused);
    return done ? EXIT_DONE : EXIT_FAILED;
}

static int run_collect(struct run *run) {
    struct collect c = {.run = run};
    struct err err;
    enum exit_code code = prepare(&c, &err) == 0 ? listen_http(&c, &err) : EXIT_USAGE;
    if (code != EXIT_DONE) {
        log_info(&run->log, "%s", err.text);
    } else if (!open_bus(&c)) {
        code = EXIT_FAILED;
    } else {
        warn(&c);
        code = serve(&c);
    }
    outbox_release(&c.outbox);
    http_server_close(c.server);
    ingest_release(&c.records);
    arena_release(&c.arena);
    access_release(&c.access);
    buf_release(&c.flow);
    return (int)code;
}

const struct cmd cmd_collect = {
    .name = "collect",
    .summary = "take records over HTTP and put them on the bus",
    .sections =
        (const struct opt_section *const[]){&collect_section, &tls_section, &auth_section, NULL},
    .run = run_collect,
};
