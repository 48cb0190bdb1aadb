/* filter: see filter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include "../lib/adapter/os/clock.h"
#include "../lib/base/datetime.h"
#include "../lib/engines.h"

struct filter_conf {
    const char *node, *service, *level, *type, *since, *until, *text;
};

#define WHEN_HELP "; 15m, 2h, 7d ago, or 2026-11-24, \"2026-11-24 06:34\", or with a time zone"

/* An empty value is a shell variable that is not set: it must not widen what is chosen, least of
 * all for delete. */
enum { ONLY = OPT_FLAG_ONLY | OPT_NOT_EMPTY };

static const struct opt filter_rows[] = {
    OPT(struct filter_conf, STRING, node, "", .flag = "node", .arg = "ID", .bits = ONLY,
        .help = "only documents of the node with this id"),
    OPT(struct filter_conf, STRING, service, "", .flag = "service", .arg = "NAME", .bits = ONLY,
        .help = "only documents of this service"),
    OPT(struct filter_conf, STRING, level, "", .flag = "level", .arg = "LEVEL", .bits = ONLY,
        .help = "only documents of this log level, in any letter case"),
    OPT(struct filter_conf, STRING, type, "", .flag = "type", .arg = "TYPE", .bits = ONLY,
        .help = "only documents of this message type, in any letter case"),
    OPT(struct filter_conf, STRING, since, "", .flag = "since", .arg = "TIME", .bits = ONLY,
        .help = "only documents of this time or later" WHEN_HELP),
    OPT(struct filter_conf, STRING, until, "", .flag = "until", .arg = "TIME", .bits = ONLY,
        .help = "only documents earlier than this" WHEN_HELP),
    OPT(struct filter_conf, STRING, text, "", .flag = "text", .arg = "WORDS", .bits = ONLY,
        .help = "only documents whose message has all these words, in any order and letter case"),
};

const struct opt_section filter_section = OPT_SECTION(
    "filter", "which documents search and delete choose", filter_rows, struct filter_conf);

static const char *upper(struct arena *arena, const char *text) {
    char *copy = arena_printf(arena, "%s", text);
    for (char *c = copy; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return copy;
}

/* WHAT takes the place of the flag it stands for; both may be given if they say the same. */
static int restrict_to(struct filter *f, const char *what, struct err *err) {
    const char *word = upper(&f->arena, what);
    bool type = strcmp(word, "REGISTRATION") == 0 || strcmp(word, "HEARTBEAT") == 0;
    const char **field = type ? &f->query.type : &f->query.level;
    if (**field && strcmp(*field, word) != 0)
        return err_set(err, "%s and --%s %s contradict each other: nothing is both", word,
                       type ? "type" : "level", *field);
    *field = word;
    return 0;
}

/* 0 for "", which leaves that side open. */
static int read_time(const char *flag, const char *text, int64_t now_ms, int64_t *ms,
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

static int make_query(struct filter *f, const struct conf *conf, const char *what,
                      int64_t older_than_ms, struct err *err) {
    const struct filter_conf *c = conf_section(conf, &filter_section);
    struct store_query *q = &f->query;
    int64_t now_ms = clock_wall_ms(), older_ms = now_ms - older_than_ms;
    *f = (struct filter){0};
    *q = (struct store_query){.level = upper(&f->arena, c->level),
                              .type = upper(&f->arena, c->type),
                              .node = c->node,
                              .service = c->service,
                              .text = c->text,
                              .limit = -1};
    if (what && restrict_to(f, what, err) < 0)
        return -1;
    if (read_time("since", c->since, now_ms, &q->since_ms, err) < 0 ||
        read_time("until", c->until, now_ms, &q->until_ms, err) < 0)
        return -1;
    if (older_than_ms && (!q->until_ms || older_ms < q->until_ms))
        q->until_ms = older_ms;
    f->all = !*q->level && !*q->type && !*q->node && !*q->service && !*q->text && !q->since_ms &&
             !q->until_ms;
    return 0;
}

int filter_open(const struct run *run, const char *what, int64_t older_than_ms, struct filter *f) {
    struct err err;
    int code = EXIT_USAGE;
    if (make_query(f, run->conf, what, older_than_ms, &err) == 0)
        code = engines_open_store(run->conf, false, &f->store, &err) == STORE_OK ? EXIT_DONE
                                                                                 : EXIT_FAILED;
    log_info(&run->log, "%s", f->store ? f->store->place.p : err.text);
    return code;
}

void filter_close(struct filter *f) {
    if (f->store)
        f->store->engine->close(f->store);
    arena_release(&f->arena);
}
