/* datetime: any bytes as a timestamp, of a record or of --since. What is accepted must format as a
 * text that parses to the same time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "../../lib/base/datetime.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define YEAR_1    INT64_C(-62135596800000)
#define YEAR_9998 INT64_C(253370764800000)

static void check(bool holds) {
    if (!holds)
        abort();
}

static void same_again(int64_t ms, int32_t offset_s) {
    struct buf text = {0};
    int64_t again;
    if (ms < YEAR_1 || ms > YEAR_9998)
        return; /* 2,000,000 days ago has no date with four digits */
    datetime_format(&text, ms, offset_s, DATETIME_RFC3339);
    check(datetime_parse_zoned(buf_view(&text), &again) && again == ms);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct span text = {(const char *)bytes, n};
    int64_t ms, now_ms = INT64_C(1800000000000);
    struct err err = {""};
    if (datetime_parse_zoned(text, &ms)) {
        same_again(ms, 0);
        same_again(ms, 3600);
        check(datetime_parse(text, now_ms, 0, &ms, &err) == 0);
    } else if (datetime_parse(text, now_ms, 7200, &ms, &err) == 0) {
        same_again(ms, 7200);
    } else {
        check(*err.text);
    }
    return 0;
}
