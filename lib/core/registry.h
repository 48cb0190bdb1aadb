/* registry: which nodes are known, and which of them have stopped sending heartbeats (distlog(7),
 * LIVENESS). It owns its nodes and their deadlines. Pure: no I/O, no clock, no globals; time comes
 * in as an argument. One thread at a time. Callers: core/route, and the use cases that load, move
 * and show the registry.
 *
 * Time is the bus's, one watermark for each partition: a node's silence counts only as far as its
 * partition's watermark has moved. One turn of the caller is, in this order:
 *     for each record: registry_advance, registry_expire until false, registry_apply
 *     for each partition whose end the bus has confirmed: registry_confirm
 *     registry_expire until false, registry_save until false
 * Each step leaves what follows from it in a struct registry_step. There is no undo: after an
 * aborted turn, and when the set of partitions changes, clear the registry and load it again.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/map.h"
#include "event.h"

/* All durations are in ms. */
struct registry_conf {
    int64_t timeout; /* a longer gap between two heartbeats is an alarm */
    int64_t grace;   /* extra delay before a gap that is still open is reported */
    int64_t repeat;  /* an open gap is reported again each time this has passed; 0: never */
    int64_t forget;  /* a node unseen for longer is DOWN; 0: never; else > timeout + grace */
    bool any_record_is_heartbeat; /* else only REGISTRATION and HEARTBEAT are */
    bool keep_on_error;           /* a node stays registered after an ERROR */
};

/* Where and when a record was read. */
struct registry_at {
    int32_t partition;
    int64_t offset;
    int64_t ts_ms;  /* the record's timestamp, by the bus */
    int64_t now_ms; /* the bus's clock: no record moves a watermark past it */
};

enum registry_verdict {
    REGISTRY_UNKNOWN, /* the node is not registered, and this is no registration */
    REGISTRY_NEW,     /* registered by this record: its LIVENESS_UP takes the record's place */
    REGISTRY_KNOWN,   /* of a registered node */
    REGISTRY_GONE     /* of a registered node, its last one: a goodbye, or an ERROR */
};

enum liveness_kind {
    LIVENESS_UP,       /* registered */
    LIVENESS_DOWN,     /* deregistered: by a goodbye, an ERROR, or a long silence */
    LIVENESS_MISSED,   /* silent for longer than the timeout */
    LIVENESS_RECOVERED /* seen again after that */
};

/* What has happened to a node. Spans are in the step's arena. */
struct liveness_event {
    enum liveness_kind kind;
    struct span id, service; /* service.p NULL: the registration had none */
    int64_t at_ms;           /* when it happened */
    int64_t last_seen_ms;    /* the newest heartbeat before that */
    bool after_record;       /* follows the record that led to it; else precedes it */
};

/* A record for the compacted state topic. */
struct registry_change {
    int32_t partition;
    struct span key, value; /* in the step's arena; value.p NULL: remove the key */
};

/* What the last step led to. The caller sets arena, and clears it between steps. */
struct registry_step {
    struct arena *arena;
    struct liveness_event events[3]; /* in the order in which they happened */
    struct registry_change changes[2];
    size_t n_events, n_changes;
    /* A node newly seen on a second or further partition, in the arena: the caller should warn.
     * .p NULL: none. */
    struct span multi_partition;
};

struct registry;

/* An empty registry; *conf is copied. Never NULL; to be freed with registry_free. */
struct registry *registry_new(const struct registry_conf *conf);
/* NULL is fine. */
void registry_free(struct registry *r);
/* Forgets all nodes and partitions; the configuration stays. */
void registry_clear(struct registry *r);

/* Moves a partition's position and watermark to a record that was read. Comes first for every
 * record, whether it can be parsed or not; registry_expire follows, so that what was due before
 * the record is reported before what the record leads to. */
void registry_advance(struct registry *r, const struct registry_at *at);
/* Applies a node's record, which event_check_node has accepted. event is borrowed for the call. */
enum registry_verdict registry_apply(struct registry *r, const struct event *event,
                                     const struct registry_at *at, struct registry_step *step);
/* Notes the bus's answer, to a question asked at asked_ms (monotonic clock), that the partition has
 * no further records. watermark_ms: the bus's own time up to which nothing more will come; 0: the
 * bus does not know it. Comes after all records that came with the answer. */
void registry_confirm(struct registry *r, int32_t partition, int64_t asked_ms,
                      int64_t watermark_ms);
/* Reports one node that is overdue by the watermarks. False: there is none, and step is empty. */
bool registry_expire(struct registry *r, struct registry_step *step);
/* Saves the position and watermark of one partition that has moved, as a change. False: there is
 * none, and step is empty. */
bool registry_save(struct registry *r, struct registry_step *step);
/* How far watermarks have to move until registry_expire may find something, in ms; -1: no deadline
 * is known. Later deadlines may turn up, earlier ones only with further records. */
int64_t registry_next_due_ms(const struct registry *r);

/* Loading: first all state records, in any order; then for each partition (registry_position) its
 * records from from_ms up to offset, because heartbeats are not saved one by one. */

/* Loads one record of the state topic. False: it makes no sense, and nothing was done. The arena is
 * scratch space for the call. */
bool registry_load(struct registry *r, int32_t partition, struct span key, struct span value,
                   struct arena *arena);
/* Applies a record that was applied before the state was saved: only heartbeats count. */
void registry_replay(struct registry *r, const struct event *event, const struct registry_at *at);

struct registry_position {
    int32_t partition;
    int64_t offset; /* the next record to read, as saved; -1: unknown, there is nothing to replay */
    int64_t from_ms; /* replay records with this timestamp or a later one */
};
/* The i-th partition known; false past the last. */
bool registry_position(const struct registry *r, size_t i, struct registry_position *out);

/* A node as it is shown to people. Spans are valid until the registry changes. */
struct registry_node {
    struct span id, service; /* id first, so that nodes can be sorted by it; service.p NULL: none */
    bool silent;             /* a gap was reported and is open, or is longer than the timeout */
    int64_t since_ms;        /* since when the node is up, or silent */
    int64_t last_seen_ms;    /* its newest heartbeat */
};
/* Walks all nodes, in no order: *place starts at 0; false past the last. */
bool registry_each(const struct registry *r, size_t *place, struct registry_node *out);
