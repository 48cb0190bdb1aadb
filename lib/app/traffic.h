/* traffic: the simulated service of one node: registration, heartbeats and logs, as
 * bytes ready to be posted. What it does is data: weights, intervals, ids. Owns its random numbers
 * and its timetable; the texts of its conf are borrowed. Pure: the time comes in. One thread at a
 * time. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../conf/opt.h"
#include "../base/rng.h"
#include "../base/datetime.h"

enum traffic_kind {
    TRAFFIC_INFO,
    TRAFFIC_WARN,
    TRAFFIC_ERROR,
    TRAFFIC_REGISTRATION,
    TRAFFIC_HEARTBEAT,
    TRAFFIC_GOODBYE /* a HEARTBEAT with status DOWN */
};
enum { TRAFFIC_LEVELS = 3 }; /* the first of them are LOG records, and have a weight */

struct traffic_conf {
    const char *service;               /* service_name; UTF-8 */
    const char *message;               /* of a LOG; {node_id} in it becomes the id; UTF-8 */
    int64_t weights[TRAFFIC_LEVELS];   /* how often each level comes, in parts of their sum (> 0) */
    int64_t heartbeat_ms, interval_ms; /* > 0 */
    int64_t count;                     /* LOG records after which it ends; 0: never */
    bool keep_going;                   /* after an ERROR it registers again; else it ends */
    enum datetime_style style;
};

/* Now, as the two clocks and the zone say it. */
struct traffic_now {
    int64_t mono_ms; /* for the timetable */
    int64_t wall_ms; /* for the timestamps */
    int32_t offset_s;
};

struct traffic {
    const struct traffic_conf *conf;
    const char *node; /* node_id, borrowed; UTF-8 */
    struct rng rng;
    bool registered, ended;
    int64_t next_beat_ms, next_log_ms; /* monotonic */
    int64_t logs;
};

/* The preset (payment, order, service) of that name: its node_id, and *service as records have it;
 * NULL for any other name. */
const char *traffic_preset(const char *name, const char **service);
/* Reads {INFO: 80, WARN: 15, ERROR: 5}; a level that is not there has weight 0. -1 with err for
 * other keys, what is not a number from 0 to 999999, and a sum of 0. */
int traffic_weights(const struct str_map *map, int64_t weights[TRAFFIC_LEVELS], struct err *err);

/* A node that registers at start_ms (monotonic). conf and node are borrowed for its life. */
void traffic_init(struct traffic *t, const struct traffic_conf *conf, const char *node,
                  uint64_t seed, int64_t start_ms);
/* When its next event is due (monotonic ms); INT64_MAX once it has ended. */
int64_t traffic_due(const struct traffic *t);
/* Adds the event that is due to out and tells its kind; false, with nothing added, if none is.
 * Events whose time passed unnoticed (the process was stopped) are skipped, not made up for. */
bool traffic_take(struct traffic *t, const struct traffic_now *now, struct buf *out,
                  enum traffic_kind *kind);
/* Ends it. True with the goodbye added to out if it is registered and has not ended by an ERROR. */
bool traffic_goodbye(struct traffic *t, const struct traffic_now *now, struct buf *out);
