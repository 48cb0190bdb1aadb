/* commands: every command of this build. The list itself is COMMANDS in the Makefile.
 * Owns nothing. Callers: distlog.c, man/generate.c and tests, which hand it down as a value;
 * nothing else in cmd/ refers to it, because each command would then need all of them.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cmd.h"

/* NULL-terminated, in the order in which help lists them. */
extern const struct cmd *const commands_all[];
