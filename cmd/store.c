/* store: reads the processed topic into the searchable index. One turn: poll, documents, bulk until
 * each has its verdict, dead letters and offsets in one commit. A crash anywhere repeats the turn,
 * and the documents' ids make the repetition harmless. Owns the store. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "../lib/adapter/os/stop.h"
#include "../lib/core/event.h"
#include "../lib/base/datetime.h"
#include "line.h"
#include "reader.h"

enum {
    ID_MAX = 512, /* bytes, Elasticsearch's bound */
    BATCH = 5000  /* records of a turn: what a commit costs is shared by as many */
};

struct storing {
    const struct run *run;
    const struct store_conf *conf;
    size_t max_record;
    struct reader reader;
    struct store *store;
    struct arena arena;   /* one turn's */
    struct buf good, bad; /* lines of one turn: what was stored, what never will be */
    uint64_t stored, there, dead;
};

/* Reads the record. -1 with err: it is none that could be stored. */
static int parse(struct storing *s, const struct bus_record *r, struct event *e, struct err *err) {
    if (!r->value.p)
        return err_set(err, "the record is null");
    if (r->value.n > s->max_record)
        return err_set(err, "the record has %zu bytes, more than bus.max_record", r->value.n);
    return event_parse(r->value, &s->arena, e, err) == INPUT_OK ? 0 : -1;
}

/* The record as a document; one that is none has its verdict already. */
static struct store_doc to_doc(struct storing *s, const struct bus_record *r) {
    struct event e;
    struct err err;
    struct store_doc d = {.verdict = STORE_POISON};
    if (parse(s, r, &e, &err) < 0) {
        snprintf(d.reason, sizeof d.reason, "%.*s", (int)sizeof d.reason - 1, err.text);
        return d;
    }
    d = (struct store_doc){.json = e.json,
                           .id = e.log_id.text,
                           .log_id = e.log_id.text,
                           .node = e.node.text,
                           .service = e.service.text,
                           .level = e.level.text,
                           .type = e.type.text,
                           .message = e.message.text};
    if (!datetime_parse_zoned(e.timestamp.text, &d.at_ms))
        d.at_ms = r->ts_ms;
    if (d.id.n == 0 || d.id.n > ID_MAX) {
        const char *id = arena_printf(&s->arena, "%s-%" PRId32 "-%" PRId64 "-%" PRId64,
                                      s->reader.how.input, r->partition, r->offset, r->ts_ms);
        d.id = span_of(id);
    }
    return d;
}

/* Sends until every document has its verdict: what is sent again are those without one. False:
 * leave (said). */
static bool store_docs(struct storing *s, struct store_doc *docs, size_t n) {
    struct err err;
    enum store_rc rc;
    while ((rc = s->store->engine->bulk(s->store, docs, n, &err)) == STORE_RETRY) {
        conf_renew_secrets(s->run->conf);
        if (!daemon_trouble(&s->reader.daemon, &err))
            break;
    }
    if (rc == STORE_OK)
        daemon_well(&s->reader.daemon);
    else
        log_info(&s->run->log, "%s", err.text);
    return rc == STORE_OK;
}

static void add_stored(struct buf *lines, const struct store_doc *d) {
    if (d->log_id.p)
        line_add(lines, "Log stored successfully: %, %, %\n", d->node, d->log_id, d->level);
    else
        line_add(lines, "Log stored successfully: %, %\n", d->node, d->type);
}

/* Everything that one poll brought. Documents are counted and printed whether or not the bus's turn
 * comes to pass, for they are there; dead letters only if it does, for otherwise they come again.
 */
static enum bus_rc turn(void *ctx, struct bus *bus, const struct bus_batch *b, struct err *err) {
    struct storing *s = ctx;
    struct store_doc *docs = arena_take(&s->arena, b->n * sizeof *docs);
    uint64_t dead = 0;
    enum bus_rc rc = BUS_OK;
    for (size_t i = 0; i < b->n; i++)
        docs[i] = to_doc(s, &b->records[i]);
    s->reader.failed = !store_docs(s, docs, b->n);
    buf_clear(&s->good);
    buf_clear(&s->bad);
    for (size_t i = 0; i < b->n; i++) {
        if (docs[i].verdict == STORE_STORED)
            add_stored(&s->good, &docs[i]);
        s->stored += docs[i].verdict == STORE_STORED;
        s->there += docs[i].verdict == STORE_EXISTS;
        if (docs[i].verdict != STORE_POISON)
            continue;
        line_add(&s->bad, "Error storing log: %\n", span_of(docs[i].reason));
        dead++;
        if (rc == BUS_OK && !s->reader.failed)
            rc = reader_bury(&s->reader, bus, s->reader.how.input, &b->records[i], docs[i].reason,
                             err);
    }
    /* The commit ends the records' life: the lines hold what is said of them. */
    if (rc == BUS_OK && !s->reader.failed)
        rc = reader_commit(&s->reader, bus, err);
    if (rc == BUS_OK && !s->reader.failed) {
        buf_span(&s->good, buf_view(&s->bad));
        s->dead += dead;
    }
    if (!s->conf->quiet && !line_write(s->run, &s->good))
        s->reader.failed = true;
    arena_clear(&s->arena);
    return rc;
}

static int start(struct storing *s) {
    BUF_LOCAL struct buf flow = {0};
    s->store = daemon_store(&s->reader.daemon);
    if (!s->store)
        return stop_asked() ? EXIT_DONE : EXIT_FAILED;
    buf_printf(&flow, "%s → %s", s->reader.how.input, s->store->place.p);
    s->reader.flow = flow.p;
    int code = reader_run(&s->reader);
    /* So that what follows `store --no-follow` finds it; if not now, the engine does it by itself.
     */
    if (code == EXIT_DONE)
        s->store->engine->refresh(s->store);
    s->store->engine->close(s->store);
    return code;
}

static int run_store(struct run *run) {
    const struct topics_conf *topics = conf_section(run->conf, &topics_section);
    const struct bus_conf *bus = conf_section(run->conf, &bus_section);
    const struct store_conf *conf = conf_section(run->conf, &store_section);
    const char *topic = run->argc ? run->argv[0] : topics->processed;
    struct bus_open how = {.group = conf->group, .input = topic, .max_records = BATCH};
    struct storing s = {.run = run,
                        .conf = conf,
                        .max_record = (size_t)bus->max_record,
                        .reader = {.how = how, .turn = turn, .ctx = &s}};
    if (!*conf->group) {
        log_info(&run->log, "store.group: expected a name");
        return EXIT_USAGE;
    }
    daemon_init(&s.reader.daemon, run);
    int code = start(&s);
    log_info(&run->log,
             "stopped: stored %" PRIu64 ", already there %" PRIu64 ", dead letters %" PRIu64,
             s.stored, s.there, s.dead);
    arena_release(&s.arena);
    buf_release(&s.good);
    buf_release(&s.bad);
    return code;
}

const struct cmd cmd_store = {
    .name = "store",
    .operands = "[PROCESSED]",
    .max_operands = 1,
    .topics = true,
    .summary = "store the processed records in the searchable index",
    .sections = (const struct opt_section *const[]){&store_section, &daemon_section, NULL},
    .aliases = (const struct cmd_alias[]){{"log_storage", NULL}, {NULL, NULL}},
    .run = run_store,
};
