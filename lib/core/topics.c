/* topics: see topics.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "topics.h"

#define TOPICS_STATE        ".state"
#define TOPICS_DEAD_LETTERS ".dlq"

void topics_state(struct buf *out, const char *group) {
    buf_printf(out, "%s" TOPICS_STATE, group);
}

void topics_dead_letters(struct buf *out, const char *topic) {
    buf_printf(out, "%s" TOPICS_DEAD_LETTERS, topic);
}

void topics_position(struct buf *out, const char *topic, int32_t partition, int64_t offset) {
    buf_printf(out, "%s-%" PRId32 "-%" PRId64, topic, partition, offset);
}

struct span topics_dead_letters_source(const char *name) {
    const size_t length = strlen(name), suffix = strlen(TOPICS_DEAD_LETTERS);
    if (length <= suffix || strcmp(name + length - suffix, TOPICS_DEAD_LETTERS) != 0)
        return (struct span){0};
    return (struct span){name, length - suffix};
}

/* A topic's name may itself contain ".dlq-": the last one counts. */
struct span topics_letter_source(const char *name) {
    const char *last = NULL;
    const char *found = strstr(name, TOPICS_DEAD_LETTERS "-");
    while (found) {
        last = found;
        found = strstr(found + 1, TOPICS_DEAD_LETTERS "-");
    }
    if (!last)
        return (struct span){0};
    return (struct span){name, (size_t)(last - name)};
}
