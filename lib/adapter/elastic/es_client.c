/* es_client: see es_client.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_client.h"

#include "../../base/json.h"
#include "../../base/mem.h"
#include "../os/stop.h"
#include "../os/clock.h"

enum { WAIT_MS = 200, LEAVE_MS = 4500, REPLY_MAX = 512 << 20, GZIP_FROM = 1024 };

#define S struct es_conf
static const struct opt rows[] = {
    OPT(S, LIST, urls, "https://localhost:9200", .arg = "URL,…", .bits = OPT_URL,
        .help = "the hosts of the cluster; the next is tried when one does not answer"),
    OPT_ROW("user", S, STRING, http.user, "elastic", .help = "for basic auth"),
    OPT_ROW("password", S, STRING, http.password, "", .bits = OPT_SECRET,
            .help = "of that user; without one there is no basic auth"),
    OPT_ROW("api_key", S, STRING, http.api_key, "", .bits = OPT_SECRET,
            .help = "an encoded API key, used in place of user and password"),
    OPT_ROW("ca", S, STRING, http.ca, "", .bits = OPT_PATH, .arg = "FILE",
            .help = "PEM file of the authority that signed the hosts' certificates"),
    OPT(S, INT, batch, "5000", .min = 1, .max = 100000,
        .help = "most documents in one bulk request"),
    OPT(S, INT, in_flight, "2", .min = 1, .max = 64, .help = "bulk requests at a time"),
    OPT_ROW("timeout", S, MS, http.timeout_ms, "60s", .min = 100,
            .help = "how long one request may take"),
    OPT(S, BOOL, template, "true",
        .help = "install the index template distlog-INDEX when the store starts"),
    OPT(S, BOOL, dynamic, "false", .help = "let the engine index keys that distlog does not know"),
};
#undef S

const struct opt_section es_section =
    OPT_SECTION("store.elasticsearch",
                "Elasticsearch 8 or OpenSearch 2 through libcurl, for store.type elasticsearch",
                rows, struct es_conf);

struct es_client {
    const struct es_conf *conf;
    struct http_client *http;
    size_t host; /* the one to ask */
};

enum store_rc es_client_open(struct es_client **out, const struct es_conf *conf, struct err *err) {
    for (size_t i = 0; i < conf->urls.n; i++)
        if (http_client_check_url(conf->urls.items[i], err))
            return err_prefix_as(STORE_FATAL, err, "store.elasticsearch.urls");
    if (!conf->urls.n)
        return err_as(STORE_FATAL, err, "store.elasticsearch.urls: expected a URL");
    struct http_client *http = http_client_new(&conf->http, GZIP_FROM, REPLY_MAX, err);
    if (!http)
        return err_prefix_as(STORE_FATAL, err, "store.elasticsearch.ca");
    *out = mem_calloc(1, sizeof **out);
    **out = (struct es_client){.conf = conf, .http = http};
    return STORE_OK;
}

void es_client_close(struct es_client *c) {
    if (c)
        http_client_free(c->http);
    free(c);
}

/* Starts a call at the host that is in turn. */
static void begin(struct es_client *c, struct es_call *call) {
    BUF_LOCAL struct buf url = {0};
    call->host = c->conf->urls.items[c->host];
    size_t n = strlen(call->host);
    while (call->host[n - 1] == '/')
        n--;
    buf_printf(&url, "%.*s%s", (int)n, call->host, call->path);
    http_client_start(c->http, &call->http, url.p);
}

/* One request is done. True: the call is too; else the next host has it. */
static bool finish(struct es_client *c, struct es_call *call) {
    const struct str_list *urls = &c->conf->urls;
    long status = call->http.status;
    bool bad = status == 0 || (status >= 502 && status <= 504);
    if (bad && call->host == urls->items[c->host])
        c->host = (c->host + 1) % urls->n;
    if (status || !call->http.unsent || ++call->tried >= urls->n)
        return true;
    begin(c, call);
    return false;
}

void es_client_run(struct es_client *c, struct es_call *calls, size_t n) {
    size_t running = n;
    for (size_t i = 0; i < n; i++) {
        calls[i].tried = 0;
        begin(c, &calls[i]);
    }
    while (running) {
        http_client_wait(c->http, WAIT_MS);
        for (struct http_call *done; (done = http_client_done(c->http));)
            running -= finish(c, (struct es_call *)done);
        if (!stop_asked() || clock_mono_ms() - stop_asked_ms() < LEAVE_MS)
            continue;
        for (size_t i = 0; i < n; i++)
            http_client_cancel(&calls[i].http, "no answer before it was time to leave");
        return;
    }
}

struct span es_text(struct span object, const char *path, struct arena *arena) {
    struct span raw = json_get(object, path, arena);
    return raw.p && *raw.p == '"' ? json_decode(raw, arena) : (struct span){0};
}

/* "HTTP 400: TYPE: REASON" of {"error":{"type":…,"reason":…}} or {"error":"…"}. */
static void add_reason(const struct es_call *call, struct buf *out) {
    static const char *const paths[] = {"error.type", "error.reason", "error"};
    struct arena arena = {0};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct span s = es_text(buf_view(&call->http.reply), paths[i], &arena);
        if (s.p)
            buf_printf(out, ": %.*s", (int)(s.n > 250 ? 250 : s.n), s.p);
    }
    arena_release(&arena);
}

static enum store_rc no_answer(const struct es_call *call, struct err *err) {
    const char *hint = "check store.elasticsearch.urls", *why = buf_view(&call->http.reply).p;
    const char *certificate = strstr(why, "SSL certificate problem: ");
    if (certificate)
        why = certificate;
    if (strstr(why, "expired"))
        hint = "renew the certificate";
    else if (strstr(why, "certificate"))
        hint = "set store.elasticsearch.ca to the authority that signed it";
    else if (strstr(why, "Operation timed out"))
        hint = "it is slow, or store.elasticsearch.timeout is too short";
    return err_as(STORE_RETRY, err, "%s: %s (%s)", call->host, why, hint);
}

enum store_rc es_call_error(const struct es_call *call, const char *doing, struct err *err) {
    if (call->http.status == 0)
        return no_answer(call, err);
    bool denied = call->http.status == 401, forbidden = call->http.status == 403;
    BUF_LOCAL struct buf why = {0};
    if (denied)
        buf_text(&why, ": user and password, or the API key, are refused");
    else
        add_reason(call, &why);
    err_set(err, "%s: can't %s: HTTP %ld%s%s", call->host, doing, call->http.status,
            buf_view(&why).p,
            denied      ? " (check store.elasticsearch.user and password, or api_key)"
            : forbidden ? " (give the user or API key of store.elasticsearch that right)"
                        : "");
    return denied || forbidden || call->http.status == 429 || call->http.status >= 500
               ? STORE_RETRY
               : STORE_FATAL;
}
