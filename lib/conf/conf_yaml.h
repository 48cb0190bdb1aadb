/* conf_yaml: distlog.yaml into a struct conf.
 * Owns the parser for the time of a call. One thread. libyaml.
 *
 * The file is YAML mappings of settings (bus: {type: kafka}) and nothing more: tags and a second
 * document are refused. In values ${NAME} is the environment and $$ a dollar
 * sign. Every error begins with FILE:LINE: KEY. From a file that others than the caller and root
 * may change, items that load code or run programs (struct opt, code) are refused, for they would
 * run as the caller. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "opt.h"

/* Sets in c what the file at path says; at most 1 MB. named: somebody chose this file. One that
 * only lies in the current folder is not even opened if others may change it: the caller may not
 * know that it is there, and it could send the caller's secrets anywhere. 0, or -1 with err; c may
 * then be half set. */
int conf_yaml_file(struct conf *c, const char *path, bool named, struct err *err);
/* The same from memory; name stands for the file in errors and origins. */
int conf_yaml_text(struct conf *c, struct span text, const char *name, struct err *err);
