/* filter: see filter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include "../lib/adapter/os/clock.h"
#include "../lib/base/datetime.h"
#include "../lib/engines.h"

struct filter_conf {
    const char *node, *service, *level, *type, *since, *until, *text;
};

#define FILTER_TIME_HELP \
    ": 15m, 2h or 7d ago, 2026-11-24, or \"2026-11-24 06:34\", also with a time zone"

/* An empty value is a shell variable that is not set: it must not widen what is chosen, least of
 * all for delete. */
enum { FILTER_BITS = OPT_FLAG_ONLY | OPT_NOT_EMPTY };

static const struct opt filter_rows[] = {
    OPT(struct filter_conf, STRING, node, "", .flag = "node", .arg = "ID", .bits = FILTER_BITS,
        .help = "only documents of the node with this ID"),
    OPT(struct filter_conf, STRING, service, "", .flag = "service", .arg = "NAME",
        .bits = FILTER_BITS, .help = "only documents of this service"),
    OPT(struct filter_conf, STRING, level, "", .flag = "level", .arg = "LEVEL", .bits = FILTER_BITS,
        .help = "only documents of this log level; case is ignored"),
    OPT(struct filter_conf, STRING, type, "", .flag = "type", .arg = "TYPE", .bits = FILTER_BITS,
        .help = "only documents of this message type; case is ignored"),
    OPT(struct filter_conf, STRING, since, "", .flag = "since", .arg = "TIME", .bits = FILTER_BITS,
        .help = "only documents from this time on" FILTER_TIME_HELP),
    OPT(struct filter_conf, STRING, until, "", .flag = "until", .arg = "TIME", .bits = FILTER_BITS,
        .help = "only documents from before this time" FILTER_TIME_HELP),
    OPT(struct filter_conf, STRING, text, "", .flag = "text", .arg = "WORDS", .bits = FILTER_BITS,
        .help = "only documents whose message has all these words; order and case are ignored"),
};

const struct opt_section filter_section = OPT_SECTION(
    "filter", "which documents search and delete choose", filter_rows, struct filter_conf);

/* --- the query --- */

/* A copy in capitals, as the store has levels and types. ASCII only: other letters stay. */
static const char *filter_capitals(struct arena *arena, const char *text) {
    char *copy = arena_printf(arena, "%s", text);
    for (char *c = copy; *c; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
    return copy;
}

/* The operand takes the place of the flag that it stands for; both may be given if they agree. */
static int filter_add_operand(struct filter *f, const char *what, struct err *err) {
    const char *word = filter_capitals(&f->arena, what);
    const char *flag = "level", **field = &f->query.level;
    if (strcmp(word, "REGISTRATION") == 0 || strcmp(word, "HEARTBEAT") == 0) {
        flag = "type";
        field = &f->query.type;
    }
    if (**field && strcmp(*field, word) != 0)
        return err_set(err, "%s conflicts with --%s %s: no document can match both", word, flag,
                       *field);
    *field = word;
    return 0;
}

/* 0 for "", which leaves that side open. */
static int filter_parse_time(const char *flag, const char *text, int64_t now_ms, int64_t *ms,
                             struct err *err) {
    *ms = 0;
    if (!*text)
        return 0;
    if (datetime_parse(span_of(text), now_ms, clock_offset_s(now_ms), ms, err) != 0)
        return err_prefix(err, "--%s", flag);
    if (*ms == 0)
        *ms = -1; /* 1970 is a time, too: `delete --until 1970-01-01Z` must not delete all */
    return 0;
}

static int filter_add_times(struct store_query *q, const struct filter_conf *conf,
                            int64_t older_than_ms, struct err *err) {
    const int64_t now_ms = clock_wall_ms(), older_ms = now_ms - older_than_ms;
    if (filter_parse_time("since", conf->since, now_ms, &q->since_ms, err) != 0)
        return -1;
    if (filter_parse_time("until", conf->until, now_ms, &q->until_ms, err) != 0)
        return -1;
    if (older_than_ms && (!q->until_ms || older_ms < q->until_ms))
        q->until_ms = older_ms;
    return 0;
}

static bool filter_is_open(const struct store_query *q) {
    const char *const texts[] = {q->level, q->type, q->node, q->service, q->text};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (*texts[i])
            return false;
    }
    return !q->since_ms && !q->until_ms;
}

static int filter_make_query(struct filter *f, const struct conf *settings, const char *what,
                             int64_t older_than_ms, struct err *err) {
    const struct filter_conf *conf = conf_section(settings, &filter_section);
    f->query = (struct store_query){.level = filter_capitals(&f->arena, conf->level),
                                    .type = filter_capitals(&f->arena, conf->type),
                                    .node = conf->node,
                                    .service = conf->service,
                                    .text = conf->text,
                                    .limit = -1};
    if (what && filter_add_operand(f, what, err) != 0)
        return -1;
    if (filter_add_times(&f->query, conf, older_than_ms, err) != 0)
        return -1;
    f->all = filter_is_open(&f->query);
    return 0;
}

/* --- the store --- */

enum exit_code filter_open(const struct run *run, const char *what, int64_t older_than_ms,
                           struct filter *f) {
    struct err err;
    *f = (struct filter){0};
    if (filter_make_query(f, run->conf, what, older_than_ms, &err) != 0) {
        log_error(&run->log, "%s", err.text);
        return EXIT_USAGE;
    }
    if (engines_open_store(run->conf, false, &f->store, &err) != STORE_OK) {
        log_error(&run->log, "%s", err.text);
        return EXIT_FAILED;
    }
    log_info(&run->log, "%s", f->store->place.p);
    return EXIT_DONE;
}

void filter_close(struct filter *f) {
    if (f->store)
        f->store->engine->close(f->store);
    arena_release(&f->arena);
}
