/* event: the bytes of one record → struct event. The raw bytes are kept, so that unknown members,
 * the order of keys and the spelling of numbers survive every stage. Owns nothing: what it makes
 * lives in the caller's arena. Pure: no I/O, no clock, no globals. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "input.h"
#include "../base/arena.h"
#include "../base/err.h"

enum event_kind {
    EVENT_REGISTRATION,
    EVENT_HEARTBEAT,
    EVENT_LOG,
    EVENT_ALERT,
    EVENT_OTHER /* any other message_type, or none */
};

/* A top-level member whose value is a string. Both .p NULL: absent, or not a string. */
struct text {
    struct span raw;  /* the token as it stands in the record, with its quotes */
    struct span text; /* decoded UTF-8; may hold NUL bytes */
};

struct event {
    enum event_kind kind;
    struct span json; /* the record without white space between tokens, on one line */
    struct text node, type, service, level, log_id, status, message, timestamp, alert;
};

/* Reads one record: exactly one JSON object (RFC 8259, valid UTF-8, no lone surrogates, at most
 * JSON_DEPTH deep), with white space around it allowed. INPUT_BAD, with the byte in err, for
 * anything else, for an empty top-level key and for one that occurs twice. A missing node_id or
 * message_type is not bad here: event_check_node requires them. bytes is borrowed; *e points into
 * it and into the arena, for as long as both live. */
enum input_rc event_parse(struct span bytes, struct arena *arena, struct event *e, struct err *err);

/* Checks what a record of a node must have: node_id and message_type, both strings, node_id not
 * empty. INPUT_BAD with the reason in err if it has not. */
enum input_rc event_check_node(const struct event *e, struct err *err);
