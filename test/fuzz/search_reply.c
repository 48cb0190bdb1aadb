/* search_reply: any bytes as Elasticsearch's replies to a search, to a search with --follow, to a
 * deletion, or when the store is opened (the first byte selects). The call always ends with a
 * result or a reason, each hit is one JSON object with an id, and its printed form has no control
 * characters. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "../../cmd/line.h"
#include "../../lib/base/escape.h"
#include "../../lib/base/json.h"
#include "../../lib/base/utf8.h"
#include "es_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool on_hit(void *ctx, const struct store_hit *hit) {
    size_t at = 0, *hits = ctx;
    struct arena arena = {0};
    struct json_value value;
    struct err err;
    struct buf line = {0}, same = {0};
    check(hit->id.p && hit->json.p);
    line_json(&line, hit->json);
    buf_text(&same, "");
    escape_printable(&same, buf_view(&line));
    check(span_eq(buf_view(&line), buf_view(&same)));
    /* The server may hold documents that are nested deeper than distlog accepts. */
    if (json_scan(hit->json, &at, JSON_DEPTH, &arena, &value, NULL, NULL, &err) != 0)
        check(strstr(err.text, "too deeply"));
    else
        check(value.type == JSON_TYPE_OBJECT && at == hit->json.n);
    buf_release(&line);
    buf_release(&same);
    arena_release(&arena);
    return ++*hits < 8;
}

static void search(struct store *store, bool follow) {
    char cursor[STORE_CURSOR] = "";
    size_t hits = 0;
    struct err err = {""};
    struct store_query query = {
        "ERROR", "", "", "", "a b", 0, 0, follow ? -1 : 5, false, follow ? cursor : NULL};
    enum store_rc rc = store_es.search(store, &query, on_hit, &hits, &err);
    if (follow && rc == STORE_OK)
        rc = store_es.search(store, &query, on_hit, &hits, &err);
    check(rc == STORE_OK || *err.text);
    check(follow || hits <= 5);
}

static void erase(struct store *store, bool dry_run) {
    static const struct store_query all = {"", "", "", "", "", 0, 0, -1, false, NULL};
    uint64_t count = 0;
    struct buf answer = {0};
    struct err err = {""};
    enum store_rc rc = store_es.delete_matching(store, &all, dry_run, NULL, &count, &answer, &err);
    check(rc == STORE_OK ? answer.n >= 2 && *answer.p == '{' : *err.text != '\0');
    buf_release(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n == 0)
        return 0;
    struct span replies = {(const char *)bytes + 1, n - 1};
    char what = (char)bytes[0];
    bool open = what == 'o' || what == 'c';
    struct store *store = es_store(replies, open ? replies : ES_HEALTHY, what == 'c');
    if (!store)
        return 0;
    if (what == 'e' || what == 'd')
        erase(store, what == 'd');
    else if (!open)
        search(store, what == 'f');
    store_es.close(store);
    return 0;
}
