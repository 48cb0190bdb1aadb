/* registry_internal: what the files of the registry share: the structs, and the table of entries
 * and partitions. No other file includes it. The files call each other in one direction:
 *     registry.c        records and time: what follows from them
 *     registry_state.c  state records: writing and loading them
 *     registry_table.c  entries, partitions and deadlines
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "registry.h"
#include "../base/heap.h"

#define REGISTRY_NO_TIME (-1)               /* a partition's watermark is unknown */
#define REGISTRY_MAX_MS  ((int64_t)1 << 53) /* no timestamp is later than this */

/* A registered node. */
struct registry_entry {
    struct heap_item deadline; /* first, so that the heap's item is the entry */
    int64_t last_seen_ms;      /* its newest heartbeat */
    int64_t since_ms;          /* its registration, or the end of its last gap */
    int64_t reported_ms;       /* timestamp of the last report on its open gap; 0: none */
    int32_t home_partition;    /* that of its registration: the entry is saved there */
    uint32_t partition_mask;   /* bit P % 32: its records came on partition P, too */
    struct span id, service;   /* owned; service.p NULL: none */
};

struct registry_partition {
    int32_t partition;
    int64_t next_offset;  /* -1: no record was read yet */
    int64_t watermark_ms; /* or REGISTRY_NO_TIME */
    int64_t replay_from_ms;
    bool end_confirmed;    /* the bus has confirmed the end since the newest record … */
    int64_t confirmed_ms;  /* … to a question asked then (monotonic clock) */
    bool moved;            /* since it was last saved */
    struct heap deadlines; /* of the entries at home here */
};

struct registry {
    struct registry_conf conf;
    struct map entries; /* node_id → struct registry_entry */
    struct registry_partition *partitions;
    size_t n_partitions;
    bool multi_partition; /* records of some node came on several partitions */
};

/* --- registry_table.c --- */

/* The partition, which is added if it is new. Valid until the next call. */
struct registry_partition *registry_partition_of(struct registry *r, int32_t partition);

/* Adds an entry, unscheduled. id must be new; the spans are copied. */
struct registry_entry *registry_entry_add(struct registry *r, struct span id, struct span service,
                                          int32_t home_partition);
/* Removes the entry from the registry and frees it. */
void registry_entry_remove(struct registry *r, struct registry_entry *e);
void registry_entry_set_service(struct registry_entry *e, struct span service);
/* Remembers that the entry's records come on this partition, too. True: this is new. */
bool registry_entry_note_partition(struct registry *r, struct registry_entry *e, int32_t partition);
/* The watermark that counts for an entry: its partition's, or the lowest of several. */
int64_t registry_entry_watermark_ms(const struct registry *r, const struct registry_entry *e);

/* The watermark past which the entry has to be looked at next; INT64_MAX: only a record of its own
 * changes anything. */
int64_t registry_entry_due_ms(const struct registry_conf *conf, const struct registry_entry *e);
/* Enters the entry among the deadlines of its home partition, where it must not be yet. */
void registry_schedule(struct registry *r, struct registry_entry *e);
void registry_unschedule(struct registry *r, struct registry_entry *e);

/* --- registry_state.c --- */

/* Adds a change that saves the entry as it is now. */
void registry_state_save(const struct registry_entry *e, struct registry_step *step);
/* Adds a change that removes the saved entry. */
void registry_state_remove(const struct registry_entry *e, struct registry_step *step);

/* --- all --- */

static inline void registry_step_clear(struct registry_step *step) {
    step->n_events = 0;
    step->n_changes = 0;
    step->multi_partition = (struct span){0};
}
