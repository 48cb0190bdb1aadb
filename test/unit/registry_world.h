/* registry_world: what surrounds a registry in its tests: the log that it read, the state topic and
 * the events that followed; and the steps of a scenario. Times are in ms; the bus and the monotonic
 * clock share one time axis. Each step is one turn:
 *     AT reg|beat|log|error|bye NODE [PARTITION [SERVICE]]   a record of timestamp AT was read
 *     AT end [PARTITION]   the bus confirmed the end, to a question asked at AT
 *     AT until [PARTITION]  the same, and the bus's own time is AT
 *     AT clock             from here on pubsub's clock is at AT
 *     AT restart           the registry is cleared and loaded from the bus again
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../lib/base/buf.h"
#include "../../lib/base/mem.h"
#include "../../lib/core/registry.h"

#define PLAIN .timeout = 7000, .grace = 1000

/* A record of the input, as the log keeps it for replays. */
struct input {
    char op[8], node[16], service[16];
    struct registry_at at;
};

/* A registry with its log, its state topic and the events that followed. */
struct world {
    struct registry_conf conf;
    struct registry *registry;
    struct arena arena;
    struct registry_step step;
    struct map state; /* "PARTITION KEY" → value */
    struct input *log;
    size_t n_log;
    int64_t offsets[4], clock; /* clock 0: the record's timestamp */
    struct buf out;
    unsigned multi_partition;
};

static inline void world_init(struct world *w, const struct registry_conf *conf) {
    *w = (struct world){.conf = *conf, .registry = registry_new(conf)};
    w->step.arena = &w->arena;
}

static inline void world_release(struct world *w) {
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(&w->state, &at, &key, &value))
        free(value);
    map_release(&w->state);
    registry_free(w->registry);
    arena_release(&w->arena);
    buf_release(&w->out);
    free(w->log);
}

static inline struct text token(const char *text, char *raw, size_t size) {
    snprintf(raw, size, "\"%s\"", text);
    return (struct text){span_of(raw), {raw + 1, strlen(text)}};
}

/* The event of an input; raw[] holds its tokens. */
static inline struct event event_of(const struct input *in, char raw[3][24]) {
    bool beat = strcmp(in->op, "beat") == 0, bye = strcmp(in->op, "bye") == 0;
    bool error = strcmp(in->op, "error") == 0;
    struct event e = {.node = token(in->node, raw[0], 24)};
    e.kind = strcmp(in->op, "reg") == 0 ? EVENT_REGISTRATION
             : beat || bye              ? EVENT_HEARTBEAT
                                        : EVENT_LOG;
    if (e.kind == EVENT_REGISTRATION)
        e.service = token(in->service, raw[1], 24);
    if (beat || bye)
        e.status = token(bye ? "DOWN" : "UP", raw[2], 24);
    if (e.kind == EVENT_LOG)
        e.level = token(error ? "ERROR" : "INFO", raw[2], 24);
    return e;
}

static inline void take_events(struct world *w) {
    static const char *const names[] = {"UP", "DOWN", "MISSED", "RECOVERED"};
    for (size_t i = 0; i < w->step.n_events; i++) {
        const struct liveness_event *s = &w->step.events[i];
        buf_printf(&w->out, "%s %.*s %lld (%lld)", names[s->kind], SPAN_ARG(s->id),
                   (long long)s->at_ms, (long long)s->last_seen_ms);
        if (!span_is(s->service, "pay"))
            buf_printf(&w->out, " %.*s", SPAN_ARG(s->service));
        buf_char(&w->out, '\n');
    }
    for (size_t i = 0; i < w->step.n_changes; i++) {
        const struct registry_change *c = &w->step.changes[i];
        struct buf key = {0};
        buf_printf(&key, "%d %.*s", c->partition, SPAN_ARG(c->key));
        free(c->value.p ? map_put(&w->state, buf_view(&key), mem_strndup(c->value.p, c->value.n))
                        : map_remove(&w->state, buf_view(&key)));
        buf_release(&key);
    }
    w->multi_partition += w->step.multi_partition.p != NULL;
    arena_clear(&w->arena);
}

static inline void end_turn(struct world *w) {
    while (registry_expire(w->registry, &w->step))
        take_events(w);
    while (registry_save(w->registry, &w->step))
        take_events(w);
}

static inline void feed(struct world *w, const struct input *in) {
    if (w->n_log % 256 == 0)
        w->log = mem_realloc(w->log, w->n_log + 256, sizeof *w->log);
    struct input *kept = &w->log[w->n_log++];
    *kept = *in;
    kept->at.offset = w->offsets[in->at.partition]++;
    kept->at.now_ms = w->clock ? w->clock : in->at.ts_ms;
    char raw[3][24];
    struct event e = event_of(kept, raw);
    registry_advance(w->registry, &kept->at);
    while (registry_expire(w->registry, &w->step))
        take_events(w);
    registry_apply(w->registry, &e, &kept->at, &w->step);
    take_events(w);
}

static inline void restart(struct world *w) {
    registry_clear(w->registry);
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(&w->state, &at, &key, &value)) {
        char *after;
        int32_t partition = (int32_t)strtol(key.p, &after, 10);
        struct span name = {after + 1, key.n - (size_t)(after + 1 - key.p)};
        assert_true(registry_load(w->registry, partition, name, span_of(value), &w->arena));
    }
    struct registry_position part;
    for (size_t i = 0; registry_position(w->registry, i, &part); i++) {
        for (size_t j = 0; j < w->n_log; j++) {
            const struct input *in = &w->log[j];
            if (in->at.partition != part.partition || in->at.ts_ms < part.from_ms ||
                in->at.offset >= part.offset)
                continue;
            char raw[3][24];
            struct event e = event_of(in, raw);
            registry_replay(w->registry, &e, &in->at);
        }
    }
}

static inline void step(struct world *w, const char *line) {
    struct input in = {.service = "pay"};
    long long at = 0;
    char first[16] = "", second[16] = "", third[16] = "";
    assert_true(sscanf(line, "%lld %7s %15s %15s %15s", &at, in.op, first, second, third) >= 2);
    if (strcmp(in.op, "end") == 0) {
        registry_confirm(w->registry, atoi(first), at, 0);
    } else if (strcmp(in.op, "until") == 0) {
        registry_confirm(w->registry, atoi(first), 0, at);
    } else if (strcmp(in.op, "clock") == 0) {
        w->clock = at;
    } else if (strcmp(in.op, "restart") == 0) {
        restart(w);
    } else {
        memcpy(in.node, first, sizeof first);
        in.at.partition = atoi(second);
        in.at.ts_ms = at;
        if (third[0])
            memcpy(in.service, third, sizeof third);
        feed(w, &in);
    }
    end_turn(w);
}
