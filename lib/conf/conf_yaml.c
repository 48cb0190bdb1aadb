/* conf_yaml: see conf_yaml.h. libyaml makes a tree, which is walked along the table of settings.
 * The table bounds how deep that goes, because an unknown key ends it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf_yaml.h"

#include <ctype.h>
#include <yaml.h>

#include "../base/arena.h"
#include "conf_file.h"
#include "file.h"

enum {
    CONF_YAML_BYTES = 1 << 20, /* of a file, at most */
    CONF_YAML_DEPTH = 5000     /* brackets that are open at once, at most */
};

/* One read of a text. */
struct conf_yaml {
    struct conf *conf;
    const char *name;             /* of the file */
    const struct conf_file *file; /* NULL: the text is from memory */
    yaml_document_t document;
    struct arena arena; /* until the read ends */
    struct err *err;
};

/* "FILE:LINE" */
static const char *conf_yaml_where(struct conf_yaml *y, yaml_mark_t mark) {
    return arena_printf(&y->arena, "%s:%zu", y->name, mark.line + 1);
}

/* Sets the error to "FILE:LINE: KEY: what" for a node; key may be "". Always returns -1. */
static int conf_yaml_fail(struct conf_yaml *y, const yaml_node_t *node, const char *key,
                          const char *what) {
    const char *colon = *key ? ": " : "";
    return err_set(y->err, "%s: %s%s%s", conf_yaml_where(y, node->start_mark), key, colon, what);
}

static yaml_node_t *conf_yaml_node(struct conf_yaml *y, int id) {
    return yaml_document_get_node(&y->document, id);
}

static struct span conf_yaml_scalar(const yaml_node_t *node) {
    return (struct span){(const char *)node->data.scalar.value, node->data.scalar.length};
}

/* "PREFIX.NAME", or "NAME" if prefix is "". */
static const char *conf_yaml_join(struct conf_yaml *y, const char *prefix, const char *name) {
    if (*prefix == '\0')
        return name;
    return arena_printf(&y->arena, "%s.%s", prefix, name);
}

/* True for "key:" without a value, and for YAML's words for that. */
static bool conf_yaml_is_null(const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const struct span s = conf_yaml_scalar(node);
    return s.n == 0 || span_is(s, "~") || span_is(s, "null");
}

/* Appends the value of the variable whose ${NAME} starts at p. Returns where that ends, or NULL
 * with err. */
static const char *conf_yaml_add_variable(struct conf_yaml *y, const yaml_node_t *node,
                                          const char *key, const char *p, struct buf *out) {
    static const char letters[] = "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    p += strlen("${");
    const size_t n = strspn(p, letters);
    const bool is_name = n > 0 && !isdigit((unsigned char)*p) && p[n] == '}';
    if (!is_name) {
        conf_yaml_fail(y, node, key, "${ is not followed by NAME}; write $$ for a dollar sign");
        return NULL;
    }
    const char *name = arena_span(&y->arena, (struct span){p, n}).p;
    const char *value = getenv(name);
    if (!value) {
        conf_yaml_fail(y, node, key,
                       arena_printf(&y->arena, "${%s} is not set in the environment", name));
        return NULL;
    }
    buf_text(out, value);
    return p + n + strlen("}");
}

/* Replaces each ${NAME} of a scalar by the environment and each $$ by $. Returns a string of the
 * arena, or NULL with err. */
static const char *conf_yaml_expand(struct conf_yaml *y, const yaml_node_t *node, const char *key) {
    BUF_LOCAL struct buf out = {0};
    const struct span text = conf_yaml_scalar(node);
    const char *p = text.p;
    if (strlen(p) != text.n) {
        conf_yaml_fail(y, node, key, "a setting must not contain a NUL byte");
        return NULL;
    }
    while (*p != '\0') {
        const size_t plain = strcspn(p, "$");
        buf_add(&out, p, plain);
        p += plain;
        if (strncmp(p, "${", 2) == 0) {
            p = conf_yaml_add_variable(y, node, key, p, &out);
            if (!p)
                return NULL;
        } else if (*p == '$') {
            buf_char(&out, '$');
            p += p[1] == '$' ? 2 : 1;
        }
    }
    return arena_span(&y->arena, buf_view(&out)).p;
}

static int conf_yaml_check_tag(struct conf_yaml *y, const yaml_node_t *node, const char *key) {
    static const char *const implicit[] = {[YAML_SCALAR_NODE] = YAML_STR_TAG,
                                           [YAML_SEQUENCE_NODE] = YAML_SEQ_TAG,
                                           [YAML_MAPPING_NODE] = YAML_MAP_TAG};
    if (strcmp((const char *)node->tag, implicit[node->type]) == 0)
        return 0;
    return conf_yaml_fail(y, node, key,
                          "tags (!) are not supported; quote a value that begins with '!'");
}

/* The text of a setting or of an item; NULL with err. */
static const char *conf_yaml_read_text(struct conf_yaml *y, const yaml_node_t *node,
                                       const char *key) {
    if (node->type != YAML_SCALAR_NODE) {
        conf_yaml_fail(y, node, key, "an item must be text, not a list or mapping");
        return NULL;
    }
    if (conf_yaml_is_null(node)) {
        conf_yaml_fail(y, node, key, "the value is missing; write \"\" for an empty one");
        return NULL;
    }
    if (conf_yaml_check_tag(y, node, key) != 0)
        return NULL;
    return conf_yaml_expand(y, node, key);
}

/* Checks that the key of a pair is text, and that no earlier pair of the mapping has it. prefix:
 * the key of the mapping itself, or "". */
static int conf_yaml_check_key(struct conf_yaml *y, const yaml_node_t *mapping,
                               const yaml_node_pair_t *pair, const char *prefix) {
    const yaml_node_t *node = conf_yaml_node(y, pair->key);
    if (node->type != YAML_SCALAR_NODE)
        return conf_yaml_fail(y, node, prefix, "a key must be text, not a list or mapping");
    const struct span key = conf_yaml_scalar(node);
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *earlier = conf_yaml_node(y, p->key);
        if (span_eq(conf_yaml_scalar(earlier), key))
            return err_set(y->err, "%s: %s: duplicate key; it was first used on line %zu",
                           conf_yaml_where(y, node->start_mark), conf_yaml_join(y, prefix, key.p),
                           earlier->start_mark.line + 1);
    }
    return 0;
}

/* A list that is the value of the setting key. */
static int conf_yaml_read_list(struct conf_yaml *y, const yaml_node_t *node, const char *key) {
    const yaml_node_item_t *list = node->data.sequence.items.start;
    const size_t n = (size_t)(node->data.sequence.items.top - list);
    struct str_map items = {.values = arena_take(&y->arena, n * sizeof(char *)), .n = n};
    for (size_t i = 0; i < n; i++) {
        items.values[i] = (char *)conf_yaml_read_text(y, conf_yaml_node(y, list[i]), key);
        if (!items.values[i])
            return -1;
    }
    return conf_set_items(y->conf, key, &items, conf_yaml_where(y, node->start_mark), y->err);
}

/* A mapping that is the value of the setting key. */
static int conf_yaml_read_map(struct conf_yaml *y, const yaml_node_t *node, const char *key) {
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    const size_t n = (size_t)(node->data.mapping.pairs.top - pairs);
    struct str_map items = {.keys = arena_take(&y->arena, n * sizeof(char *)),
                            .values = arena_take(&y->arena, n * sizeof(char *)),
                            .n = n};
    for (size_t i = 0; i < n; i++) {
        if (conf_yaml_check_key(y, node, &pairs[i], key) != 0)
            return -1;
        items.keys[i] = (char *)conf_yaml_expand(y, conf_yaml_node(y, pairs[i].key), key);
        if (!items.keys[i])
            return -1;
        items.values[i] = (char *)conf_yaml_read_text(y, conf_yaml_node(y, pairs[i].value), key);
        if (!items.values[i])
            return -1;
    }
    return conf_set_items(y->conf, key, &items, conf_yaml_where(y, node->start_mark), y->err);
}

static int conf_yaml_read_scalar(struct conf_yaml *y, const yaml_node_t *node, const char *key) {
    const char *text = conf_yaml_read_text(y, node, key);
    if (!text)
        return -1;
    const char *where = conf_yaml_where(y, node->start_mark);
    return conf_set(y->conf, key, span_of(text), OPT_YAML, where, y->err);
}

/* Refuses items of a setting that was just read if they can run code, and others than the caller
 * may have chosen that code. */
static int conf_yaml_check_code(struct conf_yaml *y, const yaml_node_t *node,
                                const struct setting *v) {
    const bool is_safe = !y->file || y->file->risk.n == 0;
    if (!v->row->code || is_safe)
        return 0;
    const struct str_map *map = v->field;
    for (size_t i = 0; i < map->n; i++) {
        if (!opt_is_code(v->row, map->keys[i]))
            continue;
        const char *what = arena_printf(
            &y->arena,
            "%s can run code, which is refused from this file because %s; %s, or set it with -o or "
            "in the environment",
            map->keys[i], y->file->risk.p, y->file->cure.p);
        return conf_yaml_fail(y, node, v->key, what);
    }
    return 0;
}

/* The value of the setting v. key: what the file calls it (a secret may be KEY_file). */
static int conf_yaml_read_setting(struct conf_yaml *y, const yaml_node_t *node, const char *key,
                                  const struct setting *v) {
    int failed;
    if (node->type == YAML_SCALAR_NODE) {
        failed = conf_yaml_read_scalar(y, node, key);
    } else if (node->type == YAML_SEQUENCE_NODE && v->row->type == OPT_LIST) {
        failed = conf_yaml_read_list(y, node, key);
    } else if (node->type == YAML_MAPPING_NODE && v->row->type == OPT_MAP) {
        failed = conf_yaml_read_map(y, node, key);
    } else {
        const char *shape = node->type == YAML_MAPPING_NODE ? "mapping" : "list";
        BUF_LOCAL struct buf expected = {0};
        opt_expected(v->row, &expected);
        return conf_yaml_fail(y, node, key,
                              arena_printf(&y->arena, "a %s is not %s", shape, expected.p));
    }
    if (failed)
        return -1;
    return conf_yaml_check_code(y, node, v);
}

static int conf_yaml_read_mapping(struct conf_yaml *y, const yaml_node_t *mapping,
                                  const char *prefix);

/* The value of key, a setting or a section. mark: where the key is. */
static int conf_yaml_read_value(struct conf_yaml *y, const yaml_node_t *node, const char *key,
                                yaml_mark_t mark) {
    if (conf_yaml_check_tag(y, node, key) != 0)
        return -1;
    const struct setting *v = conf_find(y->conf, key);
    if (v)
        return conf_yaml_read_setting(y, node, key, v);
    if (!conf_has_section(y->conf, key))
        return conf_unknown(y->conf, key, conf_yaml_where(y, mark), y->err);
    if (node->type == YAML_MAPPING_NODE)
        return conf_yaml_read_mapping(y, node, key);
    if (conf_yaml_is_null(node))
        return 0; /* all settings of the section may be commented out */
    return conf_yaml_fail(y, node, key, "expected indented settings on the lines below");
}

static int conf_yaml_read_mapping(struct conf_yaml *y, const yaml_node_t *mapping,
                                  const char *prefix) {
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        if (conf_yaml_check_key(y, mapping, pair, prefix) != 0)
            return -1;
        const yaml_node_t *node = conf_yaml_node(y, pair->key);
        const struct span name = conf_yaml_scalar(node);
        if (strlen(name.p) != name.n || strchr(name.p, '.'))
            return conf_yaml_fail(
                y, node, prefix,
                "a key must be a single name; indent the settings of a section below it");
        const char *key = conf_yaml_join(y, prefix, name.p);
        if (conf_yaml_read_value(y, conf_yaml_node(y, pair->value), key, node->start_mark) != 0)
            return -1;
    }
    return 0;
}

/* Sets the error that the parser reports. Always returns -1. */
static int conf_yaml_not_yaml(struct conf_yaml *y, const yaml_parser_t *parser) {
    const char *problem = parser->problem ? parser->problem : "out of memory";
    if (parser->error == YAML_READER_ERROR)
        return err_set(y->err, "%s: not YAML: %s at byte %zu", y->name, problem,
                       parser->problem_offset);
    const char *where = conf_yaml_where(y, parser->problem_mark);
    if (!parser->context)
        return err_set(y->err, "%s: not YAML: %s", where, problem);
    return err_set(y->err, "%s: not YAML: %s %s", where, problem, parser->context);
}

static int conf_yaml_read_root(struct conf_yaml *y, const yaml_node_t *root, bool is_first) {
    if (!is_first)
        return conf_yaml_fail(y, root, "", "only one YAML document is supported");
    if (root->type == YAML_MAPPING_NODE)
        return conf_yaml_read_mapping(y, root, "");
    if (conf_yaml_is_null(root))
        return 0;
    return conf_yaml_fail(y, root, "", "expected settings such as `bus:`");
}

/* Reads the parser's documents up to the end of the text. */
static int conf_yaml_read_documents(struct conf_yaml *y, yaml_parser_t *parser) {
    bool is_first = true;
    for (;;) {
        if (!yaml_parser_load(parser, &y->document))
            return conf_yaml_not_yaml(y, parser);
        const yaml_node_t *root = yaml_document_get_root_node(&y->document);
        int failed = 0;
        if (root)
            failed = conf_yaml_read_root(y, root, is_first);
        yaml_document_delete(&y->document);
        if (!root || failed)
            return failed;
        is_first = false;
    }
}

/* The time that libyaml takes grows with the square of the depth of brackets: 0.1 s for this one.
 * Brackets in quotes and comments, which only a parser could recognize, count too. */
static bool conf_yaml_is_too_deep(struct span text) {
    int depth = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '[' || text.p[i] == '{')
            depth++;
        else if (text.p[i] == ']' || text.p[i] == '}')
            depth--;
        if (depth > CONF_YAML_DEPTH)
            return true;
    }
    return false;
}

/* file: as in struct conf_yaml. */
static int conf_yaml_read(struct conf *c, struct span text, const char *name,
                          const struct conf_file *file, struct err *err) {
    struct conf_yaml y = {.conf = c, .name = name, .file = file, .err = err};
    yaml_parser_t parser;
    if (conf_yaml_is_too_deep(text))
        return err_set(err, "%s: brackets are nested more than %d deep", name, CONF_YAML_DEPTH);
    if (!yaml_parser_initialize(&parser))
        return err_set(err, "%s: out of memory", name);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    const int failed = conf_yaml_read_documents(&y, &parser);
    yaml_parser_delete(&parser);
    arena_release(&y.arena);
    return failed;
}

int conf_yaml_text(struct conf *c, struct span text, const char *name, struct err *err) {
    return conf_yaml_read(c, text, name, NULL, err);
}

int conf_yaml_file(struct conf *c, const char *path, bool named, struct err *err) {
    BUF_LOCAL struct buf text = {0};
    struct conf_file file;
    int failed = conf_file_open(&file, path, !named, err);
    if (failed && !named && file.risk.n > 0)
        err_set(err, "./%s: refused because %s; use -c ./%s to read it anyway, or %s", path,
                file.risk.p, path, file.cure.p);
    if (!failed)
        failed = file_read_fd(&text, file.fd, path, CONF_YAML_BYTES, err);
    if (!failed)
        failed = conf_yaml_read(c, buf_view(&text), path, &file, err);
    conf_file_release(&file);
    return failed;
}
