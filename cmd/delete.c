/* delete: deletes the documents that match from the store, or all of them. Main thread.
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
        .help = "only documents older than this; 0s: of any age"),
    OPT(struct delete_conf, BOOL, dry_run, "false", .flag = "dry-run", .bits = OPT_FLAG_ONLY,
        .help = "only count the documents that would be deleted"),
    OPT(struct delete_conf, BOOL, yes, "false", .flag = "yes", .letter = 'y', .bits = OPT_FLAG_ONLY,
        .help = "do not ask before deleting all documents"),
};
static const struct opt_section delete_section =
    OPT_SECTION("delete", "what delete deletes", delete_rows, struct delete_conf);

/* Only for a person at a terminal. */
static bool delete_confirm(const struct store *store) {
    fprintf(stderr, "Delete all documents of %s? [y/N] ", store->place.p);
    const int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

static void delete_show_progress(uint64_t done, uint64_t all) {
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64, done, all);
    if (done == all)
        fputc('\n', stderr);
}

/* Prints the engine's answer, which there may be also if some could not be deleted. */
static bool delete_print(const struct run *run, bool dry_run, struct span answer) {
    BUF_LOCAL struct buf line = {0};
    if (answer.n == 0)
        return true;
    buf_text(&line, dry_run ? "Documents to delete: " : "Deleted documents: ");
    line_json(&line, answer);
    buf_char(&line, '\n');
    return line_write(run, &line);
}

static enum exit_code delete_matching(const struct run *run, const struct filter *f, bool dry_run) {
    struct err err;
    BUF_LOCAL struct buf answer = {0};
    uint64_t count;
    store_progress *progress = NULL;
    if (isatty(STDERR_FILENO))
        progress = delete_show_progress;
    const enum store_rc rc = f->store->engine->delete_matching(f->store, &f->query, dry_run,
                                                               progress, &count, &answer, &err);
    if (rc != STORE_OK)
        log_error(&run->log, "%s", err.text);
    const bool is_printed = delete_print(run, dry_run, buf_view(&answer));
    if (rc != STORE_OK || !is_printed)
        return EXIT_FAILED;
    if (stop_asked()) {
        log_warn(&run->log, "interrupted before the end; some matching documents may remain");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int delete_run(struct run *run) {
    const struct delete_conf *conf = conf_section(run->conf, &delete_section);
    struct filter f;
    enum exit_code code = filter_open(run, NULL, conf->older_than, &f);
    const bool deletes_all = f.all && !conf->dry_run;
    const bool asks = deletes_all && !conf->yes && isatty(STDIN_FILENO);
    if (f.store && asks && !delete_confirm(f.store)) {
        log_info(&run->log, "nothing was deleted");
        code = EXIT_FAILED;
    } else if (f.store) {
        code = delete_matching(run, &f, conf->dry_run);
    }
    filter_close(&f);
    return (int)code;
}

const struct cmd cmd_delete = {
    .name = "delete",
    .summary = "delete stored documents",
    .sections = (const struct opt_section *const[]){&delete_section, &filter_section, NULL},
    .aliases = (const struct cmd_alias[]){{"delete_es_storage", NULL}, {NULL, NULL}},
    .run = delete_run,
};
