/* msgpack_json: MessagePack → JSON text, value by value, without a tree in between, so that a
 * hostile header can't make it allocate. Owns nothing. Any thread. msgpack-c's parser template.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../core/input.h"
#include "../../base/buf.h"

/* Adds each record of body as one line of JSON. body is a map, an array of maps, or several of
 * these one after the other. Integers stay exact, doubles are written with the fewest digits that
 * read back the same, binary is text. Refused: NaN and infinity, text that is not UTF-8, keys that
 * are not text, extension types, anything but maps as records, more than 64 levels, a truncated or
 * empty body, and what would make out larger than limit, for JSON may be six times as long.
 * INPUT_LARGE is for the limit alone; err names the byte where the refused value ends; out then
 * holds a part, a few bytes above limit at most. */
enum input_rc msgpack_json(struct span body, size_t limit, struct buf *out, struct err *err);
