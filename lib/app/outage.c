/* outage: see outage.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "outage.h"

#include "../adapter/os/clock.h"
#include "../adapter/os/stop.h"
#include "../base/buf.h"
#include "../base/escape.h"

enum {
    OUTAGE_FIRST_WAIT_MS = 100,
    OUTAGE_LAST_WAIT_MS = 5000,
    OUTAGE_NAP_MS = 100,
    OUTAGE_TENTHS_BELOW_MS = 9950 /* shorter durations are shown in tenths of a second */
};

const char outage_retrying[] = "retrying";

void outage_init(struct outage *o, const struct log *log, struct notify *notify) {
    *o = (struct outage){.log = log,
                         .notify = notify,
                         .backoff = {.rng = {rng_os()},
                                     .base_ms = OUTAGE_FIRST_WAIT_MS,
                                     .max_ms = OUTAGE_LAST_WAIT_MS}};
}

/* The text may contain bytes of an engine's answer, and a line break in it would start another
 * variable of the message. */
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
    o->since_ms = clock_mono_ms();
    log_warn(o->log, "%s; %s", err->text, meanwhile);
    outage_notify(o, err);
}

void outage_add_duration(struct buf *text, int64_t ms) {
    const int64_t tenths = (ms + 50) / 100;
    if (ms < OUTAGE_TENTHS_BELOW_MS)
        buf_printf(text, "outage %" PRId64 ".%" PRId64 " s", tenths / 10, tenths % 10);
    else
        buf_printf(text, "outage %" PRId64 " s", (ms + 500) / 1000);
}

static void outage_log_recovery(const struct outage *o) {
    BUF_LOCAL struct buf duration = {0};
    outage_add_duration(&duration, clock_mono_ms() - o->since_ms);
    if (o->place)
        log_info(o->log, "recovered: %s (%s)", o->place, duration.p);
    else
        log_info(o->log, "recovered (%s)", duration.p);
}

void outage_recovered(struct outage *o) {
    o->backoff.tries = 0;
    if (!o->is_ongoing)
        return;
    o->is_ongoing = false;
    outage_log_recovery(o);
    if (o->notify && o->status)
        notify_send(o->notify, "STATUS=%s", o->status);
}

int64_t outage_next_wait_ms(struct outage *o) {
    return backoff_next(&o->backoff);
}

/* Sleeps in short steps, because a signal that arrives just before a sleep does not interrupt it.
 */
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
