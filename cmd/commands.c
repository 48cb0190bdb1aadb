/* commands: see commands.h. The Makefile defines DISTLOG_COMMANDS: X(node) X(collect) …
 * SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#define X(name) extern const struct cmd cmd_##name;
DISTLOG_COMMANDS
#undef X

#define X(name) &cmd_##name,
const struct cmd *const commands_all[] = {DISTLOG_COMMANDS NULL};
#undef X
