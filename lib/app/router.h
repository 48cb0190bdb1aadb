/* router: pubsub's use case. Routes the nodes' records and detects nodes that have gone quiet. A
 * turn is one poll: everything that follows from its records, and from the time that the bus has
 * proved to have passed, becomes visible with one commit. After an aborted turn, and when the
 * partitions change, the registry is loaded again from the bus. Owns the registry and what belongs
 * to a turn. Main thread. Callers: cmd/pubsub. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../core/route.h"
#include "consumer.h"
#include "router_conf.h"

struct router_topics {
    const char *input, *processed, *alerts;
};

enum router_count {
    ROUTER_READ,
    ROUTER_ROUTED,
    ROUTER_ALERTS,
    ROUTER_DEAD_LETTERS,
    ROUTER_UNREGISTERED,
    ROUTER_COUNTS
};

struct router {
    struct consumer *consumer; /* dead letters and commits go through it */
    const struct log *log;
    const struct router_conf *conf;
    const char *input;
    const char *outputs[ROUTE_TOPICS]; /* names of topics, by enum route_topic */
    struct buf state;                  /* the name of the state topic */
    size_t max_record;                 /* bytes */
    struct route route;
    struct arena record; /* memory of one record */
    struct arena turn;   /* memory that lives until the next turn */
    struct span *alarms; /* the last turn's: ids of nodes that missed their heartbeat */
    size_t n_alarms, cap_alarms;
    uint64_t staged[ROUTER_COUNTS], committed[ROUTER_COUNTS];
    bool is_loaded;      /* the registry holds the state of the partitions of `generation` */
    uint32_t generation; /* of the bus's assignment */
    bool warned_multi_partition, warned_unregistered;
};

/* The settings come from conf->settings of the consumer, which must outlive the router, as must the
 * strings of topics. */
void router_init(struct router *r, struct consumer *consumer, const struct conf *settings,
                 const struct log *log, const struct router_topics *topics);
/* 0, or -1 with err: the settings contradict each other, or a topic is both read and written. */
int router_check(const struct router *r, struct err *err);
/* How the consumer opens the bus; borrows from the router. */
struct bus_open router_open(const struct router *r);
/* One turn of the consumer, which has turns_when_idle. After TURN_DONE, alarms and n_alarms hold
 * the alarms that were committed, until the next turn. */
enum turn_result router_turn(struct router *r, const struct turn *turn, struct err *err);
/* How long the next poll may wait so that no deadline of the registry is missed, in ms. */
int router_max_wait_ms(const struct router *r);
void router_release(struct router *r);
