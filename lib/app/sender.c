/* sender: see sender.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sender.h"

#include <assert.h>

#include "../adapter/os/clock.h"
#include "../base/mem.h"
#include "outage.h"

enum {
    SENDER_FIRST_WAIT_MS = 200,
    SENDER_LAST_WAIT_MS = 5000,
    SENDER_RETRY_AFTER_MOST_S = 60, /* a longer Retry-After is shortened to this */
    SENDER_REPLY_MOST = 1 << 20     /* bytes */
};

/* --- phases --- */

/* From which phases the sender may come into a phase, as bits. */
static const unsigned sender_moves[] = {
    [SENDER_HEALTHY] = 1U << SENDER_PROBING,
    [SENDER_OUTAGE] = 1U << SENDER_HEALTHY | 1U << SENDER_PROBING,
    [SENDER_PROBING] = 1U << SENDER_OUTAGE,
    [SENDER_FAILED] = 1U << SENDER_HEALTHY | 1U << SENDER_OUTAGE | 1U << SENDER_PROBING,
};

static void sender_set_phase(struct sender *s, enum sender_phase phase) {
    assert(sender_moves[phase] & 1U << s->phase);
    s->phase = phase;
}

/* --- a source's queue --- */

/* The count oldest records, a line each, without the last line break. count: at most source->count.
 */
static struct span source_oldest(const struct sender_source *source, size_t count) {
    const char *from = source->lines.p + source->head;
    const char *end = from;
    for (size_t i = 0; i < count; i++)
        end = strchr(end, '\n') + 1;
    return (struct span){from, (size_t)(end - from) - 1};
}

/* The oldest records are delivered, or given up. */
static void source_forget(struct sender *s, struct sender_source *source, size_t count) {
    struct buf *lines = &source->lines;
    source->head += source_oldest(source, count).n + 1;
    source->count -= count;
    s->waiting -= count;
    if (source->head < lines->n / 2)
        return;
    lines->n -= source->head;
    memmove(lines->p, lines->p + source->head, lines->n + 1);
    source->head = 0;
}

static void sender_drop(struct sender *s, const struct sender_source *source) {
    s->dropped++;
    if (s->has_logged_drop)
        return;
    s->has_logged_drop = true;
    log_warn(s->conf.log,
             "the queue of %s is full with %zu undelivered records: dropping new ones (raise "
             "%s.queue to keep more)",
             source->name, source->count, s->conf.section);
}

void sender_put(struct sender *s, struct sender_source *source, struct span record, size_t spare) {
    if (source->count + spare >= s->conf.queue) {
        sender_drop(s, source);
        return;
    }
    buf_span(&source->lines, record);
    buf_char(&source->lines, '\n');
    source->count++;
    s->waiting++;
}

/* --- posting --- */

/* Posts the source's oldest records: one as it is, several as an array. */
static void sender_post(struct sender *s, struct sender_source *source, size_t count) {
    struct buf *body = &source->call.body;
    source->sending = count;
    source->call.method = "POST";
    buf_clear(body);
    if (count > 1)
        buf_char(body, '[');
    buf_span(body, source_oldest(source, count));
    for (size_t i = 0; i < body->n; i++) {
        if (body->p[i] == '\n')
            body->p[i] = ',';
    }
    if (count > 1)
        buf_char(body, ']');
    http_client_start(s->client, &source->call, s->conf.url);
    s->in_flight++;
}

static size_t source_batch(const struct sender_source *source) {
    if (source->isolate_remaining > 0)
        return 1;
    return source->count < SENDER_BATCH ? source->count : SENDER_BATCH;
}

static bool sender_may_post(const struct sender *s, int64_t now_ms) {
    switch (s->phase) {
    case SENDER_HEALTHY:
        return s->in_flight < s->conf.parallel;
    case SENDER_OUTAGE:
        return s->in_flight == 0 && now_ms >= s->retry_ms;
    case SENDER_PROBING:
    case SENDER_FAILED:
        break;
    }
    return false;
}

/* Each source in turn posts its oldest records. */
static void sender_post_ready(struct sender *s, int64_t now_ms) {
    for (size_t i = 0; i < s->n && sender_may_post(s, now_ms); i++) {
        struct sender_source *source = &s->sources[s->next];
        if (source->sending == 0 && source->count > 0) {
            sender_post(s, source, source_batch(source));
            if (s->phase == SENDER_OUTAGE)
                sender_set_phase(s, SENDER_PROBING);
        }
        s->next = (s->next + 1) % s->n;
    }
}

/* --- answers --- */

enum sender_verdict {
    SENDER_TAKEN,
    SENDER_TRY_LATER,  /* no answer, or a temporary error */
    SENDER_UNROUTABLE, /* no record at all can be delivered to this address */
    SENDER_DENIED,     /* … with these credentials */
    SENDER_REFUSED     /* the records are at fault */
};

static enum sender_verdict sender_judge(long status) {
    switch (status) {
    case 0:
    case 408:
    case 429:
        return SENDER_TRY_LATER;
    case 401:
    case 403:
        return SENDER_DENIED;
    case 404:
        return SENDER_UNROUTABLE;
    default:
        break;
    }
    if (status >= 500)
        return SENDER_TRY_LATER;
    if (status >= 400)
        return SENDER_REFUSED;
    return status / 100 == 2 ? SENDER_TAKEN : SENDER_UNROUTABLE;
}

/* The last line of an answer's body, which is the most specific one. */
static const char *sender_reason(struct http_call *call) {
    struct buf *text = &call->reply;
    while (text->n > 0 && strchr("\r\n", text->p[text->n - 1])) {
        text->n--;
        text->p[text->n] = '\0';
    }
    const char *all = buf_view(text).p;
    const char *last = strrchr(all, '\n');
    return last ? last + 1 : all;
}

static void sender_log_outage(const struct sender *s, struct http_call *call) {
    const char *reason = sender_reason(call);
    if (call->status)
        log_warn(s->conf.log, "cannot deliver to %s: HTTP %ld %s; queueing records and retrying",
                 s->conf.url, call->status, reason);
    else
        log_warn(s->conf.log, "cannot deliver to %s: %s; queueing records and retrying",
                 s->conf.url, reason);
}

static void sender_retry_later(struct sender *s, const struct http_call *call, int64_t now_ms) {
    int64_t asked_s = call->wait_s;
    if (asked_s > SENDER_RETRY_AFTER_MOST_S)
        asked_s = SENDER_RETRY_AFTER_MOST_S;
    s->retry_ms = now_ms + backoff_next(&s->backoff);
    if (s->retry_ms < now_ms + asked_s * 1000)
        s->retry_ms = now_ms + asked_s * 1000;
    if (s->leave_ms)
        s->leave_ms = now_ms; /* the last attempt has failed: don't delay the stop any longer */
}

static void sender_on_failure(struct sender *s, struct http_call *call, int64_t now_ms) {
    switch (s->phase) {
    case SENDER_HEALTHY:
        s->outage_ms = now_ms;
        sender_log_outage(s, call);
        sender_set_phase(s, SENDER_OUTAGE);
        break;
    case SENDER_PROBING:
        sender_set_phase(s, SENDER_OUTAGE);
        break;
    case SENDER_OUTAGE:
        /* An answer to a request from before. */
        if (now_ms < s->retry_ms)
            return;
        break;
    case SENDER_FAILED:
        return;
    }
    sender_retry_later(s, call, now_ms);
}

static void sender_log_recovery(const struct sender *s, int64_t now_ms) {
    BUF_LOCAL struct buf duration = {0};
    outage_add_duration(&duration, now_ms - s->outage_ms);
    log_info(s->conf.log, "recovered: %s (%s); %zu records queued", s->conf.url, duration.p,
             s->waiting);
}

static void sender_on_taken(struct sender *s, struct sender_source *source, size_t count,
                            int64_t now_ms) {
    if (s->phase == SENDER_PROBING) {
        sender_log_recovery(s, now_ms);
        sender_set_phase(s, SENDER_HEALTHY);
        s->has_logged_drop = false;
        s->backoff.tries = 0;
    }
    s->posted += count;
    if (!s->conf.on_delivered || s->phase == SENDER_FAILED)
        return;
    if (!s->conf.on_delivered(s->conf.ctx, source_oldest(source, count)))
        sender_set_phase(s, SENDER_FAILED);
}

static void sender_on_dead_end(struct sender *s, struct http_call *call,
                               enum sender_verdict verdict) {
    const char *section = s->conf.section;
    BUF_LOCAL struct buf settings = {0};
    if (s->phase == SENDER_FAILED)
        return;
    buf_printf(&settings, "%s.url", section);
    if (verdict == SENDER_DENIED)
        buf_printf(&settings, ", %s.user, %s.token", section, section);
    log_error(s->conf.log, "cannot deliver to %s: HTTP %ld %s; giving up (check %s)", s->conf.url,
              call->status, sender_reason(call), settings.p);
    sender_set_phase(s, SENDER_FAILED);
}

static void sender_on_refused(struct sender *s, struct sender_source *source) {
    struct http_call *call = &source->call;
    const struct span record = source_oldest(source, 1);
    s->refused++;
    log_warn(s->conf.log, "dropped a record that %s refused: HTTP %ld %s: %.*s", s->conf.url,
             call->status, sender_reason(call), SPAN_ARG(record));
}

/* The oldest records of the source need not be sent again. */
static void sender_settle(struct sender *s, struct sender_source *source, size_t count) {
    source_forget(s, source, count);
    if (source->isolate_remaining > 0)
        source->isolate_remaining--;
}

/* A probe that was refused for its records shows neither success nor failure: the next one is due
 * at once. */
static void sender_on_no_verdict(struct sender *s) {
    if (s->phase == SENDER_PROBING)
        sender_set_phase(s, SENDER_OUTAGE);
}

static void sender_on_reply(struct sender *s, struct sender_source *source) {
    const size_t count = source->sending;
    const int64_t now_ms = clock_mono_ms();
    const enum sender_verdict verdict = sender_judge(source->call.status);
    s->in_flight--;
    source->sending = 0;
    switch (verdict) {
    case SENDER_TAKEN:
        sender_on_taken(s, source, count, now_ms);
        sender_settle(s, source, count);
        break;
    case SENDER_TRY_LATER:
        sender_on_failure(s, &source->call, now_ms);
        break;
    case SENDER_UNROUTABLE:
    case SENDER_DENIED:
        sender_on_dead_end(s, &source->call, verdict);
        break;
    case SENDER_REFUSED:
        sender_on_no_verdict(s);
        if (count > 1) {
            source->isolate_remaining = count; /* one of them, but which? */
        } else {
            sender_on_refused(s, source);
            sender_settle(s, source, count);
        }
        break;
    }
}

/* --- turns --- */

static int sender_wait_ms(const struct sender *s, int64_t now_ms, int64_t until_ms) {
    const bool awaits_retry = s->phase == SENDER_OUTAGE && s->in_flight == 0 && s->waiting > 0;
    if (s->leave_ms && s->leave_ms < until_ms)
        until_ms = s->leave_ms;
    if (awaits_retry && s->retry_ms < until_ms)
        until_ms = s->retry_ms;
    return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

void sender_turn(struct sender *s, int64_t until_ms) {
    const int64_t now_ms = clock_mono_ms();
    sender_post_ready(s, now_ms);
    http_client_wait(s->client, sender_wait_ms(s, now_ms, until_ms));
    for (;;) {
        struct http_call *done = http_client_done(s->client);
        if (!done)
            return;
        sender_on_reply(s, (struct sender_source *)done);
    }
}

void sender_leave(struct sender *s, int64_t limit_ms) {
    const int64_t now_ms = clock_mono_ms();
    s->leave_ms = now_ms + limit_ms;
    s->retry_ms = now_ms;
}

bool sender_has_given_up(const struct sender *s) {
    if (s->phase == SENDER_FAILED)
        return true;
    return s->leave_ms && clock_mono_ms() >= s->leave_ms;
}

int sender_init(struct sender *s, const struct sender_conf *conf, size_t n, struct err *err) {
    *s = (struct sender){.conf = *conf,
                         .backoff = {.rng = {rng_os()},
                                     .base_ms = SENDER_FIRST_WAIT_MS,
                                     .max_ms = SENDER_LAST_WAIT_MS}};
    if (http_client_check_url(conf->url, err) != 0)
        return -1;
    s->client = http_client_new(conf->http, 0, SENDER_REPLY_MOST, err);
    if (!s->client)
        return -1;
    s->sources = mem_calloc(n, sizeof *s->sources);
    s->n = n;
    return 0;
}

void sender_release(struct sender *s) {
    for (size_t i = 0; i < s->n; i++) {
        http_call_release(&s->sources[i].call);
        buf_release(&s->sources[i].lines);
    }
    http_client_free(s->client);
    free(s->sources);
    *s = (struct sender){0};
}
