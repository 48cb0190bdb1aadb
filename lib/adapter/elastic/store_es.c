/* store_es: see store_es.h. Owns its session and what bulk requests and --follow remember. Each
 * operation is a module of its own: es_bulk, es_search, es_delete. One thread per handle.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_es.h"

#include "../../base/mem.h"
#include "es_bulk.h"
#include "es_delete.h"
#include "es_search.h"
#include "es_template.h"

struct store_es {
    struct store base;
    struct es_session session;
    struct es_bulk bulk;
    struct es_follow follow;
};

static struct store_es *store_es_of(struct store *store) {
    void *owner = (char *)store - offsetof(struct store_es, base);
    return owner;
}

static void store_es_close(struct store *store) {
    if (!store)
        return;
    struct store_es *s = store_es_of(store);
    es_session_close(&s->session);
    es_follow_release(&s->follow);
    buf_release(&s->base.place);
    free(s);
}

/* Connects; create: for storing, which needs the template first. */
static enum store_rc store_es_connect(struct store_es *s, const struct es_conf *conf,
                                      const char *index, bool create, struct err *err) {
    enum store_rc rc = es_session_open(&s->session, conf, index, err);
    if (rc != STORE_OK)
        return rc;
    es_client_set_store(s->session.client, &s->base);
    if (create && conf->template) {
        rc = es_template_install(&s->session, err);
        if (rc != STORE_OK)
            return rc;
    }
    return es_session_read_mapping(&s->session, !create, err);
}

/* "store elasticsearch https://es1:9200, https://es2:9200, index logs" */
static void store_es_describe(struct store_es *s) {
    const struct str_list *urls = &s->session.conf->urls;
    struct buf *place = &s->base.place;
    if (s->session.is_opensearch)
        buf_text(place, "store opensearch ");
    else
        buf_text(place, "store elasticsearch ");
    for (size_t i = 0; i < urls->n; i++) {
        if (i > 0)
            buf_text(place, ", ");
        buf_text(place, urls->items[i]);
    }
    buf_printf(place, ", index %s", s->session.index);
}

static enum store_rc store_es_open(const struct conf *conf, const char *index, bool create,
                                   struct store **out, struct err *err) {
    const struct es_conf *settings = conf_section(conf, &es_section);
    struct store_es *s = mem_calloc(1, sizeof *s);
    s->base.engine = &store_es;
    es_bulk_init(&s->bulk, settings);
    const enum store_rc rc = store_es_connect(s, settings, index, create, err);
    if (rc != STORE_OK) {
        store_es_close(&s->base);
        return rc;
    }
    store_es_describe(s);
    *out = &s->base;
    return STORE_OK;
}

static enum store_rc store_es_bulk(struct store *store, struct store_doc *docs, size_t n,
                                   struct err *err) {
    struct store_es *s = store_es_of(store);
    return es_bulk_store(&s->bulk, &s->session, docs, n, err);
}

static enum store_rc store_es_search(struct store *store, const struct store_query *query,
                                     store_each *each, void *ctx, struct err *err) {
    struct store_es *s = store_es_of(store);
    return es_search(&s->session, &s->follow, query, each, ctx, err);
}

static enum store_rc store_es_delete(struct store *store, const struct store_query *query,
                                     bool dry_run, store_progress *progress, uint64_t *count,
                                     struct buf *answer, struct err *err) {
    return es_delete(&store_es_of(store)->session, query, dry_run, progress, count, answer, err);
}

static void store_es_refresh(struct store *store) {
    es_refresh(&store_es_of(store)->session);
}

const struct store_engine store_es = {
    .name = "elasticsearch",
    .open = store_es_open,
    .bulk = store_es_bulk,
    .search = store_es_search,
    .delete_matching = store_es_delete,
    .refresh = store_es_refresh,
    .close = store_es_close,
};
