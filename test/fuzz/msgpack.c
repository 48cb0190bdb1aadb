/* msgpack: any bytes as MessagePack. A body that is accepted becomes lines that ingest accepts, as
 * many as msgpack-c's own unpacker finds maps, within the limit and at most six times as long.
 * SPDX-License-Identifier: Apache-2.0 */
#include <msgpack.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../lib/adapter/codec/msgpack_json.h"
#include "../../lib/core/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool holds) {
    if (!holds)
        abort();
}

/* The number of records; SIZE_MAX if they are nested deeper than the unpacker's 32 levels. Called
 * only for bodies that were accepted, because the unpacker trusts the sizes in headers. */
static size_t count_maps(const char *bytes, size_t n) {
    size_t at = 0, count = 0;
    msgpack_unpacked read;
    msgpack_unpacked_init(&read);
    while (at < n) {
        if (msgpack_unpack_next(&read, bytes, n, &at) != MSGPACK_UNPACK_SUCCESS) {
            count = SIZE_MAX;
            break;
        }
        bool array = read.data.type == MSGPACK_OBJECT_ARRAY;
        check(array || read.data.type == MSGPACK_OBJECT_MAP);
        count += array ? read.data.via.array.size : 1;
    }
    msgpack_unpacked_destroy(&read);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const struct ingest_limits limits = {SIZE_MAX, SIZE_MAX};
    struct arena arena = {0};
    struct buf out = {0};
    struct err err = {""};
    size_t limit = n % 2 ? SIZE_MAX : n;
    int rc = msgpack_json((struct span){(const char *)bytes, n}, limit, &out, &err);
    bool taken = rc == 0;
    check(out.n <= 6 * n && (limit == SIZE_MAX || out.n <= limit + 200));
    check(rc == 0 || rc == -1 || (rc == INPUT_LARGE && limit == n));
    if (taken) {
        struct ingest_records records = {0};
        check(ingest_read(INGEST_MSGPACK, buf_view(&out), &limits, &arena, &records, &err) ==
              INPUT_OK);
        size_t count = count_maps((const char *)bytes, n), size = 0;
        check(count == SIZE_MAX || count == records.n);
        for (size_t i = 0; i < records.n; i++)
            size += records.items[i].json.n + 1;
        check(size == out.n); /* nothing between the lines: they are compact already */
        ingest_release(&records);
    } else {
        check(*err.text);
    }
    buf_release(&out);
    arena_release(&arena);
    return 0;
}
