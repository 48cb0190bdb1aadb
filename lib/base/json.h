/* json: a strict scanner of JSON text (RFC 8259). It validates, removes the white space between
 * tokens, and reports the members of the outermost object. It builds no tree, because a tree would
 * lose how numbers are spelled. test/unit and test/fuzz compare it with jansson. Owns nothing:
 * results point into the input or into the caller's arena. Pure. Any thread. json.c scans;
 * json_find.c picks values out of a text.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "arena.h"
#include "buf.h"

/* How deep objects and arrays may be nested; the outermost one has depth 1. */
enum { JSON_DEPTH = 64 };

enum json_type {
    JSON_TYPE_OBJECT,
    JSON_TYPE_ARRAY,
    JSON_TYPE_STRING,
    JSON_TYPE_NUMBER,
    JSON_TYPE_TRUE,
    JSON_TYPE_FALSE,
    JSON_TYPE_NULL
};

struct json_value {
    enum json_type type;
    /* The value without white space between its tokens. Points into the input if there was none,
     * else into the arena. */
    struct span raw;
};

struct json_member {
    struct span key; /* decoded */
    /* Behind its raw bytes follows a ',', a '}' or white space, so strtoll() stops there. */
    struct json_value value;
};

/* Receives one member. Returning false, with err set, ends the scan. */
typedef bool json_member_fn(void *ctx, const struct json_member *m, struct err *err);

/* Scans one value, which starts at in.p[*at] after optional white space, and moves *at to the first
 * byte behind it; white space there is not skipped. deepest: the nesting to accept, usually
 * JSON_DEPTH. If the value is an object and member is not NULL, member is called with ctx for each
 * member of that object itself, in order. Returns 0, or -1 with err: what is wrong at which byte of
 * in, or member's own error. */
int json_scan(struct span in, size_t *at, unsigned deepest, struct arena *arena,
              struct json_value *value, json_member_fn *member, void *ctx, struct err *err);
/* Scans in, which must be one object, and sets values[i] to the value of its member names[i]. If
 * there is no such member, values[i].raw has no value (p NULL); of several the last counts. Returns
 * 0, or -1 with err. */
int json_members(struct span in, const char *const *names, struct json_value *values, size_t n,
                 struct arena *arena, struct err *err);

/* json_get and json_item are for replies of servers, which wrap documents: they accept twice
 * JSON_DEPTH. */

/* Returns the compact value at a path of keys, such as "hits.total.value"; no value (p NULL) if
 * there is none or if object is not valid. */
struct span json_get(struct span object, const char *path, struct arena *arena);
/* Returns the next item of a compact array: start with *at = 0. No value (p NULL) at the end. */
struct span json_item(struct span array, size_t *at, struct arena *arena);
/* Returns v if it is an integer of at most 18 characters within low..high, else none. v must come
 * from json_scan or json_members, or be zeroed. */
int64_t json_int(const struct json_value *v, int64_t low, int64_t high, int64_t none);
/* Returns the position of the first byte from in.p[at] on that is not white space; in.n at the end.
 */
size_t json_space(struct span in, size_t at);
/* Decodes a valid raw string with its quotes. The result points into raw if it has no escapes, else
 * into the arena; it may contain NUL. */
struct span json_decode(struct span raw, struct arena *arena);

/* Decodes v if it is a string; no value (p NULL) if it is not. */
static inline struct span json_text(const struct json_value *v, struct arena *arena) {
    if (v->type != JSON_TYPE_STRING)
        return (struct span){0};
    return json_decode(v->raw, arena);
}
