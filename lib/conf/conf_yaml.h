/* conf_yaml: reads distlog.yaml into a struct conf.
 * Owns the parser for the time of a call. One thread. libyaml.
 *
 * The file consists of YAML mappings of settings (bus: {type: kafka}) and nothing else: tags and a
 * second document are refused. In values ${NAME} stands for the environment and $$ for a dollar
 * sign. Every error begins with FILE:LINE: KEY. If others than the caller and root may change the
 * file, items that load code or run programs (code in struct opt) are refused, because that code
 * would run as the caller.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "conf.h"

/* Sets in c what the file at path contains, which may have at most 1 MB. named: the caller chose
 * this file. One that merely is in the current folder is not even opened if others may change it:
 * the caller may not know that it exists, and it could send the caller's secrets anywhere. Returns
 * 0, or -1 with err; some settings may then have been set. */
int conf_yaml_file(struct conf *c, const char *path, bool named, struct err *err);
/* The same for a text in memory; name takes the place of the file's name in errors and origins. */
int conf_yaml_text(struct conf *c, struct span text, const char *name, struct err *err);
