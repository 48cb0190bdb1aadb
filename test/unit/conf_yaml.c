/* conf_yaml: what of YAML is read, and what each refusal says.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../lib/conf/conf_yaml.h"

struct shop {
    const char *name;
    int64_t count;
    struct str_list urls;
    struct str_map weights;
    const char *key;
};

static const struct opt rows[] = {
    {.name = "name", OPT_AT_STRING(struct shop, name), .def = "a"},
    {.name = "count", OPT_AT_INT(struct shop, count), .def = "3"},
    {.name = "urls", OPT_AT_LIST(struct shop, urls), .def = "x,y"},
    {.name = "weights", OPT_AT_MAP(struct shop, weights), .def = "A=1"},
    {.name = "key", OPT_AT_STRING(struct shop, key), .def = "", .bits = OPT_SECRET},
};
static const struct opt_section shop = {"shop", "", rows, 5, sizeof(struct shop)};
static const struct opt_section deep = {"shop.deep", "", rows, 2, sizeof(struct shop)};
static const struct opt_section *const sections[] = {&shop, &deep, NULL};

/* Reads text, which must be good; the caller frees. */
static struct conf *good(const char *text) {
    struct conf *c = conf_new(sections);
    struct err err = {0};
    if (conf_yaml_text(c, span_of(text), "f", &err))
        fail_msg("%s", err.text);
    return c;
}

static const struct shop *of(const struct conf *c) {
    return conf_section(c, &shop);
}

static void refused(const char *text, const char *says) {
    struct conf *c = conf_new(sections);
    struct err err = {0};
    assert_int_equal(conf_yaml_text(c, span_of(text), "f", &err), -1);
    assert_string_equal(err.text, says);
    conf_free(c);
}

static void settings_of_every_type_are_read(void **state) {
    (void)state;
    struct conf *c = good("# a comment\n"
                          "shop:\n"
                          "  name: 'it''s'\n"
                          "  count: 5\n"
                          "  urls:\n    - a,b\n    - \"c\"\n"
                          "  weights: {log.input: nodes, x: \"\"}\n"
                          "  deep: {name: b}\n");
    const struct shop *s = of(c);
    assert_string_equal(s->name, "it's");
    assert_int_equal(s->count, 5);
    assert_int_equal(s->urls.n, 2);
    assert_string_equal(s->urls.items[0], "a,b");
    assert_int_equal(s->weights.n, 2);
    assert_string_equal(s->weights.keys[0], "log.input");
    assert_string_equal(s->weights.values[1], "");
    assert_string_equal(((const struct shop *)conf_section(c, &deep))->name, "b");
    assert_string_equal(conf_find(c, "shop.count")->where, "f:4");
    assert_string_equal(conf_find(c, "shop.urls")->where, "f:6");
    conf_free(c);
}

static void empty_and_short_forms_are_read(void **state) {
    (void)state;
    conf_free(good(""));
    conf_free(good("# nothing\n"));
    conf_free(good("---\n...\n"));
    conf_free(good("shop:\n"));
    conf_free(good("\xef\xbb\xbfshop: {count: 4}"));
    struct conf *c = good("shop: {urls: [], weights: {}}");
    assert_int_equal(of(c)->urls.n, 0);
    assert_int_equal(of(c)->weights.n, 0);
    conf_free(c);
    c = good("shop: {urls: 'a,b', weights: c=d}");
    assert_int_equal(of(c)->urls.n, 2);
    assert_string_equal(of(c)->weights.values[0], "d");
    conf_free(c);
}

static void variables_of_the_environment_are_expanded(void **state) {
    (void)state;
    setenv("CONF_YAML_TEST", "v: ${x}", 1);
    unsetenv("CONF_YAML_NONE");
    struct conf *c = good("shop: {name: 'a${CONF_YAML_TEST}$$${CONF_YAML_TEST}$b $', "
                          "urls: ['${CONF_YAML_TEST}']}");
    assert_string_equal(of(c)->name, "av: ${x}$v: ${x}$b $");
    assert_string_equal(of(c)->urls.items[0], "v: ${x}");
    conf_free(c);
    refused("shop:\n  name: x${CONF_YAML_NONE}\n",
            "f:2: shop.name: ${CONF_YAML_NONE} is not set in the environment");
    static const char *const bad[] = {"${", "${}", "${A", "${A-B}", "${1}", "x${ A}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf text = {0};
        buf_printf(&text, "shop:\n  name: '%s'\n", bad[i]);
        refused(text.p, "f:2: shop.name: ${ is not followed by NAME}; write $$ for a dollar sign");
        buf_release(&text);
    }
}

static void invalid_settings_are_refused(void **state) {
    (void)state;
    refused("shop:\n  count: many\n", "f:2: shop.count: 'many' is not a number (at least 0)");
    refused("shop:\n  cuont: 1\n", "f:2: shop.cuont: unknown setting; did you mean 'shop.count'?");
    refused("shp:\n  count: 1\n", "f:1: shp: unknown setting; did you mean 'shop'?");
    refused("shop:\n\n  name:\n  count: 1\n",
            "f:3: shop.name: the value is missing; write \"\" for an empty one");
    refused("shop:\n  name: ~\n",
            "f:2: shop.name: the value is missing; write \"\" for an empty one");
    refused("shop: 5\n", "f:1: shop: expected indented settings on the lines below");
    refused("shop: [a]\n", "f:1: shop: expected indented settings on the lines below");
    refused("[a]\n", "f:1: expected settings such as `bus:`");
    refused("text\n", "f:1: expected settings such as `bus:`");
    refused("? [a]\n: b\n", "f:1: a key must be text, not a list or mapping");
    static const char one[] =
        "f:1: a key must be a single name; indent the settings of a section below it";
    refused("\"a\\0b\": c\n", one);
    refused("shop.count: 1\n", one);
    refused("shop: {weights: {\"a\\0b\": c}}\n",
            "f:1: shop.weights: a setting must not contain a NUL byte");
    refused("shop: {name: \"a\\0b\"}\n", "f:1: shop.name: a setting must not contain a NUL byte");
}

static void values_of_the_wrong_shape_are_refused(void **state) {
    (void)state;
    refused("shop:\n  count: [1]\n", "f:2: shop.count: a list is not a number (at least 0)");
    refused("shop:\n  urls: {a: b}\n", "f:2: shop.urls: a mapping is not a list (a,b,c)");
    refused("shop:\n  urls: [[a]]\n",
            "f:2: shop.urls: an item must be text, not a list or mapping");
    refused("shop:\n  weights: {a: [b]}\n",
            "f:2: shop.weights: an item must be text, not a list or mapping");
    refused("shop:\n  weights: {[a]: b}\n",
            "f:2: shop.weights: a key must be text, not a list or mapping");
}

static void duplicate_settings_are_refused(void **state) {
    (void)state;
    refused("shop:\n  count: 1\n  count: 1\n",
            "f:3: shop.count: duplicate key; it was first used on line 2");
    refused("shop: {}\nshop: {}\n", "f:2: shop: duplicate key; it was first used on line 1");
    refused("shop:\n  weights: {a: 1,\n    a: 2}\n",
            "f:3: shop.weights.a: duplicate key; it was first used on line 2");
    refused("shop:\n  key_file: ''\n  key_file: ''\n",
            "f:3: shop.key_file: duplicate key; it was first used on line 2");
}

static void unsupported_yaml_is_refused(void **state) {
    (void)state;
    static const char tags[] = "tags (!) are not supported; quote a value that begins with '!'";
    static const char *const tagged[][2] = {{"shop: !x {count: 1}", "shop"},
                                            {"shop: {count: !!int 1}", "shop.count"},
                                            {"shop: {urls: !x [x]}", "shop.urls"},
                                            {"shop: {urls: [!x x]}", "shop.urls"}};
    for (size_t i = 0; i < sizeof tagged / sizeof *tagged; i++) {
        struct buf says = {0};
        buf_printf(&says, "f:1: %s: %s", tagged[i][1], tags);
        refused(tagged[i][0], says.p);
        buf_release(&says);
    }
    refused("shop: {name: *a}", "f:1: not YAML: found undefined alias");
    refused("shop: {count: 1}\n---\nshop: {count: 2}\n",
            "f:3: only one YAML document is supported");
}

/* An alias inside its own anchor recurses until it reaches a key that is no setting. */
static void aliases_repeat_anchored_values(void **state) {
    (void)state;
    struct conf *c = good("shop: {name: &a x, urls: [*a, *a]}");
    assert_string_equal(of(c)->urls.items[1], "x");
    conf_free(c);
    refused("shop: &a {deep: *a}",
            "f:1: shop.deep.deep: unknown setting; did you mean 'shop.deep.name'?");
}

static void malformed_yaml_is_refused(void **state) {
    (void)state;
    struct conf *c = conf_new(sections);
    struct err err;
    struct buf text = {0};
    refused("shop:\n\tcount: 1\n", "f:2: not YAML: found character that cannot start any token "
                                   "while scanning for the next token");
    assert_int_equal(conf_yaml_text(c, SPAN_LIT("shop: {name: \xff}"), "f", &err), -1);
    assert_non_null(strstr(err.text, "f: not YAML: "));
    for (size_t i = 0; i < 500000; i++)
        buf_char(&text, "[{"[i & 1]);
    assert_int_equal(conf_yaml_text(c, buf_view(&text), "f", &err), -1);
    buf_release(&text);
    conf_free(c);
}

static void written_settings_read_back_the_same(void **state) {
    (void)state;
    static const char many[] =
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";
    static const char *const values[] = {many,    "",        "~",
                                         "null",  "${HOME}", "$$",
                                         "a: b",  "a #b",    "- a",
                                         "[x]",   "{x}",     "'",
                                         "\"q\\", " a ",     "&a",
                                         "*a",    "!a",      "|",
                                         ">",     "%a",      "@a",
                                         "?",     "? a",     ":",
                                         "-",     "---",     "a:b",
                                         "a,b",   "true",    "0x10",
                                         "1:30",  "<<",      "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct conf *c = conf_new(sections);
        struct err err;
        struct buf text = {0};
        const char *v = values[i];
        assert_int_equal(conf_set(c, "shop.name", span_of(v), OPT_YAML, "t", &err), 0);
        struct str_map item = {(char *[]){(char *)v}, (char *[]){(char *)v}, 1};
        assert_int_equal(conf_set_items(c, "shop.urls", &item, "t", &err), 0);
        assert_int_equal(conf_set_items(c, "shop.weights", &item, "t", &err), 0);
        conf_write(c, true, &text);
        conf_free(c);
        c = good(text.p);
        assert_string_equal(of(c)->name, v);
        assert_string_equal(of(c)->urls.items[0], v);
        assert_string_equal(of(c)->weights.keys[0], v);
        assert_string_equal(of(c)->weights.values[0], v);
        conf_free(c);
        buf_release(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_every_type_are_read),
        cmocka_unit_test(empty_and_short_forms_are_read),
        cmocka_unit_test(variables_of_the_environment_are_expanded),
        cmocka_unit_test(invalid_settings_are_refused),
        cmocka_unit_test(values_of_the_wrong_shape_are_refused),
        cmocka_unit_test(duplicate_settings_are_refused),
        cmocka_unit_test(unsupported_yaml_is_refused),
        cmocka_unit_test(malformed_yaml_is_refused),
        cmocka_unit_test(aliases_repeat_anchored_values),
        cmocka_unit_test(written_settings_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
