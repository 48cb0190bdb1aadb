/* text: what the manual says of each command beyond its row: DESCRIPTION and EXAMPLES.
 * Owns nothing. Callers: man/generate.c. test/cli/0900-examples.sh runs the examples as they stand.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct man_example {
    const char *command, *says;
};

struct man_text {
    const char *command;                /* the subcommand */
    const char *about;                  /* paragraphs with an empty line between */
    const struct man_example *examples; /* ends with a NULL command */
};

/* The text of a command; a command without one is a mistake that `generate` reports. */
const struct man_text *man_text(const char *command);
