/* bus: the port to a message log with topics, partitions, offsets and consumer groups. Engines:
 * adapter/sqlite (local) and adapter/kafka; bus_check.c asserts this contract around any of them,
 * and test/contract runs the same cases on all.
 *
 * A handle is a reader or a writer. A reader belongs to a group and works in transactions: what it
 * polls, and what it puts, becomes final with commit() or is dropped with undo(). A writer has no
 * group; each record it puts is acknowledged on its own through delivered().
 *
 * Threads: a handle is used by one thread, and its callbacks are called on that thread, from within
 * the call that is documented to make them. Errors: every function that returns an enum bus_rc sets
 * err to a text for people whenever it does not return BUS_OK. Callers: lib/app and cmd/, through
 * engines.h.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../conf/conf.h"

/* What the caller may do next. */
enum bus_rc {
    BUS_OK,
    BUS_FULL,    /* nothing was taken, because a bound is reached: serve poll(), or shed load */
    BUS_RETRY,   /* nothing happened: make the same call again, later */
    BUS_ABORTED, /* this transaction did not happen: drop the state staged in it, poll again */
    BUS_POISON,  /* the bus will never take this record: set it aside, go on */
    BUS_FATAL    /* fenced, denied, corrupt, or outcome unknown: only close() may follow; what has
                    happened is found out by the next open() */
};

struct bus_record {
    int32_t partition;
    int64_t offset;
    int64_t ts_ms;          /* the bus's timestamp, ms since 1970 UTC */
    struct span key, value; /* .p NULL: null. Borrowed until the next poll, commit or undo */
};

/* A partition that this handle owns now. */
struct bus_part {
    int32_t partition;
    /* The engine has answered, to a question asked at asked_ms (ms, monotonic clock), that there is
     * nothing left to read. Every poll that returns at_end carries an answer of its own. */
    bool at_end;
    int64_t asked_ms;
    /* With at_end: the time (ms since 1970, by the bus) up to which nothing more will come, if the
     * engine knows it. The embedded bus does: it takes timestamps under its write lock. 0: unknown.
     */
    int64_t watermark_ms;
};

/* What a poll returns. Borrowed until the next call on the handle. */
struct bus_batch {
    const struct bus_record *records; /* in the order of offsets within each partition */
    size_t n;
    const struct bus_part *parts;
    size_t n_parts;
    uint32_t generation; /* changes whenever the set of parts does */
    bool standby;        /* another reader of this group is active: nothing will come (embedded) */
    int64_t now_ms;      /* the bus's clock after the newest record came, ms since 1970 */
    uint64_t lost;       /* records that retention removed unread since the last poll */
};

/* How to open a handle. Strings are borrowed until close. */
struct bus_open {
    /* The consumer group. NULL: a writer. "": a reader of its own, from now on, that commits
     * nothing. */
    const char *group;
    /* The topic to read; NULL for a writer. A group with a state topic and without an input reads
     * nothing; it exists so that only one handle at a time commits. A second one stands by
     * (embedded) or fences the first (Kafka). What was committed before a handle became active is
     * visible to its restore(), which has to precede its puts. */
    const char *input;
    const char *state;  /* the compacted topic that put() may change; NULL: none */
    size_t max_records; /* a poll returns at most so many; 0: as many as the engine likes */
    int64_t max_record; /* bytes of a key and value together; set by engines_open_bus */
    bool bounded;       /* put() returns BUS_FULL at the bus's size limit or free-space floor */
    bool from_start;    /* with group "": from the earliest record instead of from now on */
    /* Writers only: called exactly once for each accepted put(), from within poll() or flush().
     * ctx: as below. tag: that of the put(). BUS_OK: the record is durable. BUS_POISON: it is
     * larger than the topic allows. Any other rc: it may have been written or not, and why,
     * borrowed for the call, says what happened. */
    void (*delivered)(void *ctx, uint64_t tag, enum bus_rc rc, const char *why);
    void *ctx;
};

/* Called by restore() for each key, and by replay() for each record. ctx is what was passed there;
 * everything else is borrowed for the call. False ends the walk. */
typedef bool bus_each_state(void *ctx, int32_t partition, struct span key, struct span value);
typedef bool bus_each_record(void *ctx, const struct bus_record *record);

/* Every engine's handle begins with this. */
struct bus {
    const struct bus_engine *engine;
    /* "bus local /var/lib/distlog/bus.db", for the daemon's first line; owned by the engine. */
    struct buf place;
    /* Writers: a descriptor that is readable when poll() has deliveries to report; owned by the
     * engine. -1: there is none, so call poll() from time to time. */
    int wake;
    /* Set by the handle's owner after open(), or NULL: called again and again with alive_ctx from
     * within restore() and replay(), which may take minutes, so that a watchdog can
     * distinguish that from a hang. */
    void (*alive)(void *ctx);
    void *alive_ctx;
};

/* For engines. */
static inline void bus_alive(const struct bus *bus) {
    if (bus->alive)
        bus->alive(bus->alive_ctx);
}

/* An engine. bus is a handle from its open(); err is never NULL. */
struct bus_engine {
    const char *name; /* the value of bus.type in the settings */

    /* Opens the bus that the engine's own section of conf describes, and creates what is missing
     * and may be created. conf, and what *how points to, are borrowed until close. BUS_OK: *out is
     * a handle, to be closed with close(). BUS_RETRY: unreachable. BUS_FATAL otherwise. err names
     * the place and the setting. */
    enum bus_rc (*open)(const struct conf *conf, const struct bus_open *how, struct bus **out,
                        struct err *err);

    /* Readers: waits up to wait_ms (ms; 0: not at all) for records or for a change of parts, and
     * fills *batch. Returns early with no records when a signal arrives. The records of successive
     * polls add up until commit() or undo(). BUS_ABORTED: the transaction was lost, as with undo().
     * Writers: writes what was put and calls delivered; waits only if there was nothing to do.
     * batch may be NULL. */
    enum bus_rc (*poll)(struct bus *bus, int wait_ms, struct bus_batch *batch, struct err *err);

    /* Queues one record for topic, a name; key and value are copied, and .p NULL is a null.
     * partition -1: chosen by the key (murmur2, as Kafka's clients do). A reader's record becomes
     * visible with commit(); a writer's with a later poll() or flush(), which then calls
     * delivered(tag). BUS_FULL: the queue, or the bus of a bounded handle, is full. BUS_POISON: the
     * record is larger than the topic allows. */
    enum bus_rc (*put)(struct bus *bus, const char *topic, int32_t partition, struct span key,
                       struct span value, uint64_t tag, struct err *err);

    /* Readers: ends the transaction. On BUS_OK, all polled records are done, and all puts and
     * changes of state are visible and durable, or none is. A commit with nothing to do is BUS_OK.
     * There is no time limit: an unknown outcome is BUS_FATAL. BUS_RETRY: nothing has happened yet.
     * If another reader has taken over what this one owned at its last poll, nothing becomes
     * visible, even if no record was read: BUS_ABORTED, or BUS_FATAL. */
    enum bus_rc (*commit)(struct bus *bus, struct err *err);

    /* Readers: drops the puts since the last commit; the next poll starts again at what is
     * committed. It cannot fail. */
    void (*undo)(struct bus *bus);

    /* Writers: polls until nothing is queued or limit_ms (ms) has passed. BUS_RETRY: something is
     * left. */
    enum bus_rc (*flush)(struct bus *bus, int limit_ms, struct err *err);

    /* Calls each with the newest value of every key of the state topic for a partition (-1: of
     * all), in no order; values are never null. topic is a name, so that a handle without a group
     * can look, too. A topic that does not exist is empty. */
    enum bus_rc (*restore)(struct bus *bus, const char *topic, int32_t partition,
                           bus_each_state *each, void *ctx, struct err *err);

    /* Calls each with the records of a topic's partition (-1: of all), in order, from the first
     * whose timestamp is at least from_ms (ms since 1970) to the last whose offset is below to (-1:
     * to the present end). Owns and commits nothing. */
    enum bus_rc (*replay)(struct bus *bus, const char *topic, int32_t partition, int64_t from_ms,
                          int64_t to, bus_each_record *each, void *ctx, struct err *err);

    /* Sets *left to the number of records of topic, in all partitions, that group has not committed
     * yet. */
    enum bus_rc (*lag)(struct bus *bus, const char *group, const char *topic, int64_t *left,
                       struct err *err);

    /* Closes and frees the handle: uncommitted puts are dropped, and ownership is given back at
     * once. NULL is fine. */
    void (*close)(struct bus *bus);
};

/* Wraps an engine's handle in assertions of this contract (tests, and builds with DEV=1): a broken
 * rule is written to standard error and aborts. Takes inner, which close() closes, too; *how is
 * borrowed for the call. */
struct bus *bus_check(struct bus *inner, const struct bus_open *how);
