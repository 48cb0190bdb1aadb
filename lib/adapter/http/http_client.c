/* http_client: see http_client.h. Names other than `localhost` are resolved by threads of libcurl's
 * own, once a minute at most (its cache).
 * SPDX-License-Identifier: Apache-2.0 */
#include "http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

#include "../../base/mem.h"
#include "../codec/zip.h"

enum {
    HTTP_CLIENT_CONNECT_MS = 5000,
    HTTP_CLIENT_IDLE_MAX =
        10000 /* kept connections: as many as there ever were requests at a time */
};

struct http_client {
    const struct http_client_conf *conf;
    size_t gzip_from, reply_max;
    CURLM *multi; /* has the connections, which outlive a request */
    int running;  /* requests */
};

static size_t http_client_on_reply(char *bytes, size_t one, size_t n, void *ctx) {
    struct http_call *call = ctx;
    (void)one; /* always 1 */
    if (call->reply.n + n > call->client->reply_max)
        return 0; /* the request fails */
    buf_add(&call->reply, bytes, n);
    return n;
}

int http_client_check_url(const char *url, struct err *err) {
    CURLU *u = curl_url();
    if (!u)
        mem_abort();
    CURLUcode code = curl_url_set(u, CURLUPART_URL, url, 0);
    curl_url_cleanup(u);
    if (code)
        return err_set(err, "\"%s\" is not a valid URL: %s", url, curl_url_strerror(code));
    if (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0)
        return 0;
    return err_set(err, "\"%s\": expected http:// or https://", url);
}

static bool http_client_is_set(const char *text) {
    return text && *text;
}

struct http_client *http_client_new(const struct http_client_conf *conf, size_t gzip_from,
                                    size_t reply_max, struct err *err) {
    if (http_client_is_set(conf->ca) && access(conf->ca, R_OK) != 0) {
        err_set(err, "cannot read the CA certificates in %s: %s", conf->ca, strerror(errno));
        return NULL;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct http_client *c = mem_calloc(1, sizeof *c);
    *c = (struct http_client){.conf = conf, .gzip_from = gzip_from, .reply_max = reply_max};
    c->multi = curl_multi_init();
    if (!c->multi)
        mem_abort();
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CLIENT_IDLE_MAX);
    return c;
}

static void http_client_add_header(struct http_call *call, const char *name, const char *value) {
    BUF_LOCAL struct buf line = {0};
    buf_printf(&line, "%s%s", name, value);
    call->headers = curl_slist_append(call->headers, line.p);
    if (!call->headers)
        mem_abort();
}

static void http_client_set_access(struct http_call *call, const struct http_client_conf *conf) {
    CURL *e = call->easy;
    if (http_client_is_set(conf->ca))
        curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca);
    curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may be replaced */
    if (http_client_is_set(conf->api_key)) {
        http_client_add_header(call, "Authorization: ApiKey ", conf->api_key);
    } else if (http_client_is_set(conf->password)) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(e, CURLOPT_USERNAME, conf->user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, conf->password);
    } else if (http_client_is_set(conf->token)) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, conf->token);
    }
}

static void http_client_set_body(struct http_call *call) {
    struct span body = buf_view(&call->body);
    BUF_LOCAL struct buf packed = {0};
    http_client_add_header(call, "Content-Type: ", "application/json");
    http_client_add_header(call, "Expect:", ""); /* a wait for 100-continue costs a round trip */
    if (call->client->gzip_from && body.n >= call->client->gzip_from) {
        deflate_gzip(body, &packed);
        body = buf_view(&packed);
        http_client_add_header(call, "Content-Encoding: ", "gzip");
    }
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    if (curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, body.p) != CURLE_OK)
        mem_abort();
}

/* All that holds for every request; redirects are not followed, which is curl's default. */
static void http_client_set_options(const struct http_client *c, struct http_call *call) {
    CURL *e = call->easy;
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CLIENT_CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->conf->timeout_ms);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "distlog/" DISTLOG_VERSION);
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_client_on_reply);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(e, CURLOPT_PRIVATE, call);
    /* A proxy that the environment names could not reach this machine. */
    if (!getenv("no_proxy") && !getenv("NO_PROXY"))
        curl_easy_setopt(e, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
}

void http_client_start(struct http_client *c, struct http_call *call, const char *url) {
    call->easy = curl_easy_init();
    if (!call->easy)
        mem_abort();
    buf_clear(&call->reply);
    call->client = c;
    call->error = mem_calloc(1, CURL_ERROR_SIZE);
    http_client_set_options(c, call);
    http_client_set_access(call, c->conf);
    if (call->body.n > 0)
        http_client_set_body(call);
    curl_easy_setopt(call->easy, CURLOPT_URL, url);
    curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    if (curl_multi_add_handle(c->multi, call->easy) != CURLM_OK)
        mem_abort(); /* it fails here only without memory */
    c->running++;
}

void http_client_wait(struct http_client *c, int wait_ms) {
    int running;
    curl_multi_perform(c->multi, &running);
    if (running < c->running)
        return; /* a request has ended */
    curl_multi_poll(c->multi, NULL, 0, wait_ms, NULL);
    curl_multi_perform(c->multi, &running);
}

/* Ends a request. why: the reason why no response came; NULL: one was received. */
static void http_client_end(struct http_call *call, const char *why) {
    if (why) {
        buf_clear(&call->reply);
        buf_text(&call->reply, why);
    }
    curl_multi_remove_handle(call->client->multi, call->easy);
    curl_easy_cleanup(call->easy);
    free(call->error);
    curl_slist_free_all(call->headers);
    call->client->running--;
    call->client = NULL;
    call->easy = NULL;
    call->headers = NULL;
    call->error = NULL;
}

/* Has the request that failed with this code certainly not left? */
static bool http_client_is_unsent(CURL *easy, CURLcode code) {
    long sent = 0;
    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return true;
    case CURLE_OPERATION_TIMEDOUT: /* the host may accept connections and never answer */
        curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
        return sent == 0;
    default:
        return false;
    }
}

static const char *http_client_reason(const struct http_call *call, CURLcode code) {
    if (*call->error)
        return call->error;
    return curl_easy_strerror(code);
}

struct http_call *http_client_done(struct http_client *c) {
    int left;
    struct http_call *call = NULL;
    const CURLMsg *m = curl_multi_info_read(c->multi, &left);
    if (!m)
        return NULL;
    const CURLcode code = m->data.result;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
    call->status = 0;
    call->wait_s = 0;
    call->unsent = http_client_is_unsent(call->easy, code);
    if (code != CURLE_OK) {
        http_client_end(call, http_client_reason(call, code));
        return call;
    }
    curl_off_t wait_s = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
    curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &wait_s);
    call->wait_s = wait_s;
    http_client_end(call, NULL);
    return call;
}

void http_client_cancel(struct http_call *call, const char *why) {
    if (!call->client)
        return;
    call->status = 0;
    http_client_end(call, why);
}

void http_call_release(struct http_call *call) {
    http_client_cancel(call, "");
    buf_release(&call->body);
    buf_release(&call->reply);
}

void http_client_free(struct http_client *c) {
    if (!c)
        return;
    curl_multi_cleanup(c->multi);
    free(c);
}
