/* registry: which nodes are known, and which of them went quiet (distlog(7), LIVENESS).
 * Owns its nodes and their deadlines. Pure: no I/O, no clock, no globals; time comes in. One thread
 * at a time. Callers: core/route, cmd/pubsub, cmd/nodes.
 *
 * A turn is: registry_pass, registry_expire until it says false and registry_apply for each record;
 * registry_confirm for each partition whose end the bus has confirmed, and registry_expire again
 * and registry_save until they say false. What follows from each of these steps is in a struct
 * registry_step. There is no undo: after a turn that did not happen, and when the partitions
 * change, clear the registry and load it again. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/map.h"
#include "event.h"

/* All in ms. */
struct registry_conf {
    int64_t timeout;  /* a longer gap between two proofs of life is an alarm */
    int64_t grace;    /* and a gap that is still open is reported this much later */
    int64_t repeat;   /* an open gap is reported again each time this has passed; 0: never */
    int64_t forget;   /* a node this long without a proof is DOWN; 0: never; > timeout + grace */
    bool any_proves;  /* every record is a proof, not only REGISTRATION and HEARTBEAT */
    bool error_keeps; /* a node stays known after an ERROR */
};

/* Where a record stood. */
struct registry_at {
    int32_t partition;
    int64_t offset;
    int64_t ts_ms;  /* the record's, by the bus */
    int64_t now_ms; /* the bus's clock: a partition's time never passes it because of a record */
};

enum registry_verdict {
    REGISTRY_UNKNOWN, /* not a registered node's, and no registration */
    REGISTRY_NEW,     /* registered now: the last sign is its SIGN_UP, in place of the record */
    REGISTRY_KNOWN,   /* a registered node's */
    REGISTRY_GONE     /* its last one (ERROR, goodbye): the last sign is its SIGN_DOWN */
};

enum registry_sign_kind { SIGN_UP, SIGN_DOWN, SIGN_MISSED, SIGN_RECOVERED };

/* Something to tell the world about a node. Spans are in the step's arena. */
struct registry_sign {
    enum registry_sign_kind kind;
    struct span id, service;      /* service.p NULL: the registration had none */
    int64_t at_ms, last_proof_ms; /* when it happened; the last proof of life before that */
};

/* A record for the compacted state topic. */
struct registry_change {
    int32_t partition;
    struct span key, value; /* in the step's arena; value.p NULL: remove */
};

/* What the last step led to. Set arena, and clear it between steps. */
struct registry_step {
    struct arena *arena;
    struct registry_sign signs[3];
    struct registry_change changes[2];
    size_t n_signs, n_changes;
    struct span
        spread; /* a node first seen on a further partition: it needs a word; else .p NULL */
};

struct registry;

/* registry_free(NULL) is fine. */
struct registry *registry_new(const struct registry_conf *conf);
void registry_free(struct registry *r);
/* Forgets all nodes and partitions. */
void registry_clear(struct registry *r);

/* A record was read: the partition's place and time move. First for every record; then comes
 * registry_expire, so that what was due before the record is said before what it leads to. */
void registry_pass(struct registry *r, const struct registry_at *at);
/* The record is a node's (event_of_node has accepted it). */
enum registry_verdict registry_apply(struct registry *r, const struct event *e,
                                     const struct registry_at *at, struct registry_step *step);
/* The bus has answered that the partition has nothing left, to a question asked at asked_ms
 * (monotonic); watermark_ms: its own time then, if it says that nothing older can follow, else 0.
 * After all records that came with that answer. */
void registry_confirm(struct registry *r, int32_t partition, int64_t asked_ms,
                      int64_t watermark_ms);
/* Reports one node that is due by the partitions' times; false: there is none. */
bool registry_expire(struct registry *r, struct registry_step *step);
/* The place and time of a partition that has moved, as a change; false: there is none left. */
bool registry_save(struct registry *r, struct registry_step *step);
/* How long until the next deadline, in ms of a partition's time, as far as is known now; -1: no
 * deadline. Asking earlier than this is useless, later is late. */
int64_t registry_next(const struct registry *r);

/* Loading: all state records (in any order), then for each partition the input from `from` up to
 * `offset`, because beats are not saved one by one. */
/* One record of the state topic; false, and nothing done, if it makes no sense. arena: for while it
 * is read.
 */
bool registry_load(struct registry *r, int32_t partition, struct span key, struct span value,
                   struct arena *arena);
/* One record of the input again. */
void registry_replay(struct registry *r, const struct event *e, const struct registry_at *at);

struct registry_part {
    int32_t partition;
    int64_t offset;  /* the next one to read, as saved; -1: not known, nothing to replay */
    int64_t from_ms; /* replay records with this timestamp or a later one */
};
/* The i-th partition seen; false past the end. */
bool registry_part(const struct registry *r, size_t i, struct registry_part *out);

/* For people. Spans until the registry changes. */
struct registry_node {
    struct span id, service; /* id first, so that nodes can be sorted by it; service.p NULL: none */
    bool silent; /* an open gap was reported, or its last proof is older than the timeout */
    int64_t since_ms, last_proof_ms;
};
/* Walks all nodes, in no order: *place starts at 0; false at the end. */
bool registry_each(const struct registry *r, size_t *place, struct registry_node *out);
