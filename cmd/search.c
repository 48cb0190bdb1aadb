/* search: prints the documents that match, one a line: newest first, or following the store
 * (lib/app/search). Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../lib/app/search.h"

#include "../lib/app/shutdown.h"
#include "../lib/base/datetime.h"
#include "../lib/base/json_writer.h"
#include "filter.h"
#include "line.h"

enum { SEARCH_FLUSH_BYTES = 64 * 1024 }; /* what a long result gathers before it is written */

struct search_conf {
    int64_t limit;
    const char *format;
    bool follow;
};

static const struct opt search_rows[] = {
    OPT(struct search_conf, INT, limit, "10", .flag = "limit", .letter = 'n', .min = -1,
        .bits = OPT_FLAG_ONLY, .arg = "N", .help = "maximum number of documents; -1: all"),
    OPT(struct search_conf, CHOICE, format, "json", .flag = "format", .choices = "json|raw",
        .bits = OPT_FLAG_ONLY,
        .help = "json: as the node sent it; raw: with the _id and @timestamp that store added"),
    OPT(struct search_conf, BOOL, follow, "false", .flag = "follow", .letter = 'f',
        .bits = OPT_FLAG_ONLY,
        .help = "oldest first, then wait for new documents and print them as they are stored"),
};
static const struct opt_section search_section =
    OPT_SECTION("search", "how search prints", search_rows, struct search_conf);

/* What is printed, and how. */
struct search_output {
    const struct run *run;
    bool is_raw;
    struct buf lines;
    struct buf raw; /* one document */
    uint64_t found;
};

/* The members of a JSON object without its braces: text that may stand in another object. */
static struct span search_members(struct span object) {
    return (struct span){object.p + 1, object.n - 2};
}

/* The document as the node sent it, in the object that the store made of it. */
static struct span search_raw(struct search_output *o, const struct store_hit *hit) {
    const struct span members = search_members(hit->json);
    struct json_writer w = {.out = &o->raw};
    buf_clear(&o->raw);
    json_writer_object_begin(&w);
    json_writer_member_string(&w, "_id", hit->id);
    json_writer_key(&w, "@timestamp");
    json_writer_plain_begin(&w);
    datetime_format(&o->raw, hit->at_ms, 0, DATETIME_RFC3339);
    json_writer_plain_end(&w);
    if (members.n > 0)
        json_writer_raw(&w, members);
    json_writer_object_end(&w);
    return buf_view(&o->raw);
}

static bool search_on_hit(void *ctx, const struct store_hit *hit) {
    struct search_output *o = ctx;
    struct span json = hit->json;
    if (o->is_raw)
        json = search_raw(o, hit);
    line_json(&o->lines, json);
    buf_char(&o->lines, '\n');
    o->found++;
    if (o->lines.n < SEARCH_FLUSH_BYTES)
        return true;
    return line_write(o->run, &o->lines);
}

static bool search_on_pause(void *ctx) {
    struct search_output *o = ctx;
    return line_write(o->run, &o->lines);
}

static void search_add_title(struct search_output *o, const char *what) {
    if (what)
        line_add(&o->lines, "Search results for %:\n", span_of(what));
    else
        buf_text(&o->lines, "Search results:\n");
}

static enum exit_code search_print(struct search_output *o, const struct filter *f,
                                   bool is_following) {
    const struct log *log = &o->run->log;
    const struct search search = {.log = log,
                                  .store = f->store,
                                  .query = &f->query,
                                  .on_hit = search_on_hit,
                                  .on_pause = search_on_pause,
                                  .ctx = o};
    struct err err;
    enum search_result result;
    if (is_following)
        result = search_follow(&search, &err);
    else
        result = search_once(&search, &err);
    if (result == SEARCH_FAILED)
        log_error(log, "%s", err.text);
    if (result != SEARCH_DONE)
        return EXIT_FAILED;
    if (o->found == 0 && !is_following)
        log_info(log, "nothing found");
    return EXIT_DONE;
}

static int search_run(struct run *run) {
    const struct search_conf *conf = conf_section(run->conf, &search_section);
    struct search_output output = {.run = run, .is_raw = strcmp(conf->format, "raw") == 0};
    struct filter filter;
    enum exit_code code = filter_open(run, run->argv[0], 0, &filter);
    shutdown_arm();
    if (filter.store) {
        filter.query.limit = conf->limit;
        search_add_title(&output, run->argv[0]);
        code = search_print(&output, &filter, conf->follow);
    }
    buf_release(&output.lines);
    buf_release(&output.raw);
    filter_close(&filter);
    return (int)code;
}

const struct cmd cmd_search = {
    .name = "search",
    .operands = "[WHAT]",
    .max_operands = 1,
    .summary = "print the stored documents that match",
    .sections = (const struct opt_section *const[]){&search_section, &filter_section, NULL},
    .aliases = (const struct cmd_alias[]){{"search_es_storage", NULL}, {NULL, NULL}},
    .run = search_run,
};
