/* bus: the door to a message log with topics, partitions, offsets and consumer groups.
 * Engines: adapter/sqlite/bus_sqlite.c, adapter/kafka/bus_kafka.c; bus_check.c asserts this
 * contract around any. One thread a handle. Callers: cmd/ only. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "../conf/opt.h"

/* What the caller may do next. */
enum bus_rc {
    BUS_OK,
    BUS_FULL,    /* full: nothing was taken. Serve poll(), or shed load. err says which bound */
    BUS_RETRY,   /* not now: same call, later; err says why, for "waiting for the bus" */
    BUS_ABORTED, /* this turn did not happen: drop the state staged in it, poll again */
    BUS_POISON,  /* this record never will: set it aside, go on */
    BUS_FATAL /* fenced, denied, corrupt, or outcome unknown: close; the next open() sorts it out */
};

struct bus_record {
    int32_t partition;
    int64_t offset;
    int64_t ts_ms;          /* the bus's timestamp, ms since 1970 UTC */
    struct span key, value; /* .p NULL: null. Until the next poll, commit or undo */
};

/* A partition that this handle owns now. */
struct bus_part {
    int32_t partition;
    /* Nothing was left to read, as the engine answered to a question asked at asked_ms (monotonic
     * clock). Every poll that returns at_end carries an answer of its own. */
    bool at_end;
    int64_t asked_ms;
    /* With at_end: the bus's own time up to which nothing more will come, if the engine knows it
     * (embedded: timestamps are taken under the write lock, so with none under way it is now). 0:
     * unknown. */
    int64_t watermark_ms;
};

struct bus_batch {
    const struct bus_record *records; /* per partition in offset order */
    size_t n;
    const struct bus_part *parts;
    size_t n_parts;
    uint32_t generation; /* changes whenever the set of parts does */
    bool standby;        /* embedded: another reader of this group is active, nothing will come */
    int64_t
        now_ms; /* the bus's clock after the newest record came (embedded: boot clock + anchor) */
    uint64_t lost; /* records that retention removed before this group read them, since last poll */
};

/* Its strings and lists are the caller's and stay until close. */
struct bus_open {
    /* NULL: writer only. "": a reader of its own, from now on, nothing is committed. Lives until
     * close. */
    const char *group;
    /* The topic to read; NULL for a writer. A group without one, but with a state, reads nothing:
     * it is there so that one handle at a time commits. A second one stands by (embedded) or fences
     * the first (Kafka). What was committed before it was active is there for its restore(), which
     * comes before its puts. */
    const char *input;
    const char *state;  /* compacted topic that put() may change, NULL if none */
    size_t max_records; /* a poll returns at most this many, 0: the engine's choice */
    int64_t
        max_record;  /* key and value together, bytes; engines_open_bus sets it to bus.max_record */
    bool bounded;    /* collect: put() answers BUS_FULL at max_size or the free-space floor */
    bool from_start; /* with group "": from the earliest record instead of from now on */
    /* Writers only: each accepted put() ends in exactly one call, from within poll() or flush().
     * BUS_OK: it is durable. BUS_POISON: larger than the topic takes. Else why says what happened;
     * it may be there or not. */
    void (*delivered)(void *ctx, uint64_t tag, enum bus_rc rc, const char *why);
    void *ctx;
};

/* What is called for each that was found; false: stop. */
typedef bool bus_each_state(void *ctx, int32_t partition, struct span key, struct span value);
typedef bool bus_each_record(void *ctx, const struct bus_record *record);

/* Every engine's handle begins with this. */
struct bus {
    const struct bus_engine *engine;
    struct buf
        place; /* "bus local /var/lib/distlog/bus.db": for the daemon's first line; the engine's */
    int wake;  /* writers: a descriptor, readable when poll() has deliveries to bring; -1: ask from
                  time to  time */
};

struct bus_engine {
    const char *name; /* bus.type in the YAML */

    /* Opens what conf says. Creates what is missing and may be created. BUS_OK with *out set, or
     * BUS_RETRY (unreachable), BUS_FATAL; err then names the place and the setting. */
    enum bus_rc (*open)(const struct conf *conf, const struct bus_open *how, struct bus **out,
                        struct err *err);
    /* Readers: waits up to wait_ms for records or for a change of parts and fills *batch, which is
     * valid until the next call; returns early with n = 0 when a signal arrives. The records of
     * successive polls add up until commit() or undo().
     * Writers: writes what was put, calls delivered, and returns at once if there was something;
     * batch may be NULL. */
    enum bus_rc (*poll)(struct bus *bus, int wait_ms, struct bus_batch *batch, struct err *err);
    /* Queues one record; the bytes are copied. Readers: it becomes visible with commit(). Writers:
     * with a later poll() or flush(), then delivered(tag). partition -1: by key (murmur2), else as
     * given. topic is a name; a null key or value is .p NULL. BUS_POISON: larger than the topic
     * allows. */
    enum bus_rc (*put)(struct bus *bus, const char *topic, int32_t partition, struct span key,
                       struct span value, uint64_t tag, struct err *err);
    /* Readers: all polled records are done, all puts and state changes become visible, as one
     * transaction, durable on BUS_OK. No time limit: unknown outcome is BUS_FATAL. BUS_RETRY:
     * nothing happened yet, call again. A commit with nothing to do is BUS_OK. Where another reader
     * has taken over what this one owned at its last poll, nothing of it becomes visible, also if
     * no record was read: BUS_ABORTED, or BUS_FATAL. */
    enum bus_rc (*commit)(struct bus *bus, struct err *err);
    /* Readers: drops the puts since the last commit; the next poll starts again at what is
     * committed. It can't fail. */
    void (*undo)(struct bus *bus);
    /* Writers: poll until nothing is queued or limit_ms has passed. BUS_RETRY: something is left.
     */
    enum bus_rc (*flush)(struct bus *bus, int limit_ms, struct err *err);
    /* Calls each with the newest value of every key of the state topic for a partition (-1: all),
     * in no order; a null value never comes. each returns false to stop. topic is a name, so that
     * readers without a group (the nodes command) can look too. A topic that is not there is empty.
     */
    enum bus_rc (*restore)(struct bus *bus, const char *topic, int32_t partition,
                           bus_each_state *each, void *ctx, struct err *err);
    /* Calls each with the records of a topic's partition (-1: all) from the first whose timestamp
     * is at least from_ms to those whose offset is below to (-1: up to the end as it is now), in
     * order, owning and committing nothing. */
    enum bus_rc (*replay)(struct bus *bus, const char *topic, int32_t partition, int64_t from_ms,
                          int64_t to, bus_each_record *each, void *ctx, struct err *err);
    /* How many records of topic (all partitions) group has not committed yet. */
    enum bus_rc (*lag)(struct bus *bus, const char *group, const char *topic, int64_t *left,
                       struct err *err);
    /* Ends all of it; uncommitted puts are gone, ownership is given back at once. NULL is fine. */
    void (*close)(struct bus *bus);
};

/* Wraps any engine's handle in assertions of the contract above (tests, DEV=1). Takes inner. */
struct bus *bus_check(struct bus *inner, const struct bus_open *how);
