/* bus_sqlite_write: see bus_sqlite_write.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus_sqlite_write.h"

#include "../../base/mem.h"
#include "bus_sqlite_topic.h"

enum { SLICE_RECORDS = 2000, SLICE_BYTES = 2 * 1024 * 1024 };

static const char insert_record[] = "INSERT INTO t#(offset, ts, key, value) VALUES(?, ?, ?, ?)";
static const char replace_state[] = "REPLACE INTO state(topic, key, value) VALUES(?, ?, ?)";
static const char delete_state[] = "DELETE FROM state WHERE topic = ? AND key = ?";
static const char update_topic[] = "UPDATE topic SET next_offset = ?, last_ms = ? WHERE id = ?";

/* The index of the topic in the writer's list, where it is added if it is new. */
static size_t sqlite_writer_topic(struct sqlite_writer *writer, const char *name) {
    for (size_t i = 0; i < writer->n_topics; i++)
        if (strcmp(writer->topics[i].name, name) == 0)
            return i;
    writer->topics =
        mem_room(writer->topics, writer->n_topics, &writer->cap_topics, sizeof *writer->topics);
    writer->topics[writer->n_topics] =
        (struct sqlite_topic){.name = mem_strndup(name, strlen(name))};
    return writer->n_topics++;
}

void sqlite_writer_init(struct sqlite_writer *writer, struct sqlite_db *db, const char *state) {
    *writer = (struct sqlite_writer){.db = db};
    if (state) {
        size_t topic = sqlite_writer_topic(writer, state);
        writer->topics[topic].compacted = true;
    }
}

void sqlite_writer_close(struct sqlite_writer *writer) {
    for (size_t i = 0; i < writer->n_topics; i++)
        free(writer->topics[i].name);
    free(writer->topics);
    free(writer->staged);
    arena_release(&writer->bytes);
}

void sqlite_writer_put(struct sqlite_writer *writer, const char *topic, struct span key,
                       struct span value, uint64_t tag) {
    writer->staged =
        mem_room(writer->staged, writer->n_staged, &writer->cap_staged, sizeof *writer->staged);
    struct sqlite_staged *record = &writer->staged[writer->n_staged++];
    *record = (struct sqlite_staged){.topic = sqlite_writer_topic(writer, topic), .tag = tag};
    if (key.p)
        record->key = arena_span(&writer->bytes, key);
    if (value.p)
        record->value = arena_span(&writer->bytes, value);
}

void sqlite_writer_clear(struct sqlite_writer *writer) {
    arena_clear(&writer->bytes);
    writer->n_staged = 0;
}

size_t sqlite_writer_slice_end(const struct sqlite_writer *writer, size_t from) {
    size_t bytes = 0, end = from;
    while (end < writer->n_staged && end - from < SLICE_RECORDS && bytes < SLICE_BYTES) {
        bytes += writer->staged[end].key.n + writer->staged[end].value.n;
        end++;
    }
    return end;
}

/* Prepares a topic for its first record in this transaction. */
static void sqlite_writer_touch(struct sqlite_writer *writer, struct sqlite_topic *topic) {
    if (topic->touched)
        return;
    if (!topic->id)
        topic->id = sqlite_topic_create(writer->db, topic->name);
    topic->next_offset = sqlite_topic_next_offset(writer->db, topic->id);
    topic->touched = true;
}

static void sqlite_writer_store_record(struct sqlite_writer *writer,
                                       const struct sqlite_staged *record, int64_t now_ms) {
    struct sqlite_topic *topic = &writer->topics[record->topic];
    sqlite_writer_touch(writer, topic);
    if (!topic->compacted) {
        sqlite_db_run(writer->db, insert_record, sqlite_table(topic->id),
                      sqlite_int(topic->next_offset), sqlite_int(now_ms), sqlite_blob(record->key),
                      sqlite_blob(record->value));
        topic->next_offset++;
    } else if (record->value.p) {
        sqlite_db_run(writer->db, replace_state, sqlite_int(topic->id), sqlite_blob(record->key),
                      sqlite_blob(record->value));
    } else {
        sqlite_db_run(writer->db, delete_state, sqlite_int(topic->id), sqlite_blob(record->key));
    }
}

void sqlite_writer_store(struct sqlite_writer *writer, size_t from, size_t to, int64_t now_ms) {
    for (size_t i = 0; i < writer->n_topics; i++)
        writer->topics[i].touched = false;
    for (size_t i = from; i < to; i++)
        sqlite_writer_store_record(writer, &writer->staged[i], now_ms);
    for (size_t i = 0; i < writer->n_topics; i++) {
        const struct sqlite_topic *topic = &writer->topics[i];
        if (topic->touched)
            sqlite_db_run(writer->db, update_topic, sqlite_int(topic->next_offset),
                          sqlite_int(now_ms), sqlite_int(topic->id));
    }
}

void sqlite_writer_forget_topics(struct sqlite_writer *writer) {
    for (size_t i = 0; i < writer->n_topics; i++)
        writer->topics[i].id = 0;
}
