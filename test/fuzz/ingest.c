/* ingest: the first byte selects the format, the rest is the body. The result is compact objects
 * within the limits (for JSON, as many as jansson finds), or nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../lib/core/ingest.h"
#include "../../lib/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct ingest_limits limits = {4000, 100};

static void check(bool holds) {
    if (!holds)
        abort();
}

static void check_record(const struct ingest_record *record, struct arena *arena) {
    struct json_value value;
    struct err err;
    size_t at = 0;
    check(record->json.n + record->key.n <= limits.max_record);
    check(json_scan(record->json, &at, JSON_DEPTH, arena, &value, NULL, NULL, &err) == 0);
    check(value.type == JSON_TYPE_OBJECT && at == record->json.n && value.raw.p == record->json.p);
    check(!record->key.p || record->key.n > 0);
}

static void check_count(struct span body, size_t count) {
    json_t *read = json_loadb(body.p, body.n, JSON_ALLOW_NUL, NULL);
    if (read)
        check(count == (json_is_array(read) ? json_array_size(read) : 1));
    json_decref(read);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n == 0)
        return 0;
    struct arena arena = {0};
    struct ingest_records records = {0};
    struct err err = {""};
    struct span body = {(const char *)bytes + 1, n - 1};
    enum ingest_format format = INGEST_JSON + bytes[0] % 4;
    enum input_rc rc = ingest_read(format, body, &limits, &arena, &records, &err);
    if (rc == INPUT_OK && format == INGEST_JSON)
        check_count(body, records.n);
    check(rc == INPUT_OK ? records.n <= limits.max_records : records.n == 0 && *err.text);
    for (size_t i = 0; i < records.n; i++)
        check_record(&records.items[i], &arena);
    check(ingest_tag(body, &arena).n <= body.n);
    ingest_format_of(body, &err);
    ingest_check_query(body, &err);
    ingest_release(&records);
    arena_release(&arena);
    return 0;
}
