/* route: a node's record and the registry's verdict → the records that follow from it.
 * The only place that knows what goes to processed and what to alerts. Owns the registry, and
 * what the current step has led to. Pure: no I/O, no clock; the time zone comes in. One thread at a
 * time. Callers: cmd/pubsub.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "registry.h"
#include "../base/datetime.h"

struct route_conf {
    bool forward_unknown; /* a record of a node that never registered goes where a known one's goes
                           */
    enum datetime_style style;            /* of the timestamps in what is made here */
    int32_t (*offset_s)(int64_t when_ms); /* seconds east of UTC at that time */
};

enum route_topic { ROUTE_PROCESSED, ROUTE_ALERTS, ROUTE_STATE, ROUTE_TOPICS };

/* Spans are in the router's arena or the event's bytes, until the next step. */
struct route_out {
    enum route_topic topic;
    int32_t partition; /* -1: by key */
    struct span key, value;
    bool forwarded; /* the record itself, not one made here */
    bool alarm;     /* a HEARTBEAT_MISSED: worth a line; key is the node's id */
};

struct route {
    struct route_conf conf;
    struct registry *registry;
    struct arena arena;
    struct registry_step step;
    struct buf text, word;  /* scratch: a record, a string in it */
    struct route_out *outs; /* what the last step led to, in order */
    size_t n, cap;
};

/* Takes the registry. */
void route_init(struct route *r, const struct route_conf *conf, struct registry *take_registry);
void route_release(struct route *r);

/* One step each; the outs of the step before are gone. */
/* A record that event_of_node has accepted, after registry_pass and route_expire; key: the
 * record's, for what is forwarded. False: its node is not registered, and nothing follows. */
bool route_record(struct route *r, const struct event *e, struct span key,
                  const struct registry_at *at);
/* A node that is due by the time that has passed; false: there is none. */
bool route_expire(struct route *r);
/* Where a partition stands now: last in a turn; false: there is none left. */
bool route_save(struct route *r);
