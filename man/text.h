/* text: what the manual adds to each command's row: its DESCRIPTION and EXAMPLES. Owns nothing.
 * Callers: man/generate.c. test/cli/0900-examples.sh runs the examples exactly as written.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct man_example {
    const char *command, *purpose;
};

struct man_text {
    const char *command;                /* the subcommand */
    const char *about;                  /* paragraphs, separated by empty lines */
    const struct man_example *examples; /* ends with a NULL command */
};

/* The text of a command. If there is none, reports that and exits. */
const struct man_text *man_text(const char *command);
