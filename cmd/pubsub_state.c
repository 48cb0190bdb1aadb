/* pubsub_state: see pubsub_state.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pubsub_state.h"

#define YEAR_MS (365LL * 24 * 3600 * 1000)

static const struct opt rows[] = {
    OPT(struct pubsub_conf, STRING, group, "distlog-pubsub", .flag = "group", .arg = "NAME",
        .bits = OPT_NAME, .help = "the consumer group; its state is kept in the topic NAME.state"),
    OPT_ROW("heartbeat_timeout", struct pubsub_conf, MS, registry.timeout, "7s",
            .flag = "heartbeat-timeout", .min = 1, .max = YEAR_MS,
            .help = "a node that is silent for longer has missed its heartbeat"),
    OPT_ROW("heartbeat_grace", struct pubsub_conf, MS, registry.grace, "1s",
            .flag = "heartbeat-grace", .max = YEAR_MS,
            .help = "how much later that is reported while it lasts"),
    OPT_ROW("repeat_interval", struct pubsub_conf, MS, registry.repeat, "0s",
            .flag = "repeat-interval", .max = YEAR_MS,
            .help = "report a lasting silence again each time this has passed; 0: never"),
    OPT(struct pubsub_conf, CHOICE, liveness, "heartbeat", .flag = "liveness",
        .choices = "heartbeat|any",
        .help = "what proves that a node lives: registrations and heartbeats, or any record"),
    OPT(struct pubsub_conf, CHOICE, on_error, "deregister", .flag = "on-error",
        .choices = "deregister|keep", .help = "what an ERROR does to its node"),
    OPT(struct pubsub_conf, CHOICE, unregistered, "drop", .flag = "unregistered",
        .choices = "drop|dead_letter|forward",
        .help = "what becomes of records of nodes that are not registered"),
    OPT_ROW("forget_after", struct pubsub_conf, MS, registry.forget, "0s", .flag = "forget-after",
            .max = YEAR_MS,
            .help = "a node that is silent for longer is DOWN and forgotten; 0: never"),
    OPT(struct pubsub_conf, CHOICE, time_format, "local", .flag = "time-format",
        .choices = "local|rfc3339", .help = "timestamps in what pubsub itself says"),
};
const struct opt_section pubsub_section =
    OPT_SECTION("pubsub", "routing and liveness", rows, struct pubsub_conf);

struct registry *pubsub_registry(const struct pubsub_conf *c) {
    struct registry_conf conf = c->registry;
    conf.any_proves = strcmp(c->liveness, "any") == 0;
    conf.error_keeps = strcmp(c->on_error, "keep") == 0;
    return registry_new(&conf);
}

enum datetime_style pubsub_style(const struct pubsub_conf *c) {
    return strcmp(c->time_format, "rfc3339") == 0 ? DATETIME_RFC3339 : DATETIME_LOCAL;
}

struct loading {
    struct registry *registry;
    struct arena arena;
    int32_t partition;
    uint64_t garbage;
};

static bool on_state(void *ctx, int32_t partition, struct span key, struct span value) {
    struct loading *l = ctx;
    l->garbage += !registry_load(l->registry, partition, key, value, &l->arena);
    arena_clear(&l->arena);
    return true;
}

static bool on_input(void *ctx, const struct bus_record *record) {
    struct loading *l = ctx;
    struct event e;
    struct err err;
    struct registry_at at = {l->partition, record->offset, record->ts_ms, record->ts_ms};
    if (event_parse(record->value, &l->arena, &e, &err) == INPUT_OK &&
        event_of_node(&e, &err) == INPUT_OK)
        registry_replay(l->registry, &e, &at);
    arena_clear(&l->arena);
    return true;
}

enum bus_rc pubsub_load(struct bus *bus, const char *state, const char *input,
                        const struct bus_batch *parts, struct registry *registry, uint64_t *garbage,
                        struct err *err) {
    struct loading l = {.registry = registry};
    enum bus_rc rc = BUS_OK;
    registry_clear(registry);
    for (size_t i = 0; i < (parts ? parts->n_parts : 1) && rc == BUS_OK; i++)
        rc = bus->engine->restore(bus, state, parts ? parts->parts[i].partition : -1, on_state, &l,
                                  err);
    struct registry_part part;
    for (size_t i = 0; rc == BUS_OK && registry_part(registry, i, &part); i++) {
        if (part.offset < 0)
            continue;
        l.partition = part.partition;
        rc = bus->engine->replay(bus, input, part.partition, part.from_ms, parts ? part.offset : -1,
                                 on_input, &l, err);
    }
    arena_release(&l.arena);
    *garbage = l.garbage;
    return rc;
}
