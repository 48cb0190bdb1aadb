/* outage: is an engine away? Logs an outage once when it begins and once when it ends, keeps the
 * service manager informed, and paces the retries in between.
 * Owns the backoff; log, notify and status are borrowed. Main thread. Callers: lib/app and cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../adapter/os/notify.h"
#include "../base/err.h"
#include "../base/log.h"
#include "../core/backoff.h"

struct outage {
    const struct log *log;
    struct notify *notify;
    const char *status; /* what to report as STATUS while no outage lasts; NULL: nothing */
    struct backoff backoff;
    bool is_ongoing; /* one has begun, was logged, and has not ended */
};

/* What a caller of outage_report does meanwhile, unless it knows better. */
extern const char outage_retrying[];

/* log and notify must outlive the outage; notify may be NULL. */
void outage_init(struct outage *o, const struct log *log, struct notify *notify);
/* An engine failed in a way that may pass. If no outage lasts, one begins: logs "ERR; MEANWHILE"
 * and reports it as the STATUS of a daemon that has started, because one that waits for its engine
 * has. */
void outage_report(struct outage *o, const struct err *err, const char *meanwhile);
/* The engine answered: ends the outage, if one lasts, and logs that. The next one backs off from
 * the shortest wait again. */
void outage_recovered(struct outage *o);
/* How long to wait before the next retry, in ms: longer each time, up to 5 s. */
int64_t outage_next_wait_ms(struct outage *o);
/* Waits that long. A signal ends the wait within 100 ms; the watchdog is kept alive. */
void outage_sleep(struct outage *o);
