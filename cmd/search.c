/* search: prints the documents that match, newest first, one a line. Owns the store. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */

#include "../lib/adapter/os/clock.h"
#include "../lib/base/escape.h"
#include "../lib/base/map.h"
#include "../lib/adapter/os/stop.h"
#include "../lib/app/outage.h"
#include "../lib/app/shutdown.h"
#include "../lib/base/datetime.h"
#include "filter.h"
#include "line.h"

enum {
    FLUSH_BYTES = 64 * 1024, /* what a long result gathers before it is written */
    FOLLOW_MS = 500,         /* between two looks for new documents */
};

struct search_conf {
    int64_t limit;
    const char *format;
    bool follow;
};

static const struct opt search_rows[] = {
    OPT(struct search_conf, INT, limit, "10", .flag = "limit", .letter = 'n', .min = -1,
        .bits = OPT_FLAG_ONLY, .arg = "N", .help = "at most this many documents; -1: all"),
    OPT(struct search_conf, CHOICE, format, "json", .flag = "format", .choices = "json|raw",
        .bits = OPT_FLAG_ONLY,
        .help = "json: as the node sent it; raw: with _id and @timestamp, which store added"),
    OPT(struct search_conf, BOOL, follow, "false", .flag = "follow", .letter = 'f',
        .bits = OPT_FLAG_ONLY,
        .help = "oldest first, then wait for new documents and print them as they are stored"),
};
static const struct opt_section search_section =
    OPT_SECTION("search", "how search prints", search_rows, struct search_conf);

struct searching {
    const struct run *run;
    const struct search_conf *conf;
    struct outage outage;
    struct filter filter;
    struct buf lines;
    uint64_t found;
    bool failed; /* standard output can't be written */
    /* --follow: */
    struct buf last; /* lines of the documents found first, newest first */
    struct map seen; /* their ids: what is stored during the first search may be found twice */
};

static void add_line(struct buf *lines, const struct search_conf *conf,
                     const struct store_hit *hit) {
    struct span json = hit->json;
    if (strcmp(conf->format, "raw") == 0) {
        BUF_LOCAL struct buf id = {0};
        escape_json(&id, hit->id);
        buf_text(lines, "{\"_id\":");
        line_json(lines, buf_view(&id));
        buf_text(lines, ",\"@timestamp\":\"");
        datetime_format(lines, hit->at_ms, 0, DATETIME_RFC3339);
        buf_text(lines, json.n > 2 ? "\"," : "\"");
        json = (struct span){json.p + 1, json.n - 1};
    }
    line_json(lines, json);
    buf_char(lines, '\n');
}

static bool print_hit(void *ctx, const struct store_hit *hit) {
    struct searching *s = ctx;
    if (map_get(&s->seen, hit->id))
        return true;
    add_line(&s->lines, s->conf, hit);
    s->found++;
    if (s->lines.n >= FLUSH_BYTES)
        s->failed = !line_write(s->run, &s->lines);
    return !s->failed && !stop_asked();
}

/* What is found before following: newest first, to be printed the other way round. */
static bool keep_hit(void *ctx, const struct store_hit *hit) {
    struct searching *s = ctx;
    if (map_get(&s->seen, hit->id))
        return true; /* the first try broke off behind it */
    add_line(&s->last, s->conf, hit);
    map_put(&s->seen, hit->id, s);
    return !stop_asked();
}

/* One search, printed; with --follow it is tried until it works. Returns the exit code. */
static int search(struct searching *s, const struct store_query *query, store_each *each) {
    struct err err;
    struct store *store = s->filter.store;
    enum store_rc rc;
    while ((rc = store->engine->search(store, query, each, s, &err)) == STORE_RETRY &&
           s->conf->follow) {
        outage_report(&s->outage, &err, outage_retrying);
        outage_sleep(&s->outage);
        if (stop_asked())
            return EXIT_DONE;
    }
    if (rc == STORE_OK)
        outage_recovered(&s->outage);
    else
        log_info(&s->run->log, "%s", err.text);
    return rc == STORE_OK && !s->failed && line_write(s->run, &s->lines) ? EXIT_DONE : EXIT_FAILED;
}

/* Prints the newest ones, oldest of them first, and then whatever is stored until told to stop. */
static int follow(struct searching *s) {
    char cursor[STORE_CURSOR] = "";
    struct store_query new = s->filter.query;
    new.cursor = cursor;
    new.limit = -1;
    new.oldest_first = true;
    int code = search(s, &new, print_hit); /* sets the cursor to the end */
    if (code == EXIT_DONE)
        code = search(s, &s->filter.query, keep_hit);
    for (size_t from, end = s->last.n; end > 0; end = from) {
        const char *before = memrchr(s->last.p, '\n', end - 1);
        from = before ? (size_t)(before + 1 - s->last.p) : 0;
        buf_add(&s->lines, s->last.p + from, end - from);
    }
    buf_release(&s->last);
    while (code == EXIT_DONE && !stop_asked()) {
        code = search(s, &new, print_hit);
        if (code == EXIT_DONE && !stop_asked())
            clock_sleep_ms(FOLLOW_MS);
    }
    return code;
}

static int print_all(struct searching *s, const char *what) {
    line_add(&s->lines, what ? "Search results for %:\n" : "Search results:\n", span_of(what));
    s->filter.query.limit = s->conf->limit;
    if (s->conf->follow)
        return follow(s);
    int code = search(s, &s->filter.query, print_hit);
    if (code == EXIT_DONE && !s->found)
        log_info(&s->run->log, "nothing found");
    return code;
}

static int run_search(struct run *run) {
    struct searching s = {.run = run, .conf = conf_section(run->conf, &search_section)};
    int code = filter_open(run, run->argv[0], 0, &s.filter);
    outage_init(&s.outage, &run->log, NULL);
    shutdown_arm();
    if (s.filter.store)
        code = print_all(&s, run->argv[0]);
    map_release(&s.seen);
    buf_release(&s.lines);
    filter_close(&s.filter);
    return code;
}

const struct cmd cmd_search = {
    .name = "search",
    .operands = "[WHAT]",
    .max_operands = 1,
    .summary = "print the stored documents that match",
    .sections = (const struct opt_section *const[]){&search_section, &filter_section, NULL},
    .aliases = (const struct cmd_alias[]){{"search_es_storage", NULL}, {NULL, NULL}},
    .run = run_search,
};
