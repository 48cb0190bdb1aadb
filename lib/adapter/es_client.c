/* es_client: see es_client.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "es_client.h"

#include <curl/curl.h>
#include <stdio.h>

#include "../base/json.h"
#include "../base/mem.h"
#include "../base/stop.h"
#include "clock.h"
#include "deflate.h"

enum { CONNECT_MS = 5000, LEAVE_MS = 4500, REPLY_MAX = 512 << 20, GZIP_FROM = 1024 };

#define S struct es_conf
static const struct opt rows[] = {
    OPT(S, LIST, urls, "https://localhost:9200", .arg = "URL,…", .bits = OPT_URL,
        .help = "the hosts of the cluster; the next is tried when one does not answer"),
    OPT(S, STRING, user, "elastic", .help = "for basic auth"),
    OPT(S, STRING, password, "", .bits = OPT_SECRET,
        .help = "of that user; without one there is no basic auth"),
    OPT(S, STRING, api_key, "", .bits = OPT_SECRET,
        .help = "an encoded API key, used in place of user and password"),
    OPT(S, STRING, ca, "", .bits = OPT_PATH, .arg = "FILE",
        .help = "PEM file of the authority that signed the hosts' certificates"),
    OPT(S, INT, batch, "5000", .min = 1, .max = 100000, .help = "most documents in one bulk request"),
    OPT(S, INT, in_flight, "2", .min = 1, .max = 64, .help = "bulk requests at a time"),
    OPT(S, MS, timeout, "60s", .min = 100, .help = "how long one request may take"),
    OPT(S, BOOL, template, "true", .help = "install the index template distlog-INDEX when the store starts"),
    OPT(S, BOOL, dynamic, "false", .help = "let the engine index keys that distlog does not know"),
};
#undef S

const struct opt_section es_section = OPT_SECTION(
    "store.elasticsearch", "Elasticsearch 8 or OpenSearch 2 through libcurl, for store.type elasticsearch",
    rows, struct es_conf);

struct es_client {
    const struct es_conf *conf;
    CURLM *multi; /* has the connections, which outlive a call */
    size_t host;  /* the one to ask */
};

static size_t on_reply(char *bytes, size_t one, size_t n, void *ctx) {
    (void)one;
    struct es_call *call = ctx;
    if (call->reply.n + n > REPLY_MAX) return 0; /* curl then fails the transfer */
    buf_add(&call->reply, bytes, n);
    return n;
}

enum store_rc es_client_open(struct es_client **out, const struct es_conf *conf, struct err *err) {
    bool urls = conf->urls.n > 0;
    for (size_t i = 0; i < conf->urls.n; i++)
        urls = urls && (strncmp(conf->urls.items[i], "http://", 7) == 0 ||
                        strncmp(conf->urls.items[i], "https://", 8) == 0);
    if (!urls) return err_as(STORE_FATAL, err, "store.elasticsearch.urls: expected http:// or https:// URLs");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct es_client *c = *out = mem_new(1, sizeof *c);
    c->conf = conf;
    if (!(c->multi = curl_multi_init())) mem_die();
    return STORE_OK;
}

void es_client_close(struct es_client *c) {
    if (!c) return;
    curl_multi_cleanup(c->multi);
    free(c);
}

void es_call_release(struct es_call *call) {
    buf_release(&call->body);
    buf_release(&call->reply);
}

static void add_header(struct es_call *call, const char *name, const char *value) {
    BUF_LOCAL struct buf line = {0};
    buf_printf(&line, "%s%s", name, value);
    if (!(call->headers = curl_slist_append(call->headers, line.p))) mem_die();
}

/* What all requests have in common. */
static void set_up(const struct es_conf *conf, struct es_call *call) {
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->why);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)conf->timeout);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "distlog");
    if (*conf->ca) curl_easy_setopt(easy, CURLOPT_CAINFO, conf->ca);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may be replaced */
    if (*conf->api_key) {
        add_header(call, "Authorization: ApiKey ", conf->api_key);
    } else if (*conf->password) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, conf->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, conf->password);
    }
}

/* Hands a call to curl, for the host that is in turn. */
static void begin(struct es_client *c, struct es_call *call) {
    struct span body = buf_view(&call->body);
    BUF_LOCAL struct buf url = {0}, packed = {0};
    call->host = c->conf->urls.items[c->host];
    size_t n = strlen(call->host);
    while (call->host[n - 1] == '/') n--;
    buf_printf(&url, "%.*s%s", (int)n, call->host, call->path);
    buf_clear(&call->reply);
    *call->why = '\0';
    call->headers = NULL;
    if (!(call->easy = curl_easy_init())) mem_die();
    set_up(c->conf, call);
    curl_easy_setopt(call->easy, CURLOPT_URL, url.p);
    if (body.n) {
        add_header(call, "Content-Type: application/json", "");
        add_header(call, "Expect:", ""); /* a wait for 100-continue costs a round trip */
        if (body.n >= GZIP_FROM) {
            deflate_gzip(body, &packed);
            body = buf_view(&packed);
            add_header(call, "Content-Encoding: gzip", "");
        }
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, body.p);
    }
    curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    if (curl_multi_add_handle(c->multi, call->easy) != CURLM_OK) mem_die();
}

/* Did the request never leave? Then another host may have it. */
static bool not_sent(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
           code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
}

/* One transfer is over. True: the call is too; else the next host has it. */
static bool finish(struct es_client *c, struct es_call *call, CURLcode code) {
    const struct opt_list *urls = &c->conf->urls;
    call->status = 0;
    if (code == CURLE_OK) curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        snprintf(call->why, sizeof call->why, "no answer before it was time to leave");
    else if (!*call->why) snprintf(call->why, sizeof call->why, "%s", curl_easy_strerror(code));
    curl_multi_remove_handle(c->multi, call->easy);
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    call->easy = NULL;
    bool bad = code != CURLE_OK || (call->status >= 502 && call->status <= 504);
    if (bad && call->host == urls->items[c->host]) c->host = (c->host + 1) % urls->n;
    if (!not_sent(code) || ++call->tried >= urls->n) return true;
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
        size_t before = running;
        int count;
        curl_multi_perform(c->multi, &count);
        for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &count));) {
            struct es_call *call = NULL;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
            running -= finish(c, call, m->data.result);
        }
        bool late = stop_asked() && clock_mono_ms() - stop_asked_ms() >= LEAVE_MS;
        for (size_t i = 0; late && i < n; i++)
            if (calls[i].easy) running -= finish(c, &calls[i], CURLE_ABORTED_BY_CALLBACK);
        if (running == before) curl_multi_poll(c->multi, NULL, 0, 200, NULL);
    }
}

/* "HTTP 400: TYPE: REASON" of {"error":{"type":…,"reason":…}} or {"error":"…"}. */
static void add_reason(const struct es_call *call, struct buf *out) {
    static const char *const paths[] = {"error.type", "error.reason", "error"};
    struct arena arena = {0};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct span s = json_get(buf_view(&call->reply), paths[i], &arena);
        if (!s.p || *s.p != '"') continue;
        s = json_decode(s, &arena);
        buf_printf(out, ": %.*s", (int)(s.n > 250 ? 250 : s.n), s.p);
    }
    arena_release(&arena);
}

static enum store_rc no_answer(const struct es_call *call, struct err *err) {
    const char *hint = "check store.elasticsearch.urls", *why = call->why;
    const char *certificate = strstr(why, "SSL certificate problem: ");
    if (certificate) why = certificate;
    if (strstr(why, "expired")) hint = "renew the certificate";
    else if (strstr(why, "certificate")) hint = "set store.elasticsearch.ca to the authority that signed it";
    return err_as(STORE_RETRY, err, "%s: %s (%s)", call->host, why, hint);
}

enum store_rc es_call_error(const struct es_call *call, const char *doing, struct err *err) {
    if (call->status == 0) return no_answer(call, err);
    bool denied = call->status == 401, forbidden = call->status == 403;
    BUF_LOCAL struct buf why = {0};
    if (denied) buf_text(&why, ": user and password, or the API key, are refused");
    else add_reason(call, &why);
    err_set(err, "%s: can't %s: HTTP %ld%s%s", call->host, doing, call->status, buf_view(&why).p,
            denied      ? " (check store.elasticsearch.user and password, or api_key)"
            : forbidden ? " (give the user or API key of store.elasticsearch that right)"
                        : "");
    return denied || forbidden || call->status == 429 || call->status >= 500 ? STORE_RETRY : STORE_FATAL;
}
