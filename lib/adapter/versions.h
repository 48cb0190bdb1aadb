/* versions: what distlog is linked to, for --version.
 * Owns nothing. Any thread. Every library, asked for nothing but its version.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"

/* Adds "librdkafka 2.0.2, libcurl 7.88.1, …": the libraries as they are at run time. */
void versions_print(struct buf *out);
