/* bus_sqlite: the embedded (SQLite) bus: one file shared by any number of processes of one machine.
 * A topic is one partition (0) in a table of its own; offsets count up by one and never go back.
 * This file holds the engine's row and its settings, and composes the parts of the bus into
 * transactions: bus_sqlite_clock, _topic, _owner, _read, _write and _retention, none of which calls
 * back. Owns the handle with the file and all parts. One thread a handle. Callers: engines.c, and
 * others through the port.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../../base/mem.h"
#include "../../port/bus.h"
#include "../os/clock.h"
#include "../os/wake.h"
#include "bus_sqlite_clock.h"
#include "bus_sqlite_conf.h"
#include "bus_sqlite_owner.h"
#include "bus_sqlite_read.h"
#include "bus_sqlite_retention.h"
#include "bus_sqlite_write.h"
#include "sqlite_file.h"

enum { QUEUE_BYTES = 32 * 1024 * 1024 /* of a writer's queue */ };

static const struct sqlite_db_kind sqlite_bus_kind = {
    .what = "bus",
    .setting = "bus.local.path",
    .application_id = 0x64736c62, /* "dslb" */
    .version = 1,
    .schema =
        /* One row. The bus clock is anchor_ms + the boot clock; retained_ms, when the last pass of
         * retention began, is on the bus clock. The table gap was added later:
         * sqlite_retention_prepare(). */
    "CREATE TABLE meta(boot_id TEXT, anchor_ms INTEGER, retained_ms INTEGER);"
    "INSERT INTO meta VALUES('', 0, 0);"
    "CREATE TABLE topic(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " next_offset INTEGER NOT NULL, last_ms INTEGER NOT NULL);"
    "CREATE TABLE grp(name TEXT, topic INTEGER, next INTEGER NOT NULL, seen_ms INTEGER NOT NULL,"
    " PRIMARY KEY(name, topic)) WITHOUT ROWID;"
    /* lease_until is on the boot clock of boot_id; 0: released. */
    "CREATE TABLE owner(name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, boot_id TEXT NOT NULL,"
    " lease_until INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE state(topic INTEGER, key BLOB, value BLOB NOT NULL, PRIMARY KEY(topic, key))"
    " WITHOUT ROWID;"};

struct sqlite_bus {
    struct bus bus;
    struct bus_open how;
    struct sqlite_file file;
    struct wake wake; /* wakes the bus's waiting readers after a commit */
    struct sqlite_clock clock;
    struct sqlite_owner owner;
    struct sqlite_reader reader;
    struct sqlite_writer writer;
    struct sqlite_retention retention;
    uint32_t reported_generation; /* of the owner, as the last batch had it */
};

extern const struct bus_engine bus_sqlite;
extern const struct opt_section bus_sqlite_section;

/* Resets the sticky error and returns it as the port's result. */
static enum bus_rc sqlite_bus_take_error(struct sqlite_bus *bus, struct err *err) {
    switch (sqlite_db_take_error(&bus->file.db, err)) {
    case SQLITE_DB_OK:
        return BUS_OK;
    case SQLITE_DB_RETRY:
        return BUS_RETRY;
    case SQLITE_DB_FATAL:
        break;
    }
    return BUS_FATAL;
}

/* --- open and close --- */

static void sqlite_bus_release_group(struct sqlite_bus *bus) {
    if (bus->owner.state != SQLITE_OWNER_ACTIVE || !sqlite_owner_has_group(&bus->owner))
        return;
    sqlite_file_begin(&bus->file, false);
    sqlite_owner_release(&bus->owner);
    sqlite_file_end(&bus->file);
    wake_touch(&bus->wake); /* a standby need not wait until the lease expires */
}

static void sqlite_bus_close(struct bus *handle) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    if (!bus)
        return;
    sqlite_bus_release_group(bus);
    sqlite_file_close(&bus->file);
    wake_close(&bus->wake);
    sqlite_clock_close(&bus->clock);
    sqlite_reader_close(&bus->reader);
    sqlite_writer_close(&bus->writer);
    buf_release(&bus->bus.place);
    free(bus);
}

static void sqlite_bus_open_input(struct sqlite_bus *bus) {
    sqlite_reader_open(&bus->reader, bus->how.input, bus->how.from_start);
    /* A reader without a group has no rivals. */
    if (bus->how.group && !sqlite_owner_has_group(&bus->owner))
        sqlite_owner_activate(&bus->owner);
}

static enum bus_rc sqlite_bus_open(const struct conf *conf, const struct bus_open *how,
                                   struct bus **out, struct err *err) {
    const struct sqlite_bus_conf *c = conf_section(conf, &bus_sqlite_section);
    struct sqlite_bus *bus = mem_calloc(1, sizeof *bus);
    bus->bus = (struct bus){.engine = &bus_sqlite, .wake = -1};
    bus->how = *how;
    buf_printf(&bus->bus.place, "bus local %s", c->path);
    sqlite_owner_init(&bus->owner, &bus->file.db, &bus->clock, how->group);
    sqlite_reader_init(&bus->reader, &bus->file, &bus->clock, how->max_records);
    sqlite_writer_init(&bus->writer, &bus->file.db, how->state);
    sqlite_retention_init(&bus->retention, &bus->file, &bus->clock, c);

    sqlite_file_open(&bus->file, &sqlite_bus_kind, c->path, true);
    wake_open(&bus->wake, sqlite_file_open_beside(&bus->file, "-wake"), how->group != NULL);
    sqlite_file_begin(&bus->file, true);
    sqlite_clock_open(&bus->clock, &bus->file.db);
    sqlite_retention_prepare(&bus->retention);
    if (how->input)
        sqlite_bus_open_input(bus);
    sqlite_file_end(&bus->file);
    if (how->bounded)
        sqlite_retention_measure(&bus->retention);

    enum bus_rc rc = sqlite_bus_take_error(bus, err);
    if (rc == BUS_OK)
        *out = &bus->bus;
    else
        sqlite_bus_close(&bus->bus);
    return rc;
}

/* --- write --- */

/* Writes the staged records from..to and, for a group, how far it has read, in one transaction.
 * Returns false if it was not committed. */
static bool sqlite_bus_write(struct sqlite_bus *bus, size_t from, size_t to) {
    bool has_group = sqlite_owner_has_group(&bus->owner);
    sqlite_file_begin(&bus->file, true);
    /* Taken under the lock, so that timestamps never decrease. */
    int64_t now_ms = sqlite_clock_now_ms(&bus->clock);
    if (has_group)
        sqlite_owner_renew(&bus->owner);
    sqlite_writer_store(&bus->writer, from, to, now_ms);
    if (has_group && sqlite_reader_has_moved(&bus->reader))
        sqlite_reader_save_position(&bus->reader, bus->how.group);
    bool committed = sqlite_file_end(&bus->file);
    if (!committed)
        sqlite_writer_forget_topics(&bus->writer);
    else if (from < to)
        wake_touch(&bus->wake);
    return committed;
}

static enum bus_rc sqlite_bus_put(struct bus *handle, const char *topic, int32_t partition,
                                  struct span key, struct span value, uint64_t tag,
                                  struct err *err) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    (void)partition; /* there is only one */
    if ((int64_t)(key.n + value.n) > bus->how.max_record) {
        err_set(err, "a record of %zu bytes for topic %s exceeds bus.max_record", key.n + value.n,
                topic);
        return BUS_POISON;
    }
    if (!bus->how.group && bus->writer.bytes.used > QUEUE_BYTES) {
        err_set(err, "the write queue is full: %d MB are waiting to be written", QUEUE_BYTES >> 20);
        return BUS_FULL;
    }
    if (bus->retention.full) {
        err_set(err, "%s", bus->retention.full_reason.text);
        return BUS_FULL;
    }
    sqlite_writer_put(&bus->writer, topic, key, value, tag);
    return BUS_OK;
}

/* Reports the result of a write for each record. reason NULL: they are durable. */
static void sqlite_bus_report(struct sqlite_bus *bus, size_t from, size_t to, const char *reason) {
    enum bus_rc rc = reason ? BUS_RETRY : BUS_OK;
    for (size_t i = from; i < to; i++)
        bus->how.delivered(bus->how.ctx, bus->writer.staged[i].tag, rc, reason);
}

/* Writes a writer's queue in transactions of bounded size, and reports each record. After an error
 * the rest fails with it, because the caller must decide whether to retry. */
static enum bus_rc sqlite_bus_write_queue(struct sqlite_bus *bus, struct err *err) {
    size_t from = 0;
    while (from < bus->writer.n_staged) {
        size_t to = sqlite_writer_slice_end(&bus->writer, from);
        if (sqlite_bus_write(bus, from, to))
            sqlite_bus_report(bus, from, to, NULL);
        else
            sqlite_bus_report(bus, from, to, bus->file.db.err.text);
        from = to;
    }
    sqlite_writer_clear(&bus->writer);
    if (bus->how.bounded)
        sqlite_retention_measure(&bus->retention);
    return sqlite_bus_take_error(bus, err);
}

static enum bus_rc sqlite_bus_flush(struct bus *handle, int limit_ms, struct err *err) {
    (void)limit_ms; /* a write takes as long as the disk needs */
    return sqlite_bus_write_queue((struct sqlite_bus *)handle, err);
}

static enum bus_rc sqlite_bus_commit(struct bus *handle, struct err *err) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    size_t n = bus->writer.n_staged;
    bool moved = sqlite_owner_has_group(&bus->owner) && sqlite_reader_has_moved(&bus->reader);
    if (moved || n > 0)
        sqlite_bus_write(bus, 0, n);
    enum bus_rc rc = sqlite_bus_take_error(bus, err);
    if (rc != BUS_OK)
        return rc;
    sqlite_writer_clear(&bus->writer);
    sqlite_reader_commit(&bus->reader);
    return BUS_OK;
}

static void sqlite_bus_undo(struct bus *handle) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    sqlite_writer_clear(&bus->writer);
    sqlite_reader_rewind(&bus->reader);
}

/* --- poll --- */

static void sqlite_bus_take_group(struct sqlite_bus *bus) {
    int64_t boot_ms = clock_boot_ms();
    sqlite_file_begin(&bus->file, true);
    bool claimed = sqlite_owner_claim(&bus->owner, boot_ms);
    if (claimed && bus->how.input)
        sqlite_reader_load_position(&bus->reader, bus->how.group);
    if (claimed)
        sqlite_owner_renew(&bus->owner);
    bool committed = sqlite_file_end(&bus->file);
    if (claimed && committed)
        sqlite_owner_activate(&bus->owner);
}

/* Takes over the group if it is free; renews the lease if that is due. */
static void sqlite_bus_keep_group(struct sqlite_bus *bus) {
    switch (bus->owner.state) {
    case SQLITE_OWNER_STANDBY:
        if (sqlite_owner_is_free(&bus->owner))
            sqlite_bus_take_group(bus);
        break;
    case SQLITE_OWNER_ACTIVE:
        if (!sqlite_owner_must_renew(&bus->owner))
            break;
        sqlite_file_begin(&bus->file, false); /* an idle reader does not keep the disk awake */
        sqlite_owner_renew(&bus->owner);
        sqlite_file_end(&bus->file);
        break;
    }
}

/* Does this handle read its input now? */
static bool sqlite_bus_owns_input(const struct sqlite_bus *bus) {
    return bus->owner.state == SQLITE_OWNER_ACTIVE && bus->how.input;
}

/* Reads the available records without waiting. */
static enum bus_rc sqlite_bus_read(struct sqlite_bus *bus, struct err *err) {
    wake_drain(&bus->wake);
    sqlite_reader_clear(&bus->reader);
    sqlite_file_check_in_place(&bus->file);
    if (sqlite_owner_has_group(&bus->owner))
        sqlite_bus_keep_group(bus);
    if (sqlite_bus_owns_input(bus))
        sqlite_reader_fetch(&bus->reader);
    return sqlite_bus_take_error(bus, err);
}

/* Reads, waits to be woken, and reads again: the last read comes after the wait, so that what
 * the batch reports about the end of the topic is up to date. */
static enum bus_rc sqlite_bus_poll_reader(struct sqlite_bus *bus, int wait_ms,
                                          struct bus_batch *batch, struct err *err) {
    int64_t deadline = clock_mono_ms() + wait_ms;
    bool go_on = true;
    while (go_on) {
        enum bus_rc rc = sqlite_bus_read(bus, err);
        if (rc != BUS_OK)
            return rc;
        int64_t left_ms = deadline - clock_mono_ms();
        bool has_news =
            bus->reader.n_records > 0 || bus->owner.generation != bus->reported_generation;
        if (has_news || left_ms <= 0)
            break;
        go_on = wake_wait(&bus->wake, (int)left_ms);
    }
    *batch = (struct bus_batch){.records = bus->reader.records,
                                .n = bus->reader.n_records,
                                .parts = &bus->reader.part,
                                .n_parts = sqlite_bus_owns_input(bus),
                                .generation = bus->owner.generation,
                                .standby = bus->owner.state == SQLITE_OWNER_STANDBY,
                                .now_ms = sqlite_clock_now_ms(&bus->clock),
                                .lost = bus->reader.lost};
    bus->reported_generation = bus->owner.generation;
    bus->reader.lost = 0;
    return BUS_OK;
}

static enum bus_rc sqlite_bus_poll_writer(struct sqlite_bus *bus, int wait_ms,
                                          struct bus_batch *batch, struct err *err) {
    if (batch)
        *batch = (struct bus_batch){.now_ms = sqlite_clock_now_ms(&bus->clock)};
    if (bus->writer.n_staged > 0)
        return sqlite_bus_write_queue(bus, err);
    if (bus->how.bounded)
        sqlite_retention_measure(&bus->retention);
    if (wait_ms > 0)
        clock_sleep_ms(wait_ms); /* no delivery is pending that could end the wait */
    return BUS_OK;
}

static enum bus_rc sqlite_bus_poll(struct bus *handle, int wait_ms, struct bus_batch *batch,
                                   struct err *err) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    sqlite_retention_work(&bus->retention);
    if (bus->how.group)
        return sqlite_bus_poll_reader(bus, wait_ms, batch, err);
    return sqlite_bus_poll_writer(bus, wait_ms, batch, err);
}

/* --- reads that change nothing --- */

/* Whom to call for each of what is read. */
struct sqlite_bus_walk {
    const struct bus *bus;
    bus_each_state *each_state;
    bus_each_record *each_record;
    void *ctx;
};

static bool sqlite_bus_on_state(void *ctx, int32_t partition, struct span key, struct span value) {
    const struct sqlite_bus_walk *walk = ctx;
    bus_alive(walk->bus);
    return walk->each_state(walk->ctx, partition, key, value);
}

static bool sqlite_bus_on_record(void *ctx, const struct bus_record *record) {
    const struct sqlite_bus_walk *walk = ctx;
    bus_alive(walk->bus);
    return walk->each_record(walk->ctx, record);
}

static enum bus_rc sqlite_bus_restore(struct bus *handle, const char *topic, int32_t partition,
                                      bus_each_state *each, void *ctx, struct err *err) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    struct sqlite_bus_walk walk = {.bus = handle, .each_state = each, .ctx = ctx};
    sqlite_read_state(&bus->file.db, topic, partition, sqlite_bus_on_state, &walk);
    return sqlite_bus_take_error(bus, err);
}

static enum bus_rc sqlite_bus_replay(struct bus *handle, const char *topic, int32_t partition,
                                     int64_t from_ms, int64_t to, bus_each_record *each, void *ctx,
                                     struct err *err) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    struct sqlite_bus_walk walk = {.bus = handle, .each_record = each, .ctx = ctx};
    sqlite_read_range(&bus->file.db, topic, partition, from_ms, to, sqlite_bus_on_record, &walk);
    return sqlite_bus_take_error(bus, err);
}

static enum bus_rc sqlite_bus_lag(struct bus *handle, const char *group, const char *topic,
                                  int64_t *left, struct err *err) {
    struct sqlite_bus *bus = (struct sqlite_bus *)handle;
    *left = sqlite_read_lag(&bus->file.db, group, topic);
    return sqlite_bus_take_error(bus, err);
}

/* --- settings and the row --- */

static const struct opt sqlite_bus_rows[] = {
    OPT(struct sqlite_bus_conf, STRING, path, "bus.db", .bits = OPT_PATH | OPT_DATA, .arg = "FILE",
        .help = "file of the embedded bus; a bare name is in the data folder"),
    OPT(struct sqlite_bus_conf, MS, max_age, "7d", .min = 1000, .max = INT64_C(36500) * 86400000,
        .help = "minimum age at which records are deleted, unless max_size is reached"),
    OPT(struct sqlite_bus_conf, BYTES, max_size, "10GB", .min = 16 << 20,
        /* the WAL alone takes some megabytes now and then */ .max = INT64_C(1000000) << 30,
        .help = "above this size collect answers 503 and fully consumed records are deleted early"),
    OPT(struct sqlite_bus_conf, BYTES, min_free, "256MB",
        .help = "below this much free disk space collect answers 503"),
};

const struct opt_section bus_sqlite_section = OPT_SECTION(
    "bus.local", "the embedded bus: one SQLite file", sqlite_bus_rows, struct sqlite_bus_conf);

const struct bus_engine bus_sqlite = {
    .name = "local",
    .open = sqlite_bus_open,
    .poll = sqlite_bus_poll,
    .put = sqlite_bus_put,
    .commit = sqlite_bus_commit,
    .undo = sqlite_bus_undo,
    .flush = sqlite_bus_flush,
    .restore = sqlite_bus_restore,
    .replay = sqlite_bus_replay,
    .lag = sqlite_bus_lag,
    .close = sqlite_bus_close,
};
