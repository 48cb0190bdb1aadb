/* escape: see escape.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include "utf8.h"

/* Appends a byte that a JSON string cannot hold as it is. */
static void escape_json_byte(struct buf *out, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t n = 2;
    switch (c) {
    case '"':
    case '\\':
        escape[1] = (char)c;
        break;
    case '\n':
        escape[1] = 'n';
        break;
    case '\t':
        escape[1] = 't';
        break;
    default:
        n = sizeof escape;
    }
    buf_add(out, escape, n);
}

void escape_json(struct buf *out, struct span s) {
    if (!s.p) {
        buf_text(out, "null");
        return;
    }
    buf_char(out, '"');
    size_t copied = 0;
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, s.p + copied, i - copied);
        escape_json_byte(out, c);
        copied = i + 1;
    }
    if (s.n > copied)
        buf_add(out, s.p + copied, s.n - copied);
    buf_char(out, '"');
}

/* True if the well-formed UTF-8 character is a C0 control, DEL or a C1 control. */
static bool escape_is_control(const char *character, size_t length) {
    const unsigned char first = (unsigned char)character[0];
    if (length == 1)
        return first < 0x20 || first == 0x7f;
    return length == 2 && first == 0xc2 && (unsigned char)character[1] < 0xa0;
}

static void escape_printable_byte(struct buf *out, char c) {
    if (c == '\n')
        buf_text(out, "\\n");
    else if (c == '\t')
        buf_text(out, "\\t");
    else
        buf_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
}

void escape_printable(struct buf *out, struct span s) {
    size_t at = 0;
    while (at < s.n) {
        const char *character = s.p + at;
        size_t length = utf8_sequence(character, s.n - at);
        if (length > 0 && !escape_is_control(character, length)) {
            buf_add(out, character, length);
        } else {
            if (length == 0) /* not UTF-8: escape one byte and go on behind it */
                length = 1;
            for (size_t i = 0; i < length; i++)
                escape_printable_byte(out, character[i]);
        }
        at += length;
    }
}
