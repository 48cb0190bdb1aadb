/* es_session: a cluster as one store handle uses it: the client, one request at a time with its
 * reply, and what was learnt about the index when the handle was opened. Owns the client, the call
 * and the arena. One thread per session. Callers: store_es.c and the modules of its operations.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/arena.h"
#include "es_client.h"

/* Fields with a mapping as keyword. Search compares or sorts by the first ES_FIELDS. */
enum es_field {
    ES_LEVEL,
    ES_TYPE,
    ES_NODE,
    ES_SERVICE,
    ES_LOG_ID,
    ES_FIELDS,
    ES_KEYWORDS = ES_FIELDS + 2
};
extern const char *const es_field_names[ES_KEYWORDS];

/* How the indices map what searches use. In an index that distlog did not create, a field may be
 * text with a .keyword below it. */
struct es_mapping {
    bool as_keyword[ES_FIELDS];
    bool below_text[ES_FIELDS];
    bool has_local_times; /* "timestamp" is such a text: documents of older tools */
    size_t shards;        /* the most that one of the indices has, at least 1 */
};

struct es_session {
    const struct es_conf *conf; /* borrowed */
    struct es_client *client;
    struct es_call call; /* of es_session_request, and its reply */
    struct arena arena;  /* for one operation, which clears it when it begins */
    const char *index;   /* store.index, perhaps with a date: logs-%Y.%m.%d; borrowed */
    char *wildcard;      /* the same as a pattern for searches: logs-*.*.* */
    bool is_opensearch;
    struct es_mapping mapping;
};

/* Prepares a session and asks the cluster for its version. conf and index are borrowed until
 * es_session_close, which must be called whatever this returns. STORE_RETRY or STORE_FATAL with
 * err. */
enum store_rc es_session_open(struct es_session *s, const struct es_conf *conf, const char *index,
                              struct err *err);
void es_session_close(struct es_session *s);

/* Runs s->call with the body that the caller has put there, and empties the body. path is borrowed
 * for the call; doing completes "can't …". STORE_OK where the status is 2xx, else as
 * es_call_error() has it. The reply, in s->call.http.reply, lives until the next request. */
enum store_rc es_session_request(struct es_session *s, const char *method, const char *path,
                                 const char *doing, struct err *err);
/* The reply as a tree, or NULL: see es_json_read. */
struct json_t *es_session_reply(const struct es_session *s);

/* Reads the mapping of the indices into s->mapping. With must_exist a missing index is STORE_FATAL.
 * STORE_FATAL with err: a field is mapped in a way that searches can't use. */
enum store_rc es_session_read_mapping(struct es_session *s, bool must_exist, struct err *err);
