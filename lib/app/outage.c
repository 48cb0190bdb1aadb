/* outage: see outage.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "outage.h"

#include "../adapter/os/clock.h"
#include "../adapter/os/stop.h"
#include "../base/buf.h"
#include "../base/escape.h"

enum { OUTAGE_FIRST_WAIT_MS = 100, OUTAGE_LAST_WAIT_MS = 5000, OUTAGE_NAP_MS = 100 };

const char outage_retrying[] = "trying again until it works";

void outage_init(struct outage *o, const struct log *log, struct notify *notify) {
    *o = (struct outage){.log = log,
                         .notify = notify,
                         .backoff = {.rng = {rng_os()},
                                     .base_ms = OUTAGE_FIRST_WAIT_MS,
                                     .max_ms = OUTAGE_LAST_WAIT_MS}};
}

/* The text may hold bytes of an engine's answer; a line break in it would begin another
 * variable. */
static void outage_notify(const struct outage *o, const struct err *err) {
    if (!o->notify)
        return;
    BUF_LOCAL struct buf reason = {0};
    escape_printable(&reason, span_of(err->text));
    notify_send(o->notify, "READY=1\nSTATUS=waiting: %s", reason.p);
}

void outage_report(struct outage *o, const struct err *err, const char *meanwhile) {
    if (o->is_ongoing)
        return;
    o->is_ongoing = true;
    log_info(o->log, "%s; %s", err->text, meanwhile);
    outage_notify(o, err);
}

void outage_recovered(struct outage *o) {
    o->backoff.tries = 0;
    if (!o->is_ongoing)
        return;
    o->is_ongoing = false;
    log_info(o->log, "it works again");
    if (o->notify && o->status)
        notify_send(o->notify, "STATUS=%s", o->status);
}

int64_t outage_next_wait_ms(struct outage *o) {
    return backoff_next(&o->backoff);
}

/* In naps, because a signal that arrives just before a wait does not end it. */
void outage_sleep(struct outage *o) {
    int64_t left_ms = outage_next_wait_ms(o);
    do {
        const int64_t nap_ms = left_ms < OUTAGE_NAP_MS ? left_ms : OUTAGE_NAP_MS;
        clock_sleep_ms(nap_ms);
        left_ms -= nap_ms;
        if (o->notify)
            notify_alive(o->notify, clock_mono_ms());
    } while (left_ms > 0 && !stop_asked());
}
