/* msgpack_json: MessagePack → JSON text, value by value. Nothing is built in between, so a header
 * that claims four billion items allocates nothing. Owns nothing. Any thread. libc only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/buf.h"
#include "../../core/input.h"

/* Appends each record of body to out as one line of JSON. body is a map, an array of maps, or
 * several of these one after the other. Integers stay exact, doubles get the fewest digits that
 * read back the same, binary becomes text. Refused: NaN and infinity, text that is not UTF-8, keys
 * that are not text, extension types, records that are not maps, more than 64 levels, and a body
 * that is empty or truncated: INPUT_BAD.
 *
 * limit: bytes that out may hold, because JSON may be six times as long; INPUT_LARGE above it. err
 * names the byte where the refused value ends. After a refusal out holds a part, at most a few
 * bytes above limit. */
enum input_rc msgpack_json(struct span body, size_t limit, struct buf *out, struct err *err);
