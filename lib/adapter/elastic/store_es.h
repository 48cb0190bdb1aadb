/* store_es: Elasticsearch 8 and OpenSearch 2 behind the store port. lib/engines.c hands out this
 * row. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../port/store.h"

extern const struct store_engine store_es;
