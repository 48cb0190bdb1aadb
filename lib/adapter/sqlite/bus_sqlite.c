/* bus_sqlite: the embedded bus, one SQLite file shared by any number of processes of one machine.
 * A topic is one partition (0) in a table of its own; offsets count up by one and never go back.
 * Owns the handle, what is staged in it, and the one path by which anything is written. One thread
 * a handle. Callers: engines.c, and cmd/ through the port. SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite.h"

#include "../../base/mem.h"
#include "../os/clock.h"

enum {
    QUEUE_BYTES = 32 * 1024 * 1024, /* a writer's queue */
    WRITE_RECORDS = 2000,           /* a writer's transaction: at most about 10 ms */
    WRITE_BYTES = 2 * 1024 * 1024,
    BOOT_ID_BYTES = 64
};

static const struct sqlite_file_kind kind = {
    .what = "bus",
    .setting = "bus.local.path",
    .application_id = 0x64736c62, /* "dslb" */
    .version = 1,
    .schema =
        /* One row. The bus clock is anchor_ms + the boot clock; retained_ms, when the last pass of
         * retention began, is on the bus clock. The table gap came later:
         * local_prepare_retention(). */
    "CREATE TABLE meta(boot_id TEXT, anchor_ms INTEGER, retained_ms INTEGER);"
    "INSERT INTO meta VALUES('', 0, 0);"
    "CREATE TABLE topic(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " next_offset INTEGER NOT NULL, last_ms INTEGER NOT NULL);"
    "CREATE TABLE grp(name TEXT, topic INTEGER, next INTEGER NOT NULL, seen_ms INTEGER NOT NULL,"
    " PRIMARY KEY(name, topic)) WITHOUT ROWID;"
    /* lease_until is on the boot clock of boot_id; 0: given back. */
    "CREATE TABLE owner(name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, boot_id TEXT NOT NULL,"
    " lease_until INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE state(topic INTEGER, key BLOB, value BLOB NOT NULL, PRIMARY KEY(topic, key))"
    " WITHOUT ROWID;"};

enum bus_rc local_done(struct local *l, struct err *err) {
    enum sqlite_file_rc rc = sqlite_file_take(&l->file, err);
    return rc == SQLITE_FILE_OK ? BUS_OK : rc == SQLITE_FILE_RETRY ? BUS_RETRY : BUS_FATAL;
}

int64_t local_now_ms(const struct local *l) {
    return l->anchor_ms + clock_boot_ms();
}

/* --- open and close ----------------------------------------------------------------------------
 */

/* Within a write transaction: ties the bus clock to this boot, never before the newest record. */
static void anchor_clock(struct local *l) {
    local_run(l,
              "UPDATE meta SET boot_id = ?1, anchor_ms = max(?2, (SELECT coalesce(max(last_ms), 0) "
              "FROM topic))"
              " - ?3 WHERE boot_id <> ?1",
              "sii", l->boot_id.p, clock_wall_ms(), clock_boot_ms());
    l->anchor_ms = local_run(l, "SELECT anchor_ms FROM meta", "");
}

/* Within a write transaction: the input exists, and a reader without a group knows where it begins.
 */
static void open_input(struct local *l) {
    int64_t id = local_make_topic(l, l->how.input);
    int64_t at = l->how.from_start ? local_first(l, id) : local_next(l, id);
    l->input = (struct input){.topic = id, .position = at, .committed = at};
    l->owner = l->how.group && !*l->how.group;
    l->generation = l->owner;
}

static void close_local(struct bus *bus) {
    struct local *l = (struct local *)bus;
    if (!l)
        return;
    local_give_back(l);
    sqlite_file_close(&l->file);
    wake_close(&l->wake);
    for (size_t i = 0; i < l->n_topics; i++)
        free(l->topics[i].name);
    arena_release(&l->staging);
    arena_release(&l->batch);
    buf_release(&l->bus.place);
    buf_release(&l->boot_id);
    free(l->topics);
    free(l->staged);
    free(l->records);
    free(l);
}

static enum bus_rc open_local(const struct conf *conf, const struct bus_open *how, struct bus **out,
                              struct err *err) {
    struct local *l = mem_calloc(1, sizeof *l);
    l->bus = (struct bus){.engine = &bus_sqlite, .wake = -1};
    l->conf = conf_section(conf, &bus_sqlite_section);
    l->how = *how;
    if (how->state)
        local_topic(l, how->state)->state = true;
    buf_printf(&l->bus.place, "bus local %s", l->conf->path);
    sqlite_file_open(&l->file, &kind, l->conf->path, true);
    wake_open(&l->wake, sqlite_file_beside(&l->file, "-wake"), how->group != NULL);
    if (buf_file(&l->boot_id, "/proc/sys/kernel/random/boot_id", BOOT_ID_BYTES, err) != 0)
        sqlite_file_fail(&l->file, "%s", err->text);
    sqlite_file_begin(&l->file, true);
    anchor_clock(l);
    local_prepare_retention(l);
    if (how->input)
        open_input(l);
    sqlite_file_end(&l->file);
    if (how->bounded)
        local_measure(l);
    enum bus_rc rc = local_done(l, err);
    if (rc == BUS_OK)
        *out = &l->bus;
    else
        close_local(&l->bus);
    return rc;
}

/* --- put, poll, commit, undo, flush ------------------------------------------------------------
 */

static void drop_staged(struct local *l) {
    arena_clear(&l->staging);
    l->n_staged = 0;
}

static enum bus_rc put(struct bus *bus, const char *topic, int32_t partition, struct span key,
                       struct span value, uint64_t tag, struct err *err) {
    struct local *l = (struct local *)bus;
    (void)partition; /* there is one */
    if ((int64_t)(key.n + value.n) > l->how.max_record)
        return err_as(BUS_POISON, err, "a record of %zu bytes for %s is larger than bus.max_record",
                      key.n + value.n, topic);
    if (!l->how.group && l->staging.used > QUEUE_BYTES)
        return err_as(BUS_FULL, err, "%d MB wait to be written", QUEUE_BYTES >> 20);
    if (l->full)
        return err_as(BUS_FULL, err, "%s", l->full_why.text);
    l->staged = mem_room(l->staged, l->n_staged, &l->cap_staged, sizeof *l->staged);
    struct staged *p = &l->staged[l->n_staged++];
    const struct topic *t = local_topic(l, topic);
    *p = (struct staged){.topic = (size_t)(t - l->topics), .tag = tag};
    if (key.p)
        p->key = arena_span(&l->staging, key);
    if (value.p)
        p->value = arena_span(&l->staging, value);
    return BUS_OK;
}

/* Writes what is queued, a transaction of bounded size after another, and reports each record.
 * After a failure the rest fails with it: the caller decides anew. */
static enum bus_rc write_queue(struct local *l, struct err *err) {
    for (size_t from = 0, to; from < l->n_staged; from = to) {
        size_t bytes = 0;
        for (to = from; to < l->n_staged && to - from < WRITE_RECORDS && bytes < WRITE_BYTES; to++)
            bytes += l->staged[to].key.n + l->staged[to].value.n;
        local_write(l, from, to);
        const char *why = l->file.rc == SQLITE_FILE_OK ? NULL : l->file.err.text;
        for (size_t i = from; i < to; i++)
            l->how.delivered(l->how.ctx, l->staged[i].tag, why ? BUS_RETRY : BUS_OK, why);
    }
    drop_staged(l);
    if (l->how.bounded)
        local_measure(l);
    return local_done(l, err);
}

/* Looks, waits for a touch, looks again: the last look comes after the wait, so that what it says
 * about the end is fresh. */
static enum bus_rc poll_reader(struct local *l, int wait_ms, struct bus_batch *batch,
                               struct err *err) {
    int64_t end = clock_mono_ms() + wait_ms;
    for (bool go_on = true; go_on;) {
        wake_drain(&l->wake);
        arena_clear(&l->batch);
        l->n_records = 0;
        sqlite_file_in_place(&l->file);
        if (*l->how.group)
            local_keep_owner(l);
        if (l->owner && l->how.input)
            local_fetch(l);
        enum bus_rc rc = local_done(l, err);
        if (rc != BUS_OK)
            return rc;
        int64_t left = end - clock_mono_ms();
        if (l->n_records || l->generation != l->told_generation || left <= 0)
            break;
        go_on = wake_wait(&l->wake, (int)left);
    }
    *batch = (struct bus_batch){.records = l->records,
                                .n = l->n_records,
                                .parts = &l->part,
                                .n_parts = l->owner && l->how.input,
                                .generation = l->generation,
                                .standby = !l->owner,
                                .now_ms = local_now_ms(l),
                                .lost = l->lost};
    l->told_generation = l->generation;
    l->lost = 0;
    return BUS_OK;
}

static enum bus_rc poll_local(struct bus *bus, int wait_ms, struct bus_batch *batch,
                              struct err *err) {
    struct local *l = (struct local *)bus;
    local_retain(l);
    if (l->how.group)
        return poll_reader(l, wait_ms, batch, err);
    if (batch)
        *batch = (struct bus_batch){.now_ms = local_now_ms(l)};
    if (l->n_staged)
        return write_queue(l, err);
    if (l->how.bounded)
        local_measure(l);
    if (wait_ms > 0)
        clock_sleep_ms(wait_ms); /* nothing of this writer's is under way */
    return BUS_OK;
}

static enum bus_rc commit(struct bus *bus, struct err *err) {
    struct local *l = (struct local *)bus;
    bool moved = *l->how.group && l->input.position != l->input.committed;
    if (moved || l->n_staged)
        local_write(l, 0, l->n_staged);
    enum bus_rc rc = local_done(l, err);
    if (rc != BUS_OK)
        return rc;
    drop_staged(l);
    l->input.committed = l->input.position;
    return BUS_OK;
}

static void undo(struct bus *bus) {
    struct local *l = (struct local *)bus;
    drop_staged(l);
    l->input.position = l->input.committed;
}

static enum bus_rc flush(struct bus *bus, int limit_ms, struct err *err) {
    (void)limit_ms; /* a write takes as long as the disk does */
    return write_queue((struct local *)bus, err);
}

/* --- settings and the row ----------------------------------------------------------------------
 */

static const struct opt rows[] = {
    OPT(struct local_conf, STRING, path, "bus.db", .bits = OPT_PATH | OPT_DATA, .arg = "FILE",
        .help = "the file of the embedded bus"),
    OPT(struct local_conf, MS, max_age, "7d", .min = 1000, .max = INT64_C(36500) * 86400000,
        .help = "how long records are kept at least, if max_size allows it"),
    OPT(struct local_conf, BYTES, max_size, "10GB", .min = 16 << 20,
        /* the WAL alone takes some megabytes now and then */ .max = INT64_C(1000000) << 30,
        .help = "size at which collect answers 503 and what all groups have read may go early"),
    OPT(struct local_conf, BYTES, min_free, "256MB",
        .help = "space left on the disk below which collect answers 503"),
};

const struct opt_section bus_sqlite_section =
    OPT_SECTION("bus.local", "the embedded bus: one SQLite file", rows, struct local_conf);

const struct bus_engine bus_sqlite = {.name = "local",
                                      .open = open_local,
                                      .poll = poll_local,
                                      .put = put,
                                      .commit = commit,
                                      .undo = undo,
                                      .flush = flush,
                                      .restore = local_restore,
                                      .replay = local_replay,
                                      .lag = local_lag,
                                      .close = close_local};
