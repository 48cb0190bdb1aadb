/* topics: the names that distlog derives from the names of topics and groups. Nothing else knows
 * how they are spelled: the group g keeps its state in the topic "g.state"; what could not be
 * delivered from the topic t goes to "t.dlq"; and a record there, a dead letter, is called by its
 * position, "t.dlq-PARTITION-OFFSET". Owns nothing. Pure. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"

/* Adds the name of the compacted topic that holds a group's state. */
void topics_state(struct buf *out, const char *group);
/* Adds the name of the topic that takes the dead letters of a topic. */
void topics_dead_letters(struct buf *out, const char *topic);
/* Adds the name of one record: its topic, partition and offset. */
void topics_position(struct buf *out, const char *topic, int32_t partition, int64_t offset);

/* The topic whose dead letters the topic `name` takes, as a part of name; .p NULL: name is no topic
 * of dead letters. */
struct span topics_dead_letters_source(const char *name);
/* The same for the name of a dead letter, "nodes.dlq-0-17". The numbers are not looked at. */
struct span topics_letter_source(const char *name);
