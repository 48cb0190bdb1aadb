/* help: the pages on the terminal, made from the rows of the commands: for `help`, for --help, and
 * for a call without a command. distlog-COMMAND(1) has the details.
 * Owns nothing. Main thread. Callers: distlog.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cmd.h"

/* Prints the page of cmd, one of commands; cmd NULL: the overview of all of them. */
void help_print(const struct cmd *const *commands, const struct cmd *cmd);
