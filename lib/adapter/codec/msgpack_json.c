/* msgpack_json: see msgpack_json.h. The format is
 * https://github.com/msgpack/msgpack/blob/master/spec.md.
 *
 * We read it ourselves because the public interface of msgpack-c builds a tree: it takes memory for
 * as many items as a header claims, four billion in five bytes, and it refuses what is nested 32
 * levels deep, where a record may have 64. The tests hold this reader against msgpack-c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "msgpack_json.h"

#include <math.h>
#include <stdio.h>

#include "../../base/escape.h"
#include "../../base/utf8.h"

enum { MSGPACK_DEPTH = 64 }; /* maps and arrays of a record inside one another, as in JSON */

/* --- reading --- */

enum msgpack_kind {
    MSGPACK_INVALID, /* 0xc1 starts no value */
    MSGPACK_NIL,
    MSGPACK_FALSE,
    MSGPACK_TRUE,
    MSGPACK_UINT,
    MSGPACK_INT,
    MSGPACK_FLOAT,
    MSGPACK_DOUBLE,
    MSGPACK_TEXT, /* str and bin */
    MSGPACK_EXTENSION,
    MSGPACK_ARRAY,
    MSGPACK_MAP
};

/* One value; of an array or a map only its head. */
struct msgpack_value {
    enum msgpack_kind kind;
    uint64_t argument; /* the number, its bits, or how many bytes, items or pairs there are */
    struct span text;
};

/* What the first bytes from 0xc0 to 0xdf mean: a kind, and how many bytes of an argument follow, or
 * the argument itself. */
static const struct {
    enum msgpack_kind kind;
    unsigned char n, argument;
} msgpack_heads[] = {
    {MSGPACK_NIL, 0, 0},        {MSGPACK_INVALID, 0, 0},   {MSGPACK_FALSE, 0, 0},
    {MSGPACK_TRUE, 0, 0},       {MSGPACK_TEXT, 1, 0},      {MSGPACK_TEXT, 2, 0},
    {MSGPACK_TEXT, 4, 0},       {MSGPACK_EXTENSION, 1, 0}, {MSGPACK_EXTENSION, 2, 0},
    {MSGPACK_EXTENSION, 4, 0},  {MSGPACK_FLOAT, 4, 0},     {MSGPACK_DOUBLE, 8, 0},
    {MSGPACK_UINT, 1, 0},       {MSGPACK_UINT, 2, 0},      {MSGPACK_UINT, 4, 0},
    {MSGPACK_UINT, 8, 0},       {MSGPACK_INT, 1, 0},       {MSGPACK_INT, 2, 0},
    {MSGPACK_INT, 4, 0},        {MSGPACK_INT, 8, 0},       {MSGPACK_EXTENSION, 0, 1},
    {MSGPACK_EXTENSION, 0, 2},  {MSGPACK_EXTENSION, 0, 4}, {MSGPACK_EXTENSION, 0, 8},
    {MSGPACK_EXTENSION, 0, 16}, {MSGPACK_TEXT, 1, 0},      {MSGPACK_TEXT, 2, 0},
    {MSGPACK_TEXT, 4, 0},       {MSGPACK_ARRAY, 2, 0},     {MSGPACK_ARRAY, 4, 0},
    {MSGPACK_MAP, 2, 0},        {MSGPACK_MAP, 4, 0}};
_Static_assert(sizeof msgpack_heads / sizeof *msgpack_heads == 0xe0 - 0xc0, "one for each byte");

/* Reads a big-endian number of n bytes at *at. */
static uint64_t msgpack_read_number(struct span body, size_t *at, size_t n) {
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | (unsigned char)body.p[*at + i];
    *at += n;
    return number;
}

/* The number whose two's complement has n bytes. */
static uint64_t msgpack_extend_sign(uint64_t number, size_t n) {
    const bool is_negative = number >> (8 * n - 1);
    if (is_negative && n < sizeof number)
        number |= UINT64_MAX << (8 * n);
    return number;
}

/* Reads the first byte of a value and the argument that follows. False: truncated. */
static bool msgpack_read_head(struct span body, size_t *at, struct msgpack_value *v) {
    const unsigned char first = (unsigned char)body.p[*at];
    (*at)++;
    if (first < 0x80) {
        *v = (struct msgpack_value){.kind = MSGPACK_UINT, .argument = first};
    } else if (first < 0x90) {
        *v = (struct msgpack_value){.kind = MSGPACK_MAP, .argument = first & 0x0f};
    } else if (first < 0xa0) {
        *v = (struct msgpack_value){.kind = MSGPACK_ARRAY, .argument = first & 0x0f};
    } else if (first < 0xc0) {
        *v = (struct msgpack_value){.kind = MSGPACK_TEXT, .argument = first & 0x1f};
    } else if (first >= 0xe0) {
        const uint64_t number = msgpack_extend_sign(first, 1);
        *v = (struct msgpack_value){.kind = MSGPACK_INT, .argument = number};
    } else {
        const size_t n = msgpack_heads[first - 0xc0].n;
        *v = (struct msgpack_value){.kind = msgpack_heads[first - 0xc0].kind,
                                    .argument = msgpack_heads[first - 0xc0].argument};
        if (body.n - *at < n)
            return false;
        if (n > 0)
            v->argument = msgpack_read_number(body, at, n);
        if (v->kind == MSGPACK_INT)
            v->argument = msgpack_extend_sign(v->argument, n);
    }
    return true;
}

/* Reads a value and moves *at behind it; an array or map up to its first item. False: truncated. */
static bool msgpack_read(struct span body, size_t *at, struct msgpack_value *v) {
    if (!msgpack_read_head(body, at, v))
        return false;
    size_t n = 0;
    if (v->kind == MSGPACK_TEXT)
        n = (size_t)v->argument;
    else if (v->kind == MSGPACK_EXTENSION)
        n = (uint32_t)(v->argument + 1); /* its type and its data; the longest is 0, and as bad */
    if (body.n - *at < n)
        return false;
    v->text = (struct span){body.p + *at, n};
    *at += n;
    return true;
}

/* --- writing --- */

/* RECORDS: the body, which never ends here, and an array in it, around the maps. */
enum msgpack_container { MSGPACK_IN_RECORDS, MSGPACK_IN_ARRAY, MSGPACK_IN_MAP };

struct msgpack_level {
    enum msgpack_container what;
    bool is_first; /* the next item is */
    uint64_t left; /* items, or keys and values, still to come */
};

struct msgpack_writer {
    struct buf *out;
    size_t limit; /* bytes that out may hold */
    size_t depth; /* arrays and maps that are open in out */
    struct msgpack_level levels[MSGPACK_DEPTH + 2];
    struct msgpack_level *in; /* the innermost */
};

/* The functions below return why a value is refused, NULL if it is not. */
static const char msgpack_too_large[] = "larger as JSON than collect.max_inflated allows";

/* Before any value but a map that is a record: writes the comma or the colon. */
static const char *msgpack_begin(struct msgpack_writer *w, bool is_text) {
    struct msgpack_level *in = w->in;
    const bool is_key = in->what == MSGPACK_IN_MAP && in->left % 2 == 0;
    const bool is_member_value = in->what == MSGPACK_IN_MAP && !is_key;
    if (in->what == MSGPACK_IN_RECORDS)
        return "expected a map";
    if (is_key && !is_text)
        return "a map key is not a string";
    if (is_member_value)
        buf_char(w->out, ':');
    else if (!in->is_first)
        buf_char(w->out, ',');
    in->is_first = false;
    return NULL;
}

/* Leaves the innermost container, which is complete. */
static void msgpack_close(struct msgpack_writer *w) {
    const enum msgpack_container what = w->in->what;
    w->in--;
    if (what == MSGPACK_IN_RECORDS)
        return;
    w->depth--;
    if (what == MSGPACK_IN_ARRAY)
        buf_char(w->out, ']');
    else
        buf_char(w->out, '}');
    if (w->depth == 0)
        buf_char(w->out, '\n');
}

/* After any value: closes the containers that are complete with it. */
static const char *msgpack_end(struct msgpack_writer *w) {
    if (w->out->n > w->limit)
        return msgpack_too_large;
    w->in->left--;
    while (w->in->left == 0) {
        msgpack_close(w);
        w->in->left--;
    }
    return NULL;
}

/* Enters a container of n items, or keys and values. */
static const char *msgpack_open(struct msgpack_writer *w, enum msgpack_container what, uint64_t n) {
    w->in++;
    *w->in = (struct msgpack_level){what, true, n};
    if (n > 0)
        return NULL;
    msgpack_close(w);
    return msgpack_end(w);
}

static const char *msgpack_add_container(struct msgpack_writer *w, enum msgpack_container what,
                                         uint64_t n) {
    const bool is_record = what == MSGPACK_IN_MAP && w->in->what == MSGPACK_IN_RECORDS;
    if (what == MSGPACK_IN_ARRAY && w->in == w->levels) /* of records */
        return msgpack_open(w, MSGPACK_IN_RECORDS, n);
    if (!is_record) {
        const char *why = msgpack_begin(w, false);
        if (why)
            return why;
    }
    if (w->depth == MSGPACK_DEPTH)
        return "maps and arrays nested too deeply";
    w->depth++;
    if (what == MSGPACK_IN_MAP)
        buf_char(w->out, '{');
    else
        buf_char(w->out, '[');
    return msgpack_open(w, what, n);
}

/* Bytes of a text as JSON, without the quotes; rather too many than too few. */
static size_t msgpack_json_size(struct span text) {
    size_t size = 0;
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < ' ')
            size += strlen("\\u0000");
        else if (text.p[i] == '"' || text.p[i] == '\\')
            size += strlen("\\\"");
        else
            size++;
    }
    return size;
}

/* Is there room for a text? One may be all of the body, so its size is counted, but only where it
 * matters. */
static bool msgpack_has_room(const struct msgpack_writer *w, struct span text) {
    if (w->out->n > w->limit)
        return false;
    const size_t room = w->limit - w->out->n;
    return text.n <= room / strlen("\\u0000") || msgpack_json_size(text) <= room;
}

static const char *msgpack_add_text(struct msgpack_writer *w, struct span text) {
    if (!utf8_valid(text.p, text.n))
        return "a string is not valid UTF-8";
    if (!msgpack_has_room(w, text))
        return msgpack_too_large;
    const char *why = msgpack_begin(w, true);
    if (why)
        return why;
    escape_json(w->out, text);
    return msgpack_end(w);
}

/* A number or a word, which is JSON text already. */
static const char *msgpack_add_plain(struct msgpack_writer *w, const char *json) {
    const char *why = msgpack_begin(w, false);
    if (why)
        return why;
    buf_text(w->out, json);
    return msgpack_end(w);
}

static const char *msgpack_add_uint(struct msgpack_writer *w, uint64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return msgpack_add_plain(w, text);
}

static const char *msgpack_add_int(struct msgpack_writer *w, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    return msgpack_add_plain(w, text);
}

static bool msgpack_reads_back(const char *text, double number) {
    const double back = strtod(text, NULL);
    uint64_t wanted, got; /* their bits: -0.0 is not 0.0 here */
    memcpy(&wanted, &number, sizeof wanted);
    memcpy(&got, &back, sizeof got);
    return got == wanted;
}

/* A double, with the fewest digits that read back the same. */
static const char *msgpack_add_double(struct msgpack_writer *w, double number) {
    enum { FEWEST = 15, MOST = 17 };
    static const char fraction[] = ".0"; /* so that readers take it for a double, not an integer */
    char text[40];
    if (!isfinite(number))
        return "NaN or infinity";
    for (int digits = FEWEST; digits <= MOST; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (msgpack_reads_back(text, number))
            break;
    }
    if (!strpbrk(text, ".e"))
        memcpy(text + strlen(text), fraction, sizeof fraction);
    return msgpack_add_plain(w, text);
}

static const char *msgpack_add_float(struct msgpack_writer *w, uint32_t bits) {
    float number;
    memcpy(&number, &bits, sizeof number);
    return msgpack_add_double(w, (double)number);
}

static const char *msgpack_add(struct msgpack_writer *w, const struct msgpack_value *v) {
    double number;
    switch (v->kind) {
    case MSGPACK_INVALID:
        return "invalid type byte";
    case MSGPACK_NIL:
        return msgpack_add_plain(w, "null");
    case MSGPACK_FALSE:
        return msgpack_add_plain(w, "false");
    case MSGPACK_TRUE:
        return msgpack_add_plain(w, "true");
    case MSGPACK_UINT:
        return msgpack_add_uint(w, v->argument);
    case MSGPACK_INT:
        return msgpack_add_int(w, (int64_t)v->argument);
    case MSGPACK_FLOAT:
        return msgpack_add_float(w, (uint32_t)v->argument);
    case MSGPACK_DOUBLE:
        memcpy(&number, &v->argument, sizeof number);
        return msgpack_add_double(w, number);
    case MSGPACK_TEXT:
        return msgpack_add_text(w, v->text);
    case MSGPACK_ARRAY:
        return msgpack_add_container(w, MSGPACK_IN_ARRAY, v->argument);
    case MSGPACK_MAP:
        return msgpack_add_container(w, MSGPACK_IN_MAP, 2 * v->argument);
    case MSGPACK_EXTENSION:
        break;
    }
    return "unsupported extension type";
}

enum input_rc msgpack_json(struct span body, size_t limit, struct buf *out, struct err *err) {
    struct msgpack_writer w = {
        .out = out, .limit = limit, .levels = {{MSGPACK_IN_RECORDS, true, UINT64_MAX}}};
    size_t at = 0;
    if (body.n == 0)
        return err_set(err, "no record: the body is empty");
    w.in = w.levels;
    while (at < body.n) {
        struct msgpack_value value;
        if (!msgpack_read(body, &at, &value))
            return err_set(err, "the MessagePack is truncated: it ends within a value");
        const char *why = msgpack_add(&w, &value);
        if (why == msgpack_too_large) {
            err_set(err, "%s at byte %zu of the MessagePack", why, at - 1);
            return INPUT_LARGE;
        }
        if (why) {
            err_set(err, "%s at byte %zu of the MessagePack", why, at - 1);
            return INPUT_BAD;
        }
    }
    if (w.in != w.levels)
        return err_set(err, "the MessagePack is truncated: it ends within a value");
    return INPUT_OK;
}
