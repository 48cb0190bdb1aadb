/* traffic: the simulated service of one node: registration, heartbeats and logs, as bytes ready to
 * be posted. Weights, intervals and ids are parameters.
 * Owns its random numbers and its timetable; the texts of its conf are borrowed. Pure: time is an
 * argument. One thread at a time. Callers: cmd/node.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"
#include "../base/datetime.h"
#include "../base/rng.h"
#include "../base/strlist.h"

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

/* Now, by the two clocks and the zone. */
struct traffic_now {
    int64_t mono_ms;  /* for the timetable */
    int64_t wall_ms;  /* for the timestamps, since 1970 UTC */
    int32_t offset_s; /* of the zone, east of UTC */
};

struct traffic {
    const struct traffic_conf *conf;
    const char *node; /* node_id, borrowed; UTF-8 */
    struct rng rng;
    bool registered, ended;
    int64_t next_heartbeat_ms; /* monotonic; without a registration that comes instead */
    int64_t next_log_ms;       /* monotonic; INT64_MAX before the first registration */
    int64_t logs;
};

/* The node_id of the preset (payment, order, service) of that name, and its service_name to
 * *service; NULL for any other name, with *service unchanged. */
const char *traffic_preset(const char *name, const char **service);
/* Reads {INFO: 80, WARN: 15, ERROR: 5}; a level that is missing has weight 0. 0, or -1 with err for
 * other keys, for what is not a number from 0 to 999999, and for a sum of 0. */
int traffic_weights(const struct str_map *map, int64_t weights[TRAFFIC_LEVELS], struct err *err);

/* A node that registers at start_ms (monotonic). conf and node are borrowed for its life. The same
 * seed gives the same records. */
void traffic_init(struct traffic *t, const struct traffic_conf *conf, const char *node,
                  uint64_t seed, int64_t start_ms);
/* When its next event is due (monotonic ms); INT64_MAX once it has ended. */
int64_t traffic_due(const struct traffic *t);
/* Adds the event that is due to out and sets *kind; false, with nothing added, if none is due.
 * Events that came due while the process was suspended are skipped. */
bool traffic_take(struct traffic *t, const struct traffic_now *now, struct buf *out,
                  enum traffic_kind *kind);
/* Ends it. True with the goodbye added to out if it is registered and has not ended by an ERROR. */
bool traffic_goodbye(struct traffic *t, const struct traffic_now *now, struct buf *out);
