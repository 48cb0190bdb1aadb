/* outage: the time in which an engine does not answer. Logs an outage once when it begins and once
 * when it ends, keeps the service manager informed, and paces the retries in between.
 * Owns the backoff; log, notify, place and status are borrowed. Main thread. Callers: lib/app and
 * cmd/.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../adapter/os/notify.h"
#include "../base/buf.h"
#include "../base/err.h"
#include "../base/log.h"
#include "../core/backoff.h"

struct outage {
    const struct log *log;
    struct notify *notify;
    const char *place;  /* the engine, "bus kafka localhost:9092"; NULL: recovery names none */
    const char *status; /* what to report as STATUS while no outage lasts; NULL: nothing */
    struct backoff backoff;
    bool is_ongoing;  /* an outage was logged and has not ended */
    int64_t since_ms; /* when it began, monotonic */
};

/* What most callers of outage_report do meanwhile. */
extern const char outage_retrying[];

/* log and notify must outlive the outage; notify may be NULL. place and status start as NULL, and
 * the caller may set them at any time. */
void outage_init(struct outage *o, const struct log *log, struct notify *notify);
/* An engine failed in a way that may pass. If no outage lasts, one begins: warns "ERR; MEANWHILE"
 * and reports it as the STATUS. Also reports to the service manager that the daemon is ready,
 * because a daemon that waits for its engine has started. */
void outage_report(struct outage *o, const struct err *err, const char *meanwhile);
/* The engine answered: ends the outage, if one lasts, and logs "recovered: PLACE (outage 12 s)".
 * The next outage backs off from the shortest wait again. */
void outage_recovered(struct outage *o);
/* How long to wait before the next retry, in ms: longer each time, up to 5 s. */
int64_t outage_next_wait_ms(struct outage *o);
/* Waits that long. A signal ends the wait within 100 ms; the watchdog is kept alive. */
void outage_sleep(struct outage *o);
/* Appends the duration of an outage, in ms: "outage 0.4 s", "outage 12 s". */
void outage_add_duration(struct buf *text, int64_t ms);
