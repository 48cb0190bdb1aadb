/* kafka_client: see kafka_client.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_client.h"

#include <stdio.h>

#include "../os/clock.h"
#include "../os/stop.h"

enum {
    STOP_MS = 4000, /* all waits for the brokers together, once a stop was asked */
    LEAST_MS = 100  /* the last of them */
};

/* Properties that would run code: libraries that are loaded by name, and what becomes part of a
 * shell's command: the library puts the values of sasl.kerberos.principal and sasl.kerberos.keytab
 * into sasl.kerberos.kinit.cmd unquoted. */
static const char *const kafka_code[] = {"plugin.library.paths", "ssl.engine.", "ssl.providers",
                                         "sasl.kerberos.", NULL};

#define S struct kafka_conf
static const struct opt rows[] = {
    OPT(S, STRING, brokers, "localhost:9092", .arg = "HOST:PORT,…",
        .help = "brokers of the cluster to connect to first"),
    OPT(S, BOOL, create_topics, "true", .help = "create missing topics"),
    OPT(S, INT, partitions, "3", .min = 1, .max = 100000,
        .help = "partitions of topics that distlog creates"),
    OPT(S, INT, replication, "1", .min = 1, .max = 32767,
        .help = "replicas of topics that distlog creates"),
    OPT(S, MS, retention, "7d", .help = "how long topics that distlog creates keep their records"),
    OPT(S, STRING, instance, "", .arg = "NAME",
        .help = "static membership: a permanent name for this process within its group"),
    OPT(S, MAP, properties, "", .arg = "NAME=VALUE,…", .bits = OPT_SECRET, .code = kafka_code,
        .help = "additional librdkafka properties, such as security.protocol"),
};
#undef S

const struct opt_section kafka_section = OPT_SECTION(
    "bus.kafka", "Apache Kafka through librdkafka, for bus.type kafka", rows, struct kafka_conf);

enum {
    PRODUCERS = KAFKA_PRODUCER | KAFKA_TRANSACTIONAL_PRODUCER,
    COMMITTED = KAFKA_CONSUMER | KAFKA_DETACHED_CONSUMER,
    CONSUMERS = COMMITTED | KAFKA_METADATA_CLIENT,
    ALL = PRODUCERS | CONSUMERS
};
static const struct {
    int kinds;
    const char *name, *value;
} properties[] = {
    {ALL, "client.id", "distlog"},
    {ALL, "reconnect.backoff.max.ms", "2000"},
    {PRODUCERS, "partitioner", "murmur2_random"},
    /* After this, collect answers its client 503. */
    {PRODUCERS, "message.timeout.ms", "10000"},
    /* Implies acks=all, and order. */
    {KAFKA_PRODUCER, "enable.idempotence", "true"},
    /* A broker accepts any sequence number as a producer's first. If the first batch for a
     * partition arrives before the partition's leader is ready, and the second one after, the
     * library takes the first one, sent again, for a duplicate of one that was written. No release
     * of librdkafka up to 2.15.0 is known to cure it. */
    {PRODUCERS, "max.in.flight", "1"},
    {KAFKA_PRODUCER, "linger.ms", "2"},
    /* Bounded: beyond it put() answers BUS_FULL. */
    {KAFKA_PRODUCER, "queue.buffering.max.kbytes", "32768"},
    {KAFKA_PRODUCER, "queue.buffering.max.messages", "200000"},
    /* The upper bound on how long readers stall after a crash. */
    {KAFKA_TRANSACTIONAL_PRODUCER, "transaction.timeout.ms", "10000"},
    /* The first send of each transaction waits this long. */
    {KAFKA_TRANSACTIONAL_PRODUCER, "retry.backoff.ms", "10"},
    {KAFKA_TRANSACTIONAL_PRODUCER, "queue.buffering.max.kbytes", "65536"},
    {KAFKA_TRANSACTIONAL_PRODUCER, "queue.buffering.max.messages", "1000000"},
    {CONSUMERS, "enable.auto.commit", "false"},
    {COMMITTED, "isolation.level", "read_committed"},
    {COMMITTED, "enable.partition.eof", "true"},
    /* Applies to their questions about offsets. */
    {KAFKA_PRODUCER | KAFKA_METADATA_CLIENT, "isolation.level", "read_uncommitted"},
    {KAFKA_DETACHED_CONSUMER, "auto.offset.reset", "earliest"},
    /* kafka_consumer.c sets the positions. */
    {KAFKA_CONSUMER, "auto.offset.reset", "error"},
    {KAFKA_CONSUMER, "enable.auto.offset.store", "false"},
    /* Eager: see kafka_consumer.c for what is wrong with cooperative-sticky. */
    {KAFKA_CONSUMER, "partition.assignment.strategy", "range"},
    {KAFKA_CONSUMER, "session.timeout.ms", "10000"},
    {KAFKA_CONSUMER, "heartbeat.interval.ms", "2000"},
    {KAFKA_CONSUMER, "fetch.wait.max.ms", "100"},
    /* An end behind a transaction's marker is reported only after this wait. */
    {KAFKA_DETACHED_CONSUMER, "fetch.wait.max.ms", "10"},
    /* A fast consumer starves at the default. */
    {KAFKA_CONSUMER, "queued.min.messages", "200000"},
    /* Bounds the memory. */
    {KAFKA_CONSUMER, "queued.max.messages.kbytes", "65536"},
};

/* Called from rd_kafka_poll and rd_kafka_consumer_poll only, so on the owner's thread. */
static void kafka_client_on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque) {
    struct kafka_client *c = opaque;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        c->fatal = true;
        rd_kafka_fatal_error(rk, c->reason, sizeof c->reason);
        return;
    }
    /* "1/1 brokers are down" would replace a reason that says more. */
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    /* What follows says for how long the connection was in which state. */
    char *aside = strstr(c->reason, " (after ");
    if (aside)
        *aside = '\0';
}

static int kafka_client_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                            struct err *err) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return 0;
    return err_set(err, "bus.kafka.properties: %s: %s", name, why);
}

/* Sets what is known only at run time. 0, or -1 with err. */
static int kafka_client_set_own(rd_kafka_conf_t *k, const struct kafka_client *c, struct err *err) {
    char max_bytes[24];
    snprintf(max_bytes, sizeof max_bytes, "%lld", (long long)c->max_bytes);
    const bool is_static_member = c->rebalanced && *c->conf->instance;
    const struct {
        bool wanted;
        const char *name, *value;
    } own[] = {
        {true, "bootstrap.servers", c->conf->brokers},
        {c->kind & PRODUCERS, "message.max.bytes", max_bytes},
        {c->kind & CONSUMERS, "group.id", c->name},
        {c->kind == KAFKA_TRANSACTIONAL_PRODUCER, "transactional.id", c->name},
        {is_static_member, "group.instance.id", c->conf->instance},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].wanted && kafka_client_set(k, own[i].name, own[i].value, err))
            return -1;
    return 0;
}

/* Sets everything; the user's properties come last, so that they win. 0, or -1 with err. */
static int kafka_client_set_all(rd_kafka_conf_t *k, const struct kafka_client *c, struct err *err) {
    const struct str_map *user = &c->conf->properties;
    if (kafka_client_set_own(k, c, err))
        return -1;
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        const bool applies = properties[i].kinds & (int)c->kind;
        if (applies && kafka_client_set(k, properties[i].name, properties[i].value, err))
            return -1;
    }
    for (size_t i = 0; i < user->n; i++)
        if (kafka_client_set(k, user->keys[i], user->values[i], err))
            return -1;
    return 0;
}

/* Takes k. */
static enum bus_rc kafka_client_create(struct kafka_client *c, rd_kafka_conf_t *k,
                                       struct err *err) {
    char why[256];
    rd_kafka_type_t type = RD_KAFKA_CONSUMER;
    if (c->kind & PRODUCERS)
        type = RD_KAFKA_PRODUCER;
    c->rk = rd_kafka_new(type, k, why, sizeof why);
    if (c->rk)
        return BUS_OK;
    rd_kafka_conf_destroy(k);
    const char *hint = "";
    if (strstr(why, "kerberos"))
        hint = ": sasl.mechanism is not set";
    err_set(err, "kafka %s: %s (see bus.kafka.properties%s)", c->conf->brokers, why, hint);
    return BUS_FATAL;
}

enum bus_rc kafka_client_open(struct kafka_client *c, struct err *err) {
    rd_kafka_conf_t *k = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(k, c);
    rd_kafka_conf_set_error_cb(k, kafka_client_on_error);
    /* Otherwise the library writes to standard error; what matters comes through error_cb. */
    rd_kafka_conf_set_log_cb(k, NULL);
    if (c->delivered)
        rd_kafka_conf_set_dr_msg_cb(k, c->delivered);
    if (c->rebalanced)
        rd_kafka_conf_set_rebalance_cb(k, c->rebalanced);
    if (kafka_client_set_all(k, c, err)) {
        rd_kafka_conf_destroy(k);
        return BUS_FATAL;
    }
    return kafka_client_create(c, k, err);
}

void kafka_client_close(struct kafka_client *c, bool quick) {
    if (c->rk)
        rd_kafka_destroy_flags(c->rk, quick ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
    c->rk = NULL;
}

void kafka_client_give_up(struct kafka_client *c, const char *reason) {
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    c->fatal = true;
}

void kafka_client_clear_reason(struct kafka_client *c) {
    c->reason[0] = '\0';
}

int kafka_client_limit_ms(int ms) {
    if (!stop_asked())
        return ms;
    int64_t left_ms = stop_asked_ms() + STOP_MS - clock_mono_ms();
    if (left_ms > ms)
        return ms;
    if (left_ms < LEAST_MS)
        return LEAST_MS;
    return (int)left_ms;
}

struct bus_record kafka_client_record(const rd_kafka_message_t *m) {
    return (struct bus_record){.partition = m->partition,
                               .offset = m->offset,
                               .ts_ms = rd_kafka_message_timestamp(m, NULL),
                               .key = {m->key, m->key ? m->key_len : 0},
                               .value = {m->payload, m->payload ? m->len : 0}};
}
