/* versions: the libraries that distlog is linked with, for --version. Owns nothing. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"

/* Appends "librdkafka 2.0.2, libcurl 7.88.1, …": the versions that are loaded, which may be other
 * ones than those of the build. */
void versions_print(struct buf *out);
