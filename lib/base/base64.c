/* base64: see base64.h. Three bytes are four digits of six bits each.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* n (1 to 3) bytes at p; what is missing of the three counts as 0 and is padded with '='. */
static void base64_encode_group(struct buf *out, const char *p, size_t n) {
    unsigned char bytes[3] = {0};
    memcpy(bytes, p, n);
    const unsigned bits = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
    char digits[4] = {
        base64_digits[bits >> 18],
        base64_digits[bits >> 12 & 63],
        base64_digits[bits >> 6 & 63],
        base64_digits[bits & 63],
    };
    memset(digits + n + 1, '=', 3 - n);
    buf_add(out, digits, sizeof digits);
}

void base64_encode(struct buf *out, struct span bytes) {
    for (size_t at = 0; at < bytes.n; at += 3) {
        const size_t left = bytes.n - at;
        base64_encode_group(out, bytes.p + at, left < 3 ? left : 3);
    }
}

/* Four digits at p, of which the last pads (0 to 2) are '='. */
static bool base64_decode_group(struct buf *out, const char *p, size_t pads) {
    unsigned bits = 0;
    for (size_t i = 0; i < 4 - pads; i++) {
        const char *digit = memchr(base64_digits, p[i], sizeof base64_digits - 1);
        if (!digit)
            return false;
        bits |= (unsigned)(digit - base64_digits) << (18 - 6 * i);
    }
    const char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
    buf_add(out, bytes, sizeof bytes - pads);
    return true;
}

bool base64_decode(struct buf *out, struct span text) {
    if (text.n % 4 != 0)
        return false;
    if (text.n == 0)
        return true;
    const char *last = text.p + text.n - 4;
    for (const char *p = text.p; p < last; p += 4)
        if (!base64_decode_group(out, p, 0))
            return false;
    size_t pads = 0;
    while (pads < 2 && last[3 - pads] == '=')
        pads++;
    return base64_decode_group(out, last, pads);
}
