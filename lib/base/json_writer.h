/* json_writer: writes one JSON text (RFC 8259), compact, into a buffer, and puts the commas. For
 * records on hot paths: it allocates nothing but the buffer's own growth. Documents that are
 * large, cold and tree-shaped are jansson's. Owns nothing: the buffer is the caller's, who may
 * append several texts to it, each with a writer of its own. It cannot fail. One thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "buf.h"

/* How it is used:
 *
 *     struct json_writer w = {.out = &buf};
 *     json_writer_object_begin(&w);
 *     json_writer_member_string(&w, "node_id", id);
 *     json_writer_key(&w, "offsets");
 *     json_writer_array_begin(&w);
 *     json_writer_int64(&w, 7);
 *     json_writer_array_end(&w);
 *     json_writer_object_end(&w);
 *
 * The caller closes what it opens, in order, and gives each member of an object a key of its own;
 * neither is checked. */
struct json_writer {
    struct buf *out;
    bool comma_due; /* a value stands before the next one in the innermost object or array */
};

void json_writer_object_begin(struct json_writer *w);
void json_writer_object_end(struct json_writer *w);
void json_writer_array_begin(struct json_writer *w);
void json_writer_array_end(struct json_writer *w);

/* The key of an object's next member; exactly one value follows. It is written as it stands, so it
 * has to be a name of the program's own that needs no escaping, never bytes from outside. */
void json_writer_key(struct json_writer *w, const char *key);

/* A string, escaped as needed. s must be valid UTF-8 and may hold NUL bytes; .p NULL writes null.
 * It is copied. */
void json_writer_string(struct json_writer *w, struct span s);
void json_writer_int64(struct json_writer *w, int64_t number);
/* A value that is JSON text already: it is copied as it is, unchecked. */
void json_writer_raw(struct json_writer *w, struct span json);

/* A string that the caller appends to w->out itself, between these two calls: bytes that need no
 * escaping, such as a timestamp or base64. */
void json_writer_plain_begin(struct json_writer *w);
void json_writer_plain_end(struct json_writer *w);

/* A key and its value in one call. */
void json_writer_member_string(struct json_writer *w, const char *key, struct span s);
void json_writer_member_int64(struct json_writer *w, const char *key, int64_t number);
void json_writer_member_raw(struct json_writer *w, const char *key, struct span json);
