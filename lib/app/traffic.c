/* traffic: see traffic.h. The order of the keys is the contract's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"
#include "../base/escape.h"

static const char *const traffic_levels[TRAFFIC_LEVELS] = {"INFO", "WARN", "ERROR"};

const char *traffic_preset(const char *name, const char **service) {
    static const struct {
        const char *name, *node, *service;
    } presets[] = {
        {"payment", "node_01", "Payment"},
        {"order", "node_02", "Order"},
        {"service", "node_03", "Service"},
    };
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(name, presets[i].name) == 0) {
            *service = presets[i].service;
            return presets[i].node;
        }
    }
    return NULL;
}

/* TRAFFIC_LEVELS if there is no such level. */
static size_t traffic_find_level(const char *name) {
    size_t level = 0;
    while (level < TRAFFIC_LEVELS && strcmp(name, traffic_levels[level]) != 0)
        level++;
    return level;
}

/* Parses a number from 0 to 999999; -1 if text is anything else. */
static int64_t traffic_weight(const char *text) {
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 6 || text[digits])
        return -1;
    return strtol(text, NULL, 10);
}

int traffic_weights(const struct str_map *map, int64_t weights[TRAFFIC_LEVELS], struct err *err) {
    int64_t sum = 0;
    memset(weights, 0, TRAFFIC_LEVELS * sizeof *weights);
    for (size_t i = 0; i < map->n; i++) {
        const char *key = map->keys[i], *value = map->values[i];
        const size_t level = traffic_find_level(key);
        if (level == TRAFFIC_LEVELS)
            return err_set(err, "unknown log level \"%s\"; expected INFO, WARN or ERROR", key);
        weights[level] = traffic_weight(value);
        if (weights[level] < 0)
            return err_set(err, "%s: \"%s\" is not a number from 0 to 999999", key, value);
        sum += weights[level];
    }
    if (sum == 0)
        return err_set(err, "at least one of INFO, WARN and ERROR must be greater than 0");
    return 0;
}

void traffic_init(struct traffic *t, const struct traffic_conf *conf, const char *node,
                  uint64_t seed, int64_t start_ms) {
    *t = (struct traffic){.conf = conf,
                          .node = node,
                          .rng = {seed},
                          .next_heartbeat_ms = start_ms,
                          .next_log_ms = INT64_MAX};
}

int64_t traffic_due(const struct traffic *t) {
    if (t->ended)
        return INT64_MAX;
    return t->next_heartbeat_ms < t->next_log_ms ? t->next_heartbeat_ms : t->next_log_ms;
}

/* Adds a member with a text, which is valid UTF-8; the object has been begun. */
static void traffic_add(struct buf *out, const char *key, const char *value) {
    if (out->p[out->n - 1] != '{')
        buf_char(out, ',');
    buf_printf(out, "\"%s\":", key);
    escape_json(out, span_of(value));
}

/* Adds the timestamp, a record's last member, and ends the object. */
static void traffic_end_record(const struct traffic *t, const struct traffic_now *now,
                               struct buf *out) {
    buf_text(out, ",\"timestamp\":\"");
    datetime_format(out, now->wall_ms, now->offset_s, t->conf->style);
    buf_text(out, "\"}");
}

/* Writes a record of four members; key and value are the third. */
static void traffic_write_short(const struct traffic *t, const struct traffic_now *now,
                                const char *type, const char *key, const char *value,
                                struct buf *out) {
    buf_char(out, '{');
    traffic_add(out, "node_id", t->node);
    traffic_add(out, "message_type", type);
    traffic_add(out, key, value);
    traffic_end_record(t, now, out);
}

/* Adds the conf's message with every {node_id} replaced. */
static void traffic_expand(const struct traffic *t, struct buf *out) {
    static const char place[] = "{node_id}";
    const char *rest = t->conf->message;
    for (;;) {
        const char *at = strstr(rest, place);
        if (!at)
            break;
        buf_add(out, rest, (size_t)(at - rest));
        buf_text(out, t->node);
        rest = at + sizeof place - 1;
    }
    buf_text(out, rest);
}

static enum traffic_kind traffic_pick_level(struct traffic *t) {
    const int64_t *weights = t->conf->weights;
    const int64_t sum = weights[TRAFFIC_INFO] + weights[TRAFFIC_WARN] + weights[TRAFFIC_ERROR];
    enum traffic_kind level = TRAFFIC_INFO;
    int64_t at = rng_range(&t->rng, 1, sum);
    while (at > weights[level]) {
        at -= weights[level];
        level++;
    }
    return level;
}

/* The members that only records of some levels have. */
static void traffic_add_details(struct traffic *t, enum traffic_kind level, struct buf *out) {
    if (level == TRAFFIC_WARN) {
        buf_printf(out, ",\"response_time_ms\":%d", (int)rng_range(&t->rng, 100, 1000));
        buf_printf(out, ",\"threshold_limit_ms\":%d", (int)rng_range(&t->rng, 300, 800));
    } else if (level == TRAFFIC_ERROR) {
        buf_printf(
            out,
            ",\"error_details\":{\"error_code\":%d,\"error_message\":\"Sample error message\"}",
            (int)rng_range(&t->rng, 20, 100));
    }
}

static enum traffic_kind traffic_write_log(struct traffic *t, const struct traffic_now *now,
                                           struct buf *out) {
    char uuid[37];
    BUF_LOCAL struct buf id = {0}, message = {0};
    const enum traffic_kind level = traffic_pick_level(t);
    rng_uuid4(&t->rng, uuid);
    buf_printf(&id, "%s_%s", t->node, uuid);
    traffic_expand(t, &message);
    buf_char(out, '{');
    traffic_add(out, "log_id", id.p);
    traffic_add(out, "node_id", t->node);
    traffic_add(out, "log_level", traffic_levels[level]);
    traffic_add(out, "message", buf_view(&message).p);
    traffic_add(out, "message_type", "LOG");
    traffic_add_details(t, level, out);
    traffic_add(out, "service_name", t->conf->service);
    traffic_end_record(t, now, out);
    return level;
}

/* The time after due, one step later; a timetable that is more than a step behind starts again from
 * now. */
static int64_t traffic_advance(int64_t due_ms, int64_t step_ms, int64_t now_ms) {
    if (due_ms + step_ms > now_ms)
        return due_ms + step_ms;
    return now_ms + step_ms;
}

static void traffic_advance_heartbeat(struct traffic *t, int64_t now_ms) {
    t->next_heartbeat_ms = traffic_advance(t->next_heartbeat_ms, t->conf->heartbeat_ms, now_ms);
}

static void traffic_register(struct traffic *t, const struct traffic_now *now, struct buf *out) {
    traffic_write_short(t, now, "REGISTRATION", "service_name", t->conf->service, out);
    /* Registering again after an ERROR does not move the logs. */
    if (t->next_log_ms == INT64_MAX)
        t->next_log_ms = traffic_advance(t->next_heartbeat_ms, t->conf->interval_ms, now->mono_ms);
    traffic_advance_heartbeat(t, now->mono_ms);
    t->registered = true;
}

static enum traffic_kind traffic_log(struct traffic *t, const struct traffic_now *now,
                                     struct buf *out) {
    const struct traffic_conf *conf = t->conf;
    const enum traffic_kind level = traffic_write_log(t, now, out);
    t->logs++;
    t->next_log_ms = traffic_advance(t->next_log_ms, conf->interval_ms, now->mono_ms);
    if (level == TRAFFIC_ERROR) {
        t->registered = false;
        t->next_heartbeat_ms = now->mono_ms;
        if (!conf->keep_going)
            t->ended = true;
    }
    if (conf->count > 0 && t->logs == conf->count)
        t->ended = true;
    return level;
}

bool traffic_take(struct traffic *t, const struct traffic_now *now, struct buf *out,
                  enum traffic_kind *kind) {
    if (t->ended || traffic_due(t) > now->mono_ms)
        return false;
    if (!t->registered) {
        traffic_register(t, now, out);
        *kind = TRAFFIC_REGISTRATION;
    } else if (t->next_heartbeat_ms <= t->next_log_ms) {
        traffic_write_short(t, now, "HEARTBEAT", "status", "UP", out);
        traffic_advance_heartbeat(t, now->mono_ms);
        *kind = TRAFFIC_HEARTBEAT;
    } else {
        *kind = traffic_log(t, now, out);
    }
    return true;
}

bool traffic_goodbye(struct traffic *t, const struct traffic_now *now, struct buf *out) {
    const bool was_registered = t->registered;
    if (was_registered)
        traffic_write_short(t, now, "HEARTBEAT", "status", "DOWN", out);
    t->registered = false;
    t->ended = true;
    return was_registered;
}
