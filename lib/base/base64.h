/* base64: RFC 4648 with padding. Owns nothing. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "buf.h"

/* Appends the bytes to out in base64. */
void base64_encode(struct buf *out, struct span bytes);
/* Appends the bytes that text stands for to out. Returns false if text is not what base64_encode
 * writes, but for the unused bits of its last digit; out may then have got a part of them. */
bool base64_decode(struct buf *out, struct span text);
