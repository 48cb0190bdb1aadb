/* event: any bytes as a record. A record that is accepted parses the same from its compact form,
 * and has the strings that jansson finds. A record that jansson accepts, with distinct keys, is not
 * refused. SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../lib/core/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void same_text(struct text ours, const json_t *record, const char *key) {
    const json_t *value = json_object_get(record, key);
    check(json_is_string(value) == (ours.text.p != NULL));
    if (ours.text.p)
        check(
            span_eq(ours.text, (struct span){json_string_value(value), json_string_length(value)}));
}

static void same_again(const struct event *e, struct arena *arena) {
    struct event again;
    struct err err;
    check(event_parse(e->json, arena, &again, &err) == INPUT_OK);
    check(again.kind == e->kind && span_eq(again.json, e->json) && again.json.p == e->json.p);
    check(span_eq(again.node.text, e->node.text) && span_eq(again.type.text, e->type.text));
    check(event_check_node(e, &err) == event_check_node(&again, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct arena arena = {0};
    struct event e;
    struct err err = {""};
    struct span in = {(const char *)bytes, n};
    bool taken = event_parse(in, &arena, &e, &err) == INPUT_OK;
    json_t *record = json_loadb(in.p, in.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    if (taken)
        same_again(&e, &arena);
    if (taken && record) {
        same_text(e.node, record, "node_id");
        same_text(e.type, record, "message_type");
        same_text(e.service, record, "service_name");
        same_text(e.level, record, "log_level");
        same_text(e.log_id, record, "log_id");
        same_text(e.status, record, "status");
        same_text(e.message, record, "message");
        same_text(e.timestamp, record, "timestamp");
        same_text(e.alert, record, "alert");
    }
    if (!taken && json_is_object(record) && !json_object_get(record, ""))
        check(strstr(err.text, "too deeply") || memchr(in.p, '\0', in.n));
    json_decref(record);
    arena_release(&arena);
    return 0;
}
