/* router_conf: see router_conf.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "router_conf.h"

#define YEAR_MS (365LL * 24 * 3600 * 1000)

static const struct opt router_rows[] = {
    OPT(struct router_conf, STRING, group, "distlog-pubsub", .flag = "group", .arg = "NAME",
        .bits = OPT_NAME, .help = "consumer group; its state is kept in the topic NAME.state"),
    OPT_ROW("heartbeat_timeout", struct router_conf, MS, registry.timeout, "7s",
            .flag = "heartbeat-timeout", .min = 1, .max = YEAR_MS,
            .help = "a node that sends no heartbeat for longer than this has missed one"),
    OPT_ROW("heartbeat_grace", struct router_conf, MS, registry.grace, "1s",
            .flag = "heartbeat-grace", .max = YEAR_MS,
            .help = "extra delay before an ongoing gap is reported"),
    OPT_ROW("repeat_interval", struct router_conf, MS, registry.repeat, "0s",
            .flag = "repeat-interval", .max = YEAR_MS,
            .help = "interval at which an ongoing gap is reported again; 0: once only"),
    OPT(struct router_conf, CHOICE, liveness, "heartbeat", .flag = "liveness",
        .choices = "heartbeat|any",
        .help = "which records show that a node is alive: registrations and heartbeats, or any"),
    OPT(struct router_conf, CHOICE, on_error, "deregister", .flag = "on-error",
        .choices = "deregister|keep", .help = "what happens to a node that logs an ERROR"),
    OPT(struct router_conf, CHOICE, unregistered, "drop", .flag = "unregistered",
        .choices = "drop|dead_letter|forward",
        .help = "what happens to records of nodes that are not registered"),
    OPT_ROW("forget_after", struct router_conf, MS, registry.forget, "0s", .flag = "forget-after",
            .max = YEAR_MS,
            .help = "a node that is silent for longer than this is DOWN and forgotten; 0: never"),
    OPT(struct router_conf, CHOICE, time_format, "local", .flag = "time-format",
        .choices = "local|rfc3339", .help = "format of the timestamps that pubsub writes"),
};
const struct opt_section router_section =
    OPT_SECTION("pubsub", "routing and liveness", router_rows, struct router_conf);

struct registry *router_registry(const struct router_conf *conf) {
    struct registry_conf registry = conf->registry;
    registry.any_record_is_heartbeat = strcmp(conf->liveness, "any") == 0;
    registry.keep_on_error = strcmp(conf->on_error, "keep") == 0;
    return registry_new(&registry);
}

enum datetime_style router_style(const struct router_conf *conf) {
    if (strcmp(conf->time_format, "rfc3339") == 0)
        return DATETIME_RFC3339;
    return DATETIME_LOCAL;
}

/* --- loading --- */

struct router_loading {
    struct registry *registry;
    struct arena arena; /* one record's */
    int32_t partition;  /* of the input, while it is replayed */
    uint64_t invalid;
};

static bool router_on_state(void *ctx, int32_t partition, struct span key, struct span value) {
    struct router_loading *l = ctx;
    if (!registry_load(l->registry, partition, key, value, &l->arena))
        l->invalid++;
    arena_clear(&l->arena);
    return true;
}

static bool router_on_input(void *ctx, const struct bus_record *record) {
    struct router_loading *l = ctx;
    struct event e;
    struct err err;
    const struct registry_at at = {l->partition, record->offset, record->ts_ms, record->ts_ms};
    if (event_parse(record->value, &l->arena, &e, &err) == INPUT_OK &&
        event_check_node(&e, &err) == INPUT_OK)
        registry_replay(l->registry, &e, &at);
    arena_clear(&l->arena);
    return true;
}

static enum bus_rc router_restore_state(struct router_loading *l, struct bus *bus,
                                        const char *state, const struct bus_batch *batch,
                                        struct err *err) {
    if (!batch)
        return bus->engine->restore(bus, state, -1, router_on_state, l, err);
    for (size_t i = 0; i < batch->n_parts; i++) {
        const int32_t partition = batch->parts[i].partition;
        const enum bus_rc rc = bus->engine->restore(bus, state, partition, router_on_state, l, err);
        if (rc != BUS_OK)
            return rc;
    }
    return BUS_OK;
}

/* Heartbeats are not saved one by one, but read again. */
static enum bus_rc router_replay_input(struct router_loading *l, struct bus *bus, const char *input,
                                       const struct bus_batch *batch, struct err *err) {
    struct registry_position part;
    for (size_t i = 0; registry_position(l->registry, i, &part); i++) {
        if (part.offset < 0)
            continue;
        l->partition = part.partition;
        const int64_t end = batch ? part.offset : -1;
        const enum bus_rc rc = bus->engine->replay(bus, input, part.partition, part.from_ms, end,
                                                   router_on_input, l, err);
        if (rc != BUS_OK)
            return rc;
    }
    return BUS_OK;
}

enum bus_rc router_load(struct bus *bus, const char *state, const char *input,
                        const struct bus_batch *batch, struct registry *registry, uint64_t *invalid,
                        struct err *err) {
    struct router_loading l = {.registry = registry};
    registry_clear(registry);
    enum bus_rc rc = router_restore_state(&l, bus, state, batch, err);
    if (rc == BUS_OK)
        rc = router_replay_input(&l, bus, input, batch, err);
    arena_release(&l.arena);
    *invalid = l.invalid;
    return rc;
}
