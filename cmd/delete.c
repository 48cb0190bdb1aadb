/* delete: deletes documents from the store: all, or those that match. Owns the store. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "../lib/adapter/os/stop.h"
#include "filter.h"
#include "line.h"

struct delete_conf {
    int64_t older_than;
    bool dry_run, yes;
};

static const struct opt delete_rows[] = {
    OPT(struct delete_conf, MS, older_than, "0s", .flag = "older-than", .bits = OPT_FLAG_ONLY,
        .help = "only documents that are older than this; 0s does not restrict"),
    OPT(struct delete_conf, BOOL, dry_run, "false", .flag = "dry-run", .bits = OPT_FLAG_ONLY,
        .help = "only count them"),
    OPT(struct delete_conf, BOOL, yes, "false", .flag = "yes", .letter = 'y', .bits = OPT_FLAG_ONLY,
        .help = "don't ask before deleting everything"),
};
static const struct opt_section delete_section =
    OPT_SECTION("delete", "what delete deletes", delete_rows, struct delete_conf);

/* On a person's terminal only. */
static bool agreed(struct store *store) {
    fprintf(stderr, "Delete every document of %s? [y/N] ", store->place.p);
    int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

static void show(uint64_t done, uint64_t all) {
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 "%s", done, all, done == all ? "\n" : "");
}

static int erase(const struct run *run, const struct filter *f, bool dry_run) {
    struct err err;
    BUF_LOCAL struct buf line = {0}, answer = {0};
    uint64_t count;
    bool ok = f->store->engine->delete_matching(f->store, &f->query, dry_run,
                                                isatty(STDERR_FILENO) ? show : NULL, &count,
                                                &answer, &err) == STORE_OK;
    buf_text(&line, dry_run ? "Documents to delete: " : "Deleted documents: ");
    line_json(&line, buf_view(&answer));
    buf_char(&line, '\n');
    if (!ok)
        log_info(&run->log, "%s", err.text);
    if (answer.n)
        ok = line_write(run, &line) && ok;
    if (ok && stop_asked())
        log_info(&run->log, "stopped before the end: what is left is still there");
    return ok && !stop_asked() ? EXIT_DONE : EXIT_FAILED;
}

static int run_delete(struct run *run) {
    const struct delete_conf *conf = conf_section(run->conf, &delete_section);
    struct filter f;
    int code = filter_open(run, NULL, conf->older_than, &f);
    bool ask = f.all && !conf->yes && !conf->dry_run && isatty(STDIN_FILENO);
    if (f.store && ask && !agreed(f.store)) {
        log_info(&run->log, "nothing was deleted");
        code = EXIT_FAILED;
    } else if (f.store) {
        code = erase(run, &f, conf->dry_run);
    }
    filter_close(&f);
    return code;
}

const struct cmd cmd_delete = {
    .name = "delete",
    .summary = "delete stored documents",
    .sections = (const struct opt_section *const[]){&delete_section, &filter_section, NULL},
    .aliases = (const struct cmd_alias[]){{"delete_es_storage", NULL}, {NULL, NULL}},
    .run = run_delete,
};
