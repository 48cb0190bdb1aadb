/* conf_json: the settings as one JSON object, made with jansson.
 * Owns nothing. One thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "conf.h"

/* Appends all settings to out as one JSON object on one line: an object for each level of a
 * section, in the order of conf_write. Numbers, booleans, lists and mappings have their JSON types;
 * durations and sizes are texts with their units; secrets are "******", or the name of their file
 * under KEY_file. with_origin: each setting is an object of its value and its origin. */
void conf_json_write(const struct conf *c, bool with_origin, struct buf *out);
