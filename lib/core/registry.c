/* registry: what follows from records and from time that passes: see registry.h. Most records are
 * heartbeats, so these cost no more than a look-up in the map: a heartbeat moves the entry's
 * last_seen_ms only, and the entry's place among its partition's deadlines is corrected when it
 * comes to the top, at most once a timeout. SPDX-License-Identifier: Apache-2.0 */
#include "registry_internal.h"

enum {
    /* The longest time between two confirmations that counts as silence. If more has passed, either
     * the bus did not answer or this process was stopped, and heartbeats may have been on their way
     * all the while. The router asks every 500 ms. */
    REGISTRY_CONFIRM_MAX_MS = 2000,
    /* The longest time after its timestamp that a record may take to reach the bus: collect has
     * given up on it by then. */
    REGISTRY_LATE_MS = 10000,
    /* How much further a partition has to move until an entry that waits for another of its
     * partitions is looked at again. */
    REGISTRY_RECHECK_MS = 100
};

/* Timestamps come from outside: between these bounds, sums of a few cannot overflow. */
static int64_t registry_clamp_ms(int64_t ts_ms) {
    if (ts_ms < 0)
        return 0;
    if (ts_ms > REGISTRY_MAX_MS)
        return REGISTRY_MAX_MS;
    return ts_ms;
}

/* Adds an event to the step and returns it. */
static struct liveness_event *registry_add_event(struct registry_step *step,
                                                 const struct registry_entry *e,
                                                 enum liveness_kind kind, int64_t at_ms) {
    struct liveness_event *event = &step->events[step->n_events++];
    *event = (struct liveness_event){.kind = kind,
                                     .id = arena_span(step->arena, e->id),
                                     .at_ms = at_ms,
                                     .last_seen_ms = e->last_seen_ms};
    if (e->service.p)
        event->service = arena_span(step->arena, e->service);
    return event;
}

static void registry_deregister(struct registry *r, struct registry_entry *e,
                                struct registry_step *step) {
    registry_state_remove(e, step);
    registry_entry_remove(r, e);
}

/* --- watermarks --- */

void registry_advance(struct registry *r, const struct registry_at *at) {
    struct registry_partition *p = registry_partition_of(r, at->partition);
    /* The newest record's timestamp, not the highest: after a broker's clock has stepped back, the
     * watermark must not stay ahead of everyone's heartbeats. */
    p->watermark_ms = registry_clamp_ms(at->ts_ms);
    if (p->watermark_ms > at->now_ms)
        p->watermark_ms = at->now_ms;
    p->next_offset = at->offset + 1;
    p->end_confirmed = false;
    p->moved = true;
}

/* A confirmed end moves a partition's watermark by one of three rules; never backwards. */

/* Rule 1, silence: without a record between two confirmations, the monotonic time between them has
 * passed on this partition. */
static int64_t registry_by_silence_ms(const struct registry_partition *p, int64_t asked_ms) {
    if (!p->end_confirmed)
        return p->watermark_ms;
    const int64_t passed_ms = asked_ms - p->confirmed_ms;
    const bool is_silence = passed_ms > 0 && passed_ms <= REGISTRY_CONFIRM_MAX_MS;
    if (!is_silence)
        return p->watermark_ms;
    return p->watermark_ms + passed_ms;
}

/* Rule 2, other partitions: what was read on them shows how late it is, except for records that may
 * still be on their way here. So a router that was away reports a node that died meanwhile, even if
 * no other node is on its partition. */
static int64_t registry_by_others_ms(const struct registry *r) {
    int64_t highest_ms = REGISTRY_NO_TIME;
    for (size_t i = 0; i < r->n_partitions; i++)
        if (r->partitions[i].watermark_ms > highest_ms)
            highest_ms = r->partitions[i].watermark_ms;
    return highest_ms - REGISTRY_LATE_MS;
}

/* Rule 3, the bus's clock: a bus that knows up to which time nothing more will come (bus_ms, else
 * 0) is believed, and the other rules are not needed. */
static int64_t registry_by_rules_ms(const struct registry *r, const struct registry_partition *p,
                                    int64_t asked_ms, int64_t bus_ms) {
    if (bus_ms)
        return bus_ms;
    if (p->watermark_ms == REGISTRY_NO_TIME)
        return 0; /* for rule 2 to move it from the next confirmation on */
    const int64_t silence_ms = registry_by_silence_ms(p, asked_ms);
    const int64_t others_ms = registry_by_others_ms(r);
    if (others_ms > silence_ms)
        return others_ms;
    return silence_ms;
}

void registry_confirm(struct registry *r, int32_t partition, int64_t asked_ms,
                      int64_t watermark_ms) {
    struct registry_partition *p = registry_partition_of(r, partition);
    const int64_t moved_ms = registry_by_rules_ms(r, p, asked_ms, watermark_ms);
    if (moved_ms > p->watermark_ms) {
        p->watermark_ms = moved_ms;
        p->moved = true;
    }
    p->end_confirmed = true;
    p->confirmed_ms = asked_ms;
}

/* --- gaps that are found because time has passed --- */

/* Reports a gap for the first time, or again if the repeat interval has passed since. */
static void registry_report_gap(const struct registry_conf *conf, struct registry_entry *e,
                                int64_t watermark_ms, struct registry_step *step) {
    if (!e->reported_ms) {
        e->reported_ms = e->last_seen_ms + conf->timeout;
        registry_add_event(step, e, LIVENESS_MISSED, e->reported_ms);
        return;
    }
    const int64_t overdue_ms = watermark_ms - e->reported_ms - conf->grace;
    if (!conf->repeat || overdue_ms <= conf->repeat)
        return;
    /* Of several repetitions that came due since the last check, only the last is reported. */
    e->reported_ms += (overdue_ms - 1) / conf->repeat * conf->repeat;
    registry_add_event(step, e, LIVENESS_MISSED, e->reported_ms);
}

/* Reports what has happened to an overdue entry. False: it was forgotten. */
static bool registry_report(struct registry *r, struct registry_entry *e,
                            struct registry_step *step) {
    const struct registry_conf *conf = &r->conf;
    const int64_t watermark_ms = registry_entry_watermark_ms(r, e);
    registry_report_gap(conf, e, watermark_ms, step);
    const int64_t forgotten_ms = e->last_seen_ms + conf->forget;
    if (conf->forget && watermark_ms > forgotten_ms) {
        registry_add_event(step, e, LIVENESS_DOWN, forgotten_ms);
        registry_deregister(r, e, step);
        return false;
    }
    registry_state_save(e, step);
    return true;
}

static void registry_set_due(struct registry_partition *p, struct registry_entry *e,
                             int64_t due_ms) {
    e->deadline.due = due_ms;
    heap_moved(&p->deadlines, &e->deadline);
}

/* Looks at the entry that is due first on its home partition. True: it was reported. */
static bool registry_expire_entry(struct registry *r, struct registry_partition *p,
                                  struct registry_entry *e, struct registry_step *step) {
    int64_t due_ms = registry_entry_due_ms(&r->conf, e);
    if (registry_entry_watermark_ms(r, e) > due_ms) {
        if (registry_report(r, e, step))
            registry_set_due(p, e, registry_entry_due_ms(&r->conf, e));
        return true;
    }
    /* It was seen since it was entered, or another of its partitions is behind this one. */
    const bool is_other_behind = p->watermark_ms > due_ms;
    if (is_other_behind)
        due_ms = p->watermark_ms + REGISTRY_RECHECK_MS;
    registry_set_due(p, e, due_ms);
    return false;
}

bool registry_expire(struct registry *r, struct registry_step *step) {
    registry_step_clear(step);
    for (size_t i = 0; i < r->n_partitions; i++) {
        struct registry_partition *p = &r->partitions[i];
        struct heap_item *first = heap_top(&p->deadlines);
        while (first && p->watermark_ms > first->due) {
            if (registry_expire_entry(r, p, (struct registry_entry *)first, step))
                return true;
            first = heap_top(&p->deadlines);
        }
    }
    return false;
}

/* --- records --- */

static bool registry_is_heartbeat(const struct registry *r, const struct event *e) {
    if (r->conf.any_record_is_heartbeat)
        return true;
    return e->kind == EVENT_HEARTBEAT || e->kind == EVENT_REGISTRATION;
}

static bool registry_is_error(const struct event *e) {
    return e->kind == EVENT_LOG && span_is(e->level.text, "ERROR");
}

static bool registry_is_goodbye(const struct event *e) {
    return e->kind == EVENT_HEARTBEAT && span_is(e->status.text, "DOWN");
}

/* A gap has ended: the entry is up since then. */
static void registry_end_gap(struct registry *r, struct registry_entry *e, int64_t ts_ms) {
    e->reported_ms = 0;
    e->since_ms = ts_ms;
    registry_unschedule(r, e);
    registry_schedule(r, e);
}

/* The entry was seen at ts_ms; a record that comes late changes nothing. seen_all_ms: up to when no
 * record of the node can be unread. An ERROR ends a gap without LIVENESS_RECOVERED: the node is
 * back, but not well. True: a gap has ended, reported or not. */
static bool registry_see(struct registry *r, struct registry_entry *e, int64_t ts_ms,
                         int64_t seen_all_ms, bool is_error, struct registry_step *step) {
    if (ts_ms <= e->last_seen_ms)
        return false;
    const int64_t missed_ms = e->last_seen_ms + r->conf.timeout;
    const bool is_reported = e->reported_ms != 0;
    const bool is_unreported_gap = !is_reported && seen_all_ms > missed_ms;
    const bool has_gap_ended = is_reported || is_unreported_gap;
    if (is_unreported_gap)
        registry_add_event(step, e, LIVENESS_MISSED, missed_ms);
    if (has_gap_ended && !is_error)
        registry_add_event(step, e, LIVENESS_RECOVERED, ts_ms);
    e->last_seen_ms = ts_ms;
    if (has_gap_ended)
        registry_end_gap(r, e, ts_ms);
    return has_gap_ended;
}

static void registry_register(struct registry *r, const struct event *event,
                              const struct registry_at *at, struct registry_step *step) {
    struct registry_entry *e =
        registry_entry_add(r, event->node.text, event->service.text, at->partition);
    e->since_ms = registry_clamp_ms(at->ts_ms);
    e->last_seen_ms = e->since_ms;
    registry_schedule(r, e);
    registry_state_save(e, step);
    registry_add_event(step, e, LIVENESS_UP, e->since_ms);
}

/* A REGISTRATION of a known node. True: its service or its home partition has changed. */
static bool registry_register_again(struct registry *r, struct registry_entry *e,
                                    const struct event *event, int32_t partition,
                                    struct registry_step *step) {
    const bool has_moved = e->home_partition != partition;
    const bool is_same_service = span_eq(event->service.text, e->service);
    if (is_same_service && !has_moved)
        return false;
    if (has_moved) {
        registry_unschedule(r, e);
        registry_state_remove(e, step);
        e->home_partition = partition;
        e->partition_mask = 0;
        registry_schedule(r, e);
    }
    registry_entry_set_service(e, event->service.text);
    return true;
}

/* Up to when no record of the node can be unread, now that one of ts_ms was read: if its records
 * come on several partitions, older ones may wait in another. */
static int64_t registry_seen_all_ms(const struct registry *r, const struct registry_entry *e,
                                    int32_t partition, int64_t ts_ms) {
    const bool is_only_partition = !e->partition_mask && e->home_partition == partition;
    if (is_only_partition)
        return ts_ms;
    const int64_t watermark_ms = registry_entry_watermark_ms(r, e);
    if (watermark_ms < ts_ms)
        return watermark_ms;
    return ts_ms;
}

static enum registry_verdict registry_apply_known(struct registry *r, struct registry_entry *e,
                                                  const struct event *event,
                                                  const struct registry_at *at,
                                                  struct registry_step *step) {
    const bool is_registration = event->kind == EVENT_REGISTRATION;
    const bool is_error = registry_is_error(event);
    const bool is_fatal_error = is_error && !r->conf.keep_on_error;
    const bool deregisters = is_fatal_error || registry_is_goodbye(event);
    const int64_t ts_ms = registry_clamp_ms(at->ts_ms);

    bool is_changed = false;
    if (!is_registration)
        is_changed = registry_entry_note_partition(r, e, at->partition);
    if (is_changed)
        step->multi_partition = arena_span(step->arena, e->id);
    const int64_t seen_all_ms = registry_seen_all_ms(r, e, at->partition, ts_ms);
    if (is_registration)
        is_changed = registry_register_again(r, e, event, at->partition, step);

    /* An ERROR is no heartbeat, but a node that sends one is not silent any more. */
    const int64_t alarm_ms = e->last_seen_ms + r->conf.timeout + r->conf.grace;
    const bool is_overdue = e->reported_ms || seen_all_ms > alarm_ms;
    const bool is_error_in_gap = is_error && is_overdue;
    bool has_gap_ended = false;
    if (is_error_in_gap || registry_is_heartbeat(r, event))
        has_gap_ended = registry_see(r, e, ts_ms, seen_all_ms, is_error, step);

    if (deregisters) {
        registry_add_event(step, e, LIVENESS_DOWN, ts_ms)->after_record = true;
        registry_deregister(r, e, step);
        return REGISTRY_GONE;
    }
    if (is_changed || has_gap_ended)
        registry_state_save(e, step);
    return REGISTRY_KNOWN;
}

enum registry_verdict registry_apply(struct registry *r, const struct event *event,
                                     const struct registry_at *at, struct registry_step *step) {
    struct registry_entry *e = map_get(&r->entries, event->node.text);
    registry_step_clear(step);
    if (e)
        return registry_apply_known(r, e, event, at, step);
    if (event->kind != EVENT_REGISTRATION)
        return REGISTRY_UNKNOWN;
    registry_register(r, event, at, step);
    return REGISTRY_NEW;
}

void registry_replay(struct registry *r, const struct event *event, const struct registry_at *at) {
    struct registry_entry *e = map_get(&r->entries, event->node.text);
    const int64_t ts_ms = registry_clamp_ms(at->ts_ms);
    if (!e)
        return;
    registry_entry_note_partition(r, e, at->partition);
    if (!registry_is_heartbeat(r, event) || ts_ms <= e->last_seen_ms)
        return;
    e->last_seen_ms = ts_ms;
    if (e->reported_ms)
        registry_end_gap(r, e, ts_ms);
}
