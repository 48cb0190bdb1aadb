/* body: any bytes as the Content-Encoding, the Content-Type and the body of a request, a line each,
 * processed as collect does. Decompression stays within its limit whatever a body claims, and a
 * body has the same records compressed and uncompressed. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "../../lib/adapter/codec/zip.h"
#include "../../lib/adapter/codec/msgpack_json.h"
#include "../../lib/core/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MOST = 100000 };
static const struct ingest_limits limits = {4000, 100};

static void check(bool holds) {
    if (!holds)
        abort();
}

/* The result for a body. */
struct taken {
    struct buf plain, lines;
    struct arena arena;
    struct ingest_records records;
    int rc;
};

/* Processes a body as collect does. */
static void take(struct taken *t, enum inflate_coding coding, enum ingest_format format,
                 struct span body) {
    struct err err = {""};
    *t = (struct taken){.rc = 0};
    if (coding != INFLATE_NONE) {
        t->rc = (int)inflate_body(coding, body, MOST, &t->plain, &err);
        check(t->plain.n <= (t->rc == INPUT_LARGE ? MOST + 1 : MOST));
        body = buf_view(&t->plain);
    }
    if (t->rc == 0 && format == INGEST_MSGPACK) {
        t->rc = msgpack_json(body, MOST, &t->lines, &err);
        check(t->lines.n <= MOST + 200);
        body = buf_view(&t->lines);
    }
    if (t->rc == 0)
        t->rc = (int)ingest_read(format, body, &limits, &t->arena, &t->records, &err);
    check(t->rc == 0 || *err.text);
}

static void release(struct taken *t) {
    ingest_release(&t->records);
    arena_release(&t->arena);
    buf_release(&t->plain);
    buf_release(&t->lines);
}

static void same(const struct taken *a, const struct taken *b) {
    check(a->rc == b->rc && a->records.n == b->records.n);
    for (size_t i = 0; i < a->records.n; i++) {
        const struct ingest_record *x = &a->records.items[i], *y = &b->records.items[i];
        check(span_eq(x->json, y->json) && span_eq(x->key, y->key) &&
              x->json.n <= limits.max_record);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct span body = {(const char *)bytes, n}, encoding, type;
    struct err err;
    span_next(&body, '\n', &encoding);
    if (!span_next(&body, '\n', &type) || !body.p)
        return 0;
    enum inflate_coding coding = inflate_coding_of(encoding);
    enum ingest_format format = ingest_format_of(type, &err);
    if (coding == INFLATE_UNKNOWN || format == INGEST_UNKNOWN)
        return 0;
    struct taken plain, packed;
    struct buf members = {0};
    take(&plain, coding, format, body);
    if (coding == INFLATE_NONE) { /* two members, divided anywhere in the body */
        size_t half = body.n / 2;
        deflate_gzip((struct span){body.p, half}, &members);
        deflate_gzip((struct span){body.p + half, body.n - half}, &members);
        take(&packed, INFLATE_GZIP, format, buf_view(&members));
        check(span_eq(buf_view(&packed.plain), body));
        same(&plain, &packed);
        release(&packed);
    }
    release(&plain);
    buf_release(&members);
    return 0;
}
