/* indexer: see indexer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "indexer.h"

#include <stdio.h>

#include "../adapter/os/stop.h"
#include "../base/datetime.h"

enum {
    INDEXER_ID_MAX = 512, /* bytes, Elasticsearch's bound */
    INDEXER_BATCH = 5000  /* records of a turn: they share the cost of a commit */
};

void indexer_init(struct indexer *x, struct consumer *consumer, const struct indexer_conf *conf) {
    const struct bus_conf *bus = conf_section(conf->settings, &bus_section);
    *x = (struct indexer){
        .conf = *conf, .consumer = consumer, .max_record = (size_t)bus->max_record};
    outage_init(&x->outage, conf->log, conf->notify);
}

void indexer_release(struct indexer *x) {
    if (x->store)
        x->store->engine->close(x->store);
    arena_release(&x->arena);
}

struct bus_open indexer_open(const struct indexer *x) {
    return (struct bus_open){
        .group = x->conf.group, .input = x->conf.input, .max_records = INDEXER_BATCH};
}

/* The store does not answer. The cause may be a password that has been changed, so the secrets are
 * read again. */
static void indexer_wait(struct indexer *x, const struct err *err) {
    outage_report(&x->outage, err, outage_retrying);
    outage_sleep(&x->outage);
    conf_renew_secrets(x->conf.settings);
}

/* The store answered. If an outage of the bus lasts, the STATUS remains that. */
static void indexer_recovered(struct indexer *x) {
    const struct outage *bus = &x->consumer->outage;
    x->outage.place = x->store->place.p;
    x->outage.status = bus->is_ongoing ? NULL : bus->status;
    outage_recovered(&x->outage);
}

enum store_rc indexer_open_store(struct indexer *x, struct err *err) {
    enum store_rc rc = engines_open_store(x->conf.settings, true, &x->store, err);
    while (rc == STORE_RETRY && !stop_asked()) {
        indexer_wait(x, err);
        rc = engines_open_store(x->conf.settings, true, &x->store, err);
    }
    if (rc != STORE_OK)
        return rc;
    x->store->alive = consumer_alive;
    x->store->alive_ctx = x->consumer;
    indexer_recovered(x);
    return STORE_OK;
}

void indexer_refresh(struct indexer *x) {
    x->store->engine->refresh(x->store);
}

/* --- documents --- */

/* 0, or -1 with err: the record can never be stored. */
static int indexer_parse(struct indexer *x, const struct bus_record *record, struct event *e,
                         struct err *err) {
    if (!record->value.p)
        return err_set(err, "the record has no value (null)");
    if (record->value.n > x->max_record)
        return err_set(err, "the record is larger than bus.max_record: %zu bytes", record->value.n);
    if (event_parse(record->value, &x->arena, e, err) != INPUT_OK)
        return -1;
    return 0;
}

/* The record's own id if it has one that the index accepts, else its position on the bus. */
static struct span indexer_id(struct indexer *x, const struct bus_record *record,
                              const struct event *e) {
    const struct span own = e->log_id.text;
    if (own.n > 0 && own.n <= INDEXER_ID_MAX)
        return own;
    return span_of(arena_printf(&x->arena, "%s-%" PRId32 "-%" PRId64 "-%" PRId64, x->conf.input,
                                record->partition, record->offset, record->ts_ms));
}

/* Makes a document of the record. One that can never be stored gets its verdict here. */
static struct store_doc indexer_document(struct indexer *x, const struct bus_record *record) {
    struct event e;
    struct err err;
    if (indexer_parse(x, record, &e, &err) != 0) {
        struct store_doc refused = {.verdict = STORE_POISON};
        const int room = (int)sizeof refused.reason - 1;
        snprintf(refused.reason, sizeof refused.reason, "%.*s", room, err.text);
        return refused;
    }
    struct store_doc doc = {.json = e.json,
                            .id = indexer_id(x, record, &e),
                            .at_ms = record->ts_ms,
                            .log_id = e.log_id.text,
                            .node = e.node.text,
                            .service = e.service.text,
                            .level = e.level.text,
                            .type = e.type.text,
                            .message = e.message.text};
    int64_t at_ms;
    if (datetime_parse_zoned(e.timestamp.text, &at_ms))
        doc.at_ms = at_ms;
    return doc;
}

/* --- a turn --- */

/* Sends the documents until each has its verdict; only those without one are sent again. If the
 * result is not STORE_OK, it is time to exit, with err. */
static enum store_rc indexer_store(struct indexer *x, struct store_doc *docs, size_t n,
                                   struct err *err) {
    enum store_rc rc = x->store->engine->bulk(x->store, docs, n, err);
    while (rc == STORE_RETRY) {
        indexer_wait(x, err);
        if (shutdown_is_overdue())
            break;
        rc = x->store->engine->bulk(x->store, docs, n, err);
    }
    if (rc == STORE_OK)
        indexer_recovered(x);
    return rc;
}

/* Documents with a verdict are in the index, whether or not the turn can be committed. */
static void indexer_note_verdicts(struct indexer *x, const struct store_doc *docs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const enum store_verdict verdict = docs[i].verdict;
        if (verdict == STORE_STORED)
            x->stored++;
        if (verdict == STORE_EXISTS)
            x->existing++;
        if (x->conf.each && (verdict == STORE_STORED || verdict == STORE_POISON))
            x->conf.each(x->conf.ctx, &docs[i]);
    }
}

/* Puts refused documents into the dead letters, and sets *n to their number. */
static enum bus_rc indexer_put_refused(struct indexer *x, const struct turn *turn,
                                       const struct store_doc *docs, uint64_t *n, struct err *err) {
    const struct bus_batch *batch = turn->batch;
    *n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        if (docs[i].verdict != STORE_POISON)
            continue;
        const enum bus_rc rc = consumer_dead_letter(x->consumer, turn->bus, x->conf.input,
                                                    &batch->records[i], docs[i].reason, err);
        if (rc != BUS_OK)
            return rc;
        ++*n;
    }
    return BUS_OK;
}

static enum turn_result indexer_work(struct indexer *x, const struct turn *turn, struct err *err) {
    const struct bus_batch *batch = turn->batch;
    struct store_doc *docs = arena_take(&x->arena, batch->n * sizeof *docs);
    for (size_t i = 0; i < batch->n; i++)
        docs[i] = indexer_document(x, &batch->records[i]);
    const enum store_rc stored = indexer_store(x, docs, batch->n, err);
    indexer_note_verdicts(x, docs, batch->n);
    if (stored != STORE_OK)
        return TURN_STOP;
    uint64_t n_refused;
    enum bus_rc rc = indexer_put_refused(x, turn, docs, &n_refused, err);
    if (rc == BUS_OK)
        rc = consumer_commit(x->consumer, turn->bus, err);
    if (rc == BUS_OK)
        x->dead_letters += n_refused;
    return consumer_result(rc);
}

enum turn_result indexer_turn(struct indexer *x, const struct turn *turn, struct err *err) {
    const enum turn_result result = indexer_work(x, turn, err);
    arena_clear(&x->arena);
    return result;
}
