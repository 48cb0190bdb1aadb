/* es_template: the index template, which gives each new index its mapping. Owns nothing. One thread
 * per session. Caller: store_es.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "es_session.h"

/* Installs, or replaces, the template distlog-INDEX. Must be done before the first document is
 * stored. STORE_FATAL with err where the user or API key may not. */
enum store_rc es_template_install(struct es_session *s, struct err *err);
