/* http_client: see http_client.h. `localhost` and numeric addresses never reach libcurl's resolver
 * threads; other names do, once a minute at most (its cache).
 * SPDX-License-Identifier: Apache-2.0 */
#include "http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../base/mem.h"

struct request {
    CURL *easy;
    void *tag;
    size_t text_n; /* of text, what the body has filled */
    char text[512];
    char error[CURL_ERROR_SIZE];
    struct request *next_free;
};

struct http_client {
    CURLM *multi;
    struct curl_slist *headers;
    struct request *requests, *free;
    size_t n, busy; /* all of them, and those without a reply yet */
};

static size_t on_body(char *bytes, size_t one, size_t n, void *ctx) {
    struct request *r = ctx;
    size_t room = sizeof r->text - 1 - r->text_n, some = n < room ? n : room;
    (void)one; /* always 1 */
    memcpy(r->text + r->text_n, bytes, some);
    r->text_n += some;
    return n;
}

static int check_url(const char *url, struct err *err) {
    CURLU *u = curl_url();
    if (!u) mem_die();
    CURLUcode code = curl_url_set(u, CURLUPART_URL, url, 0);
    curl_url_cleanup(u);
    if (code) return err_set(err, "\"%s\" is not an address: %s", url, curl_url_strerror(code));
    if (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0) return 0;
    return err_set(err, "\"%s\": expected http:// or https://", url);
}

static void set_up(struct request *r, const struct http_client_conf *conf, struct curl_slist *headers) {
    CURL *e = r->easy;
    curl_easy_setopt(e, CURLOPT_URL, conf->url);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "distlog/" DISTLOG_VERSION);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    /* A proxy that the environment names could not reach this machine. */
    if (!getenv("no_proxy") && !getenv("NO_PROXY"))
        curl_easy_setopt(e, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    if (*conf->ca) curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca);
    if (*conf->user) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(e, CURLOPT_USERNAME, conf->user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, conf->password);
    } else if (*conf->token) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, conf->token);
    }
}

struct http_client *http_client_new(const struct http_client_conf *conf, struct err *err) {
    if (check_url(conf->url, err)) return NULL;
    if (*conf->ca && access(conf->ca, R_OK) != 0) {
        err_set(err, "cannot read the certificates in %s: %s", conf->ca, strerror(errno));
        return NULL;
    }
    struct http_client *c = mem_new(1, sizeof *c);
    c->n = (size_t)conf->parallel;
    c->requests = mem_new(c->n, sizeof *c->requests);
    c->multi = curl_multi_init();
    c->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!c->multi || !c->headers || !curl_slist_append(c->headers, "Expect:")) mem_die();
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)conf->parallel);
    for (size_t i = 0; i < c->n; i++) {
        struct request *r = &c->requests[i];
        r->easy = curl_easy_init();
        if (!r->easy) mem_die();
        set_up(r, conf, c->headers);
        r->next_free = c->free;
        c->free = r;
    }
    return c;
}

void http_client_post(struct http_client *c, struct span body, void *tag) {
    struct request *r = c->free;
    c->free = r->next_free;
    c->busy++;
    r->tag = tag;
    r->text_n = 0;
    r->error[0] = '\0';
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    if (curl_easy_setopt(r->easy, CURLOPT_COPYPOSTFIELDS, body.p) != CURLE_OK) mem_die();
    if (curl_multi_add_handle(c->multi, r->easy) != CURLM_OK) mem_die(); /* fails here only without memory */
}

void http_client_wait(struct http_client *c, int wait_ms) {
    int running;
    curl_multi_perform(c->multi, &running);
    if ((size_t)running < c->busy) return; /* a reply is there */
    curl_multi_poll(c->multi, NULL, 0, wait_ms, NULL);
    curl_multi_perform(c->multi, &running);
}

bool http_client_reply(struct http_client *c, struct http_reply *reply) {
    int left;
    CURLMsg *m = curl_multi_info_read(c->multi, &left);
    if (!m) return false;
    CURLcode code = m->data.result;
    char *private;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
    struct request *r = (struct request *)(void *)private;
    *reply = (struct http_reply){.tag = r->tag, .text = r->text};
    if (code == CURLE_OK) {
        curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &reply->status);
        curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &reply->wait_s);
        r->text[r->text_n] = '\0';
    } else snprintf(r->text, sizeof r->text, "%s", r->error[0] ? r->error : curl_easy_strerror(code));
    curl_multi_remove_handle(c->multi, r->easy);
    r->next_free = c->free;
    c->free = r;
    c->busy--;
    return true;
}

void http_client_free(struct http_client *c) {
    if (!c) return;
    for (size_t i = 0; i < c->n; i++) {
        curl_multi_remove_handle(c->multi, c->requests[i].easy);
        curl_easy_cleanup(c->requests[i].easy);
    }
    curl_multi_cleanup(c->multi);
    curl_slist_free_all(c->headers);
    free(c->requests);
    free(c);
}
