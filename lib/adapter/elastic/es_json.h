/* es_json: JSON documents that are not records: the bodies of requests, and answers without
 * documents in them. They are jansson's trees. Documents themselves, and the verdicts of bulk
 * requests, go through the scanner (base/json), which keeps how numbers are spelled and builds
 * nothing. Owns nothing. Any thread. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

#include "../../base/arena.h"
#include "../../base/buf.h"

/* Reads an answer. NULL if it is not JSON, or larger than 64 MB: a tree takes some 20 times as
 * much memory as its text. The caller releases it with json_decref(). */
json_t *es_json_read(struct span text);
/* Appends a document to out, compact, and releases it. NULL: jansson was out of memory, which ends
 * the process, as everywhere else. */
void es_json_write(json_t *document, struct buf *out);
/* Appends item to an array; takes both. NULL as above. */
void es_json_append(json_t *array, json_t *item);
/* Sets a member of an object; takes value. NULL as above. */
void es_json_set(json_t *object, const char *key, json_t *value);
/* A string value. Bytes that are not UTF-8, which no document contains, are escaped. Never NULL. */
json_t *es_json_string(struct span text);

/* The value at a path of keys ("task.status"), borrowed from object; NULL if there is none. */
const json_t *es_json_at(const json_t *object, const char *path);
/* The string there, borrowed; .p NULL if there is none, or another type of value. */
struct span es_json_text(const json_t *object, const char *path);
/* The number there, rounded towards zero; 0 if there is none, or a negative one. */
int64_t es_json_count(const json_t *object, const char *path);

/* The string at a path of keys, as the scanner finds it, decoded into the arena if it has escapes;
 * .p NULL if there is none, or another type of value. */
struct span es_scan_text(struct span object, const char *path, struct arena *arena);
