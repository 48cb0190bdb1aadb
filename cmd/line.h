/* line: the lines that commands print as their results: gathered for a batch, written at once, so
 * that whoever waits on the pipe has them, and a full disk or a reader that left is noticed.
 * Owns nothing. Main thread. Callers: cmd/ only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cmd.h"

/* Writes the lines to standard output, flushes it and empties the buffer. False when standard
 * output can't take them, said in the log; the lines are gone then. */
bool line_write(const struct run *run, struct buf *lines);
/* Adds format, each % of which stands for a struct span that follows, printable. */
void line_add(struct buf *lines, const char *format, ...);
/* Adds one JSON text, with DEL and the C1 controls that may stand in its strings as \u00NN: a
 * terminal obeys them, and JSON itself escapes only those below 0x20. */
void line_json(struct buf *lines, struct span json);
