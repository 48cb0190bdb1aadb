/* store_es: what the files of the Elasticsearch engine share: the handle. store_es.c opens,
 * installs the template and judges bulk requests; store_es_query.c searches and erases.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/map.h"
#include "es_client.h"

/* Fields that are keywords; search compares or sorts the first ES_FIELDS as they are. */
enum es_field {
    ES_LEVEL,
    ES_TYPE,
    ES_NODE,
    ES_SERVICE,
    ES_LOG_ID,
    ES_FIELDS,
    ES_KEYWORDS = ES_FIELDS + 2
};

struct store_es {
    struct store base;
    const struct es_conf *conf;
    struct es_client *client;
    struct es_call call; /* the one that es_ask runs, and its reply */
    struct arena arena;  /* of one operation */
    const char *index;   /* store.index, perhaps with a date: logs-%Y.%m.%d */
    char *wildcard;      /* the same for searching: logs-*.*.* */
    bool opensearch;
    size_t fit;   /* documents that a bulk request may have: less after one was too large */
    size_t fits;  /* requests since then that were not */
    size_t alone; /* records that were refused with a request of their own */
    /* Where the mapping has a field as keyword, and where as text with a .keyword below, as in an
     * index that distlog did not make; there old_times says that "timestamp" is such a text. */
    bool as_keyword[ES_FIELDS], below_text[ES_FIELDS], old_times;
    size_t shards; /* the most that an index has */
    /* --follow: "SHARD INDEX" → the first sequence number to read; and the ids that may be met
     * again. */
    struct map ends, seen;
};

extern const struct store_engine store_es;
extern const char *const es_field_names[ES_KEYWORDS];

/* Runs s->call with the body that the caller put there, and empties the body. STORE_OK where the
 * status is 2xx. The reply lives until the next. */
enum store_rc es_ask(struct store_es *s, const char *method, const char *path, const char *doing,
                     struct err *err);
enum store_rc es_search(struct store *store, const struct store_query *query, store_each *each,
                        void *ctx, struct err *err);
enum store_rc es_erase(struct store *store, const struct store_query *query, bool dry_run,
                       store_progress *progress, uint64_t *count, struct buf *answer,
                       struct err *err);
void es_refresh(struct store *store);
/* How the store spells "@timestamp" when it adds it, to tell it from a record's own when it is
 * read. */
#define ES_STAMP_KEY "\"\\u0040timestamp\""
