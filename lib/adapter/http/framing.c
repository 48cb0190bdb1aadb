/* framing: see framing.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "framing.h"

static bool is_token(struct span s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 127 ||
            strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
            return false;
    return s.n > 0;
}

static bool has_control(struct span s) {
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127)
            return true;
    return false;
}

/* Do they stand on one line, as they came? libmicrohttpd 0.9.75 hangs a folded line on the name of
 * the field before it: "Content-: 5\r\n Length" is then named Content-Length, and lies elsewhere.
 */
static bool is_one_line(struct span name, struct span value) {
    const char *p = name.p + name.n;
    if (value.p <= p)
        return false;
    while (p < value.p && (!*p || *p == ' ' || *p == '\t'))
        p++; /* the first was the colon */
    return p == value.p;
}

static const char folded[] = "a header field is folded over two lines";

/* Is the field of this name; folded if the name only begins so. */
static bool is_field(struct framing *f, struct span name, const char *wanted) {
    size_t n = strlen(wanted);
    if (name.n < n || strncasecmp(name.p, wanted, n) != 0)
        return false;
    if (name.n > n)
        f->fault = folded;
    return true;
}

void framing_field(struct framing *f, struct span name, struct span value) {
    if (!is_token(name))
        f->fault = "a header field's name has a character that is not allowed there";
    if (has_control(value))
        f->fault = "a header field has a control character";
    if (!is_one_line(name, value))
        f->fault = folded;
    if (span_is_word(name, "host"))
        f->hosts++;
    if (is_field(f, name, "content-length")) {
        f->lengths++;
        if (!span_is_digits(value))
            f->fault = "Content-Length is not a number";
    }
    if (is_field(f, name, "transfer-encoding")) {
        f->encodings++;
        if (!span_is_word(value, "chunked"))
            f->fault = "the only Transfer-Encoding taken is chunked";
    }
}

const char *framing_fault(const struct framing *f, bool newest) {
    if (f->hosts > 1 || (newest && f->hosts == 0))
        return "exactly one Host is needed";
    if (f->lengths > 1)
        return "more than one Content-Length";
    if (f->encodings > 1)
        return "more than one Transfer-Encoding";
    if (f->lengths && f->encodings)
        return "Content-Length together with Transfer-Encoding";
    if (f->encodings && !newest)
        return "Transfer-Encoding needs HTTP/1.1";
    return f->fault;
}
