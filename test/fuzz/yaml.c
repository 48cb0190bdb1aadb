/* yaml: any bytes as distlog.yaml. What is accepted and written again must be accepted again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "../../lib/conf/conf_yaml.h"

struct shop {
    const char *name, *key, *kind;
    bool open;
    int64_t count, pause, size;
    struct str_list urls;
    struct str_map weights;
};

static const struct opt rows[] = {
    {.name = "name", OPT_AT_STRING(struct shop, name), .def = "a"},
    {.name = "key", OPT_AT_STRING(struct shop, key), .def = "", .bits = OPT_SECRET},
    {.name = "kind", OPT_AT_CHOICE(struct shop, kind), .def = "big", .choices = "big|small"},
    {.name = "open", OPT_AT_BOOL(struct shop, open), .def = "true"},
    {.name = "count", OPT_AT_INT(struct shop, count), .def = "3"},
    {.name = "pause", OPT_AT_MS(struct shop, pause), .def = "1s"},
    {.name = "size", OPT_AT_BYTES(struct shop, size), .def = "1MB"},
    {.name = "urls", OPT_AT_LIST(struct shop, urls), .def = "x,y"},
    {.name = "weights", OPT_AT_MAP(struct shop, weights), .def = "A=1"},
};
static const struct opt_section shop = {"shop", "", rows, 9, sizeof(struct shop)};
static const struct opt_section deep = {"shop.deep", "", rows, 4, sizeof(struct shop)};
static const struct opt_section *const sections[] = {&shop, &deep, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct conf *first = conf_new(sections), *again = conf_new(sections);
    struct buf one = {0}, two = {0};
    struct err err;
    if (conf_yaml_text(first, (struct span){(const char *)bytes, n}, "f", &err) == 0 &&
        !*((const struct shop *)conf_section(first, &shop))->key &&
        !*((const struct shop *)conf_section(first, &deep))->key) {
        conf_write(first, false, &one);
        if (conf_yaml_text(again, buf_view(&one), "g", &err))
            abort();
        conf_write(again, false, &two);
        if (!span_eq(buf_view(&one), buf_view(&two)))
            abort();
    }
    buf_release(&one);
    buf_release(&two);
    conf_free(first);
    conf_free(again);
    return 0;
}
