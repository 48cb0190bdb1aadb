/* es_query: a store_query as the engine's query language. Whatever a user gave becomes a JSON
 * string, never a part of the language. Owns nothing. Pure, but for the local time zone. Callers:
 * es_search, es_delete. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "es_json.h"
#include "es_session.h"

/* The clauses that must all hold, an array; limit, order and cursor are ignored. The caller puts it
 * into a bool query. */
json_t *es_query_filter(const struct es_mapping *mapping, const struct store_query *q);
/* {"bool":{"filter":[…]}} */
json_t *es_query_bool(json_t *filter);
/* The value of "sort". */
json_t *es_query_sort(const struct es_mapping *mapping, bool oldest_first);
