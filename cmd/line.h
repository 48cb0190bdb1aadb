/* line: the lines that commands print as their results. They are gathered for a batch and written
 * at once, so that a reader of the pipe gets them, and a full disk or a closed pipe is noticed.
 * Owns nothing. Main thread. Callers: cmd/ only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cmd.h"

/* Writes the lines to standard output, flushes it and empties the buffer. False: standard output
 * cannot take them (logged); the lines are lost then. */
bool line_write(const struct run *run, struct buf *lines);
/* Adds format, in which each % stands for a struct span that follows; control characters in it are
 * escaped. The compiler cannot check the arguments. */
void line_add(struct buf *lines, const char *format, ...);
/* Adds one JSON text. DEL and the C1 controls, which may stand in its strings and which a terminal
 * obeys, are written as \u00NN: JSON itself escapes only the controls below 0x20. */
void line_json(struct buf *lines, struct span json);
