/* opt: values from text and back, what is refused and how it is said, precedence, secrets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../lib/base/suggest.h"
#include "../../lib/base/units.h"
#include "../../lib/conf/conf.h"

struct shop {
    const char *name, *kind, *path, *file, *key;
    bool open;
    int64_t count, free, pause, size;
    struct str_list urls;
    struct str_map weights;
};

static const struct opt rows[] = {
    {.name = "name", .flag = "name", OPT_AT_STRING(struct shop, name), .def = "a", .help = "h"},
    {.name = "kind",
     OPT_AT_CHOICE(struct shop, kind),
     .def = "big",
     .choices = "big|small",
     .help = "k"},
    {.name = "path", OPT_AT_STRING(struct shop, path), .def = "", .bits = OPT_PATH},
    {.name = "file",
     OPT_AT_STRING(struct shop, file),
     .def = "shop.db",
     .bits = OPT_PATH | OPT_DATA,
     .help = "its file"},
    {.name = "key", OPT_AT_STRING(struct shop, key), .def = "", .bits = OPT_SECRET, .help = "k"},
    {.name = "open", OPT_AT_BOOL(struct shop, open), .def = "true", .help = "h"},
    {.name = "count", OPT_AT_INT(struct shop, count), .def = "3", .min = 1, .max = 100000},
    {.name = "free", OPT_AT_INT(struct shop, free), .def = "0", .min = -1},
    {.name = "pause", OPT_AT_MS(struct shop, pause), .def = "0", .max = 86400000},
    {.name = "size", OPT_AT_BYTES(struct shop, size), .def = "32MB"},
    {.name = "urls", .flag = "url", OPT_AT_LIST(struct shop, urls), .def = "x,y"},
    {.name = "weights", OPT_AT_MAP(struct shop, weights), .def = "A=1,B=2"},
};
enum { URLS = 10 };
static const struct opt flag_rows[] = {{.name = "limit",
                                        .flag = "limit",
                                        OPT_AT_INT(struct shop, count),
                                        .def = "10",
                                        .bits = OPT_FLAG_ONLY}};

static const struct opt_section shop = {"shop", "a shop", rows, sizeof rows / sizeof *rows,
                                        sizeof(struct shop)};
static const struct opt_section deep = {"shop.deep", "below", rows, 2, sizeof(struct shop)};
static const struct opt_section flags = {"flags", "", flag_rows, 1, sizeof(struct shop)};
static const struct opt_section *const sections[] = {&shop, &flags, &deep, NULL};

static int setup(void **state) {
    setenv("DISTLOG_DATA", "/data", 1);
    setenv("HOME", "/home/u", 1);
    *state = conf_new(sections);
    return 0;
}

static int teardown(void **state) {
    conf_free(*state);
    return 0;
}

static const struct shop *of(void **state) {
    return conf_section(*state, &shop);
}

static int set(void **state, const char *key, const char *text) {
    struct err err;
    return conf_set(*state, key, span_of(text), OPT_YAML, "f:1", &err);
}

/* What conf_set says about text. */
static void refused(void **state, const char *key, const char *text, const char *says) {
    struct err err;
    assert_int_equal(conf_set(*state, key, span_of(text), OPT_YAML, "f:1", &err), -1);
    assert_string_equal(err.text, says);
}

/* What conf_print makes of text. */
static void prints(void **state, const char *name, const char *text, const char *printed) {
    struct buf out = {0}, key = {0};
    buf_printf(&key, "shop.%s", name);
    assert_int_equal(set(state, key.p, text), 0);
    const struct setting *v = conf_find(*state, key.p);
    assert_non_null(v);
    conf_print(v, &out);
    assert_string_equal(out.p, printed);
    buf_release(&out);
    buf_release(&key);
}

static void defaults(void **state) {
    const struct shop *s = of(state);
    assert_string_equal(s->name, "a");
    assert_string_equal(s->path, "");
    assert_string_equal(s->file, "/data/shop.db");
    assert_true(s->open);
    assert_int_equal(s->pause, 0);
    assert_int_equal(s->size, 32 << 20);
    assert_int_equal(s->urls.n, 2);
    assert_string_equal(s->weights.keys[1], "B");
    assert_string_equal(s->weights.values[1], "2");
    assert_string_equal(conf_find(*state, "shop.name")->where, "default");
}

static void durations(void **state) {
    int64_t ms = 7;
    assert_int_equal(units_parse_ms(SPAN_LIT("15m"), &ms), 0);
    assert_int_equal(ms, 900000);
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "5x",
                                      "5 s",
                                      "1.5s",
                                      " 5s",
                                      "5s ",
                                      "-",
                                      "+5s",
                                      "0x5s",
                                      "99999999999999999999s",
                                      "9223372036854775807d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(units_parse_ms(span_of(bad[i]), &ms), -1);
    assert_int_equal(ms, 900000);
    prints(state, "pause", "250ms", "250ms");
    prints(state, "pause", "60s", "1m");
    prints(state, "pause", "1d", "1d");
    prints(state, "pause", "0", "0s");
    refused(state, "shop.pause", "2d",
            "f:1: shop.pause: '2d' is not a duration such as 250ms, 5s, 15m, 2h or 7d (0s to 1d)");
}

static void numbers(void **state) {
    prints(state, "size", "1024", "1KB");
    prints(state, "size", "10gb", "10GB");
    prints(state, "size", "1023", "1023");
    prints(state, "free", "-1", "-1");
    refused(state, "shop.count", "x", "f:1: shop.count: 'x' is not a number (1 to 100000)");
    refused(state, "shop.count", "0", "f:1: shop.count: '0' is not a number (1 to 100000)");
    refused(state, "shop.count", "100001",
            "f:1: shop.count: '100001' is not a number (1 to 100000)");
    refused(state, "shop.free", "-2", "f:1: shop.free: '-2' is not a number (at least -1)");
    assert_int_equal(of(state)->count, 3);
    assert_int_equal(set(state, "shop.count", "100000"), 0);
    assert_int_equal(of(state)->count, 100000);
}

static void words(void **state) {
    prints(state, "open", "No", "false");
    prints(state, "open", "on", "true");
    prints(state, "kind", "small", "small");
    refused(state, "shop.open", "1", "f:1: shop.open: '1' is not true or false");
    refused(state, "shop.kind", "smal", "f:1: shop.kind: 'smal' is not one of big, small");
    refused(state, "shop.kind", "", "f:1: shop.kind: '' is not one of big, small");
    refused(state, "shop.kind", "big|small",
            "f:1: shop.kind: 'big|small' is not one of big, small");
    refused(state, "shop.name", "a\xff",
            "f:1: shop.name: the value is not one line of printable UTF-8");
    assert_string_equal(of(state)->kind, "small");
}

static void quoting(void **state) {
    prints(state, "name", "127.0.0.1:9880", "127.0.0.1:9880");
    prints(state, "name", "https://h:1/a", "https://h:1/a");
    prints(state, "name", "", "''");
    prints(state, "name", "NULL", "NULL");
    prints(state, "name", "null", "'null'");
    prints(state, "name", "yes", "yes");
    prints(state, "name", "1e3", "1e3");
    prints(state, "name", "a: b", "'a: b'");
    prints(state, "name", "a:", "'a:'");
    prints(state, "name", "-a", "'-a'");
    prints(state, "name", "${X}", "'$${X}'");
    prints(state, "name", "q\"\\'\xc3\xa4", "'q\"\\''\xc3\xa4'");
    static const char *const bad[] = {"a\nb",         "\t",           "\x7f", "\xc2\x9b",
                                      "\xef\xbb\xbf", "\xe2\x80\xa8", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(state, "shop.name", bad[i],
                "f:1: shop.name: the value is not one line of printable UTF-8");
}

static void lists_and_mappings(void **state) {
    prints(state, "urls", " a , b", "[a, b]");
    prints(state, "urls", "", "[]");
    prints(state, "weights", "x.y=1, z = a=b", "{x.y: 1, z: a=b}");
    prints(state, "weights", "", "{}");
    refused(state, "shop.urls", "a,,b", "f:1: shop.urls: 'a,,b' is not a list (a,b,c)");
    refused(state, "shop.weights", "a",
            "f:1: shop.weights: 'a' is not a mapping (key=value,key=value)");
    refused(state, "shop.weights", "a=1,a=2", "f:1: shop.weights: 'a' is given twice");
}

static void items(void **state) {
    struct err err;
    struct str_map urls = {NULL, (char *[]){(char[]){"a,b"}, (char[]){"c"}}, 2};
    struct str_map weights = {(char *[]){(char[]){"k"}, (char[]){"k"}},
                              (char *[]){(char[]){"v"}, (char[]){"w"}}, 1};
    assert_int_equal(conf_set_items(*state, "shop.urls", &urls, "f:2", &err), 0);
    assert_int_equal(of(state)->urls.n, 2);
    assert_string_equal(of(state)->urls.items[0], "a,b");
    assert_string_equal(conf_find(*state, "shop.urls")->where, "f:2");
    assert_int_equal(conf_set_items(*state, "shop.weights", &weights, "f:2", &err), 0);
    weights.n = 2;
    assert_int_equal(conf_set_items(*state, "shop.weights", &weights, "f:3", &err), -1);
    assert_string_equal(err.text, "f:3: shop.weights: 'k' is given twice");
    assert_int_equal(of(state)->weights.n, 1);
    assert_string_equal(of(state)->weights.values[0], "v");
}

static void paths(void **state) {
    const struct shop *s = of(state);
    set(state, "shop.path", "~/x");
    assert_string_equal(s->path, "/home/u/x");
    set(state, "shop.path", "~");
    assert_string_equal(s->path, "/home/u");
    set(state, "shop.path", "~v/x");
    assert_string_equal(s->path, "~v/x");
    set(state, "shop.path", "x");
    assert_string_equal(s->path, "x");
    set(state, "shop.name", "~/x");
    assert_string_equal(s->name, "~/x");
}

static void data_folder(void **state) {
    const struct shop *s = of(state);
    set(state, "shop.file", "y.db");
    assert_string_equal(s->file, "/data/y.db");
    set(state, "shop.file", "./y.db");
    assert_string_equal(s->file, "./y.db");
    unsetenv("DISTLOG_DATA");
    setenv("XDG_DATA_HOME", "/xdg", 1);
    set(state, "shop.file", "z");
    assert_string_equal(s->file, "/xdg/distlog/z");
    setenv("XDG_DATA_HOME", "relative", 1);
    set(state, "shop.file", "z");
    assert_string_equal(s->file, "/home/u/.local/share/distlog/z");
}

static void unknown_keys(void **state) {
    refused(state, "shop.cuont", "1",
            "f:1: shop.cuont: unknown setting; did you mean 'shop.count'?");
    refused(state, "weights", "1", "f:1: weights: unknown setting; did you mean 'shop.weights'?");
    refused(state, "nothing_like_it", "1", "f:1: nothing_like_it: unknown setting");
    refused(state, "shop", "1", "f:1: shop: a section, not a setting; name one of its settings");
    refused(state, "flags.limit", "1", "f:1: flags.limit: unknown setting");
    refused(state, "shop.name_file", "1", "f:1: shop.name_file: unknown setting");
    assert_true(conf_has_section(*state, "shop"));
    assert_true(conf_has_section(*state, "shop.deep"));
    assert_false(conf_has_section(*state, "sho"));
    assert_false(conf_has_section(*state, "flags"));
}

/* The hint for word among the names of commands. */
static void hint(const char *word, const char *says) {
    static const char *const names[] = {"store", "search", "up", "node", "nodes", NULL};
    struct suggest n;
    suggest_init(&n, word);
    for (size_t i = 0; names[i]; i++)
        suggest_offer(&n, "%s", names[i]);
    assert_string_equal(n.hint, says);
}

static void suggestions(void **state) {
    (void)state;
    hint("stroe", "; did you mean 'store'?");
    hint("searhc", "; did you mean 'search'?");
    hint("ndoes", "; did you mean 'nodes'?");
    hint("pu", "; did you mean 'up'?");
    hint("x", "");
    hint("", "");
    hint("elasticsearch", "");
    char word[100];
    memset(word, 's', sizeof word);
    word[sizeof word - 1] = '\0';
    hint(word, "");
}

static void environment(void **state) {
    struct err err;
    setenv("DISTLOG_SHOP_NAME", "n=1", 1);
    setenv("DISTLOG_SHOP_DEEP_KIND", "small", 1);
    setenv("DISTLOG_PORT", "tcp://x", 1);
    setenv("DISTLOG_FLAGS_LIMIT", "x", 1);
    setenv("SHOP_COUNT", "x", 1);
    assert_int_equal(conf_env(*state, &err), 0);
    assert_string_equal(of(state)->name, "n=1");
    assert_string_equal(((const struct shop *)conf_section(*state, &deep))->kind, "small");
    assert_string_equal(conf_find(*state, "shop.name")->where, "environment DISTLOG_SHOP_NAME");
    setenv("DISTLOG_SHOP_COUNT", "x", 1);
    assert_int_equal(conf_env(*state, &err), -1);
    assert_string_equal(err.text,
                        "environment DISTLOG_SHOP_COUNT: 'x' is not a number (1 to 100000)");
    unsetenv("DISTLOG_SHOP_COUNT");
}

static void flags_of_the_command_line(void **state) {
    struct err err;
    assert_int_equal(conf_flag(*state, &rows[URLS], "1,2", &err), 0);
    assert_int_equal(of(state)->urls.n, 2);
    assert_string_equal(conf_find(*state, "shop.urls")->where, "--url");
    assert_int_equal(conf_flag(*state, &flag_rows[0], "x", &err), -1);
    assert_string_equal(err.text, "--limit: 'x' is not a number (at least 0)");
}

static void secrets(void **state) {
    struct buf out = {0};
    struct err err;
    prints(state, "key", "", "''");
    prints(state, "key", "hush", "******");
    conf_write(*state, true, &out);
    assert_null(strstr(out.p, "hush"));
    assert_non_null(strstr(out.p, "\n  # key: ******  # f:1\n"));
    buf_release(&out);
    refused(state, "shop.key_file", "/x",
            "f:1: shop.key_file: key and key_file are both set (f:1); set only one of them");
    assert_int_equal(set(state, "shop.key_file", ""), 0);
    assert_string_equal(of(state)->key, "hush");
    assert_int_equal(conf_set(*state, "shop.key_file", SPAN_LIT("/no/such"), OPT_ENV, "e", &err),
                     -1);
    assert_string_equal(err.text,
                        "e: shop.key_file: cannot read /no/such: No such file or directory");
}

static void written(void **state) {
    struct buf out = {0};
    set(state, "shop.deep.name", "b c");
    conf_write(*state, false, &out);
    assert_string_equal(out.p, "shop:\n  name: a\n  kind: big\n  path: ''\n"
                               "  file: /data/shop.db\n  key: ''\n  open: true\n  count: 3\n"
                               "  free: 0\n  pause: 0s\n  size: 32MB\n  urls: [x, y]\n"
                               "  weights: {A: 1, B: 2}\n  deep:\n    name: 'b c'\n"
                               "    kind: big\n");
    buf_release(&out);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(defaults),
        CASE(durations),
        CASE(numbers),
        CASE(words),
        CASE(quoting),
        CASE(lists_and_mappings),
        CASE(items),
        CASE(paths),
        CASE(data_folder),
        CASE(unknown_keys),
        CASE(suggestions),
        CASE(environment),
        CASE(flags_of_the_command_line),
        CASE(secrets),
        CASE(written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
