/* deadletter: lists, shows and sends again the records that could not be delivered. A letter is
 * named by its place in the dead-letter topic. One that was sent again is done with: its mark goes
 * into a state topic, in the transaction that sends it, under a group that one process at a time
 * has; so neither a crash nor a second retry sends it twice. Owns the bus. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/adapter/os/clock.h"
#include "../lib/base/map.h"
#include "../lib/base/mem.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/base/datetime.h"
#include "../lib/core/deadletter.h"
#include "line.h"
#include "reader.h"

#define GROUP "distlog-deadletter"
#define STATE GROUP ".state"
#define TAIL  ".dlq"

enum {
    AT_ONCE = 128 << 20,     /* bytes of letters that one retry holds */
    BATCH = 200,             /* letters sent in one transaction */
    FLUSH_BYTES = 64 * 1024, /* what a long list gathers before it is written */
    WAIT_MS = 1000
};

struct deadletter_conf {
    bool raw;
};

static const struct opt rows[] = {
    OPT(struct deadletter_conf, BOOL, raw, "false", .flag = "raw", .bits = OPT_FLAG_ONLY,
        .help = "show prints the bytes of the record and nothing else"),
};
static const struct opt_section deadletter_section =
    OPT_SECTION("deadletter", "what deadletter prints", rows, struct deadletter_conf);

/* A letter that retry sends again. Its texts are in post.gathered. */
struct again {
    const char *name, *mark;
    struct deadletter letter;
};

struct post {
    const struct run *run;
    struct reader reader; /* for its patience with the bus */
    struct bus *bus;
    struct map done; /* the marks of letters that were sent; cut when the letter is passed */
    struct buf topic, lines;
    const char *only;   /* the one letter meant, or NULL */
    struct arena arena; /* one letter's */
    void (*each)(struct post *p, const struct bus_record *r, const char *called);
    uint64_t found, sent, kept;
    bool more;           /* than AT_ONCE */
    bool failed;         /* said why */
    struct err err;      /* of the last thing tried */
    struct again *again; /* retry: what waited in a topic, in gathered */
    size_t n, cap;
    struct arena gathered;
};

/* --- what waits --- */

/* What an operand means: "nodes.dlq-0-17" one letter, "nodes" or "nodes.dlq" all of a topic. */
static void mean(struct post *p, const char *text) {
    size_t n = strlen(text);
    p->only = NULL;
    for (const char *at = text; (at = strstr(at, TAIL "-")); at++)
        p->only = text, n = (size_t)(at - text);
    if (!p->only && n > strlen(TAIL) && strcmp(text + n - strlen(TAIL), TAIL) == 0)
        n -= strlen(TAIL);
    buf_clear(&p->topic);
    buf_add(&p->topic, text, n);
    buf_text(&p->topic, TAIL);
}

/* A place on the bus. A record that pubsub made and could not put had none: then where it should
 * go. */
static const char *name(struct post *p, const char *topic, int32_t partition, int64_t offset) {
    if (offset < 0)
        return topic;
    return arena_printf(&p->arena, "%s-%" PRId32 "-%" PRId64, topic, partition, offset);
}

/* A letter's key in the state: no topic has a blank, and the time tells a topic that was made anew.
 */
static const char *mark(struct post *p, const struct bus_record *r) {
    return arena_printf(&p->arena, "%s %" PRId32 " %" PRId64 " %" PRId64, p->topic.p, r->partition,
                        r->offset, r->ts_ms);
}

static bool on_mark(void *ctx, int32_t partition, struct span key, struct span value) {
    struct post *p = ctx;
    (void)partition, (void)value;
    map_put(&p->done, key, p);
    return true;
}

static bool on_letter(void *ctx, const struct bus_record *r) {
    struct post *p = ctx;
    const char *called = name(p, p->topic.p, r->partition, r->offset);
    if (!map_remove(&p->done, span_of(mark(p, r))) && (!p->only || strcmp(p->only, called) == 0)) {
        p->found++;
        p->each(p, r, called);
    }
    arena_clear(&p->arena);
    return !p->failed && !stop_asked();
}

/* Is it? Otherwise err is said, and this run has failed. */
static bool good(struct post *p, enum bus_rc rc) {
    if (rc != BUS_OK)
        log_info(&p->run->log, "%s", p->err.text);
    p->failed = p->failed || rc != BUS_OK;
    return rc == BUS_OK;
}

/* 0, or -1 with err: it is none, or not all of the record was kept. */
static int read_whole(struct post *p, struct span bytes, struct arena *arena,
                      struct deadletter *d) {
    if (deadletter_read(bytes, arena, d, &p->err) != 0)
        return -1;
    if (d->full < 0)
        return 0;
    if (d->full == (int64_t)d->value.n)
        return err_set(&p->err, "its key was too long to be kept");
    return err_set(&p->err, "only the first %zu of its %" PRId64 " bytes were kept", d->value.n,
                   d->full);
}

/* --- list and show --- */

static void add_time(struct post *p, int64_t ms) {
    datetime_format(&p->lines, ms, clock_offset_s(ms), DATETIME_RFC3339);
}

static void list(struct post *p, const struct bus_record *r, const char *called) {
    struct deadletter d;
    struct span none = SPAN_LIT("-");
    bool is = deadletter_read(r->value, &p->arena, &d, &p->err) == 0;
    line_add(&p->lines, "%\t", span_of(called));
    add_time(p, r->ts_ms);
    line_add(&p->lines, "\t%\t%\t%\n", is ? span_of(name(p, d.topic, d.partition, d.offset)) : none,
             is && d.key.p ? d.key : none, span_of(is ? d.reason : p->err.text));
    if (p->lines.n >= FLUSH_BYTES)
        p->failed = !line_write(p->run, &p->lines);
}

static void show(struct post *p, const struct bus_record *r, const char *called) {
    const struct deadletter_conf *conf = conf_section(p->run->conf, &deadletter_section);
    struct span null = SPAN_LIT("(null)");
    struct deadletter d;
    bool is = read_whole(p, r->value, &p->arena, &d) == 0;
    if (!is)
        log_info(&p->run->log, "%s: %s", called, p->err.text);
    p->failed = !is && d.full < 0;
    if (p->failed)
        return;
    if (conf->raw) {
        buf_span(&p->lines, d.value);
        return;
    }
    line_add(&p->lines, "letter  %, ", span_of(called));
    add_time(p, r->ts_ms);
    line_add(&p->lines, "\nreason  %\norigin  %", span_of(d.reason),
             span_of(name(p, d.topic, d.partition, d.offset)));
    if (d.offset >= 0)
        buf_text(&p->lines, ", ");
    if (d.offset >= 0)
        add_time(p, d.ts_ms);
    line_add(&p->lines, "\nkey     %\n\n%\n", d.key.p ? d.key : null, d.value.p ? d.value : null);
}

/* --- retry --- */

/* It can't be sent: err says why. */
static void keep(struct post *p, const char *called) {
    log_info(&p->run->log, "%s: %s", called, p->err.text);
    p->kept++;
}

static void retry(struct post *p, const struct bus_record *r, const char *called) {
    struct arena *arena = &p->gathered;
    p->more = p->more || arena->used >= AT_ONCE;
    if (p->more)
        return;
    p->again = mem_room(p->again, p->n, &p->cap, sizeof *p->again);
    struct again *a = &p->again[p->n];
    if (read_whole(p, arena_span(arena, r->value), arena, &a->letter) != 0) {
        keep(p, called);
        return;
    }
    a->name = arena_span(arena, span_of(called)).p;
    a->mark = arena_span(arena, span_of(mark(p, r))).p;
    p->n++;
}

static enum bus_rc put_mark(struct post *p, struct span key, struct span value) {
    return p->bus->engine->put(p->bus, STATE, -1, key, value, 0, &p->err);
}

/* Puts one letter where its key belongs, or where it was, and that it is done with. */
static enum bus_rc send(struct post *p, const struct again *a, uint64_t *sent) {
    const struct deadletter *d = &a->letter;
    int32_t partition = d->key.p ? -1 : d->partition;
    enum bus_rc rc = p->bus->engine->put(p->bus, d->topic, partition, d->key, d->value, 0, &p->err);
    if (rc == BUS_OK)
        ++*sent;
    if (rc == BUS_OK)
        return put_mark(p, span_of(a->mark), SPAN_LIT("sent"));
    if (rc != BUS_POISON)
        return rc;
    keep(p, a->name);
    return BUS_OK;
}

static void send_all(struct post *p) {
    uint64_t sent = 0;
    for (size_t i = 0; i < p->n && !p->failed && !stop_asked();) {
        if (!good(p, send(p, &p->again[i++], &sent)) || (i % BATCH && i < p->n))
            continue;
        if (!good(p, reader_commit(&p->reader, p->bus, &p->err)))
            break;
        daemon_well(&p->reader.daemon);
        p->sent += sent;
        sent = 0;
    }
    p->n = 0;
    arena_clear(&p->gathered);
}

/* Takes back the marks of letters that are not there any more. */
static void forget(struct post *p) {
    struct span key;
    void *value;
    size_t at = 0, n = p->topic.n;
    while (!p->failed && map_next(&p->done, &at, &key, &value))
        if (key.n > n && memcmp(key.p, p->topic.p, n) == 0 && key.p[n] == ' ')
            good(p, put_mark(p, key, (struct span){0}));
    if (!p->failed)
        good(p, reader_commit(&p->reader, p->bus, &p->err));
}

/* Waits until no other retry has the group. */
static void alone(struct post *p) {
    struct bus_batch b = {0};
    bool told = false;
    while (good(p, p->bus->engine->poll(p->bus, WAIT_MS, &b, &p->err)) && b.standby &&
           !stop_asked()) {
        if (!told)
            log_info(&p->run->log,
                     "another retry is at work, or was killed: waiting for it to end");
        told = true;
    }
}

/* --- the command --- */

/* What the operand means, or the dead letters of both readers. */
static void work(struct post *p, const char *operand) {
    const struct topics_conf *topics = conf_section(p->run->conf, &topics_section);
    const char *all[] = {operand ? operand : topics->input, operand ? NULL : topics->processed,
                         NULL};
    bool sends = p->each == retry;
    struct bus_open how = {.group = sends ? GROUP : NULL, .state = sends ? STATE : NULL};
    if (good(p, engines_open_bus(p->run->conf, &how, &p->bus, &p->err)) && sends)
        alone(p);
    if (!p->failed)
        good(p, p->bus->engine->restore(p->bus, STATE, -1, on_mark, p, &p->err));
    for (size_t i = 0; all[i] && !p->failed && !stop_asked(); i++) {
        mean(p, all[i]);
        good(p, p->bus->engine->replay(p->bus, p->topic.p, -1, 0, -1, on_letter, p, &p->err));
        if (sends && !p->failed)
            send_all(p);
        if (sends && !p->failed && !stop_asked())
            forget(p);
    }
    if (sends)
        buf_printf(&p->lines, "Retried dead letters: %" PRIu64 "\n", p->sent);
    if (p->lines.n && !line_write(p->run, &p->lines))
        p->failed = true;
}

/* Says how it ended; the exit code. */
static int conclude(const struct post *p) {
    const struct log *log = &p->run->log;
    bool none = !p->found && !p->failed && !stop_asked();
    if (none)
        log_info(log, "no dead letter%s%s waits", p->only ? " " : "", p->only ? p->only : "");
    if (p->kept)
        log_info(log, "%" PRIu64 " can't be sent again and go on waiting", p->kept);
    if (stop_asked())
        log_info(log, "stopped before the end");
    else if (p->more)
        log_info(log, "there are more: retry again");
    return p->failed || (none && p->only) || p->kept || p->more || stop_asked() ? EXIT_FAILED
                                                                                : EXIT_DONE;
}

static int run_deadletter(struct run *run) {
    struct post p = {.run = run};
    const char *verb = run->argv[0], *operand = run->argv[1];
    int code = EXIT_USAGE;
    p.each = strcmp(verb, "list") == 0 ? list : strcmp(verb, "show") == 0 ? show : NULL;
    if (strcmp(verb, "retry") == 0)
        p.each = retry;
    if (!p.each) {
        log_info(&run->log, "'%s' is none of list, show and retry", verb);
    } else if (p.each == show && !(operand && strstr(operand, TAIL "-"))) {
        log_info(&run->log, "show which one? `distlog deadletter list` tells their names");
    } else if (!daemon_has_bus(run)) {
        code = EXIT_FAILED;
    } else {
        daemon_init(&p.reader.daemon, run);
        work(&p, operand);
        code = conclude(&p);
    }
    if (p.bus)
        p.bus->engine->close(p.bus);
    map_release(&p.done);
    arena_release(&p.arena);
    arena_release(&p.gathered);
    buf_release(&p.topic);
    buf_release(&p.lines);
    free(p.again);
    return code;
}

const struct cmd cmd_deadletter = {
    .name = "deadletter",
    .operands = "list|show|retry [TOPIC|LETTER]",
    .min_operands = 1,
    .max_operands = 2,
    .topics = true,
    .summary = "list, show and retry what could not be delivered",
    .sections = (const struct opt_section *const[]){&deadletter_section, NULL},
    .run = run_deadletter,
};
