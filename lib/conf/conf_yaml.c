/* conf_yaml: see conf_yaml.h. libyaml makes a tree, which is walked along the table of settings:
 * how deep that goes is bounded by the table, because an unknown key ends it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf_yaml.h"

#include <ctype.h>
#include <yaml.h>

#include "../base/arena.h"
#include "conf_file.h"
#include "file.h"

enum { MOST = 1 << 20, DEEP = 5000 }; /* bytes of a file; brackets inside one another */

struct reader {
    struct conf *conf;
    const char *name;
    const struct conf_file *file; /* NULL: the text is from memory */
    yaml_document_t document;
    struct arena arena; /* for the time of a call */
    struct err *err;
};

static const char *where(struct reader *r, yaml_mark_t mark) {
    return arena_printf(&r->arena, "%s:%zu", r->name, mark.line + 1);
}

/* Fails at a node: FILE:LINE: KEY: what. */
static int fail(struct reader *r, const yaml_node_t *node, const char *key, const char *what) {
    return err_set(r->err, "%s: %s%s%s", where(r, node->start_mark), key, *key ? ": " : "", what);
}

static yaml_node_t *node_of(struct reader *r, int id) {
    return yaml_document_get_node(&r->document, id);
}

static struct span scalar(const yaml_node_t *node) {
    return (struct span){(const char *)node->data.scalar.value, node->data.scalar.length};
}

/* "key:" with nothing behind it, or one of YAML's words for nothing. */
static bool is_null(const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct span s = scalar(node);
    return s.n == 0 || span_is(s, "~") || span_is(s, "null");
}

/* A scalar with every ${NAME} replaced by the environment and $$ by $: NUL-terminated, the arena's;
 * NULL with err. */
static const char *expand(struct reader *r, const yaml_node_t *node, const char *key) {
    static const char letters[] = "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    BUF_LOCAL struct buf out = {0};
    const char *at = scalar(node).p;
    bool failed = strlen(at) != scalar(node).n;
    if (failed)
        fail(r, node, key, "a NUL byte cannot be part of a setting");
    for (size_t n; !failed && *at; at += n) {
        n = strcspn(at, "$");
        buf_add(&out, at, n);
        if (!*(at += n))
            break;
        if (at[1] != '{') {
            buf_char(&out, '$');
            n = at[1] == '$' ? 2 : 1;
            continue;
        }
        n = strspn(at + 2, letters);
        const char *name = arena_span(&r->arena, (struct span){at + 2, n}).p, *value = getenv(name);
        if (!n || isdigit((unsigned char)*name) || at[n + 2] != '}')
            failed = fail(r, node, key, "${ is not followed by NAME}; write $$ for a dollar sign");
        else if (!value)
            failed = fail(r, node, key,
                          arena_printf(&r->arena, "${%s} is not set in the environment", name));
        else
            buf_text(&out, value);
        n += 3;
    }
    return failed ? NULL : arena_span(&r->arena, buf_view(&out)).p;
}

static int check_tag(struct reader *r, const yaml_node_t *node, const char *key) {
    static const char *const usual[] = {[YAML_SCALAR_NODE] = YAML_STR_TAG,
                                        [YAML_SEQUENCE_NODE] = YAML_SEQ_TAG,
                                        [YAML_MAPPING_NODE] = YAML_MAP_TAG};
    if (strcmp((const char *)node->tag, usual[node->type]) == 0)
        return 0;
    return fail(r, node, key, "tags (!) are not used here; put a value that begins so in quotes");
}

/* What a setting or an item of one is: text. NULL with err. */
static const char *read_text(struct reader *r, const yaml_node_t *node, const char *key) {
    if (node->type != YAML_SCALAR_NODE)
        fail(r, node, key, "an item here is text, not a list or mapping");
    else if (is_null(node))
        fail(r, node, key, "there is no value; write \"\" for an empty one");
    else if (!check_tag(r, node, key))
        return expand(r, node, key);
    return NULL;
}

/* The key of a pair: a text that the mapping has not had before. */
static int check_key(struct reader *r, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
                     const char *prefix) {
    const yaml_node_t *node = node_of(r, pair->key);
    if (node->type != YAML_SCALAR_NODE)
        return fail(r, node, prefix, "a key here is text, not a list or mapping");
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++)
        if (span_eq(scalar(node_of(r, p->key)), scalar(node)))
            return err_set(r->err, "%s: %s%s%s: given twice; the first is in line %zu",
                           where(r, node->start_mark), prefix, *prefix ? "." : "", scalar(node).p,
                           node_of(r, p->key)->start_mark.line + 1);
    return 0;
}

/* A list, or a mapping, that is the value of a setting. */
static int read_items(struct reader *r, const yaml_node_t *node, const char *key) {
    bool map = node->type == YAML_MAPPING_NODE;
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    const yaml_node_item_t *list = node->data.sequence.items.start;
    size_t n =
        (size_t)(map ? node->data.mapping.pairs.top - pairs : node->data.sequence.items.top - list);
    struct str_map items = {arena_take(&r->arena, n * sizeof(char *)),
                            arena_take(&r->arena, n * sizeof(char *)), n};
    for (size_t i = 0; i < n; i++) {
        if (map && (check_key(r, node, &pairs[i], key) ||
                    !(items.keys[i] = (char *)expand(r, node_of(r, pairs[i].key), key))))
            return -1;
        items.values[i] = (char *)read_text(r, node_of(r, map ? pairs[i].value : list[i]), key);
        if (!items.values[i])
            return -1;
    }
    return conf_set_items(r->conf, key, &items, where(r, node->start_mark), r->err);
}

/* Refuses, in a setting that was just read, code that others than the caller may have chosen. */
static int conf_yaml_check_code(struct reader *r, const yaml_node_t *node,
                                const struct setting *v) {
    if (!v->row->code || !r->file || !r->file->risk.n)
        return 0;
    const struct str_map *map = v->field;
    for (size_t i = 0; i < map->n; i++) {
        if (!opt_is_code(v->row, map->keys[i]))
            continue;
        return fail(
            r, node, v->key,
            arena_printf(&r->arena,
                         "%s can run code, and is not taken from this file because %s; %s, or set "
                         "it with -o or in the environment",
                         map->keys[i], r->file->risk.p, r->file->cure.p));
    }
    return 0;
}

static int read_mapping(struct reader *r, const yaml_node_t *mapping, const char *prefix);

/* A scalar that is the value of a setting. */
static int conf_yaml_scalar(struct reader *r, const yaml_node_t *node, const char *key) {
    const char *text = read_text(r, node, key);
    if (!text)
        return -1;
    return conf_set(r->conf, key, span_of(text), OPT_YAML, where(r, node->start_mark), r->err);
}

/* What belongs to key, which stands at mark. */
static int read_value(struct reader *r, const yaml_node_t *node, const char *key,
                      yaml_mark_t mark) {
    const struct setting *v = conf_find(r->conf, key);
    bool map = node->type == YAML_MAPPING_NODE;
    if (check_tag(r, node, key))
        return -1;
    if (v) {
        bool one = node->type == YAML_SCALAR_NODE;
        if (one || v->row->type == (map ? OPT_MAP : OPT_LIST)) {
            int failed = one ? conf_yaml_scalar(r, node, key) : read_items(r, node, key);
            return failed ? failed : conf_yaml_check_code(r, node, v);
        }
        BUF_LOCAL struct buf expected = {0};
        opt_expected(v->row, &expected);
        return fail(
            r, node, key,
            arena_printf(&r->arena, "a %s is not %s", map ? "mapping" : "list", expected.p));
    }
    if (!conf_has_section(r->conf, key))
        return conf_unknown(r->conf, key, where(r, mark), r->err);
    if (map)
        return read_mapping(r, node, key);
    /* All settings of a section may be commented out. */
    return is_null(node) ? 0
                         : fail(r, node, key, "expected settings, indented, in the lines below");
}

static int read_mapping(struct reader *r, const yaml_node_t *mapping, const char *prefix) {
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = node_of(r, pair->key);
        if (check_key(r, mapping, pair, prefix))
            return -1;
        struct span text = scalar(name);
        if (strlen(text.p) != text.n || strchr(text.p, '.'))
            return fail(r, name, prefix,
                        "a key here is one name; what belongs to it stands below, indented");
        const char *key = arena_printf(&r->arena, "%s%s%s", prefix, *prefix ? "." : "", text.p);
        if (read_value(r, node_of(r, pair->value), key, name->start_mark))
            return -1;
    }
    return 0;
}

static int not_yaml(struct reader *r, const yaml_parser_t *p) {
    if (p->error == YAML_READER_ERROR)
        return err_set(r->err, "%s: not YAML: %s at byte %zu", r->name, p->problem,
                       p->problem_offset);
    return err_set(r->err, "%s: not YAML: %s%s%s", where(r, p->problem_mark),
                   p->problem ? p->problem : "out of memory", p->context ? " " : "",
                   p->context ? p->context : "");
}

static int read_root(struct reader *r, const yaml_node_t *root, bool first) {
    if (!first)
        return fail(r, root, "", "only one document is read");
    if (root->type == YAML_MAPPING_NODE)
        return read_mapping(r, root, "");
    return is_null(root) ? 0 : fail(r, root, "", "expected settings such as `bus:`");
}

/* libyaml's time goes with the square of how deep brackets are nested: 0.1 s here. Those in quotes
 * and comments, which only a parser could tell apart, count too. */
static bool is_deep(struct span text) {
    int depth = 0;
    for (size_t i = 0; i < text.n && depth <= DEEP; i++) {
        depth += text.p[i] == '[' || text.p[i] == '{';
        depth -= text.p[i] == ']' || text.p[i] == '}';
    }
    return depth > DEEP;
}

static int conf_yaml_read(struct conf *c, struct span text, const char *name,
                          const struct conf_file *file, struct err *err) {
    struct reader r = {.conf = c, .name = name, .file = file, .err = err};
    yaml_parser_t parser;
    bool more = true;
    int failed = 0;
    if (is_deep(text))
        return err_set(err, "%s: more than %d brackets are open", name, DEEP);
    if (!yaml_parser_initialize(&parser))
        return err_set(err, "%s: out of memory", name);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    for (bool first = true; more && !failed; first = false) {
        if (!yaml_parser_load(&parser, &r.document)) {
            failed = not_yaml(&r, &parser);
            break;
        }
        const yaml_node_t *root = yaml_document_get_root_node(&r.document);
        more = root != NULL;
        if (more)
            failed = read_root(&r, root, first);
        yaml_document_delete(&r.document);
    }
    yaml_parser_delete(&parser);
    arena_release(&r.arena);
    return failed;
}

int conf_yaml_text(struct conf *c, struct span text, const char *name, struct err *err) {
    return conf_yaml_read(c, text, name, NULL, err);
}

int conf_yaml_file(struct conf *c, const char *path, bool named, struct err *err) {
    BUF_LOCAL struct buf text = {0};
    struct conf_file file;
    int failed = conf_file_open(&file, path, !named, err);
    if (failed && !named && file.risk.n)
        err_set(err, "./%s: not read, because %s; use -c ./%s to read it anyway, or %s", path,
                file.risk.p, path, file.cure.p);
    if (!failed)
        failed = file_read_fd(&text, file.fd, path, MOST, err);
    if (!failed)
        failed = conf_yaml_read(c, buf_view(&text), path, &file, err);
    conf_file_release(&file);
    return failed;
}
