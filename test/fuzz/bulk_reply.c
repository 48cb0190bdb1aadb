/* bulk_reply: any bytes as Elasticsearch's replies to bulk requests. A document counts as stored
 * only if its own item says so according to jansson too, and each verdict agrees with its item.
 * SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdint.h>

#include "es_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { DOCS = 3, DEEP = 100 };

/* Not everything can be compared: only the scanner limits depth, and 2e2 is no status. */
static bool too_deep(struct span text) {
    int depth = 0, most = 0;
    for (size_t i = 0; i < text.n; i++) {
        depth += text.p[i] == '[' || text.p[i] == '{';
        if (depth > most)
            most = depth;
    }
    return most > DEEP;
}

static bool is_state(const json_t *error) {
    const char *type = json_string_value(json_object_get(error, "type"));
    return type && (strcmp(type, "cluster_block_exception") == 0 ||
                    strcmp(type, "index_not_found_exception") == 0 ||
                    strcmp(type, "index_closed_exception") == 0 ||
                    strcmp(type, "validation_exception") == 0);
}

static enum store_verdict verdict_of(const json_t *item) {
    const json_t *create = json_object_get(item, "create"),
                 *number = json_object_get(create, "status");
    json_int_t status = json_integer_value(number);
    if (status >= 200 && status < 300)
        return STORE_STORED;
    if (status == 409)
        return STORE_EXISTS;
    bool poison = status >= 400 && status < 500 && status != 401 && status != 403 && status != 429;
    return poison && !is_state(json_object_get(create, "error")) ? STORE_POISON : STORE_PENDING;
}

static void compare(struct span reply, const struct store_doc *docs) {
    json_t *read = json_loadb(reply.p, reply.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    const json_t *items = json_object_get(read, "items");
    for (size_t i = 0; read && !too_deep(reply) && i < DOCS; i++) {
        const json_t *item = json_array_get(items, i);
        const json_t *number = json_object_get(json_object_get(item, "create"), "status");
        if (!number || json_is_integer(number))
            check(docs[i].verdict == verdict_of(item));
    }
    json_decref(read);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct span replies = {(const char *)bytes, n};
    struct store_doc docs[DOCS] = {
        {.id = SPAN_LIT("a"), .json = SPAN_LIT("{}")},
        {.id = SPAN_LIT("\"b"), .json = SPAN_LIT("{\"a\":1}")},
        {.id = SPAN_LIT("c"), .json = SPAN_LIT("{\"@timestamp\":\"x\"}")}};
    struct err err = {""};
    struct store *store = es_store(replies, ES_HEALTHY, false);
    check(store);
    enum store_rc rc = store_es.bulk(store, docs, DOCS, &err);
    check(rc == STORE_OK || *err.text);
    for (size_t i = 0; i < DOCS; i++) {
        check(rc != STORE_OK || docs[i].verdict != STORE_PENDING);
        check(docs[i].verdict != STORE_POISON || *docs[i].reason);
    }
    es_replies = replies;
    struct span reply;
    if (!memchr(bytes, '\0', n) && es_next(&reply) == 200)
        compare(reply, docs);
    store_es.close(store);
    return 0;
}
