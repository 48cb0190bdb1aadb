/* bus_sqlite_owner: one active reader a group. The owner row holds an epoch and a lease on the boot
 * clock; whoever takes the group raises the epoch, and every write of a group's reader checks it,
 * so that an owner that was paused for long can't do harm when it goes on. Owns nothing beyond the
 * handle. One thread a handle. Callers: bus_sqlite.c. SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite.h"

#include "../os/clock.h"

enum {
    LEASE_MS = 6000, /* after a kill -9 a standby takes over within this and a look a second */
    RENEW_MS = 2000
};

/* Within a write transaction: where the group goes on: at what it committed, else the earliest
 * record, from now on kept for it. */
static void load_position(struct local *l) {
    struct input *in = &l->input;
    local_run(l, "INSERT OR IGNORE INTO grp(name, topic, next, seen_ms) VALUES(?, ?, ?, 0)", "sii",
              l->how.group, in->topic, local_first(l, in->topic));
    in->committed = local_run(l, "SELECT next FROM grp WHERE name = ? AND topic = ?", "si",
                              l->how.group, in->topic);
    in->position = in->committed;
}

/* Within a write transaction: sets the end of the lease. False: the group is not this reader's any
 * more. */
static bool lease(struct local *l, int64_t watermark_ms) {
    local_run(l, "UPDATE owner SET lease_until = ? WHERE name = ? AND epoch = ?", "isi",
              watermark_ms, l->how.group, l->epoch);
    return sqlite3_changes(l->file.db) > 0;
}

void local_renew(struct local *l) {
    l->renewed_ms = clock_boot_ms();
    if (!lease(l, l->renewed_ms + LEASE_MS))
        sqlite_file_fail(&l->file, "another reader of group %s took over while this one was paused",
                         l->how.group);
    local_run(l, "UPDATE grp SET seen_ms = ? WHERE name = ?", "is", local_now_ms(l), l->how.group);
}

static void take(struct local *l) {
    int64_t now = clock_boot_ms();
    sqlite_file_begin(&l->file, true);
    l->epoch =
        local_run(l,
                  "INSERT INTO owner(name, boot_id, lease_until, epoch) VALUES(?1, ?2, ?3, 1)"
                  " ON CONFLICT DO UPDATE SET boot_id = ?2, lease_until = ?3, epoch = epoch + 1"
                  " WHERE boot_id <> ?2 OR lease_until <= ?4 RETURNING epoch",
                  "ssii", l->how.group, l->boot_id.p, now + LEASE_MS, now);
    if (l->epoch && l->how.input)
        load_position(l);
    if (l->epoch)
        local_renew(l);
    l->owner = sqlite_file_end(&l->file) && l->epoch;
    l->generation += l->owner;
}

void local_keep_owner(struct local *l) {
    int64_t now = clock_boot_ms();
    if (!l->owner) {
        if (!local_run(l, "SELECT 1 FROM owner WHERE name = ? AND boot_id = ? AND lease_until > ?",
                       "ssi", l->how.group, l->boot_id.p, now))
            take(l);
    } else if (now - l->renewed_ms >= RENEW_MS) {
        sqlite_file_begin(&l->file, false); /* an idle reader makes no disk spin */
        local_renew(l);
        sqlite_file_end(&l->file);
    }
}

void local_give_back(struct local *l) {
    if (!l->owner || !*l->how.group)
        return;
    sqlite_file_begin(&l->file, false);
    lease(l, 0);
    sqlite_file_end(&l->file);
    wake_touch(&l->wake); /* a standby need not wait for the lease to run out */
}
