/* json: see json.h. Recursive descent, no deeper than JSON_DEPTH. What was scanned is copied only
 * once white space has been met, and then in the longest runs there are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "utf8.h"

struct scan {
    const char *base, *p, *end; /* p: the next byte */
    struct arena *arena;
    struct err *err;
    json_member_fn *member;
    void *ctx;
    unsigned depth, deepest;
    size_t gaps;     /* runs of white space met so far */
    char *out;       /* the compact copy, once there was a gap */
    size_t n, cap;   /* bytes in out, room in out */
    const char *run; /* from here to p: scanned, and not yet in out */
};

static bool value(struct scan *s, struct json_value *v);

static bool fail(struct scan *s, const char *at, const char *what) {
    return err_as(false, s->err, "%s at byte %zu%s", what, (size_t)(at - s->base),
                  at == s->end ? ", where the text ends" : "");
}

/* Copies the run. Growing leaves the old copy in the arena: members may point into it. */
static void flush(struct scan *s, const char *upto) {
    size_t add = (size_t)(upto - s->run), need = s->n + add;
    if (need > s->cap || !s->out) {
        size_t most = need + (size_t)(s->end - upto), want = 2 * need + 256;
        s->cap = want < most ? want : most;
        char *to = arena_take(s->arena, s->cap);
        if (s->n)
            memcpy(to, s->out, s->n);
        s->out = to;
    }
    if (add)
        memcpy(s->out + s->n, s->run, add);
    s->n = need;
    s->run = upto;
}

static inline bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void gap(struct scan *s) {
    flush(s, s->p);
    while (s->p < s->end && is_space(*s->p))
        s->p++;
    s->run = s->p;
    s->gaps++;
}

static inline void space(struct scan *s) {
    if (s->p < s->end && is_space(*s->p))
        gap(s);
}

static inline bool next_is(const struct scan *s, char c) {
    return s->p < s->end && *s->p == c;
}

static inline bool take(struct scan *s, char c) {
    bool there = next_is(s, c);
    s->p += there;
    return there;
}

/* Plain: a byte that stands for itself in a string, whatever follows it. */
static inline bool is_plain(char c) {
    unsigned char u = (unsigned char)c;
    return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

/* How many of the eight bytes at p are plain before one that is not; a big-endian machine may say
 * 0 where there are some. A byte of w - 0x20… borrows, or one of an exclusive or is zero, exactly
 * where the first that is not plain stands; a wrong bit above it does no harm. */
static inline size_t plain8(const char *p) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
    uint64_t odd = ((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & high;
    if (!odd)
        return 8;
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (size_t)__builtin_ctzll(odd) / 8 : 0;
}

/* The code point of the \u escape at p, and its length: 6, or 12 for a surrogate pair; 0 if it is
 * not well-formed, with *code the lone surrogate or -1. */
static size_t unicode_escape(const char *p, const char *end, long *code) {
    *code = span_hex((struct span){p + 2, (size_t)(end - p) - 2}, 4);
    if (*code < 0xd800 || *code > 0xdfff)
        return *code < 0 ? 0 : 6;
    if (*code > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return 0;
    long low = span_hex((struct span){p + 8, 4}, 4);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

/* Length of the escape or multi-byte character at p; 0 with err. */
static size_t not_plain(struct scan *s, const char *p) {
    if ((unsigned char)*p >= 0x80) {
        size_t n = utf8_sequence(p, (size_t)(s->end - p));
        return n ? n : fail(s, p, "invalid UTF-8");
    }
    if (*p != '\\')
        return fail(s, p, "a control character must be escaped in a string");
    if (p + 1 == s->end)
        return fail(s, p + 1, "expected the rest of an escape");
    if (p[1] != 'u')
        return memchr("\"\\/bfnrt", p[1], 8) ? 2 : fail(s, p, "unknown escape");
    long code;
    size_t n = unicode_escape(p, s->end, &code);
    return n ? n
             : fail(s, p, code < 0 ? "expected \\u and four hexadecimal digits" : "lone surrogate");
}

static bool string(struct scan *s) {
    const char *p = s->p + 1;
    for (;;) {
        for (size_t n = 8; n == 8 && s->end - p >= 8; p += n)
            n = plain8(p);
        while (p < s->end && is_plain(*p))
            p++;
        if (p == s->end)
            return fail(s, p, "expected '\"'");
        if (*p == '"')
            break;
        size_t n = not_plain(s, p);
        if (!n)
            return false;
        p += n;
    }
    s->p = p + 1;
    return true;
}

static bool digits(struct scan *s) {
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from || fail(s, s->p, "expected a digit");
}

static bool number(struct scan *s) {
    take(s, '-');
    if (!take(s, '0') && !digits(s))
        return false;
    if (take(s, '.') && !digits(s))
        return false;
    if (!take(s, 'e') && !take(s, 'E'))
        return true;
    if (!take(s, '+'))
        take(s, '-');
    return digits(s);
}

static const char expected_value[] =
    "expected a value (object, array, string, number, true, false, null)";

static bool word(struct scan *s, const char *text) {
    size_t n = strlen(text);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
        return fail(s, s->p, expected_value);
    s->p += n;
    return true;
}

/* A key and what stands between it and its value. */
static bool member_key(struct scan *s, struct span *raw) {
    const char *from = s->p;
    if (!next_is(s, '"'))
        return fail(s, s->p, "expected a key (a string)");
    if (!string(s))
        return false;
    *raw = (struct span){from, (size_t)(s->p - from)};
    space(s);
    if (!take(s, ':'))
        return fail(s, s->p, "expected ':'");
    space(s);
    return true;
}

/* An object (close is '}') or an array. */
static bool container(struct scan *s, char close) {
    bool object = close == '}', tell = object && s->depth == 1 && s->member;
    struct json_member m;
    struct span key;
    s->p++;
    space(s);
    for (bool more = !next_is(s, close); more;) {
        if (object && !member_key(s, &key))
            return false;
        if (!value(s, tell ? &m.value : NULL))
            return false;
        space(s);
        more = next_is(s, ',');
        if (!more && !next_is(s, close))
            return fail(s, s->p, object ? "expected ',' or '}'" : "expected ',' or ']'");
        if (tell) {
            m.key = json_decode(key, s->arena);
            if (!s->member(s->ctx, &m, s->err))
                return false;
        }
        s->p += more;
        if (more)
            space(s);
    }
    s->p++;
    return true;
}

/* The value at p, by its first byte. */
static bool token(struct scan *s, enum json_type *type) {
    char first = s->p < s->end ? *s->p : '\0';
    switch (first) {
    case '{':
    case '[':
        if (s->depth == s->deepest)
            return fail(s, s->p, "objects and arrays nested too deeply");
        s->depth++;
        *type = first == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
        if (!container(s, first == '{' ? '}' : ']'))
            return false;
        s->depth--;
        return true;
    case '"':
        *type = JSON_TYPE_STRING;
        return string(s);
    case 't':
        *type = JSON_TYPE_TRUE;
        return word(s, "true");
    case 'f':
        *type = JSON_TYPE_FALSE;
        return word(s, "false");
    case 'n':
        *type = JSON_TYPE_NULL;
        return word(s, "null");
    default:
        if (first != '-' && (first < '0' || first > '9'))
            return fail(s, s->p, expected_value);
        *type = JSON_TYPE_NUMBER;
        return number(s);
    }
}

/* v may be NULL: then only its form matters. */
static bool value(struct scan *s, struct json_value *v) {
    enum json_type type;
    const char *from = s->p;
    size_t gaps = s->gaps, at = s->n + (size_t)(from - s->run);
    if (!token(s, &type))
        return false;
    if (!v)
        return true;
    v->type = type;
    v->raw = (struct span){from, (size_t)(s->p - from)};
    if (s->gaps != gaps) {
        flush(s, s->p);
        v->raw = (struct span){s->out + at, s->n - at};
    }
    return true;
}

int json_scan(struct span in, size_t *at, unsigned deepest, struct arena *arena,
              struct json_value *v, json_member_fn *member, void *ctx, struct err *err) {
    struct scan s = {.base = in.p ? in.p : "", .deepest = deepest, .arena = arena, .err = err};
    s.member = member;
    s.ctx = ctx;
    s.end = s.base + in.n;
    s.run = s.p = s.base + json_space(in, *at);
    if (!value(&s, v))
        return -1;
    *at = (size_t)(s.p - s.base);
    return 0;
}

struct members {
    const char *const *names;
    struct json_value *values;
    size_t n;
};

static bool keep(void *ctx, const struct json_member *m, struct err *err) {
    const struct members *w = ctx;
    (void)err;
    for (size_t i = 0; i < w->n; i++)
        if (span_is(m->key, w->names[i]))
            w->values[i] = m->value;
    return true;
}

int json_members(struct span in, const char *const *names, struct json_value *values, size_t n,
                 struct arena *arena, struct err *err) {
    struct json_value whole;
    size_t at = 0;
    memset(values, 0, n * sizeof *values);
    if (json_scan(in, &at, JSON_DEPTH, arena, &whole, keep, &(struct members){names, values, n},
                  err) != 0)
        return -1;
    if (whole.type != JSON_TYPE_OBJECT)
        return err_set(err, "not a JSON object");
    return json_space(in, at) == in.n ? 0 : err_set(err, "something stands behind it");
}

struct span json_get(struct span in, const char *path, struct arena *arena) {
    while (in.p && *path) {
        size_t at = 0, n = strcspn(path, ".");
        const char *name = arena_span(arena, (struct span){path, n}).p;
        struct json_value whole, found = {0};
        struct members w = {&name, &found, 1};
        int rc = json_scan(in, &at, 2 * JSON_DEPTH, arena, &whole, keep, &w, &(struct err){0});
        in = rc == 0 ? found.raw : (struct span){0};
        path += n + (path[n] == '.');
    }
    return in;
}

struct span json_item(struct span array, size_t *at, struct arena *arena) {
    struct json_value v;
    struct err err;
    if (!*at)
        *at = 1; /* behind the '[' */
    if (*at + 1 >= array.n)
        return (struct span){0};
    *at += array.p[*at] == ',';
    return json_scan(array, at, 2 * JSON_DEPTH, arena, &v, NULL, NULL, &err) == 0
               ? v.raw
               : (struct span){0};
}

int64_t json_int(const struct json_value *v, int64_t low, int64_t high, int64_t none) {
    struct span s = v->raw;
    bool minus = s.n && s.p[0] == '-';
    if (!s.n || s.n > 18 || !span_is_digits((struct span){s.p + minus, s.n - minus}))
        return none;
    int64_t value = strtoll(s.p, NULL, 10); /* a ',', a '}' or white space follows */
    return value < low || value > high ? none : value;
}

size_t json_space(struct span in, size_t at) {
    while (at < in.n && is_space(in.p[at]))
        at++;
    return at;
}

static char *put_utf8(char *to, long code) {
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | code >> (6 * more));
    while (more--)
        *to++ = (char)(0x80 | (code >> (6 * more) & 0x3f));
    return to;
}

struct span json_decode(struct span raw, struct arena *arena) {
    const char *p = raw.p + 1, *end = raw.p + raw.n - 1;
    const char *slash = memchr(p, '\\', (size_t)(end - p));
    if (!slash)
        return (struct span){p, (size_t)(end - p)};
    char *text = arena_take(arena, raw.n), *to = text;
    for (; slash; slash = memchr(p, '\\', (size_t)(end - p))) {
        memcpy(to, p, (size_t)(slash - p));
        to += slash - p;
        p = slash;
        if (p[1] == 'u') {
            long code;
            p += unicode_escape(p, end, &code);
            to = put_utf8(to, code);
        } else {
            static const char escapes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
            *to++ = means[strchr(escapes, p[1]) - escapes];
            p += 2;
        }
    }
    memcpy(to, p, (size_t)(end - p));
    to += end - p;
    return (struct span){text, (size_t)(to - text)};
}
