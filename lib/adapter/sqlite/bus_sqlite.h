/* bus_sqlite.h: what the files of the embedded bus share: the handle, and what each file does for
 * the others. Within them a failure sticks to the file (see sqlite_file.h); the port's answers are
 * made from it by local_done(). bus_sqlite.c            the engine: open, put, poll, commit, undo,
 * close; settings bus_sqlite_write.c      the one write path: topics, records, state, offsets
 *   bus_sqlite_read.c       reading: the next batch, restore, replay, lag
 *   bus_sqlite_owner.c      who reads for a group: lease, takeover, fencing
 *   bus_sqlite_retention.c  what may go, and when the bus is full
 * Owns nothing. One thread a handle. Callers: bus_sqlite*.c only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/arena.h"
#include "../../port/bus.h"
#include "sqlite_file.h"
#include "../os/wake.h"

struct local_conf {
    const char *path;
    int64_t max_age, max_size, min_free;
};

struct topic {
    char *name;
    int64_t id;   /* 0 until it is known */
    int64_t next; /* offset of its next record; true only within a write transaction */
    bool touched; /* this transaction adds to it */
    bool state;   /* a state topic: only the newest value of a key is kept */
};

struct input {
    int64_t topic;     /* its id; 0: a writer has none */
    int64_t committed; /* where undo goes back to */
    int64_t position;  /* offset of the next record to read */
};

struct staged {
    size_t topic;           /* index into local.topics */
    struct span key, value; /* in local.staging */
    uint64_t tag;
};

struct local {
    struct bus bus;
    struct sqlite_file file;
    struct wake wake;
    const struct local_conf *conf;
    struct bus_open how;
    struct buf boot_id;
    int64_t anchor_ms; /* bus clock = this + boot clock */

    struct topic *topics;
    size_t n_topics, cap_topics;
    struct input input;

    struct arena staging; /* bytes of the staged puts, until commit or undo */
    struct staged *staged;
    size_t n_staged, cap_staged;

    struct arena batch; /* bytes of the records of the last poll */
    struct bus_record *records;
    size_t n_records, cap_records;
    struct bus_part part;
    uint32_t generation, told_generation;
    uint64_t lost;

    bool owner;
    int64_t epoch, renewed_ms; /* boot clock */

    bool full; /* a bounded writer's bus, when it was last measured */
    struct err full_why;
    int64_t retention_at_ms; /* monotonic clock: look whether it is time again */
    bool squeezing;          /* over max_size, until there is some room again */
    bool retaining;          /* this process has claimed a pass that is not finished */
    /* Of that pass, on the bus clock: what is from before is older than max_age, or twice max_age.
     */
    int64_t old_ms, expired_ms;
};

/* bus_sqlite.c */

extern const struct bus_engine bus_sqlite;
extern const struct opt_section bus_sqlite_section;

#define local_run(l, ...) sqlite_file_run(&(l)->file, __VA_ARGS__)
/* What a call to the port answers: whatever failed since the last one. */
enum bus_rc local_done(struct local *l, struct err *err);
int64_t local_now_ms(const struct local *l);

/* bus_sqlite_write.c */

/* The cached topic of this name, added to the cache if need be. */
struct topic *local_topic(struct local *l, const char *name);
/* Within a write transaction: makes sure that the topic is in the file. Its id. */
int64_t local_make_topic(struct local *l, const char *name);
/* Writes the staged records from..to and, for a group, how far it has read: all or nothing. */
void local_write(struct local *l, size_t from, size_t to);

/* bus_sqlite_read.c */

/* Reads on from where the input is, into l->records and l->part. */
void local_fetch(struct local *l);
/* The id of a topic; 0 if there is none. */
int64_t local_find(struct local *l, const char *topic);
/* The offset of the next record to be written. */
int64_t local_next(struct local *l, int64_t topic);
/* The lowest offset that is still there, or the next one if there is none. */
int64_t local_first(struct local *l, int64_t topic);
enum bus_rc local_restore(struct bus *bus, const char *topic, int32_t partition,
                          bus_each_state *each, void *ctx, struct err *err);
enum bus_rc local_replay(struct bus *bus, const char *topic, int32_t partition, int64_t from_ms,
                         int64_t to, bus_each_record *each, void *ctx, struct err *err);
enum bus_rc local_lag(struct bus *bus, const char *group, const char *topic, int64_t *left,
                      struct err *err);

/* bus_sqlite_owner.c */

/* Takes the group if it is free (l->owner, positions as committed), renews the lease when that is
 * due. FATAL: another reader has taken it. */
void local_keep_owner(struct local *l);
/* Within a write transaction: the lease of this owner runs anew. FATAL: fenced. */
void local_renew(struct local *l);
void local_give_back(struct local *l);

/* bus_sqlite_retention.c */

/* Within a write transaction, on open: makes what retention keeps in the file where it is missing,
 * as in a new file and in one of distlog 0.1.0. */
void local_prepare_retention(struct local *l);
/* A slice of housekeeping of at most some milliseconds, when it is time. Failure is no harm: the
 * next slice tries again. */
void local_retain(struct local *l);
/* For a bounded writer: sets l->full, and l->full_why, which names the bound. */
void local_measure(struct local *l);
