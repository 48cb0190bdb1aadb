/* es_client: see es_client.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_client.h"

#include "../../base/mem.h"
#include "../os/clock.h"
#include "../os/stop.h"
#include "es_json.h"

enum {
    ES_CLIENT_WAIT_MS = 200,   /* how often the stop flag is looked at */
    ES_CLIENT_LEAVE_MS = 4500, /* after the request to stop: calls are cancelled */
    ES_CLIENT_REPLY_MAX = 512 << 20,
    ES_CLIENT_GZIP_FROM = 1024, /* bytes of a body */
    ES_CLIENT_REASON_MAX = 250  /* bytes of each part of the engine's reason */
};

#define S struct es_conf
static const struct opt es_client_rows[] = {
    OPT(S, LIST, urls, "https://localhost:9200", .arg = "URL,…", .bits = OPT_URL,
        .help = "hosts of the cluster; if one does not respond, the next is tried"),
    OPT_ROW("user", S, STRING, http.user, "elastic", .help = "user name for basic authentication"),
    OPT_ROW("password", S, STRING, http.password, "", .bits = OPT_SECRET,
            .help = "password for basic authentication"),
    OPT_ROW("api_key", S, STRING, http.api_key, "", .bits = OPT_SECRET,
            .help = "encoded API key, used instead of user and password"),
    OPT_ROW("ca", S, STRING, http.ca, "", .bits = OPT_PATH, .arg = "FILE",
            .help = "CA certificates for https (PEM); empty: the system's"),
    OPT(S, INT, batch, "5000", .min = 1, .max = 100000,
        .help = "maximum number of documents in a bulk request"),
    OPT(S, INT, in_flight, "2", .min = 1, .max = 64,
        .help = "maximum number of concurrent bulk requests"),
    OPT_ROW("timeout", S, MS, http.timeout_ms, "60s", .min = 100,
            .help = "time limit of a request"),
    OPT(S, BOOL, template, "true",
        .help = "install the index template distlog-INDEX when the store starts"),
    OPT(S, BOOL, dynamic, "false", .help = "also index fields that distlog does not know"),
};
#undef S

const struct opt_section es_section =
    OPT_SECTION("store.elasticsearch",
                "Elasticsearch 8 or OpenSearch 2 through libcurl, for store.type elasticsearch",
                es_client_rows, struct es_conf);

struct es_client {
    const struct es_conf *conf;
    struct http_client *http;
    size_t host;               /* index in conf->urls of the host to ask next */
    const struct store *store; /* whose alive is called during waits; NULL: none */
};

enum store_rc es_client_open(struct es_client **out, const struct es_conf *conf, struct err *err) {
    for (size_t i = 0; i < conf->urls.n; i++) {
        if (http_client_check_url(conf->urls.items[i], err) != 0) {
            err_prefix(err, "store.elasticsearch.urls");
            return STORE_FATAL;
        }
    }
    if (conf->urls.n == 0) {
        err_set(err, "store.elasticsearch.urls: expected a URL");
        return STORE_FATAL;
    }
    struct http_client *http =
        http_client_new(&conf->http, ES_CLIENT_GZIP_FROM, ES_CLIENT_REPLY_MAX, err);
    if (!http) {
        err_prefix(err, "store.elasticsearch.ca");
        return STORE_FATAL;
    }
    *out = mem_calloc(1, sizeof **out);
    (*out)->conf = conf;
    (*out)->http = http;
    return STORE_OK;
}

void es_client_close(struct es_client *c) {
    if (!c)
        return;
    http_client_free(c->http);
    free(c);
}

void es_client_set_store(struct es_client *c, const struct store *store) {
    c->store = store;
}

/* Starts a call at the host whose turn it is. */
static void es_client_start(struct es_client *c, struct es_call *call) {
    BUF_LOCAL struct buf url = {0};
    call->host = c->conf->urls.items[c->host];
    size_t n = strlen(call->host);
    while (call->host[n - 1] == '/')
        n--;
    buf_add(&url, call->host, n);
    buf_text(&url, call->path);
    http_client_start(c->http, &call->http, url.p);
}

static bool es_client_is_host_down(long status) {
    return status == 0 || (status >= 502 && status <= 504);
}

/* Handles the end of one request. Returns whether the call has ended, too; if not, it was started
 * again at the next host. */
static bool es_client_finish(struct es_client *c, struct es_call *call) {
    const struct str_list *urls = &c->conf->urls;
    const long status = call->http.status;
    const bool is_current_host = call->host == urls->items[c->host];
    if (es_client_is_host_down(status) && is_current_host)
        c->host = (c->host + 1) % urls->n;
    if (status != 0 || !call->http.unsent)
        return true;
    call->n_tried++;
    if (call->n_tried >= urls->n)
        return true;
    es_client_start(c, call);
    return false;
}

static bool es_client_must_leave(void) {
    return stop_asked() && clock_mono_ms() - stop_asked_ms() >= ES_CLIENT_LEAVE_MS;
}

static struct es_call *es_client_call_of(struct http_call *http) {
    void *call = (char *)http - offsetof(struct es_call, http);
    return call;
}

void es_client_run(struct es_client *c, struct es_call *calls, size_t n) {
    size_t running = n;
    for (size_t i = 0; i < n; i++) {
        calls[i].n_tried = 0;
        es_client_start(c, &calls[i]);
    }
    while (running > 0) {
        http_client_wait(c->http, ES_CLIENT_WAIT_MS);
        if (c->store)
            store_alive(c->store);
        struct http_call *ended = http_client_done(c->http);
        while (ended) {
            if (es_client_finish(c, es_client_call_of(ended)))
                running--;
            ended = http_client_done(c->http);
        }
        if (es_client_must_leave()) {
            for (size_t i = 0; i < n; i++)
                http_client_cancel(&calls[i].http, "no response before the shutdown deadline");
            return;
        }
    }
}

/* Appends ": TYPE: REASON" of {"error":{"type":…,"reason":…}}, or of {"error":"…"}. */
static void es_client_add_reason(const struct es_call *call, struct buf *out) {
    static const char *const paths[] = {"error.type", "error.reason", "error"};
    json_t *reply = es_json_read(buf_view(&call->http.reply));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct span text = es_json_text(reply, paths[i]);
        if (text.n > ES_CLIENT_REASON_MAX)
            text.n = ES_CLIENT_REASON_MAX;
        if (text.p)
            buf_printf(out, ": %.*s", SPAN_ARG(text));
    }
    json_decref(reply);
}

static enum store_rc es_client_no_answer(const struct es_call *call, struct err *err) {
    const char *why = buf_view(&call->http.reply).p;
    const char *hint = "check store.elasticsearch.urls";
    const char *certificate = strstr(why, "SSL certificate problem: ");
    if (certificate)
        why = certificate;
    if (strstr(why, "expired"))
        hint = "renew the certificate";
    else if (strstr(why, "certificate"))
        hint = "set store.elasticsearch.ca to the CA that signed it";
    else if (strstr(why, "Operation timed out"))
        hint = "the host is slow, or store.elasticsearch.timeout is too short";
    err_set(err, "%s: %s (%s)", call->host, why, hint);
    return STORE_RETRY;
}

enum store_rc es_call_error(const struct es_call *call, const char *doing, struct err *err) {
    const long status = call->http.status;
    const char *hint = "";
    BUF_LOCAL struct buf reason = {0};
    if (status == 0)
        return es_client_no_answer(call, err);
    if (status == 401) {
        buf_text(&reason, ": user and password, or the API key, were rejected");
        hint = " (check store.elasticsearch.user and password, or api_key)";
    } else {
        es_client_add_reason(call, &reason);
    }
    if (status == 403)
        hint = " (grant the user or API key of store.elasticsearch this privilege)";
    err_set(err, "%s: can't %s: HTTP %ld%s%s", call->host, doing, status, buf_view(&reason).p,
            hint);
    const bool is_access = status == 401 || status == 403; /* a secret may be renewed */
    if (is_access || status == 429 || status >= 500)
        return STORE_RETRY;
    return STORE_FATAL;
}
