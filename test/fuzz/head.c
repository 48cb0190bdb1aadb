/* head: any bytes as the header fields of a request, split and folded as libmicrohttpd does; the
 * first byte selects the version. A request that is accepted has the same end for a lenient server:
 * one that also splits lines at a lone carriage return or NUL, takes folded lines for fields of
 * their own, and ignores blanks around names. And only clients that know a secret, on pages that
 * are listed, may post. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "../../lib/adapter/http/framing.h"
#include "../../lib/core/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define BASIC  "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" /* Aladdin:open sesame */
#define TOKEN  "sesame"
#define ORIGIN "https://a.example"

static void check(bool holds) {
    if (!holds)
        abort();
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static struct span trim(struct span s) {
    for (; s.n && is_blank(*s.p); s.n--)
        s.p++;
    for (; s.n && is_blank(s.p[s.n - 1]); s.n--) {
    }
    return s;
}

/* --- who may post --- */

static bool ends_with(struct span s, const char *end) {
    size_t n = strlen(end);
    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static void check_access(struct span value) {
    char *names[] = {ORIGIN};
    struct str_list pages = {names, 1};
    struct access basic, token, none;
    const char *allow;
    access_init(&basic, "Aladdin", "open sesame", "", &pages);
    access_init(&token, "", "", TOKEN, &pages);
    access_init(&none, "", "", "", NULL);
    if (access_allows(&basic, value))
        check(strncasecmp(value.p, "Basic ", 6) == 0 && ends_with(value, " " BASIC));
    if (access_allows(&token, value))
        check(strncasecmp(value.p, "Bearer ", 7) == 0 && ends_with(value, " " TOKEN));
    check(access_allows(&none, value));
    const enum access_origin page = access_check_origin(&basic, value, &allow);
    const bool is_allowed = page == ACCESS_ORIGIN_ALLOWED;
    check(is_allowed == span_is(value, ORIGIN) && is_allowed == (allow != NULL));
    check(page != ACCESS_ORIGIN_NONE || value.n == 0);
    check(access_check_origin(&none, value, &allow) == ACCESS_ORIGIN_NONE);
    access_release(&basic);
    access_release(&token);
    access_release(&none);
}

/* --- where it ends --- */

/* The request as a lenient server reads it. */
struct forgiving {
    unsigned hosts, lengths, encodings;
    bool odd; /* a length that is not a number, or an encoding other than chunked */
};

static void forgive(struct span line, struct forgiving *f) {
    struct span name;
    span_next(&line, ':', &name);
    if (!line.p)
        return;
    name = trim(name);
    struct span value = trim(line);
    if (span_is_word(name, "host"))
        f->hosts++;
    if (span_is_word(name, "content-length"))
        f->lengths++, f->odd |= !span_is_digits(value);
    if (span_is_word(name, "transfer-encoding"))
        f->encodings++, f->odd |= !span_is_word(value, "chunked");
}

static struct forgiving read_forgiving(struct span in) {
    struct forgiving f = {0};
    for (size_t from = 0, at = 0; at <= in.n; at++) {
        if (at < in.n && in.p[at] && in.p[at] != '\r' && in.p[at] != '\n')
            continue;
        forgive((struct span){in.p + from, at - from}, &f);
        from = at + 1;
    }
    return f;
}

/* A field as libmicrohttpd stores it. */
struct field {
    struct span name, value;
};

static void give(struct framing *f, const struct field *field) {
    if (!field->name.p)
        return;
    framing_field(f, field->name, field->value);
    check_access(field->value);
}

/* pool: a copy of the fields, followed by space for all folded names. False: libmicrohttpd itself
 * refuses the request, because a line has no colon. */
static bool read_fields(char *pool, size_t n, size_t room, struct framing *f) {
    struct span rest = {pool, n}, line;
    struct field field = {{0}, {0}};
    char *spare = pool + n + 1, *end = pool + room;
    while (span_next(&rest, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n == 0)
            continue;
        char *text = pool + (line.p - pool), *colon = memchr(text, ':', line.n);
        text[line.n] = '\0';
        if (is_blank(*text) && field.name.p) {
            struct span more = trim(line);
            if ((size_t)(end - spare) < field.name.n + more.n + 1)
                return false;
            memcpy(spare, field.name.p, field.name.n);
            memcpy(spare + field.name.n, more.p, more.n);
            field.name = (struct span){spare, field.name.n + more.n};
            spare += field.name.n + 1;
            continue;
        }
        if (!colon)
            return false;
        give(f, &field);
        *colon = '\0';
        field.name = (struct span){text, (size_t)(colon - text)};
        field.value = trim((struct span){colon + 1, line.n - field.name.n - 1});
    }
    give(f, &field);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n == 0)
        return 0;
    struct framing framing = {0};
    struct span in = {(const char *)bytes + 1, n - 1};
    bool newest = bytes[0] & 1;
    size_t room = 4 * n + 256;
    char *pool = calloc(room, 1);
    check(pool != NULL);
    memcpy(pool, in.p, in.n);
    bool whole = read_fields(pool, in.n, room, &framing);
    if (whole && !framing_fault(&framing, newest)) {
        struct forgiving f = read_forgiving(in);
        check(f.hosts <= 1 && (f.hosts == 1 || !newest));
        check(f.lengths <= 1 && f.encodings <= 1 && f.lengths + f.encodings <= 1 && !f.odd);
        check(!f.encodings || newest);
        check(f.lengths == framing.lengths && f.encodings == framing.encodings);
    }
    free(pool);
    return 0;
}
