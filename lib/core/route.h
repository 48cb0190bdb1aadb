/* route: a node's record and the registry's verdict → the records that follow from it. The only
 * place that knows what goes to the topics processed and alerts (distlog(7), ROUTING):
 *
 *     what                                            processed   alerts
 *     a registry event: a node is UP or DOWN              x
 *     a liveness alert: MISSED or RECOVERED               x         x
 *     a known node's LOG of level WARN or ERROR           x         x
 *     any other record of a known node                    x
 *     a first REGISTRATION                            its event UP stands for it
 *     an unknown node's record                        as a known one's with forward_unknown
 *
 * It owns the registry, and what the last step led to. Pure: no I/O, no clock; the time zone comes
 * in. One thread at a time. Callers: the router's use case.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "registry.h"
#include "../base/datetime.h"

struct route_conf {
    bool forward_unknown;      /* route records of unregistered nodes as those of registered ones */
    enum datetime_style style; /* of the timestamps in records that are made here */
    int32_t (*offset_s)(int64_t when_ms); /* the time zone: seconds east of UTC at that time */
};

enum route_topic {
    ROUTE_PROCESSED,
    ROUTE_ALERTS,
    ROUTE_STATE, /* the registry's compacted topic */
    ROUTE_TOPICS /* how many there are */
};

/* A record to be put. Spans are in the router's arena or are the event's bytes: until the next
 * step. */
struct route_out {
    enum route_topic topic;
    int32_t partition;      /* -1: by key */
    struct span key, value; /* value.p NULL: remove the key (ROUTE_STATE) */
    bool forwarded;         /* the node's record itself, not one that was made here */
    bool alarm;             /* a LIVENESS_MISSED, to be reported to people; key is the node's id */
};

struct route {
    struct route_conf conf;
    struct registry *registry;
    struct arena arena;
    struct registry_step step;
    struct buf record, text; /* scratch: a record, and a string in it */
    struct route_out *outs;  /* what the last step led to, in the order of putting */
    size_t n, cap;
};

/* Takes the registry: route_release frees it. *conf is copied. */
void route_init(struct route *r, const struct route_conf *conf, struct registry *take_registry);
void route_release(struct route *r);

/* Each of these is one step: outs holds what it led to, and what the step before led to is gone. */

/* Routes a record that event_check_node has accepted, after registry_advance and route_expire.
 * key: the record's, for what is forwarded. False: its node is not registered, and nothing
 * follows. */
bool route_record(struct route *r, const struct event *e, struct span key,
                  const struct registry_at *at);
/* Reports one node that is overdue: until it returns false. */
bool route_expire(struct route *r);
/* Saves the position of one partition: last in a turn, until it returns false. */
bool route_save(struct route *r);
