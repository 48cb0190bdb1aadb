/* kafka_errors: see kafka_errors.h. Two tables: from the code to whether it is permanent, and from
 * the words of the reason to the cure.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_errors.h"

#define GRANT  "grant this user access: add an ACL for the "
#define FENCED "another process took over, or runs with the same bus.kafka.instance"
#define LOGIN  "check sasl.mechanism, sasl.username and sasl.password in bus.kafka.properties"

/* Errors that waiting does not cure, with the cure if the code alone determines it. */
struct kafka_permanent {
    rd_kafka_resp_err_t code;
    const char *cure;
};
static const struct kafka_permanent permanent[] = {
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, GRANT "topic"},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, GRANT "group"},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, GRANT "transactional id"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, GRANT "cluster, IdempotentWrite or Create"},
    {RD_KAFKA_RESP_ERR__FENCED, FENCED},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, FENCED},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, NULL},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, NULL},
    {RD_KAFKA_RESP_ERR__FATAL, NULL},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, NULL},
};

/* The setting behind a failure, by what the library writes about it; the first match counts. */
static const struct {
    const char *words, *cure;
} cures[] = {
    {"security.protocol",
     "check security.protocol in bus.kafka.properties: does the listener require TLS or SASL?"},
    {"SCRAM", LOGIN "; SCRAM on Kafka 4 needs librdkafka 2.6.1 or later"},
    {"uthentication", LOGIN},
    {"certificate verify failed",
     "check ssl.ca.location in bus.kafka.properties, and that the certificate names the broker"},
    {" alert ",
     "check ssl.certificate.location and the other ssl.* settings in bus.kafka.properties: the "
     "broker rejects this client"},
    {"SSL", "check security.protocol and the ssl.* settings in bus.kafka.properties"},
    {"certificate", "check security.protocol and the ssl.* settings in bus.kafka.properties"},
    {"essage size too large", "raise the topic's max.message.bytes, or lower bus.max_record"},
    {"", "check bus.kafka.brokers"},
};

static const struct kafka_permanent *kafka_errors_permanent(rd_kafka_resp_err_t code) {
    for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
        if (permanent[i].code == code)
            return &permanent[i];
    return NULL;
}

static const char *kafka_errors_cure(const char *reason) {
    size_t i = 0;
    while (!strstr(reason, cures[i].words)) /* the last row matches everything */
        i++;
    return cures[i].cure;
}

/* Whether the client's last reason explains this code better than the code's own text does. */
static bool kafka_errors_has_reason(rd_kafka_resp_err_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return true;
    default:
        return false;
    }
}

enum bus_rc kafka_errors_explain(const struct kafka_client *c, rd_kafka_resp_err_t code,
                                 const char *doing, struct err *err) {
    char fatal[sizeof c->reason] = "";
    rd_kafka_resp_err_t cause = code;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        cause = rd_kafka_fatal_error(c->rk, fatal, sizeof fatal);
    const char *reason = rd_kafka_err2str(code);
    if (code == RD_KAFKA_RESP_ERR__FATAL && cause)
        reason = fatal;
    else if (kafka_errors_has_reason(code) && c->reason[0])
        reason = c->reason;
    const struct kafka_permanent *known = kafka_errors_permanent(cause);
    const char *cure = NULL;
    if (known)
        cure = known->cure;
    if (!cure)
        cure = kafka_errors_cure(reason);
    const bool is_permanent = known || code == RD_KAFKA_RESP_ERR__FATAL;
    err_set(err, "kafka %s: cannot %s: %s (%s)", c->conf->brokers, doing, reason, cure);
    return is_permanent ? BUS_FATAL : BUS_RETRY;
}

enum bus_rc kafka_errors_given_up(const struct kafka_client *c, struct err *err) {
    err_set(err, "kafka %s: %s", c->conf->brokers, c->reason);
    return BUS_FATAL;
}
