/* json_find: the functions of json.h that pick values out of a text. Each is a scan that keeps what
 * it looks for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

/* The members that a caller wants: values[i] is that of names[i]. */
struct json_wanted {
    const char *const *names;
    struct json_value *values;
    size_t n;
};

static bool json_keep_wanted(void *ctx, const struct json_member *m, struct err *err) {
    const struct json_wanted *wanted = ctx;
    (void)err;
    for (size_t i = 0; i < wanted->n; i++)
        if (span_is(m->key, wanted->names[i]))
            wanted->values[i] = m->value;
    return true;
}

int json_members(struct span in, const char *const *names, struct json_value *values, size_t n,
                 struct arena *arena, struct err *err) {
    struct json_wanted wanted = {names, values, n};
    struct json_value whole;
    size_t at = 0;
    memset(values, 0, n * sizeof *values);
    if (json_scan(in, &at, JSON_DEPTH, arena, &whole, json_keep_wanted, &wanted, err) != 0)
        return -1;
    if (whole.type != JSON_TYPE_OBJECT)
        return err_set(err, "not a JSON object");
    if (json_space(in, at) != in.n)
        return err_set(err, "unexpected data after the JSON object");
    return 0;
}

struct json_lookup {
    struct span key;
    struct span found; /* no value before key was met */
};

static bool json_keep_found(void *ctx, const struct json_member *m, struct err *err) {
    struct json_lookup *lookup = ctx;
    (void)err;
    if (span_eq(m->key, lookup->key))
        lookup->found = m->value.raw;
    return true;
}

/* The value of an object's own member. */
static struct span json_get_member(struct span in, struct span key, struct arena *arena) {
    struct json_lookup lookup = {.key = key};
    struct json_value whole;
    struct err err;
    size_t at = 0;
    if (json_scan(in, &at, 2 * JSON_DEPTH, arena, &whole, json_keep_found, &lookup, &err) != 0)
        return (struct span){0};
    return lookup.found;
}

struct span json_get(struct span object, const char *path, struct arena *arena) {
    struct span keys = span_of(path);
    struct span key;
    struct span value = object;
    while (value.p && keys.n > 0 && span_next(&keys, '.', &key))
        value = json_get_member(value, key, arena);
    return value;
}

struct span json_item(struct span array, size_t *at, struct arena *arena) {
    struct json_value item;
    struct err err;
    if (*at == 0)
        *at = 1; /* past the '[' */
    if (*at + 1 >= array.n)
        return (struct span){0};
    if (array.p[*at] == ',')
        (*at)++;
    if (json_scan(array, at, 2 * JSON_DEPTH, arena, &item, NULL, NULL, &err) != 0)
        return (struct span){0};
    return item.raw;
}

int64_t json_int(const struct json_value *v, int64_t low, int64_t high, int64_t none) {
    const struct span s = v->raw;
    if (s.n == 0 || s.n > 18)
        return none;
    const size_t sign = s.p[0] == '-';
    if (!span_is_digits((struct span){s.p + sign, s.n - sign}))
        return none;
    const int64_t value = strtoll(s.p, NULL, 10);
    if (value < low || value > high)
        return none;
    return value;
}
