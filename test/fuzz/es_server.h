/* es_server: replaces Elasticsearch: the requests of es_client_run are answered from the fuzzer's
 * bytes (the Makefile links these targets with --wrap). Replies are separated by NUL bytes; each is
 * a character for the status, followed by the body. After the last one requests stay unanswered, so
 * that every conversation ends. SPDX-License-Identifier: Apache-2.0 */
#ifndef DISTLOG_TEST_FUZZ_ES_SERVER_H
#define DISTLOG_TEST_FUZZ_ES_SERVER_H

#include <stdio.h>
#include <stdlib.h>

#include "../../lib/adapter/elastic/es_client.h"
#include "../../lib/adapter/elastic/store_es.h"
#include "../../lib/engines.h"

static struct span es_replies; /* those not used yet */

static inline void check(bool holds) {
    if (!holds)
        abort();
}

/* Takes the next reply; returns its body. Status 0: no answer. */
static inline long es_next(struct span *body) {
    static const struct {
        char letter;
        long status;
    } all[] = {{'n', 404}, {'l', 413}, {'b', 400}, {'d', 401},
               {'f', 403}, {'r', 429}, {'e', 500}, {'-', 0}};
    struct span reply;
    *body = SPAN_LIT("");
    if (!span_next(&es_replies, '\0', &reply))
        return 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (reply.n && *reply.p == all[i].letter) {
            *body = (struct span){reply.p + 1, reply.n - 1};
            return all[i].status;
        }
    *body = reply;
    return 200;
}

void __wrap_es_client_run(struct es_client *c, struct es_call *calls, size_t n);
void __wrap_clock_sleep_ms(int64_t ms);

void __wrap_es_client_run(struct es_client *c, struct es_call *calls, size_t n) {
    (void)c;
    for (size_t i = 0; i < n; i++) {
        struct span body;
        calls[i].host = "http://es";
        calls[i].http.status = es_next(&body);
        if (!calls[i].http.status)
            body = SPAN_LIT("nobody there");
        /* A buffer of exactly this size, so that a sanitizer finds reads past its end. */
        buf_release(&calls[i].http.reply);
        if (body.n)
            buf_span(&calls[i].http.reply, body);
    }
}

void __wrap_clock_sleep_ms(int64_t ms) {
    (void)ms;
}

/* The store, opened with suitable replies; NULL if the fuzzer's own replies prevented it. */
static inline struct store *es_store(struct span replies, struct span open, bool create) {
    static struct conf *conf;
    struct err err = {""};
    struct store *store = NULL;
    if (!conf) {
        conf = conf_new(engines_sections);
        check(conf_set(conf, "store.type", SPAN_LIT("elasticsearch"), OPT_YAML, "", &err) == 0);
    }
    const struct store_conf *settings = conf_section(conf, &store_section);
    es_replies = open;
    enum store_rc rc = store_es.open(conf, settings->index, create, &store, &err);
    check(rc == STORE_OK ? store != NULL : *err.text);
    es_replies = replies;
    return rc == STORE_OK ? store : NULL;
}

/* The replies of a healthy cluster with that many shards when the store is opened for reading. */
#define ES_HEALTHY                                     \
    SPAN_LIT("{\"version\":{\"number\":\"8.19.0\"}}\0" \
             "{\"logs\":{\"settings\":{\"index\":{\"number_of_shards\":\"2\"}},\"mappings\":{}}}")

#endif
