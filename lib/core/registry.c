/* registry: see registry.h. Beats are the many, so they cost no more than a look in the map: a beat
 * moves node->last only, and the node's place in its partition's heap of deadlines is corrected
 * when it comes to the top, once a timeout at most. As records of a compacted topic, a node is
 * "node ID" → {"service_name","since","last","said","also"} in its home partition, and a partition
 * is "partition N" → {"offset","time","from"}; what is not understood there is ignored, so that a
 * newer distlog may say more.
 * SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"

#include "../base/heap.h"
#include "../base/json.h"
#include "../base/mem.h"

#define NO_TIME   (-1)               /* nothing is known of a partition's time */
#define MAX_MS    ((int64_t)1 << 53) /* no timestamp is later than this */
#define NODE      "node "
#define PARTITION "partition "

enum {
    /* Between two confirmations further apart than this, either the bus did not answer or this
     * process was stopped: beats may have been on their way all the while, so that time proves
     * nothing. pubsub asks every 500 ms. */
    CONFIRM_MAX_MS = 2000,
    /* How long after its timestamp a record may reach the bus: collect has given up on it by then.
     */
    LATE_MS = 10000,
    /* A node that waits for another of its partitions is looked at again when its own is this much
     * further. */
    BEHIND_MS = 100
};

struct node {
    struct heap_item deadline; /* first, so that the heap's item is the node */
    int64_t last;              /* its newest proof of life */
    int64_t since;             /* its registration, or the end of its last gap */
    int64_t said;            /* the timestamp of the last report on its open gap; 0: none is open */
    int32_t home;            /* the partition of its registration, which it moves with */
    uint32_t also;           /* bit P % 32: its records came on partition P too */
    struct span id, service; /* its own; service.p NULL: none */
};

struct part {
    int32_t partition;
    int64_t offset, time, from;
    bool confirmed; /* the bus has confirmed its end, at .asked, since the newest record */
    int64_t asked;
    bool moved; /* since the last save */
    struct heap deadlines;
};

struct registry {
    struct registry_conf conf;
    struct map nodes;
    struct part *parts;
    size_t n_parts;
    bool any_spread; /* some node's records came on several partitions */
};

/* --- what a step leads to --- */

static void begin(struct registry_step *step) {
    step->n_signs = step->n_changes = 0;
    step->spread = (struct span){0};
}

static void sign(struct registry_step *step, const struct node *n, enum registry_sign_kind kind,
                 int64_t at_ms) {
    step->signs[step->n_signs++] = (struct registry_sign){
        .kind = kind,
        .id = arena_span(step->arena, n->id),
        .service = n->service.p ? arena_span(step->arena, n->service) : (struct span){0},
        .at_ms = at_ms,
        .last_proof_ms = n->last};
}

/* key and value are in the step's arena; a removal has no value. */
static void change(struct registry_step *step, int32_t partition, struct span key,
                   struct span value) {
    step->changes[step->n_changes++] = (struct registry_change){partition, key, value};
}

/* The node as it is now, or its removal. */
static void save_node(const struct node *n, bool removed, struct registry_step *step) {
    BUF_LOCAL struct buf key = {0}, value = {0};
    buf_text(&key, NODE);
    buf_span(&key, n->id);
    buf_text(&value, "{\"service_name\":");
    buf_json(&value, n->service);
    buf_printf(&value, ",\"since\":%lld,\"last\":%lld,\"said\":%lld,\"also\":%u}",
               (long long)n->since, (long long)n->last, (long long)n->said, n->also);
    change(step, n->home, arena_span(step->arena, buf_view(&key)),
           removed ? (struct span){0} : arena_span(step->arena, buf_view(&value)));
}

bool registry_save(struct registry *r, struct registry_step *step) {
    int64_t lowest = INT64_MAX;
    struct part *p = NULL;
    begin(step);
    for (size_t i = 0; i < r->n_parts; i++) {
        struct part *part = &r->parts[i];
        if (part->time != NO_TIME && part->time < lowest)
            lowest = part->time;
        if (!p && part->moved && part->offset >= 0)
            p = part; /* else nothing was read of it yet */
    }
    if (!p)
        return false;
    p->moved = false;
    /* Every node whose gap is not open has beaten since then, by the lowest time that counts for
     * it: so the beats to read again begin here. */
    p->from = (r->any_spread ? lowest : p->time) - r->conf.timeout - r->conf.grace;
    const char *key = arena_printf(step->arena, PARTITION "%d", p->partition);
    const char *value = arena_printf(step->arena, "{\"offset\":%lld,\"time\":%lld,\"from\":%lld}",
                                     (long long)p->offset, (long long)p->time, (long long)p->from);
    change(step, p->partition, span_of(key), span_of(value));
    return true;
}

/* --- partitions and nodes --- */

struct registry *registry_new(const struct registry_conf *conf) {
    struct registry *r = mem_calloc(1, sizeof *r);
    r->conf = *conf;
    return r;
}

static void node_free(struct node *n) {
    free((char *)n->id.p);
    free((char *)n->service.p);
    free(n);
}

void registry_clear(struct registry *r) {
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(&r->nodes, &at, &key, &value))
        node_free(value);
    map_release(&r->nodes);
    for (size_t i = 0; i < r->n_parts; i++)
        heap_release(&r->parts[i].deadlines);
    free(r->parts);
    *r = (struct registry){.conf = r->conf};
}

void registry_free(struct registry *r) {
    if (!r)
        return;
    registry_clear(r);
    free(r);
}

/* The partition, made if it is new. Until the next one is made. */
static struct part *part_of(struct registry *r, int32_t partition) {
    for (size_t i = 0; i < r->n_parts; i++)
        if (r->parts[i].partition == partition)
            return &r->parts[i];
    r->parts = mem_realloc(r->parts, r->n_parts + 1, sizeof *r->parts);
    r->parts[r->n_parts] = (struct part){.partition = partition, .offset = -1, .time = NO_TIME};
    return &r->parts[r->n_parts++];
}

static uint32_t bit_of(int32_t partition) {
    return (uint32_t)1 << (partition % 32);
}

/* What has passed for a node: the time of its partition, or the lowest where it has several. */
static int64_t node_time(const struct registry *r, const struct node *n) {
    int64_t time = MAX_MS;
    for (size_t i = 0; i < r->n_parts; i++) {
        const struct part *p = &r->parts[i];
        if ((p->partition == n->home || n->also & bit_of(p->partition)) && p->time < time)
            time = p->time;
    }
    return time;
}

/* When to look at a node next; INT64_MAX: only a record of its own changes anything. */
static int64_t node_due(const struct registry_conf *c, const struct node *n) {
    if (!n->said)
        return n->last + c->timeout + c->grace;
    int64_t repeat = c->repeat ? n->said + c->repeat + c->grace : INT64_MAX;
    int64_t forget = c->forget ? n->last + c->forget : INT64_MAX;
    return repeat < forget ? repeat : forget;
}

static void schedule(struct registry *r, struct node *n) {
    n->deadline.due = node_due(&r->conf, n);
    heap_put(&part_of(r, n->home)->deadlines, &n->deadline);
}

static void unschedule(struct registry *r, struct node *n) {
    heap_remove(&part_of(r, n->home)->deadlines, &n->deadline);
}

static struct span keep(struct span s) {
    return s.p ? (struct span){mem_strndup(s.p, s.n), s.n} : (struct span){0};
}

/* A new node, not yet scheduled; the spans are copied. */
static struct node *node_new(struct registry *r, struct span id, struct span service,
                             int32_t home) {
    struct node *n = mem_calloc(1, sizeof *n);
    n->id = keep(id);
    n->service = keep(service);
    n->home = home;
    map_put(&r->nodes, id, n);
    return n;
}

/* A node leaves: cut, said to the state topic, freed. */
static void node_remove(struct registry *r, struct node *n, struct registry_step *step) {
    unschedule(r, n);
    save_node(n, true, step);
    map_remove(&r->nodes, n->id);
    node_free(n);
}

/* Notes a further partition that a node's records come on; true if it is one. */
static bool spread(struct registry *r, struct node *n, int32_t partition) {
    if (partition == n->home || n->also & bit_of(partition))
        return false;
    n->also |= bit_of(partition);
    return r->any_spread = true;
}

/* --- time passes --- */

/* Timestamps come from outside: within these, sums of a few cannot overflow. */
static int64_t sane(int64_t ts_ms) {
    return ts_ms < 0 ? 0 : ts_ms > MAX_MS ? MAX_MS : ts_ms;
}

void registry_pass(struct registry *r, const struct registry_at *at) {
    struct part *p = part_of(r, at->partition);
    int64_t ts = sane(at->ts_ms);
    /* The newest record's, not the highest: after a broker's clock has stepped back, the time must
     * not stay ahead of everyone's beats. */
    p->time = ts < at->now_ms ? ts : at->now_ms;
    p->offset = at->offset + 1;
    p->confirmed = false;
    p->moved = true;
}

void registry_confirm(struct registry *r, int32_t partition, int64_t asked_ms,
                      int64_t watermark_ms) {
    struct part *p = part_of(r, partition);
    int64_t passed = asked_ms - p->asked, time = p->time;
    if (!watermark_ms && p->confirmed && time != NO_TIME && passed > 0 && passed <= CONFIRM_MAX_MS)
        time += passed;
    /* What was read elsewhere before that question proves time here too, but for what may be on its
     * way: so a pubsub that was away tells who died meanwhile, though nobody else is on their
     * partition. */
    for (size_t i = 0; !watermark_ms && time != NO_TIME && i < r->n_parts; i++)
        if (r->parts[i].time - LATE_MS > time)
            time = r->parts[i].time - LATE_MS;
    if (watermark_ms > time)
        time = watermark_ms;
    p->moved = p->moved || time != p->time;
    p->time = time;
    p->confirmed = true;
    p->asked = asked_ms;
}

/* Says what has happened to a node by the time that has passed for it; false: it was forgotten. */
static bool report(struct registry *r, struct node *n, struct registry_step *step) {
    const struct registry_conf *c = &r->conf;
    int64_t time = node_time(r, n);
    if (!n->said) {
        n->said = n->last + c->timeout;
        sign(step, n, SIGN_MISSED, n->said);
    } else if (c->repeat && time > n->said + c->repeat + c->grace) {
        n->said += (time - n->said - c->grace - 1) / c->repeat *
                   c->repeat; /* those slept through are past */
        sign(step, n, SIGN_MISSED, n->said);
    }
    if (c->forget && time > n->last + c->forget) {
        sign(step, n, SIGN_DOWN, n->last + c->forget);
        node_remove(r, n, step);
        return false;
    }
    save_node(n, false, step);
    return true;
}

bool registry_expire(struct registry *r, struct registry_step *step) {
    begin(step);
    for (size_t i = 0; i < r->n_parts; i++) {
        struct part *p = &r->parts[i];
        struct heap_item *top;
        while ((top = heap_top(&p->deadlines)) && p->time > top->due) {
            struct node *n = (struct node *)top;
            int64_t due = node_due(&r->conf, n); /* later than top->due if it has beaten since */
            bool overdue = node_time(r, n) > due;
            if (overdue && !report(r, n, step))
                return true;
            if (overdue)
                due = node_due(&r->conf, n);
            else if (p->time > due)
                due = p->time + BEHIND_MS;
            top->due = due;
            heap_moved(&p->deadlines, top);
            if (overdue)
                return true;
        }
    }
    return false;
}

int64_t registry_next(const struct registry *r) {
    int64_t next = -1;
    for (size_t i = 0; i < r->n_parts; i++) {
        const struct part *p = &r->parts[i];
        const struct heap_item *top = heap_top(&p->deadlines);
        if (!top || top->due == INT64_MAX || p->time == NO_TIME)
            continue;
        int64_t left = top->due < p->time ? 0 : top->due - p->time + 1;
        if (next < 0 || left < next)
            next = left;
    }
    return next;
}

/* --- records --- */

static bool proves(const struct registry *r, const struct event *e) {
    return r->conf.any_proves || e->kind == EVENT_HEARTBEAT || e->kind == EVENT_REGISTRATION;
}

/* A gap that was reported is over. */
static void back(struct registry *r, struct node *n, int64_t ts) {
    n->said = 0;
    n->since = ts;
    unschedule(r, n);
    schedule(r, n);
}

/* A proof of life at ts ends a gap, reported or not; one that comes late changes nothing. heard:
 * up to when nothing of this node can be unread. An ERROR ends a gap in silence: the node is back,
 * but not well. True: a gap ended. */
static bool prove(struct registry *r, struct node *n, int64_t ts, int64_t heard, bool error,
                  struct registry_step *step) {
    if (ts <= n->last)
        return false;
    bool missed = !n->said && heard - n->last > r->conf.timeout, ended = n->said || missed;
    if (missed)
        sign(step, n, SIGN_MISSED, n->last + r->conf.timeout);
    if (ended && !error)
        sign(step, n, SIGN_RECOVERED, ts);
    n->last = ts;
    if (ended)
        back(r, n, ts);
    return ended;
}

/* A REGISTRATION of a known node: true if its service has changed, or its partition. */
static bool register_again(struct registry *r, struct node *n, const struct event *e,
                           int32_t partition, struct registry_step *step) {
    if (n->home == partition && span_eq(e->service.text, n->service))
        return false;
    if (n->home != partition) {
        unschedule(r, n);
        save_node(n, true, step);
        n->home = partition;
        n->also = 0;
        schedule(r, n);
    }
    free((char *)n->service.p);
    n->service = keep(e->service.text);
    return true;
}

static void register_new(struct registry *r, const struct event *e, const struct registry_at *at,
                         struct registry_step *step) {
    struct node *n = node_new(r, e->node.text, e->service.text, at->partition);
    n->last = n->since = sane(at->ts_ms);
    schedule(r, n);
    save_node(n, false, step);
    sign(step, n, SIGN_UP, n->last);
}

enum registry_verdict registry_apply(struct registry *r, const struct event *e,
                                     const struct registry_at *at, struct registry_step *step) {
    struct node *n = map_get(&r->nodes, e->node.text);
    begin(step);
    if (!n && e->kind != EVENT_REGISTRATION)
        return REGISTRY_UNKNOWN;
    if (!n) {
        register_new(r, e, at, step);
        return REGISTRY_NEW;
    }
    bool changed = e->kind != EVENT_REGISTRATION && spread(r, n, at->partition);
    if (changed)
        step->spread = arena_span(step->arena, n->id);
    int64_t ts = sane(at->ts_ms), heard = ts;
    if ((n->also || n->home != at->partition) && node_time(r, n) < ts)
        heard = node_time(r, n); /* its beats may wait in another partition */
    if (e->kind == EVENT_REGISTRATION)
        changed = register_again(r, n, e, at->partition, step);
    bool error = e->kind == EVENT_LOG && span_is(e->level.text, "ERROR");
    bool goodbye = e->kind == EVENT_HEARTBEAT && span_is(e->status.text, "DOWN");
    bool overdue = n->said || heard - n->last > r->conf.timeout + r->conf.grace;
    if (proves(r, e) || (error && overdue))
        changed = prove(r, n, ts, heard, error, step) || changed;
    if (!goodbye && !(error && !r->conf.error_keeps)) {
        if (changed)
            save_node(n, false, step);
        return REGISTRY_KNOWN;
    }
    sign(step, n, SIGN_DOWN, ts);
    node_remove(r, n, step);
    return REGISTRY_GONE;
}

/* --- loading and looking --- */

void registry_replay(struct registry *r, const struct event *e, const struct registry_at *at) {
    struct node *n = map_get(&r->nodes, e->node.text);
    int64_t ts = sane(at->ts_ms);
    if (!n)
        return;
    spread(r, n, at->partition);
    if (!proves(r, e) || ts <= n->last)
        return;
    n->last = ts;
    if (n->said)
        back(r, n, ts);
}

/* A state record's members. */
enum { SINCE, LAST, SAID, ALSO, OFFSET, TIME, FROM, SERVICE, MEMBERS };
static const char *const members[MEMBERS] = {"since",  "last", "said", "also",
                                             "offset", "time", "from", "service_name"};

/* A JSON integer from 0 to MAX_MS; -1 for anything else. */
static int64_t number(const struct json_value *v) {
    return json_int(v, 0, MAX_MS, -1);
}

static bool load_node(struct registry *r, int32_t partition, struct span id,
                      const struct json_value *saved, struct arena *arena) {
    int64_t since = number(&saved[SINCE]), last = number(&saved[LAST]);
    int64_t said = number(&saved[SAID]), also = number(&saved[ALSO]);
    if (since < 0 || last < 0 || said < 0 || also < 0 || map_get(&r->nodes, id))
        return false;
    struct node *node = node_new(r, id, json_text(&saved[SERVICE], arena), partition);
    node->since = since;
    node->last = last;
    node->said = said;
    node->also = (uint32_t)also;
    r->any_spread = r->any_spread || node->also;
    schedule(r, node);
    return true;
}

bool registry_load(struct registry *r, int32_t partition, struct span key, struct span value,
                   struct arena *arena) {
    const size_t node_n = strlen(NODE), part_n = strlen(PARTITION);
    struct json_value saved[MEMBERS];
    if (json_members(value, members, saved, MEMBERS, arena, &(struct err){0}) != 0)
        return false;
    if (key.n > node_n && memcmp(key.p, NODE, node_n) == 0)
        return load_node(r, partition, (struct span){key.p + node_n, key.n - node_n}, saved, arena);
    int64_t offset = number(&saved[OFFSET]), time = number(&saved[TIME]);
    if (key.n <= part_n || memcmp(key.p, PARTITION, part_n) != 0 || offset < 0 || time < 0)
        return false;
    struct part *p = part_of(r, partition);
    p->offset = offset;
    p->time = time;
    p->from = number(&saved[FROM]); /* -1, for one before 1970, is as good */
    return true;
}

bool registry_part(const struct registry *r, size_t i, struct registry_part *out) {
    if (i >= r->n_parts)
        return false;
    const struct part *p = &r->parts[i];
    *out = (struct registry_part){p->partition, p->offset, p->from};
    return true;
}

bool registry_each(const struct registry *r, size_t *place, struct registry_node *out) {
    struct span id;
    void *value;
    if (!map_next(&r->nodes, place, &id, &value))
        return false;
    const struct node *n = value;
    bool quiet = node_time(r, n) - n->last > r->conf.timeout; /* whether reported yet or not */
    *out =
        (struct registry_node){.id = n->id,
                               .service = n->service,
                               .silent = n->said || quiet,
                               .since_ms = n->said || quiet ? n->last + r->conf.timeout : n->since,
                               .last_proof_ms = n->last};
    return true;
}
