/* json: a strict scanner of JSON text (RFC 8259) that validates, takes out the white space between
 * tokens, and tells the top-level members, without building a tree: a tree would lose how numbers
 * are spelled. Held against jansson by test/unit and test/fuzz. Owns nothing. Pure. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "arena.h"
#include "buf.h"

enum { JSON_DEPTH = 64 }; /* objects and arrays inside one another, the outermost is 1 */

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
    struct span
        raw; /* compact; points into the input if it had no white space, else into the arena */
};

struct json_member {
    struct span key;         /* decoded */
    struct json_value value; /* a ',', a '}' or white space follows: strtoll ends there */
};

typedef bool json_member_fn(void *ctx, const struct json_member *m, struct err *err);

/* Scans one value that starts at in.p[*at] after optional white space, and moves *at behind it (not
 * over white space that follows). If members is not NULL and the value is an object, each of its
 * own members is handed to it in order; deepest: JSON_DEPTH, mostly; false from it ends the scan
 * with -1 and its err. 0, or -1 with err: what was wrong and at which byte of in. */
int json_scan(struct span in, size_t *at, unsigned deepest, struct arena *arena,
              struct json_value *value, json_member_fn *member, void *ctx, struct err *err);
/* Reads an object, all of in, and sets values[i] to that of its own member names[i]; .raw.p NULL if
 * it has none. 0, or -1 with err. */
int json_members(struct span in, const char *const *names, struct json_value *values, size_t n,
                 struct arena *arena, struct err *err);
/* For answers of a server, which wrap documents: these two look twice JSON_DEPTH deep. */
/* The raw value at a path of keys ("hits.total.value"), compact; .p NULL if there is none. */
struct span json_get(struct span object, const char *path, struct arena *arena);
/* The items of a compact array one by one: start with *at = 0; .p NULL at the end. */
struct span json_item(struct span array, size_t *at, struct arena *arena);
/* The integer from low to high that v is; none if it is no such one, or longer than 18 characters.
 */
int64_t json_int(const struct json_value *v, int64_t low, int64_t high, int64_t none);
/* Skips white space. */
size_t json_space(struct span in, size_t at);
/* Decodes a raw string token (with its quotes, already validated): in place if it has no escapes.
 */
struct span json_decode(struct span raw, struct arena *arena);
/* The same of a value; .p NULL if it is no string. */
static inline struct span json_text(const struct json_value *v, struct arena *arena) {
    return v->type == JSON_TYPE_STRING ? json_decode(v->raw, arena) : (struct span){0};
}
