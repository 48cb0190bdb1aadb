/* framing: see framing.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "framing.h"

static const char framing_folded[] = "folded header fields are not accepted";

static bool framing_is_token_char(char c) {
    const unsigned char u = (unsigned char)c;
    if (u <= ' ' || u >= 127)
        return false;
    return !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool framing_is_token(struct span s) {
    for (size_t i = 0; i < s.n; i++) {
        if (!framing_is_token_char(s.p[i]))
            return false;
    }
    return s.n > 0;
}

static bool framing_has_control(struct span s) {
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char u = (unsigned char)s.p[i];
        const bool is_control = u < ' ' || u == 127;
        if (is_control && u != '\t')
            return true;
    }
    return false;
}

/* Do name and value stand on one line of the request? libmicrohttpd 0.9.75 appends a folded line to
 * the name of the field before it: "Content-: 5\r\n Length" is then named Content-Length, and lies
 * elsewhere. */
static bool framing_is_one_line(struct span name, struct span value) {
    const char *p = name.p + name.n;
    if (value.p <= p)
        return false;
    while (p < value.p) {
        const bool is_separator = *p == '\0' || *p == ' ' || *p == '\t'; /* NUL was the colon */
        if (!is_separator)
            return false;
        p++;
    }
    return true;
}

/* Has the field this name? A name that only begins so was made by folding: a fault. */
static bool framing_is_field(struct framing *f, struct span name, const char *wanted) {
    const size_t n = strlen(wanted);
    if (name.n < n || strncasecmp(name.p, wanted, n) != 0)
        return false;
    if (name.n > n)
        f->fault = framing_folded;
    return true;
}

void framing_field(struct framing *f, struct span name, struct span value) {
    if (!framing_is_token(name))
        f->fault = "the name of a header field has an invalid character";
    if (framing_has_control(value))
        f->fault = "a header field has a control character";
    if (!framing_is_one_line(name, value))
        f->fault = framing_folded;
    if (span_is_word(name, "host"))
        f->hosts++;
    if (framing_is_field(f, name, "content-length")) {
        f->lengths++;
        if (!span_is_digits(value))
            f->fault = "Content-Length is not a number";
    }
    if (framing_is_field(f, name, "transfer-encoding")) {
        f->encodings++;
        if (!span_is_word(value, "chunked"))
            f->fault = "the only Transfer-Encoding accepted is chunked";
    }
}

const char *framing_fault(const struct framing *f, bool is_newest) {
    if (f->hosts > 1 || (is_newest && f->hosts == 0))
        return "exactly one Host header is required";
    if (f->lengths > 1)
        return "more than one Content-Length";
    if (f->encodings > 1)
        return "more than one Transfer-Encoding";
    if (f->lengths > 0 && f->encodings > 0)
        return "Content-Length together with Transfer-Encoding";
    if (f->encodings > 0 && !is_newest)
        return "Transfer-Encoding requires HTTP/1.1";
    return f->fault;
}
