/* kafka_client: see kafka_client.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_client.h"

#include <stdio.h>

#include "../os/stop.h"
#include "../os/clock.h"

/* How long one question to the cluster may take; all that are asked after a stop was, and the last
 * of those.
 */
enum { ASK_MS = 5000, LEAVE_MS = 4000, LEAST_MS = 100 };

/* Libraries that are loaded by name, and what becomes part of a shell's command: the values of
 * sasl.kerberos.principal and sasl.kerberos.keytab are put into sasl.kerberos.kinit.cmd as they
 * are. */
static const char *const kafka_code[] = {"plugin.library.paths", "ssl.engine.", "ssl.providers",
                                         "sasl.kerberos.", NULL};

#define S struct kafka_conf
static const struct opt rows[] = {
    OPT(S, STRING, brokers, "localhost:9092", .arg = "HOST:PORT,…",
        .help = "where to find the cluster"),
    OPT(S, BOOL, create_topics, "true", .help = "make the topics that are missing"),
    OPT(S, INT, partitions, "3", .min = 1, .max = 100000, .help = "of a topic that distlog makes"),
    OPT(S, INT, replication, "1", .min = 1, .max = 32767,
        .help = "replicas of a topic that distlog makes"),
    OPT(S, MS, retention, "7d", .help = "how long a topic that distlog makes keeps its records"),
    OPT(S, STRING, instance, "", .arg = "NAME",
        .help = "static membership: the lasting name of this process within its group"),
    OPT(S, MAP, properties, "", .arg = "NAME=VALUE,…", .bits = OPT_SECRET, .code = kafka_code,
        .help = "any librdkafka property, such as security.protocol"),
};
#undef S

const struct opt_section kafka_section = OPT_SECTION(
    "bus.kafka", "Apache Kafka through librdkafka, for bus.type kafka", rows, struct kafka_conf);

/* Called from rd_kafka_poll and rd_kafka_consumer_poll only, so on the owner's thread. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque) {
    struct kafka_client *c = opaque;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        c->fatal = true;
        rd_kafka_fatal_error(rk, c->said, sizeof c->said);
    } else if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        snprintf(c->said, sizeof c->said, "%s", reason); /* "1/1 brokers are down" says less */
        char *aside = strstr(c->said, " (after "); /* how long in which state of the connection */
        if (aside)
            *aside = '\0';
    }
}

enum {
    PRODUCERS = KAFKA_WRITER | KAFKA_COPIER,
    CONSUMERS = KAFKA_READER | KAFKA_LOOKER | KAFKA_PROBE,
};
static const struct {
    int kinds;
    const char *name, *value;
} properties[] = {
    {PRODUCERS | CONSUMERS, "client.id", "distlog"},
    {PRODUCERS | CONSUMERS, "reconnect.backoff.max.ms", "2000"},
    {PRODUCERS, "partitioner", "murmur2_random"},
    {PRODUCERS, "message.timeout.ms", "10000"},   /* then collect's client is told 503 */
    {KAFKA_WRITER, "enable.idempotence", "true"}, /* implies acks=all and order */
    /* A broker takes any sequence number as a producer's first. If the first batch for a partition
     * comes before its leader is ready and a second one after, the library takes the first, sent
     * again, for one that is there. */
    {PRODUCERS, "max.in.flight", "1"},
    {KAFKA_WRITER, "linger.ms", "2"},
    {KAFKA_WRITER, "queue.buffering.max.kbytes",
     "32768"}, /* bounded: past it put() answers BUS_FULL */
    {KAFKA_WRITER, "queue.buffering.max.messages", "200000"},
    {KAFKA_COPIER, "transaction.timeout.ms", "10000"}, /* so long readers wait after a crash */
    {KAFKA_COPIER, "retry.backoff.ms", "10"}, /* the first send of a transaction waits this long */
    {KAFKA_COPIER, "queue.buffering.max.kbytes", "65536"},
    {KAFKA_COPIER, "queue.buffering.max.messages", "1000000"},
    {CONSUMERS, "enable.auto.commit", "false"},
    {KAFKA_READER | KAFKA_LOOKER, "isolation.level", "read_committed"},
    {KAFKA_READER | KAFKA_LOOKER, "enable.partition.eof", "true"},
    {KAFKA_WRITER | KAFKA_PROBE, "isolation.level", "read_uncommitted"}, /* of their questions */
    {KAFKA_LOOKER, "auto.offset.reset", "earliest"},
    {KAFKA_READER, "auto.offset.reset", "error"}, /* positions are ours: see bus_kafka_read.c */
    {KAFKA_READER, "enable.auto.offset.store", "false"},
    {KAFKA_READER, "partition.assignment.strategy", "range"},
    {KAFKA_READER, "session.timeout.ms", "10000"},
    {KAFKA_READER, "heartbeat.interval.ms", "2000"},
    {KAFKA_READER, "fetch.wait.max.ms", "100"},
    {KAFKA_LOOKER, "fetch.wait.max.ms",
     "10"}, /* an end behind a transaction's marker is told after it */
    {KAFKA_READER, "queued.min.messages", "200000"}, /* a fast consumer starves at the default */
    {KAFKA_READER, "queued.max.messages.kbytes", "65536"}, /* bounded memory */
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return 0;
    return err_set(err, "bus.kafka.properties: %s: %s", name, why);
}

static int set_all(rd_kafka_conf_t *k, const struct kafka_client *c, struct err *err) {
    const struct kafka_conf *conf = c->conf;
    char largest[24];
    snprintf(largest, sizeof largest, "%lld", (long long)c->largest);
    int bad = set(k, "bootstrap.servers", conf->brokers, err);
    if (c->kind & PRODUCERS)
        bad = bad || set(k, "message.max.bytes", largest, err);
    if (c->kind & CONSUMERS)
        bad = bad || set(k, "group.id", c->name, err);
    if (c->kind == KAFKA_COPIER)
        bad = bad || set(k, "transactional.id", c->name, err);
    if (c->rebalanced && *conf->instance)
        bad = bad || set(k, "group.instance.id", conf->instance, err);
    for (size_t i = 0; !bad && i < sizeof properties / sizeof *properties; i++)
        if (properties[i].kinds & (int)c->kind)
            bad = set(k, properties[i].name, properties[i].value, err);
    for (size_t i = 0; !bad && i < conf->properties.n; i++)
        bad = set(k, conf->properties.keys[i], conf->properties.values[i], err);
    return bad;
}

enum bus_rc kafka_client_open(struct kafka_client *c, struct err *err) {
    rd_kafka_conf_t *k = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(k, c);
    rd_kafka_conf_set_error_cb(k, on_error);
    rd_kafka_conf_set_log_cb(
        k, NULL); /* to standard error, else; what matters comes through on_error */
    if (c->delivered)
        rd_kafka_conf_set_dr_msg_cb(k, c->delivered);
    if (c->rebalanced)
        rd_kafka_conf_set_rebalance_cb(k, c->rebalanced);
    char why[256];
    if (set_all(k, c, err) == 0) {
        c->rk = rd_kafka_new(c->kind & PRODUCERS ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, k, why,
                             sizeof why);
        if (c->rk)
            return BUS_OK;
        err_set(err, "kafka %s: %s (see bus.kafka.properties%s)", c->conf->brokers, why,
                strstr(why, "kerberos") ? ": sasl.mechanism is not set" : "");
    }
    rd_kafka_conf_destroy(k);
    return BUS_FATAL;
}

int kafka_limit(int ms) {
    int64_t left = stop_asked() ? stop_asked_ms() + LEAVE_MS - clock_mono_ms() : ms;
    return left > ms ? ms : left < LEAST_MS ? LEAST_MS : (int)left;
}

void kafka_client_close(struct kafka_client *c, bool quick) {
    if (c->rk)
        rd_kafka_destroy_flags(c->rk, quick ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
    c->rk = NULL;
}

#define MAY   "give this user the right to it: an ACL for the "
#define TWICE "another process took its place, or runs under the same bus.kafka.instance"
#define LOGIN "check sasl.mechanism, sasl.username and sasl.password in bus.kafka.properties"

/* What waiting won't mend, and the cure where the code alone tells it. */
static const struct {
    rd_kafka_resp_err_t code;
    const char *cure;
} lasting[] = {
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, MAY "topic"},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, MAY "group"},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, MAY "transactional id"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, MAY "cluster, IdempotentWrite or Create"},
    {RD_KAFKA_RESP_ERR__FENCED, TWICE},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, TWICE},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, NULL},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, NULL},
    {RD_KAFKA_RESP_ERR__FATAL, NULL},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, NULL},
};

/* The setting behind a failure, by what the library says of it; the first that fits. */
static const struct {
    const char *said, *cure;
} cures[] = {
    {"security.protocol",
     "check security.protocol in bus.kafka.properties: does the listener want TLS or SASL?"},
    {"SCRAM", LOGIN "; SCRAM on Kafka 4 needs librdkafka 2.6.1 or later"},
    {"uthentication", LOGIN},
    {"certificate verify failed",
     "check ssl.ca.location in bus.kafka.properties, and that the certificate names the broker"},
    {" alert ", "check ssl.certificate.location and the other ssl.* settings in "
                "bus.kafka.properties: the broker "
                "refuses this client"},
    {"SSL", "check security.protocol and the ssl.* settings in bus.kafka.properties"},
    {"certificate", "check security.protocol and the ssl.* settings in bus.kafka.properties"},
    {"essage size too large", "raise the topic's max.message.bytes, or lower bus.max_record"},
    {"", "check bus.kafka.brokers"},
};

enum bus_rc kafka_client_error(const struct kafka_client *c, rd_kafka_resp_err_t code,
                               const char *doing, struct err *err) {
    bool away =
        code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
        code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__RESOLVE ||
        code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
        code == RD_KAFKA_RESP_ERR__WAIT_COORD || code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
    char fatal[sizeof c->said];
    bool gave_up = code == RD_KAFKA_RESP_ERR__FATAL;
    rd_kafka_resp_err_t cause = gave_up ? rd_kafka_fatal_error(c->rk, fatal, sizeof fatal) : code;
    const char *why =
        gave_up && cause ? fatal
        : (away || gave_up || code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) && *c->said
            ? c->said
            : rd_kafka_err2str(code);
    const char *cure = NULL;
    enum bus_rc rc = gave_up ? BUS_FATAL : BUS_RETRY;
    for (size_t i = 0; !cure && i < sizeof lasting / sizeof *lasting; i++)
        if (lasting[i].code == cause)
            cure = lasting[i].cure, rc = BUS_FATAL;
    for (size_t i = 0; !cure; i++)
        if (strstr(why, cures[i].said))
            cure = cures[i].cure;
    return err_as(rc, err, "kafka %s: can't %s: %s (%s)", c->conf->brokers, doing, why, cure);
}

enum bus_rc kafka_client_reach(struct kafka_client *c, struct err *err) {
    const struct rd_kafka_metadata *md; /* rd_kafka_controllerid() would take a second longer */
    if (rd_kafka_metadata(c->rk, 0, NULL, &md, kafka_limit(ASK_MS)) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(md);
        return *c->said = '\0', BUS_OK;
    }
    rd_kafka_poll(c->rk, 0); /* brings the reason to on_error */
    return kafka_client_error(c, RD_KAFKA_RESP_ERR__TIMED_OUT, "reach it", err);
}

/* One topic's metadata: its error (some partition without a leader is one), and how many it has. */
static rd_kafka_resp_err_t look(struct kafka_client *c, const char *topic, int *has) {
    *has = 0;
    rd_kafka_topic_t *t = rd_kafka_topic_new(c->rk, topic, NULL);
    if (!t)
        return rd_kafka_last_error();
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, t, &md, kafka_limit(ASK_MS));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const struct rd_kafka_metadata_topic *found = md->topics;
        code = md->topic_cnt == 1 ? found->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        for (; code == RD_KAFKA_RESP_ERR_NO_ERROR && *has < found->partition_cnt; ++*has)
            if (found->partitions[*has].leader < 0)
                code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
        rd_kafka_metadata_destroy(md);
    }
    rd_kafka_topic_destroy(t);
    rd_kafka_poll(c->rk, 0);
    return code;
}

enum bus_rc kafka_client_partitions(struct kafka_client *c, const char *topic, int32_t only,
                                    kafka_list *list, struct err *err) {
    int has = 0;
    rd_kafka_resp_err_t code = look(c, topic, &has);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return BUS_OK;
    for (int32_t p = 0; p < has; p++)
        if (only < 0 || only == p)
            rd_kafka_topic_partition_list_add(list, topic, p);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return BUS_OK;
    char doing[300];
    snprintf(doing, sizeof doing, "look at topic %s", topic);
    return kafka_client_error(c, code, doing, err);
}

/* What the cluster answers to a wish that concerns one topic; why stays empty where it does not. */
static rd_kafka_resp_err_t answer(rd_kafka_queue_t *queue, char *why, size_t size) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, kafka_limit(ASK_MS));
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    *why = '\0';
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t n = 0; /* one topic, one result */
        const rd_kafka_CreateTopics_result_t *made = rd_kafka_event_CreateTopics_result(event);
        const rd_kafka_topic_result_t *result =
            made ? *rd_kafka_CreateTopics_result_topics(made, &n)
                 : *rd_kafka_CreatePartitions_result_topics(
                       rd_kafka_event_CreatePartitions_result(event), &n);
        code = rd_kafka_topic_result_error(result);
        const char *text = rd_kafka_topic_result_error_string(result);
        snprintf(why, size, "%s", text ? text : rd_kafka_err2str(code));
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return code;
}

/* Makes a topic that is not there; somebody else having made it meanwhile is fine. */
static enum bus_rc make(struct kafka_client *c, const char *topic, bool compact, bool stamped,
                        int partitions, int64_t largest, const char *doing, struct err *err) {
    const struct kafka_conf *conf = c->conf;
    if (!conf->create_topics)
        return err_as(
            BUS_FATAL, err,
            "kafka %s: topic %s is not there (make it, or set bus.kafka.create_topics: true)",
            conf->brokers, topic);
    char why[256] = "", number[32];
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__INVALID_ARG;
    rd_kafka_NewTopic_t *t =
        rd_kafka_NewTopic_new(topic, partitions ? partitions : (int)conf->partitions,
                              (int)conf->replication, why, sizeof why);
    if (t) {
        snprintf(number, sizeof number, "%lld", (long long)conf->retention);
        rd_kafka_NewTopic_set_config(t, "cleanup.policy", compact ? "compact" : "delete");
        if (!compact)
            rd_kafka_NewTopic_set_config(t, "retention.ms", number);
        if (stamped)
            rd_kafka_NewTopic_set_config(t, "message.timestamp.type", "LogAppendTime");
        snprintf(number, sizeof number, "%lld", (long long)largest);
        rd_kafka_NewTopic_set_config(t, "max.message.bytes", number);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
        rd_kafka_CreateTopics(c->rk, &t, 1, NULL, queue);
        code = answer(queue, why, sizeof why);
        rd_kafka_NewTopic_destroy(t);
    }
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
        return BUS_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return err_as(
            BUS_FATAL, err,
            "kafka %s: topic %s is not there, and this user may not make it: %s (make it, or "
            "give the user the right to create)",
            conf->brokers, topic, why);
    default:
        if (!*why)
            return kafka_client_error(c, code, doing, err);
        return err_as(BUS_RETRY, err,
                      "kafka %s: can't make topic %s: %s (see bus.kafka.partitions and "
                      "bus.kafka.replication)",
                      conf->brokers, topic, why);
    }
}

enum bus_rc kafka_client_topic(struct kafka_client *c, const char *topic, bool compact,
                               bool stamped, int partitions, int64_t largest, int *has,
                               struct err *err) {
    char doing[300];
    snprintf(doing, sizeof doing, "use topic %s", topic);
    rd_kafka_resp_err_t code = look(c, topic, has);
    enum bus_rc rc = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                         ? make(c, topic, compact, stamped, partitions, largest, doing, err)
                         : BUS_OK;
    if (rc != BUS_OK)
        return rc;
    /* A new topic takes a moment until each partition has a leader. */
    int64_t until = clock_mono_ms() + ASK_MS;
    while ((code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
            code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) &&
           clock_mono_ms() < until) {
        clock_sleep_ms(20);
        code = look(c, topic, has);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? BUS_OK : kafka_client_error(c, code, doing, err);
}

enum bus_rc kafka_client_ends(struct kafka_client *c, kafka_list *parts, int64_t at,
                              struct err *err) {
    rd_kafka_resp_err_t code;
    int64_t until = clock_mono_ms() + ASK_MS;
    if (!parts->cnt)
        return BUS_OK;
    do {
        for (int i = 0; i < parts->cnt; i++)
            parts->elems[i].offset = at >= 0 ? at : RD_KAFKA_OFFSET_END;
        code = rd_kafka_offsets_for_times(c->rk, parts, kafka_limit(ASK_MS));
        for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < parts->cnt; i++)
            code = parts->elems[i].err;
        for (int i = 0; i < parts->cnt; i++)
            parts->elems[i].err = code;
        /* What is known of a topic's leader is old, or the topic was made a moment ago. */
    } while ((code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
              code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) &&
             clock_mono_ms() < until && (clock_sleep_ms(50), true));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return *c->said = '\0', BUS_OK;
    rd_kafka_poll(c->rk, 0);
    return kafka_client_error(c, code, "ask where its partitions end", err);
}

enum bus_rc kafka_client_grow(struct kafka_client *c, const char *topic, int partitions,
                              struct err *err) {
    char why[256] = "bus.kafka.create_topics is false";
    rd_kafka_NewPartitions_t *p =
        c->conf->create_topics
            ? rd_kafka_NewPartitions_new(topic, (size_t)partitions, why, sizeof why)
            : NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__INVALID_ARG;
    if (p) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
        rd_kafka_CreatePartitions(c->rk, &p, 1, NULL, queue);
        code = answer(queue, why, sizeof why);
        rd_kafka_NewPartitions_destroy(p);
    }
    /* Such a number is what somebody else has given it meanwhile. */
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS)
        return BUS_OK;
    return err_as(BUS_FATAL, err,
                  "kafka %s: topic %s has too few partitions: %s (give it %d, as the input has)",
                  c->conf->brokers, topic, *why ? why : rd_kafka_err2str(code), partitions);
}
