/* reader: see reader.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include "../lib/adapter/os/stop.h"
#include "../lib/core/deadletter.h"

enum { WAIT_MS = 1000 };  /* a poll; a signal ends it */
enum { OPEN_AGAIN = -1 }; /* beside the exit codes */

enum bus_rc reader_bury(struct reader *r, struct bus *bus, const char *topic,
                        const struct bus_record *record, const char *reason, struct err *err) {
    const struct bus_conf *conf = conf_section(r->daemon.run->conf, &bus_section);
    struct deadletter letter = {.reason = reason,
                                .topic = topic,
                                .partition = record->partition,
                                .offset = record->offset,
                                .ts_ms = record->ts_ms,
                                .key = record->key,
                                .value = record->value};
    /* A longer one, of which the letter has a part, is not its own. */
    struct span key = record->key.n <= DEADLETTER_KEY ? record->key : (struct span){0};
    BUF_LOCAL struct buf text = {0}, to = {0};
    deadletter_write(&text, &letter, (size_t)conf->max_record - key.n);
    buf_printf(&to, "%s.dlq", r->how.input);
    enum bus_rc rc = bus->engine->put(bus, to.p, -1, key, buf_view(&text), 0, err);
    if (rc == BUS_POISON) { /* its topic takes less than bus.max_record says: the stream goes on */
        log_info(&r->daemon.run->log,
                 "%s-%" PRId32 " offset %" PRId64 " is lost: no room in %s: %s", topic,
                 record->partition, record->offset, to.p, err->text);
        rc = BUS_OK;
    }
    return rc;
}

enum bus_rc reader_commit(struct reader *r, struct bus *bus, struct err *err) {
    enum bus_rc rc;
    while ((rc = bus->engine->commit(bus, err)) == BUS_RETRY)
        if (!daemon_trouble(&r->daemon, err))
            break;
    return rc;
}

/* Says what the batch tells beside its records. True: nothing is left to read behind it. */
static bool look_at(struct reader *r, const struct bus_batch *b, bool *standby) {
    const struct log *log = &r->daemon.run->log;
    if (b->lost)
        log_info(log, "retention removed %" PRIu64 " records of %s before they were read", b->lost,
                 r->how.input);
    if (b->standby && !*standby)
        log_info(log, "another reader of the group %s is active: standing by", r->how.group);
    if (!b->standby && *standby)
        log_info(log, "active now");
    *standby = b->standby;
    bool end = b->n_parts > 0;
    for (size_t i = 0; i < b->n_parts; i++)
        end = end && b->parts[i].at_end;
    return end;
}

/* Until it is time to leave. An exit code, or OPEN_AGAIN: somebody else has the group now, or the
 * outcome of a commit is unknown. A bus that can't even be read once will not be mended by that. */
static int follow(struct reader *r, struct bus *bus) {
    bool standby = false, polled = false;
    r->fresh = true;
    for (;;) {
        struct bus_batch b = {0};
        struct err err;
        int wait_ms = r->again ? 0 : standby || !r->wait_ms ? WAIT_MS : r->wait_ms;
        bool end = r->again = false, stuck = false;
        enum bus_rc rc = bus->engine->poll(bus, wait_ms, &b, &err);
        polled |= rc == BUS_OK;
        if (rc == BUS_OK)
            end = look_at(r, &b, &standby);
        if (rc == BUS_OK && (b.n || (r->idle && !b.standby))) {
            rc = r->turn(r->ctx, bus, &b, &err);
            stuck = rc == BUS_ABORTED && r->daemon.in_doubt; /* as the one before it */
            if ((b.n && !r->again) || rc != BUS_OK)
                r->daemon.in_doubt = rc != BUS_OK;
        }
        r->fresh = r->fresh || b.standby || rc == BUS_ABORTED;
        if (r->failed)
            return EXIT_FAILED;
        if (rc == BUS_OK)
            daemon_well(&r->daemon);
        if (rc != BUS_OK && (daemon_overdue() || (rc == BUS_FATAL && !polled))) {
            log_info(&r->daemon.run->log, "leaving: %s", err.text);
            return EXIT_FAILED;
        }
        if (stuck || (rc != BUS_OK && rc != BUS_ABORTED))
            daemon_trouble(&r->daemon, &err);
        if (daemon_done(&r->daemon, end && rc == BUS_OK && !r->again))
            return rc == BUS_FATAL ? EXIT_FAILED : EXIT_DONE;
        if (rc == BUS_FATAL)
            return OPEN_AGAIN;
    }
}

int reader_run(struct reader *r) {
    int code = OPEN_AGAIN;
    while (code == OPEN_AGAIN) {
        struct bus *bus = daemon_bus(&r->daemon, &r->how, r->flow);
        if (!bus)
            return stop_asked() ? EXIT_DONE : EXIT_FAILED;
        code = follow(r, bus);
        bus->engine->close(bus);
    }
    return code;
}
