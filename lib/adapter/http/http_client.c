/* http_client: see http_client.h. `localhost` and numeric addresses never reach libcurl's resolver
 * threads; other names do, once a minute at most (its cache).
 * SPDX-License-Identifier: Apache-2.0 */
#include "http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

#include "../../base/mem.h"
#include "../codec/zip.h"

enum {
    CONNECT_MS = 5000,
    KEPT = 10000 /* idle connections: as many as there ever were requests at a time */
};

struct http_client {
    const struct http_client_conf *conf;
    size_t gzip_from, reply_most;
    CURLM *multi; /* has the connections, which outlive a request */
    int busy;     /* requests under way */
};

static size_t on_reply(char *bytes, size_t one, size_t n, void *ctx) {
    struct http_call *call = ctx;
    (void)one; /* always 1 */
    if (call->reply.n + n > call->client->reply_most)
        return 0; /* and the request has failed */
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
        return err_set(err, "\"%s\" is not an address: %s", url, curl_url_strerror(code));
    if (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0)
        return 0;
    return err_set(err, "\"%s\": expected http:// or https://", url);
}

static bool given(const char *text) {
    return text && *text;
}

struct http_client *http_client_new(const struct http_client_conf *conf, size_t gzip_from,
                                    size_t reply_most, struct err *err) {
    if (given(conf->ca) && access(conf->ca, R_OK) != 0)
        return err_as(NULL, err, "cannot read the certificates in %s: %s", conf->ca,
                      strerror(errno));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct http_client *c = mem_calloc(1, sizeof *c);
    *c = (struct http_client){.conf = conf, .gzip_from = gzip_from, .reply_most = reply_most};
    if (!(c->multi = curl_multi_init()))
        mem_abort();
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)KEPT);
    return c;
}

static void add_header(struct http_call *call, const char *name, const char *value) {
    BUF_LOCAL struct buf line = {0};
    buf_printf(&line, "%s%s", name, value);
    if (!(call->headers = curl_slist_append(call->headers, line.p)))
        mem_abort();
}

static void set_access(struct http_call *call, const struct http_client_conf *conf) {
    CURL *e = call->easy;
    if (given(conf->ca))
        curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca);
    curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may be replaced */
    if (given(conf->api_key)) {
        add_header(call, "Authorization: ApiKey ", conf->api_key);
    } else if (given(conf->password)) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(e, CURLOPT_USERNAME, conf->user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, conf->password);
    } else if (given(conf->token)) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, conf->token);
    }
}

static void set_body(struct http_call *call) {
    struct span body = buf_view(&call->body);
    BUF_LOCAL struct buf packed = {0};
    add_header(call, "Content-Type: ", "application/json");
    add_header(call, "Expect:", ""); /* a wait for 100-continue costs a round trip */
    if (call->client->gzip_from && body.n >= call->client->gzip_from) {
        deflate_gzip(body, &packed);
        body = buf_view(&packed);
        add_header(call, "Content-Encoding: ", "gzip");
    }
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    if (curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, body.p) != CURLE_OK)
        mem_abort();
}

void http_client_start(struct http_client *c, struct http_call *call, const char *url) {
    CURL *e = call->easy = curl_easy_init();
    if (!e)
        mem_abort();
    buf_clear(&call->reply);
    call->client = c;
    call->error = mem_calloc(1, CURL_ERROR_SIZE);
    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->conf->timeout_ms);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "distlog/" DISTLOG_VERSION);
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(e, CURLOPT_PRIVATE, call);
    /* A proxy that the environment names could not reach this machine. */
    if (!getenv("no_proxy") && !getenv("NO_PROXY"))
        curl_easy_setopt(e, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    set_access(call, c->conf);
    if (call->body.n)
        set_body(call);
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->headers);
    if (curl_multi_add_handle(c->multi, e) != CURLM_OK)
        mem_abort(); /* fails here only without memory */
    c->busy++;
}

void http_client_wait(struct http_client *c, int wait_ms) {
    int running;
    curl_multi_perform(c->multi, &running);
    if (running < c->busy)
        return; /* a reply is there */
    curl_multi_poll(c->multi, NULL, 0, wait_ms, NULL);
    curl_multi_perform(c->multi, &running);
}

/* why: there is no answer; NULL: there is. */
static void end(struct http_call *call, const char *why) {
    if (why) {
        buf_clear(&call->reply);
        buf_text(&call->reply, why);
    }
    curl_multi_remove_handle(call->client->multi, call->easy);
    curl_easy_cleanup(call->easy);
    free(call->error);
    curl_slist_free_all(call->headers);
    call->client->busy--;
    call->client = NULL;
    call->easy = call->headers = call->error = NULL;
}

struct http_call *http_client_done(struct http_client *c) {
    int left;
    struct http_call *call = NULL;
    long sent = 0;
    CURLMsg *m = curl_multi_info_read(c->multi, &left);
    if (!m)
        return NULL;
    CURLcode code = m->data.result;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
    call->status = call->wait_s = 0;
    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent);
    call->unsent =
        code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
        code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
        (code == CURLE_OPERATION_TIMEDOUT && !sent); /* it takes connections and never speaks */
    if (code == CURLE_OK) {
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
        curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &call->wait_s);
    }
    end(call, code == CURLE_OK ? NULL : *call->error ? call->error : curl_easy_strerror(code));
    return call;
}

void http_client_cancel(struct http_call *call, const char *why) {
    if (!call->client)
        return;
    call->status = 0;
    end(call, why);
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
