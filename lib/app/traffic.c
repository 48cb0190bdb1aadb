/* traffic: see traffic.h. The order of the keys is the contract's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

static const char *const level_names[TRAFFIC_LEVELS] = {"INFO", "WARN", "ERROR"};

const char *traffic_preset(const char *name, const char **service) {
    static const struct {
        const char *name, *node, *service;
    } presets[] = {
        {"payment", "node_01", "Payment"},
        {"order", "node_02", "Order"},
        {"service", "node_03", "Service"},
    };
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(name, presets[i].name) == 0) {
            *service = presets[i].service;
            return presets[i].node;
        }
    return NULL;
}

int traffic_weights(const struct str_map *map, int64_t weights[TRAFFIC_LEVELS], struct err *err) {
    int64_t sum = 0;
    memset(weights, 0, TRAFFIC_LEVELS * sizeof *weights);
    for (size_t i = 0; i < map->n; i++) {
        int level = 0;
        while (level < TRAFFIC_LEVELS && strcmp(map->keys[i], level_names[level]) != 0)
            level++;
        if (level == TRAFFIC_LEVELS)
            return err_set(err, "no log level \"%s\"; expected INFO, WARN and ERROR", map->keys[i]);
        const char *text = map->values[i];
        size_t digits = strspn(text, "0123456789");
        if (!digits || digits > 6 || text[digits])
            return err_set(err, "%s: \"%s\" is not a number from 0 to 999999", map->keys[i], text);
        weights[level] = strtol(text, NULL, 10);
        sum += weights[level];
    }
    return sum ? 0 : err_set(err, "one of INFO, WARN and ERROR must be above 0");
}

void traffic_init(struct traffic *t, const struct traffic_conf *conf, const char *node,
                  uint64_t seed, int64_t start_ms) {
    *t = (struct traffic){.conf = conf,
                          .node = node,
                          .rng = {seed},
                          .next_beat_ms = start_ms,
                          .next_log_ms = INT64_MAX};
}

int64_t traffic_due(const struct traffic *t) {
    if (t->ended)
        return INT64_MAX;
    return t->next_beat_ms < t->next_log_ms ? t->next_beat_ms : t->next_log_ms;
}

/* Keys and their values in turn, up to a NULL. */
static void members(struct buf *out, const char *const *texts) {
    for (; *texts; texts += 2) {
        buf_printf(out, "%s\"%s\":", out->p[out->n - 1] == '{' ? "" : ",", texts[0]);
        buf_json(out, span_of(texts[1]));
    }
}

static void timestamp(const struct traffic *t, const struct traffic_now *now, struct buf *out) {
    buf_text(out, ",\"timestamp\":\"");
    datetime_format(out, now->wall_ms, now->offset_s, t->conf->style);
    buf_text(out, "\"}");
}

/* A record of four members. */
static void write_short(const struct traffic *t, const struct traffic_now *now, const char *type,
                        const char *key, const char *value, struct buf *out) {
    buf_char(out, '{');
    members(out, (const char *const[]){"node_id", t->node, "message_type", type, key, value, NULL});
    timestamp(t, now, out);
}

/* Adds the conf's message with every {node_id} replaced. */
static void expand(const struct traffic *t, struct buf *out) {
    static const char place[] = "{node_id}";
    const char *rest = t->conf->message, *at;
    for (; (at = strstr(rest, place)); rest = at + sizeof place - 1) {
        buf_add(out, rest, (size_t)(at - rest));
        buf_text(out, t->node);
    }
    buf_text(out, rest);
}

static enum traffic_kind pick_level(struct traffic *t) {
    const int64_t *w = t->conf->weights;
    enum traffic_kind level = TRAFFIC_INFO;
    int64_t at = rng_range(&t->rng, 1, w[TRAFFIC_INFO] + w[TRAFFIC_WARN] + w[TRAFFIC_ERROR]);
    while (at > w[level])
        at -= w[level++];
    return level;
}

static enum traffic_kind write_log(struct traffic *t, const struct traffic_now *now,
                                   struct buf *out) {
    char uuid[37];
    BUF_LOCAL struct buf id = {0}, message = {0};
    enum traffic_kind level = pick_level(t);
    rng_uuid4(&t->rng, uuid);
    buf_printf(&id, "%s_%s", t->node, uuid);
    expand(t, &message);
    buf_char(out, '{');
    members(out, (const char *const[]){"log_id", id.p, "node_id", t->node, "log_level",
                                       level_names[level], "message", message.p, "message_type",
                                       "LOG", NULL});
    if (level == TRAFFIC_WARN) {
        buf_printf(out, ",\"response_time_ms\":%d", (int)rng_range(&t->rng, 100, 1000));
        buf_printf(out, ",\"threshold_limit_ms\":%d", (int)rng_range(&t->rng, 300, 800));
    } else if (level == TRAFFIC_ERROR) {
        buf_printf(
            out,
            ",\"error_details\":{\"error_code\":%d,\"error_message\":\"Sample error message\"}",
            (int)rng_range(&t->rng, 20, 100));
    }
    members(out, (const char *const[]){"service_name", t->conf->service, NULL});
    timestamp(t, now, out);
    return level;
}

/* The time after due, step later; a timetable that is more than a step behind starts anew. */
static int64_t advance(int64_t due, int64_t step, int64_t now) {
    return due + step > now ? due + step : now + step;
}

bool traffic_take(struct traffic *t, const struct traffic_now *now, struct buf *out,
                  enum traffic_kind *kind) {
    const struct traffic_conf *c = t->conf;
    if (t->ended || traffic_due(t) > now->mono_ms)
        return false;
    if (!t->registered) {
        *kind = TRAFFIC_REGISTRATION;
        write_short(t, now, "REGISTRATION", "service_name", c->service, out);
        /* Registering again after an ERROR does not move the logs. */
        if (t->next_log_ms == INT64_MAX)
            t->next_log_ms = advance(t->next_beat_ms, c->interval_ms, now->mono_ms);
        t->next_beat_ms = advance(t->next_beat_ms, c->heartbeat_ms, now->mono_ms);
        t->registered = true;
    } else if (t->next_beat_ms <= t->next_log_ms) {
        *kind = TRAFFIC_HEARTBEAT;
        write_short(t, now, "HEARTBEAT", "status", "UP", out);
        t->next_beat_ms = advance(t->next_beat_ms, c->heartbeat_ms, now->mono_ms);
    } else {
        *kind = write_log(t, now, out);
        t->logs++;
        t->next_log_ms = advance(t->next_log_ms, c->interval_ms, now->mono_ms);
        if (*kind == TRAFFIC_ERROR) {
            t->registered = false;
            t->next_beat_ms = now->mono_ms;
        }
        t->ended = (*kind == TRAFFIC_ERROR && !c->keep_going) || (c->count && t->logs == c->count);
    }
    return true;
}

bool traffic_goodbye(struct traffic *t, const struct traffic_now *now, struct buf *out) {
    bool known = t->registered;
    if (known)
        write_short(t, now, "HEARTBEAT", "status", "DOWN", out);
    t->registered = false;
    t->ended = true;
    return known;
}
