/* escape: the two ways to quote bytes that came from outside. Owns nothing. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "buf.h"

/* Appends s to out as a JSON string with its quotes (RFC 8259): control characters, '"' and '\' are
 * escaped, everything else is copied. s must be valid UTF-8. A span without a value is null. */
void escape_json(struct buf *out, struct span s);
/* Appends s to out so that a terminal or a log can take it: a newline becomes \n and a tab \t;
 * other C0 controls, DEL, C1 controls and bytes that are not valid UTF-8 become \xNN; everything
 * else is copied. */
void escape_printable(struct buf *out, struct span s);
