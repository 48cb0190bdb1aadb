/* bus_sqlite_owner: makes sure that each group of the embedded (SQLite) bus has one active reader.
 * The group's row in the table owner has an epoch and a lease on the boot clock. A reader that
 * takes over the group raises the epoch, and every write of a group's reader checks it. So a former
 * owner that was paused for a long time is fenced when it resumes. Owns nothing. One thread a
 * handle; errors stick to db. Callers: bus_sqlite.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "bus_sqlite_clock.h"
#include "sqlite_db.h"

enum sqlite_owner_state {
    SQLITE_OWNER_STANDBY, /* another reader of the group may be active */
    SQLITE_OWNER_ACTIVE   /* until the handle is closed, or fenced, which is fatal */
};

struct sqlite_owner {
    struct sqlite_db *db;
    const struct sqlite_clock *clock;
    const char *group; /* "": a reader of its own, which needs no lease; NULL: a writer */
    enum sqlite_owner_state state;
    uint32_t generation; /* changes when the reader becomes active */
    int64_t epoch;       /* of this reader's lease */
    int64_t renewed_ms;  /* boot clock: when the lease was last renewed */
};

/* A standby. All pointers are borrowed for the owner's life. */
void sqlite_owner_init(struct sqlite_owner *owner, struct sqlite_db *db,
                       const struct sqlite_clock *clock, const char *group);
/* Makes a standby active: the group is its own from now on. */
void sqlite_owner_activate(struct sqlite_owner *owner);
/* Does the reader belong to a group that others may belong to, too? */
bool sqlite_owner_has_group(const struct sqlite_owner *owner);

/* Returns true if no reader has a valid lease of the group now. */
bool sqlite_owner_is_free(const struct sqlite_owner *owner);
/* Within a write transaction: takes the lease if it is free at boot_ms (boot clock). Returns false
 * if it is not. The caller activates the owner once the transaction is committed. */
bool sqlite_owner_claim(struct sqlite_owner *owner, int64_t boot_ms);
/* Is it time to renew the lease although nothing else is written? */
bool sqlite_owner_must_renew(const struct sqlite_owner *owner);
/* Within a write transaction: extends the lease, and notes that the group was seen. FATAL if
 * another reader has taken over. */
void sqlite_owner_renew(struct sqlite_owner *owner);
/* Within a write transaction: ends the lease, so that a standby can take over at once. */
void sqlite_owner_release(struct sqlite_owner *owner);
