/* msgpack_json: see msgpack_json.h. msgpack-c's own unpacker makes a tree and takes the memory for
 * as many items as a header claims, so its parser template calls the writer here instead, which
 * counts what is left in each container itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "msgpack_json.h"

#include <math.h>
#include <stdio.h>

#include "../../base/escape.h"
#include "../../base/utf8.h"

enum { DEPTH = 64 }; /* of a record, as everywhere else */

#define MSGPACK_EMBED_STACK_SIZE (DEPTH + 8) /* the parser's own bound, never reached */
#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

/* RECORDS: the body, which never ends here, and an array in it, around the maps. */
enum container { RECORDS, ARRAY, MAP };

struct level {
    enum container what;
    bool first;
    uint64_t left; /* keys and values still to come */
};

struct writer {
    struct buf *out;
    size_t limit;                        /* bytes that out may hold */
    const char *why;                     /* what a callback refused, NULL: nothing */
    struct level levels[DEPTH + 2], *in; /* in: the innermost */
};

static int refuse(struct writer *w, const char *why) {
    w->why = why;
    return -1;
}

static const char too_large[] = "larger as JSON than collect.max_inflated allows";

/* Before anything but a map that is a record: the comma or the colon, and is it allowed here? */
static int begin(struct writer *w, bool text) {
    struct level *in = w->in;
    if (in->what == RECORDS)
        return refuse(w, "expected a map");
    bool key = in->what == MAP && in->left % 2 == 0;
    if (key && !text)
        return refuse(w, "a key is not text");
    if (in->what == MAP && !key)
        buf_char(w->out, ':');
    else if (!in->first)
        buf_char(w->out, ',');
    in->first = false;
    return 0;
}

/* After anything: closes the containers that are complete with it. */
static int done(struct writer *w) {
    if (w->out->n > w->limit)
        return refuse(w, too_large);
    while (--w->in->left == 0) {
        enum container what = w->in->what;
        w->in--;
        if (what == ARRAY)
            buf_char(w->out, ']');
        else if (what == MAP)
            buf_text(w->out, w->in->what == RECORDS ? "}\n" : "}");
    }
    return 0;
}

/* n: keys and values together. */
static int open_container(struct writer *w, enum container what, uint64_t n) {
    bool record = what == MAP && w->in->what == RECORDS;
    if (what == ARRAY && w->in == w->levels)
        what = RECORDS;
    else if (!record && begin(w, false) != 0)
        return -1;
    if (what != RECORDS)
        buf_char(w->out, what == MAP ? '{' : '[');
    if (what != RECORDS && w->in - w->levels - (w->levels[1].what == RECORDS) == DEPTH)
        return refuse(w, "maps and arrays nested too deeply");
    /* An empty one is complete at once: done() takes the 1 away. */
    *++w->in = (struct level){what, true, n ? n : 1};
    return n ? 0 : done(w);
}

static int add_text(struct writer *w, const char *p, size_t n) {
    if (!utf8_valid(p, n))
        return refuse(w, "text that is not UTF-8");
    size_t most =
        w->out->n + 6 * n; /* it may be all of the body, so it is counted only where it matters */
    for (size_t i = 0; most > w->limit && i < n; i++)
        most -= (unsigned char)p[i] < ' ' ? 0 : p[i] == '"' || p[i] == '\\' ? 4 : 5;
    if (most > w->limit)
        return refuse(w, too_large);
    if (begin(w, true) != 0)
        return -1;
    escape_json(w->out, (struct span){n ? p : "", n}); /* the library has NULL for an empty one */
    return done(w);
}

/* A number or a word, as printf writes it. */
#define ADD(w, ...) (begin(w, false) != 0 ? -1 : (buf_printf((w)->out, __VA_ARGS__), done(w)))

static int add_double(struct writer *w, double v) {
    char text[40];
    if (!isfinite(v))
        return refuse(w, "NaN or infinity");
    int digits = 14;
    do
        snprintf(text, sizeof text, "%.*g", ++digits, v);
    while (digits < 17 && memcmp(&v, &(double){strtod(text, NULL)}, sizeof v) != 0);
    snprintf(text, sizeof text, "%.*g%s", digits, v, strpbrk(text, ".e") ? "" : ".0");
    return ADD(w, "%s", text);
}

/* The template's callbacks, all of them; w is their first argument. What they make, *made, is of no
 * use here, nor is some of what they are told. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define ON(event, action, ...)                                               \
    static inline int on_##event(struct writer *w, __VA_ARGS__, int *made) { \
        *made = 0;                                                           \
        return action;                                                       \
    }
ON(uint8, ADD(w, "%u", v), unsigned v)
ON(uint16, ADD(w, "%u", v), unsigned v)
ON(uint32, ADD(w, "%u", v), unsigned v)
ON(uint64, ADD(w, "%" PRIu64, v), uint64_t v)
ON(int8, ADD(w, "%d", v), int v)
ON(int16, ADD(w, "%d", v), int v)
ON(int32, ADD(w, "%d", v), int v)
ON(int64, ADD(w, "%" PRId64, v), int64_t v)
ON(float, add_double(w, v), double v)
ON(double, add_double(w, v), double v)
ON(str, add_text(w, p, n), const char *base, const char *p, unsigned n)
ON(bin, add_text(w, p, n), const char *base, const char *p, unsigned n)
ON(ext, refuse(w, "an extension type"), const char *base, const char *p, unsigned n)
ON(array, open_container(w, ARRAY, n), unsigned n)
ON(map, open_container(w, MAP, UINT64_C(2) * n), unsigned n)
static inline int on_nil(struct writer *w, int *made) {
    return *made = 0, ADD(w, "null");
}
static inline int on_true(struct writer *w, int *made) {
    return *made = 0, ADD(w, "true");
}
static inline int on_false(struct writer *w, int *made) {
    return *made = 0, ADD(w, "false");
}
static inline int on_root(struct writer *w) {
    return 0;
}
static inline int on_array_item(struct writer *w, int *array, int item) {
    return 0;
}
static inline int on_map_item(struct writer *w, int *map, int key, int item) {
    return 0;
}

#define msgpack_unpack_struct(name)     struct parse##name
#define msgpack_unpack_func(type, name) static inline type parse##name
#define msgpack_unpack_callback(name)   on##name
#define msgpack_unpack_object           int
#define msgpack_unpack_user             struct writer
#include <msgpack/unpack_template.h>

enum input_rc msgpack_json(struct span body, size_t limit, struct buf *out, struct err *err) {
    if (body.n == 0)
        return err_set(err, "there is no record: the body is empty");
    for (size_t at = 0; at < body.n;) {
        struct parse_context context = {
            .user = {.out = out, .limit = limit, .levels = {{RECORDS, true, UINT64_MAX}}}};
        context.user.in = context.user.levels;
        parse_init(&context);
        int rc = parse_execute(&context, body.p, body.n, &at);
        if (rc == 0)
            return err_set(err, "the MessagePack is truncated: it ends within a value");
        if (rc < 0)
            return err_as(context.user.why == too_large ? INPUT_LARGE : INPUT_BAD, err,
                          "%s at byte %zu of the MessagePack",
                          context.user.why ? context.user.why : "a byte that starts no value", at);
    }
    return 0;
}
