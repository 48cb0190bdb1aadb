/* json: see json.h. Recursive descent, no deeper than the caller allows. A value without white
 * space is never copied; once the scanner has met white space, it copies the input in the longest
 * runs that have none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "utf8.h"

struct json_scanner {
    const char *start, *p, *end; /* the input; p: the next byte */
    struct arena *arena;
    struct err *err;
    json_member_fn *on_member;
    void *ctx; /* for on_member */
    unsigned depth, deepest;
    size_t gaps;     /* how many runs of white space were met */
    char *out;       /* the compact copy; NULL before the first gap */
    size_t n, cap;   /* bytes in out; room in out */
    const char *run; /* from here to p: scanned, without white space, and not yet in out */
};

static bool json_scan_value(struct json_scanner *s, struct json_value *v);

/* Always returns false. */
static bool json_fail(struct json_scanner *s, const char *at, const char *what) {
    const char *where = at == s->end ? ", where the text ends" : "";
    err_set(s->err, "%s at byte %zu%s", what, (size_t)(at - s->start), where);
    return false;
}

/* Makes room in out for n bytes in all. What is still to come is never longer than the input, which
 * bounds the growth. The old copy stays in the arena: members may point into it. */
static void json_grow_out(struct json_scanner *s, size_t n, size_t left) {
    const size_t most = n + left;
    const size_t wanted = 2 * n + 256;
    s->cap = wanted < most ? wanted : most;
    char *grown = arena_take(s->arena, s->cap);
    if (s->n > 0)
        memcpy(grown, s->out, s->n);
    s->out = grown;
}

/* Copies the run, which ends at upto, into out. */
static void json_flush(struct json_scanner *s, const char *upto) {
    const size_t run_n = (size_t)(upto - s->run);
    const size_t n = s->n + run_n;
    if (n > s->cap || !s->out)
        json_grow_out(s, n, (size_t)(s->end - upto));
    if (run_n > 0)
        memcpy(s->out + s->n, s->run, run_n);
    s->n = n;
    s->run = upto;
}

static inline bool json_is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Skips a gap, a run of white space, which starts at p. */
static void json_skip_gap(struct json_scanner *s) {
    json_flush(s, s->p);
    while (s->p < s->end && json_is_space(*s->p))
        s->p++;
    s->run = s->p;
    s->gaps++;
}

static inline void json_skip_space(struct json_scanner *s) {
    if (s->p < s->end && json_is_space(*s->p))
        json_skip_gap(s);
}

static inline bool json_next_is(const struct json_scanner *s, char c) {
    return s->p < s->end && *s->p == c;
}

/* Skips the next byte if it is c. */
static inline bool json_take(struct json_scanner *s, char c) {
    if (!json_next_is(s, c))
        return false;
    s->p++;
    return true;
}

/* True if the byte c in a string stands for itself, whatever follows it. */
static inline bool json_is_plain(char c) {
    const unsigned char byte = (unsigned char)c;
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* How many of the eight bytes at p are plain before the first that is not. On a big-endian machine
 * it may be 0 where some are: the caller then looks at them one by one.
 *
 * Eight bytes are tested at once. Subtracting 0x20 from each sets the high bit of the lowest one
 * that is less; subtracting 1 after an exclusive or does it for the lowest one that is equal. A
 * borrow may set wrong bits above that byte, which do no harm. */
static inline size_t json_count_plain(const char *p) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high_bits = ones << 7;
    uint64_t bytes;
    memcpy(&bytes, p, 8);
    const uint64_t quotes = bytes ^ ones * '"';
    const uint64_t slashes = bytes ^ ones * '\\';
    const uint64_t special =
        ((bytes - ones * 0x20) | (quotes - ones) | (slashes - ones) | bytes) & high_bits;
    if (special == 0)
        return 8;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(special) / 8;
#else
    return 0;
#endif
}

/* Decodes the \u escape at p. Returns its length: 6, or 12 for a surrogate pair. Returns 0 if it is
 * not well-formed; *code is then the lone surrogate, or -1. */
static size_t json_unicode_escape(const char *p, const char *end, long *code) {
    *code = span_hex((struct span){p + 2, (size_t)(end - p) - 2}, 4);
    if (*code < 0)
        return 0;
    if (*code < 0xd800 || *code > 0xdfff)
        return 6;
    const bool is_pair = *code <= 0xdbff && end - p >= 12 && p[6] == '\\' && p[7] == 'u';
    if (!is_pair)
        return 0;
    const long low = span_hex((struct span){p + 8, 4}, 4);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

/* The length of the escape at p; 0 with err if there is no such escape. */
static size_t json_escape_length(struct json_scanner *s, const char *p) {
    if (p + 1 == s->end)
        return json_fail(s, p + 1, "expected the rest of an escape");
    if (p[1] != 'u') {
        if (memchr("\"\\/bfnrt", p[1], 8))
            return 2;
        return json_fail(s, p, "unknown escape");
    }
    long code;
    const size_t length = json_unicode_escape(p, s->end, &code);
    if (length > 0)
        return length;
    if (code < 0)
        return json_fail(s, p, "expected \\u and four hexadecimal digits");
    return json_fail(s, p, "lone surrogate");
}

/* The length of what begins with a byte that is not plain: an escape or a character of several
 * bytes. 0 with err if it may not be in a string. */
static size_t json_special_length(struct json_scanner *s, const char *p) {
    if (*p == '\\')
        return json_escape_length(s, p);
    if ((unsigned char)*p < 0x80)
        return json_fail(s, p, "a control character must be escaped in a string");
    const size_t length = utf8_sequence(p, (size_t)(s->end - p));
    if (length == 0)
        return json_fail(s, p, "invalid UTF-8");
    return length;
}

/* The first byte from p on that is not plain, or the end. */
static inline const char *json_skip_plain(const char *p, const char *end) {
    while (end - p >= 8) {
        const size_t n = json_count_plain(p);
        p += n;
        if (n < 8)
            break;
    }
    while (p < end && json_is_plain(*p))
        p++;
    return p;
}

static bool json_scan_string(struct json_scanner *s) {
    const char *p = s->p + 1;
    for (;;) {
        p = json_skip_plain(p, s->end);
        if (p == s->end)
            return json_fail(s, p, "expected '\"'");
        if (*p == '"')
            break;
        const size_t length = json_special_length(s, p);
        if (length == 0)
            return false;
        p += length;
    }
    s->p = p + 1;
    return true;
}

static bool json_scan_digits(struct json_scanner *s) {
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    if (s->p == from)
        return json_fail(s, s->p, "expected a digit");
    return true;
}

static bool json_scan_number(struct json_scanner *s) {
    json_take(s, '-');
    if (!json_take(s, '0') && !json_scan_digits(s))
        return false;
    if (json_take(s, '.') && !json_scan_digits(s))
        return false;
    if (!json_take(s, 'e') && !json_take(s, 'E'))
        return true;
    if (!json_take(s, '+'))
        json_take(s, '-');
    return json_scan_digits(s);
}

static const char json_expected_value[] =
    "expected a value (object, array, string, number, true, false, null)";

static bool json_scan_word(struct json_scanner *s, const char *word) {
    const size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return json_fail(s, s->p, json_expected_value);
    s->p += n;
    return true;
}

/* Scans a key and the ':' up to the value. *raw: the key with its quotes, in the input. */
static bool json_scan_key(struct json_scanner *s, struct span *raw) {
    const char *from = s->p;
    if (!json_next_is(s, '"'))
        return json_fail(s, s->p, "expected a key (a string)");
    if (!json_scan_string(s))
        return false;
    *raw = (struct span){from, (size_t)(s->p - from)};
    json_skip_space(s);
    if (!json_take(s, ':'))
        return json_fail(s, s->p, "expected ':'");
    json_skip_space(s);
    return true;
}

/* Skips the white space behind an element of a container and checks that a ',' (*more) or the
 * container's close follows. */
static inline bool json_check_next(struct json_scanner *s, char close, const char *expected,
                                   bool *more) {
    json_skip_space(s);
    *more = json_next_is(s, ',');
    if (!*more && !json_next_is(s, close))
        return json_fail(s, s->p, expected);
    return true;
}

/* Skips the ',' and white space up to the next element. */
static inline void json_skip_comma(struct json_scanner *s) {
    s->p++;
    json_skip_space(s);
}

static bool json_report_member(struct json_scanner *s, struct span raw_key, struct json_member *m) {
    m->key = json_decode(raw_key, s->arena);
    return s->on_member(s->ctx, m, s->err);
}

static bool json_scan_object(struct json_scanner *s) {
    const bool reports = s->on_member && s->depth == 1;
    struct json_member m;
    struct span raw_key;
    s->p++;
    json_skip_space(s);
    bool more = !json_next_is(s, '}');
    while (more) {
        if (!json_scan_key(s, &raw_key))
            return false;
        if (!json_scan_value(s, reports ? &m.value : NULL))
            return false;
        if (!json_check_next(s, '}', "expected ',' or '}'", &more))
            return false;
        if (reports && !json_report_member(s, raw_key, &m))
            return false;
        if (more)
            json_skip_comma(s);
    }
    s->p++;
    return true;
}

static bool json_scan_array(struct json_scanner *s) {
    s->p++;
    json_skip_space(s);
    bool more = !json_next_is(s, ']');
    while (more) {
        if (!json_scan_value(s, NULL))
            return false;
        if (!json_check_next(s, ']', "expected ',' or ']'", &more))
            return false;
        if (more)
            json_skip_comma(s);
    }
    s->p++;
    return true;
}

/* Scans an object or an array one level deeper. */
static bool json_scan_nested(struct json_scanner *s, enum json_type type) {
    if (s->depth == s->deepest)
        return json_fail(s, s->p, "objects and arrays nested too deeply");
    bool is_valid;
    s->depth++;
    if (type == JSON_TYPE_OBJECT)
        is_valid = json_scan_object(s);
    else
        is_valid = json_scan_array(s);
    s->depth--;
    return is_valid;
}

/* Scans the value at p, whose first byte shows its type. Inline for speed. */
static inline bool json_scan_token(struct json_scanner *s, enum json_type *type) {
    const char first = s->p < s->end ? *s->p : '\0';
    switch (first) {
    case '{':
        *type = JSON_TYPE_OBJECT;
        return json_scan_nested(s, JSON_TYPE_OBJECT);
    case '[':
        *type = JSON_TYPE_ARRAY;
        return json_scan_nested(s, JSON_TYPE_ARRAY);
    case '"':
        *type = JSON_TYPE_STRING;
        return json_scan_string(s);
    case 't':
        *type = JSON_TYPE_TRUE;
        return json_scan_word(s, "true");
    case 'f':
        *type = JSON_TYPE_FALSE;
        return json_scan_word(s, "false");
    case 'n':
        *type = JSON_TYPE_NULL;
        return json_scan_word(s, "null");
    default:
        if (first != '-' && (first < '0' || first > '9'))
            return json_fail(s, s->p, json_expected_value);
        *type = JSON_TYPE_NUMBER;
        return json_scan_number(s);
    }
}

/* Scans the value at p. With v NULL it is only validated. */
static bool json_scan_value(struct json_scanner *s, struct json_value *v) {
    enum json_type type;
    const char *from = s->p;
    const size_t gaps = s->gaps;
    const size_t out_at = s->n + (size_t)(from - s->run); /* where its copy in out will begin */
    if (!json_scan_token(s, &type))
        return false;
    if (!v)
        return true;
    v->type = type;
    if (s->gaps == gaps) {
        v->raw = (struct span){from, (size_t)(s->p - from)};
    } else {
        json_flush(s, s->p);
        v->raw = (struct span){s->out + out_at, s->n - out_at};
    }
    return true;
}

int json_scan(struct span in, size_t *at, unsigned deepest, struct arena *arena,
              struct json_value *value, json_member_fn *member, void *ctx, struct err *err) {
    const char *start = in.p ? in.p : "";
    const char *first = start + json_space(in, *at);
    struct json_scanner s = {
        .start = start,
        .p = first,
        .end = start + in.n,
        .arena = arena,
        .err = err,
        .on_member = member,
        .ctx = ctx,
        .deepest = deepest,
        .run = first,
    };
    if (!json_scan_value(&s, value))
        return -1;
    *at = (size_t)(s.p - s.start);
    return 0;
}

size_t json_space(struct span in, size_t at) {
    while (at < in.n && json_is_space(in.p[at]))
        at++;
    return at;
}

/* Appends the character code, whose UTF-8 has 1 to 4 bytes, and returns where it ends. */
static char *json_put_utf8(char *to, long code) {
    long lead = 0;
    int continuation_bytes = 0;
    if (code >= 0x10000) {
        lead = 0xf0;
        continuation_bytes = 3;
    } else if (code >= 0x800) {
        lead = 0xe0;
        continuation_bytes = 2;
    } else if (code >= 0x80) {
        lead = 0xc0;
        continuation_bytes = 1;
    }
    *to = (char)(lead | code >> (6 * continuation_bytes));
    to++;
    while (continuation_bytes > 0) {
        continuation_bytes--;
        *to = (char)(0x80 | (code >> (6 * continuation_bytes) & 0x3f));
        to++;
    }
    return to;
}

/* The character that a one-letter escape stands for. */
static char json_unescape(char letter) {
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default: /* a quote or one of the slashes */
        return letter;
    }
}

struct span json_decode(struct span raw, struct arena *arena) {
    const char *p = raw.p + 1;
    const char *end = raw.p + raw.n - 1;
    const char *slash = memchr(p, '\\', (size_t)(end - p));
    if (!slash)
        return (struct span){p, (size_t)(end - p)};
    char *text = arena_take(arena, raw.n); /* no escape is shorter than what it stands for */
    char *to = text;
    while (slash) {
        memcpy(to, p, (size_t)(slash - p));
        to += slash - p;
        if (slash[1] == 'u') {
            long code;
            p = slash + json_unicode_escape(slash, end, &code);
            to = json_put_utf8(to, code);
        } else {
            *to = json_unescape(slash[1]);
            to++;
            p = slash + 2;
        }
        slash = memchr(p, '\\', (size_t)(end - p));
    }
    memcpy(to, p, (size_t)(end - p));
    to += end - p;
    return (struct span){text, (size_t)(to - text)};
}
