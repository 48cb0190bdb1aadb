/* bus_sqlite_owner: see bus_sqlite_owner.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite_owner.h"

#include <assert.h>

#include "../os/clock.h"

enum {
    LEASE_MS = 6000, /* after a kill -9 a standby takes over within this and a poll a second */
    RENEW_MS = 2000
};

static const char take_lease[] =
    "INSERT INTO owner(name, boot_id, lease_until, epoch)"
    " VALUES(?1, ?2, ?3, 1)"
    " ON CONFLICT DO UPDATE SET boot_id = ?2, lease_until = ?3, epoch = epoch + 1"
    "  WHERE boot_id <> ?2 OR lease_until <= ?4"
    " RETURNING epoch";
static const char find_lease[] = "SELECT 1 FROM owner"
                                 " WHERE name = ? AND boot_id = ? AND lease_until > ?";
static const char set_lease[] = "UPDATE owner SET lease_until = ? WHERE name = ? AND epoch = ?";
static const char set_seen[] = "UPDATE grp SET seen_ms = ? WHERE name = ?";

void sqlite_owner_init(struct sqlite_owner *owner, struct sqlite_db *db,
                       const struct sqlite_clock *clock, const char *group) {
    *owner = (struct sqlite_owner){
        .db = db, .clock = clock, .group = group, .state = SQLITE_OWNER_STANDBY};
}

void sqlite_owner_activate(struct sqlite_owner *owner) {
    assert(owner->state == SQLITE_OWNER_STANDBY);
    owner->state = SQLITE_OWNER_ACTIVE;
    owner->generation++;
}

bool sqlite_owner_has_group(const struct sqlite_owner *owner) {
    return owner->group && *owner->group;
}

bool sqlite_owner_is_free(const struct sqlite_owner *owner) {
    return !sqlite_db_run(owner->db, find_lease, sqlite_string(owner->group),
                          sqlite_string(owner->clock->boot_id.p), sqlite_int(clock_boot_ms()));
}

bool sqlite_owner_claim(struct sqlite_owner *owner, int64_t boot_ms) {
    owner->epoch = sqlite_db_run(owner->db, take_lease, sqlite_string(owner->group),
                                 sqlite_string(owner->clock->boot_id.p),
                                 sqlite_int(boot_ms + LEASE_MS), sqlite_int(boot_ms));
    return owner->epoch != 0;
}

bool sqlite_owner_must_renew(const struct sqlite_owner *owner) {
    return clock_boot_ms() - owner->renewed_ms >= RENEW_MS;
}

/* Returns false if the lease is not this reader's any more. */
static bool sqlite_owner_set_lease(const struct sqlite_owner *owner, int64_t until_ms) {
    sqlite_db_run(owner->db, set_lease, sqlite_int(until_ms), sqlite_string(owner->group),
                  sqlite_int(owner->epoch));
    return sqlite_db_changes(owner->db) > 0;
}

void sqlite_owner_renew(struct sqlite_owner *owner) {
    owner->renewed_ms = clock_boot_ms();
    if (!sqlite_owner_set_lease(owner, owner->renewed_ms + LEASE_MS))
        sqlite_db_fail(owner->db,
                       "another reader of group %s took over while this process was paused",
                       owner->group);
    sqlite_db_run(owner->db, set_seen, sqlite_int(sqlite_clock_now_ms(owner->clock)),
                  sqlite_string(owner->group));
}

void sqlite_owner_release(struct sqlite_owner *owner) {
    sqlite_owner_set_lease(owner, 0);
}
