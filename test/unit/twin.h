/* twin: compares the JSON scanner with jansson on the same texts. Used by
 * test/unit/json.c on a generated corpus and by test/fuzz/json.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

#include "../../lib/base/json.h"

/* Rebuilds the object from the members that the scanner reports. */
static inline bool twin_member(void *object, const struct json_member *m, struct err *err) {
    json_t *value =
        json_loadb(m->value.raw.p, m->value.raw.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value || json_object_setn_new(object, m->key.p, m->key.n, value) != 0) {
        err_set(err, "twin: a member can't be read back");
        return false;
    }
    return true;
}

/* The compact form must mean the same, be compact (a scan of it copies nothing) and have the same
 * members. */
static inline const char *twin_same(json_t *theirs, const struct json_value *ours, json_t *members,
                                    struct arena *arena) {
    struct json_value again;
    struct err err;
    size_t at = 0;
    json_t *read = json_loadb(ours->raw.p, ours->raw.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool same = read && json_equal(read, theirs);
    json_decref(read);
    if (!same)
        return "the compact form means something else";
    if (json_scan(ours->raw, &at, JSON_DEPTH, arena, &again, NULL, NULL, &err) != 0 ||
        at != ours->raw.n || again.raw.p != ours->raw.p || again.raw.n != ours->raw.n ||
        again.type != ours->type)
        return "the compact form is not compact";
    if (ours->type == JSON_TYPE_OBJECT && !json_equal(members, theirs))
        return "the members are not those of the object";
    if (ours->type == JSON_TYPE_STRING) {
        struct span text = json_decode(ours->raw, arena);
        if (!span_eq(text, (struct span){json_string_value(theirs), json_string_length(theirs)}))
            return "the string decodes to something else";
    }
    return NULL;
}

/* NULL if both agree about text, else how they differ. Not compared is what jansson cannot
 * represent (numbers out of range, and NUL in a key), and the limit on depth, which only the
 * scanner has. jansson 2.14 also accepts a raw NUL byte after a literal (`null\0`), which is not
 * JSON. */
static inline const char *twin_differs(struct span text, struct arena *arena) {
    struct json_value value;
    struct err err = {""};
    json_error_t error;
    size_t at = 0;
    json_t *members = json_object();
    bool ours = json_scan(text, &at, JSON_DEPTH, arena, &value, twin_member, members, &err) == 0 &&
                json_space(text, at) == text.n;
    json_t *theirs = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    enum json_error_code code = theirs ? json_error_unknown : json_error_code(&error);
    const char *differs = NULL;
    if (text.n && memchr(text.p, '\0', text.n))
        differs = ours ? "we accept a NUL byte" : NULL;
    else if (code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
             strstr(err.text, "too deeply"))
        differs = NULL;
    else if (ours != (theirs != NULL))
        differs = ours ? "we accept, jansson refuses" : "we refuse, jansson accepts";
    else if (ours)
        differs = twin_same(theirs, &value, members, arena);
    json_decref(theirs);
    json_decref(members);
    return differs;
}
