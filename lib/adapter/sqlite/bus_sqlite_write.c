/* bus_sqlite_write: the one path by which records, state and offsets get into the embedded bus: one
 * transaction, all or nothing. Owns the handle's list of topics. One thread a handle. Callers:
 * bus_sqlite.c. SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite.h"

#include "../../base/mem.h"

struct topic *local_topic(struct local *l, const char *name) {
    for (size_t i = 0; i < l->n_topics; i++)
        if (strcmp(l->topics[i].name, name) == 0)
            return &l->topics[i];
    l->topics = mem_room(l->topics, l->n_topics, &l->cap_topics, sizeof *l->topics);
    l->topics[l->n_topics] = (struct topic){.name = mem_strndup(name, strlen(name))};
    return &l->topics[l->n_topics++];
}

int64_t local_make_topic(struct local *l, const char *name) {
    int64_t id = local_find(l, name);
    if (id)
        return id;
    id = local_run(l, "INSERT INTO topic(name, next_offset, last_ms) VALUES(?, 0, 0) RETURNING id",
                   "s", name);
    local_run(
        l, "CREATE TABLE t#(offset INTEGER PRIMARY KEY, ts INTEGER NOT NULL, key BLOB, value BLOB)",
        "#", id);
    return id;
}

static void write_record(struct local *l, const struct staged *p, int64_t now) {
    struct topic *t = &l->topics[p->topic];
    if (!t->touched) {
        if (!t->id)
            t->id = local_make_topic(l, t->name);
        t->next = local_next(l, t->id);
        t->touched = true;
    }
    if (!t->state)
        local_run(l, "INSERT INTO t#(offset, ts, key, value) VALUES(?, ?, ?, ?)", "#iibb", t->id,
                  t->next++, now, p->key, p->value);
    else if (p->value.p)
        local_run(l, "REPLACE INTO state(topic, key, value) VALUES(?, ?, ?)", "ibb", t->id, p->key,
                  p->value);
    else
        local_run(l, "DELETE FROM state WHERE topic = ? AND key = ?", "ib", t->id, p->key);
}

/* What the records of a transaction have moved: their topics, and the group that they came from. */
static void move(struct local *l, int64_t now) {
    for (const struct topic *t = l->topics; t < l->topics + l->n_topics; t++)
        if (t->touched)
            local_run(l, "UPDATE topic SET next_offset = ?, last_ms = ? WHERE id = ?", "iii",
                      t->next, now, t->id);
    if (l->input.position != l->input.committed && *l->how.group)
        local_run(l, "UPDATE grp SET next = ? WHERE name = ? AND topic = ?", "isi",
                  l->input.position, l->how.group, l->input.topic);
}

void local_write(struct local *l, size_t from, size_t to) {
    sqlite_file_begin(&l->file, true);
    for (size_t i = 0; i < l->n_topics; i++)
        l->topics[i].touched = false;
    int64_t now = local_now_ms(l); /* taken under the lock, so that none goes back */
    if (l->how.group && *l->how.group)
        local_renew(l);
    for (size_t i = from; i < to; i++)
        write_record(l, &l->staged[i], now);
    move(l, now);
    bool done = sqlite_file_end(&l->file);
    if (done && from < to)
        wake_touch(&l->wake);
    for (size_t i = 0; !done && i < l->n_topics; i++)
        l->topics[i].id = 0; /* one that it made is not there */
}
