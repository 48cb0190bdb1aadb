/* kafka_admin: see kafka_admin.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kafka_admin.h"

#include <stdio.h>

#include "../os/clock.h"
#include "kafka_errors.h"

enum {
    ASK_MS = 5000,       /* one question to the cluster; also, how long a leader may be missing */
    LEADER_STEP_MS = 20, /* between questions for the leaders of a new topic */
    MOVED_STEP_MS = 50,  /* between questions to a leader that has moved */
    DOING_SIZE = 300     /* a topic's name, which has at most 249 bytes, and a verb */
};

enum bus_rc kafka_admin_reach(struct kafka_client *c, struct err *err) {
    /* rd_kafka_controllerid() would take a second longer. */
    const struct rd_kafka_metadata *md;
    int limit_ms = kafka_client_limit_ms(ASK_MS);
    if (rd_kafka_metadata(c->rk, 0, NULL, &md, limit_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(md);
        kafka_client_clear_reason(c);
        return BUS_OK;
    }
    rd_kafka_poll(c->rk, 0); /* brings the reason */
    return kafka_errors_explain(c, RD_KAFKA_RESP_ERR__TIMED_OUT, "reach the cluster", err);
}

/* --- topics --- */

/* The one topic of md. *count is meaningful without an error only. */
static rd_kafka_resp_err_t kafka_admin_read_topic(const struct rd_kafka_metadata *md, int *count) {
    if (md->topic_cnt != 1)
        return RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    const struct rd_kafka_metadata_topic *topic = md->topics;
    if (topic->err)
        return topic->err;
    *count = topic->partition_cnt;
    for (int i = 0; i < topic->partition_cnt; i++)
        if (topic->partitions[i].leader < 0)
            return RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Asks for a topic's number of partitions. A partition without a leader is an error. */
static rd_kafka_resp_err_t kafka_admin_describe(struct kafka_client *c, const char *topic,
                                                int *count) {
    *count = 0;
    rd_kafka_topic_t *t = rd_kafka_topic_new(c->rk, topic, NULL);
    if (!t)
        return rd_kafka_last_error();
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, t, &md, kafka_client_limit_ms(ASK_MS));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = kafka_admin_read_topic(md, count);
        rd_kafka_metadata_destroy(md);
    }
    rd_kafka_topic_destroy(t);
    rd_kafka_poll(c->rk, 0);
    return code;
}

enum bus_rc kafka_admin_partitions(struct kafka_client *c, const char *topic, int32_t only,
                                   kafka_list *list, struct err *err) {
    int count = 0;
    rd_kafka_resp_err_t code = kafka_admin_describe(c, topic, &count);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return BUS_OK;
    if (code) {
        char doing[DOING_SIZE];
        snprintf(doing, sizeof doing, "describe topic %s", topic);
        return kafka_errors_explain(c, code, doing, err);
    }
    for (int32_t p = 0; p < count; p++)
        if (only < 0 || only == p)
            rd_kafka_topic_partition_list_add(list, topic, p);
    return BUS_OK;
}

/* What the cluster answered to a request that changes one topic. */
struct kafka_admin_answer {
    rd_kafka_resp_err_t code;
    char why[256]; /* "" if no answer came */
};

/* Takes queue, to which the library sends the result. */
static struct kafka_admin_answer kafka_admin_await(rd_kafka_queue_t *queue) {
    struct kafka_admin_answer a = {.code = RD_KAFKA_RESP_ERR__TIMED_OUT};
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, kafka_client_limit_ms(ASK_MS));
    if (event)
        a.code = rd_kafka_event_error(event);
    if (a.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t n = 0; /* one topic, one result */
        const rd_kafka_topic_result_t **results;
        const rd_kafka_CreateTopics_result_t *created = rd_kafka_event_CreateTopics_result(event);
        if (created)
            results = rd_kafka_CreateTopics_result_topics(created, &n);
        else
            results = rd_kafka_CreatePartitions_result_topics(
                rd_kafka_event_CreatePartitions_result(event), &n);
        a.code = rd_kafka_topic_result_error(results[0]);
        const char *text = rd_kafka_topic_result_error_string(results[0]);
        snprintf(a.why, sizeof a.why, "%s", text ? text : rd_kafka_err2str(a.code));
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return a;
}

static void kafka_admin_configure(rd_kafka_NewTopic_t *t, const struct kafka_conf *conf,
                                  const struct kafka_topic *topic) {
    char number[32];
    if (topic->compact) {
        rd_kafka_NewTopic_set_config(t, "cleanup.policy", "compact");
    } else {
        snprintf(number, sizeof number, "%lld", (long long)conf->retention);
        rd_kafka_NewTopic_set_config(t, "cleanup.policy", "delete");
        rd_kafka_NewTopic_set_config(t, "retention.ms", number);
    }
    if (topic->broker_time)
        rd_kafka_NewTopic_set_config(t, "message.timestamp.type", "LogAppendTime");
    snprintf(number, sizeof number, "%lld", (long long)topic->max_bytes);
    rd_kafka_NewTopic_set_config(t, "max.message.bytes", number);
}

static struct kafka_admin_answer kafka_admin_request_topic(struct kafka_client *c,
                                                           const struct kafka_topic *topic) {
    struct kafka_admin_answer a = {.code = RD_KAFKA_RESP_ERR__INVALID_ARG};
    int partitions = topic->partitions;
    if (partitions == 0)
        partitions = (int)c->conf->partitions;
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic->name, partitions,
                                                   (int)c->conf->replication, a.why, sizeof a.why);
    if (!t)
        return a;
    kafka_admin_configure(t, c->conf, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_CreateTopics(c->rk, &t, 1, NULL, queue);
    a = kafka_admin_await(queue);
    rd_kafka_NewTopic_destroy(t);
    return a;
}

/* Creates a missing topic; that another client has created it meanwhile is fine. */
static enum bus_rc kafka_admin_create(struct kafka_client *c, const struct kafka_topic *topic,
                                      const char *doing, struct err *err) {
    const char *brokers = c->conf->brokers;
    if (!c->conf->create_topics) {
        err_set(
            err,
            "kafka %s: topic %s does not exist (create it, or set bus.kafka.create_topics: true)",
            brokers, topic->name);
        return BUS_FATAL;
    }
    struct kafka_admin_answer a = kafka_admin_request_topic(c, topic);
    switch (a.code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
        return BUS_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        err_set(err,
                "kafka %s: topic %s does not exist, and this user may not create it: %s "
                "(create it, or grant the user Create)",
                brokers, topic->name, a.why);
        return BUS_FATAL;
    default:
        break;
    }
    if (a.why[0] == '\0')
        return kafka_errors_explain(c, a.code, doing, err);
    err_set(err,
            "kafka %s: cannot create topic %s: %s (check bus.kafka.partitions and "
            "bus.kafka.replication)",
            brokers, topic->name, a.why);
    return BUS_RETRY;
}

/* A topic that was created a moment ago is unknown, or without leaders, until its creation has
 * spread. */
static bool kafka_admin_is_new(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

enum bus_rc kafka_admin_topic(struct kafka_client *c, const struct kafka_topic *topic, int *count,
                              struct err *err) {
    char doing[DOING_SIZE];
    snprintf(doing, sizeof doing, "use topic %s", topic->name);
    rd_kafka_resp_err_t code = kafka_admin_describe(c, topic->name, count);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        enum bus_rc rc = kafka_admin_create(c, topic, doing, err);
        if (rc != BUS_OK)
            return rc;
    }
    int64_t until_ms = clock_mono_ms() + ASK_MS;
    while (kafka_admin_is_new(code) && clock_mono_ms() < until_ms) {
        clock_sleep_ms(LEADER_STEP_MS);
        code = kafka_admin_describe(c, topic->name, count);
    }
    if (code)
        return kafka_errors_explain(c, code, doing, err);
    return BUS_OK;
}

enum bus_rc kafka_admin_grow(struct kafka_client *c, const char *topic, int count,
                             struct err *err) {
    struct kafka_admin_answer a = {.code = RD_KAFKA_RESP_ERR__INVALID_ARG};
    rd_kafka_NewPartitions_t *p = NULL;
    if (c->conf->create_topics)
        p = rd_kafka_NewPartitions_new(topic, (size_t)count, a.why, sizeof a.why);
    else
        snprintf(a.why, sizeof a.why, "bus.kafka.create_topics is false");
    if (p) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
        rd_kafka_CreatePartitions(c->rk, &p, 1, NULL, queue);
        a = kafka_admin_await(queue);
        rd_kafka_NewPartitions_destroy(p);
    }
    /* A number is invalid if the topic has as many by now: another client has raised it. */
    if (a.code == RD_KAFKA_RESP_ERR_NO_ERROR || a.code == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS)
        return BUS_OK;
    const char *why = a.why;
    if (*why == '\0')
        why = rd_kafka_err2str(a.code);
    err_set(err,
            "kafka %s: topic %s has too few partitions: %s (raise them to %d, as many as "
            "the input has)",
            c->conf->brokers, topic, why, count);
    return BUS_FATAL;
}

/* --- offsets --- */

/* Asks once; leaves the answer, or the first error, in each element. */
static rd_kafka_resp_err_t kafka_admin_ask_offsets(struct kafka_client *c, kafka_list *list,
                                                   int64_t from_ms) {
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = from_ms >= 0 ? from_ms : RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code =
        rd_kafka_offsets_for_times(c->rk, list, kafka_client_limit_ms(ASK_MS));
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
        code = list->elems[i].err;
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].err = code;
    return code;
}

/* The library's knowledge of the leader is old, or the topic was created a moment ago. */
static bool kafka_admin_is_leader_moving(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

enum bus_rc kafka_admin_offsets(struct kafka_client *c, kafka_list *list, int64_t from_ms,
                                struct err *err) {
    if (list->cnt == 0)
        return BUS_OK;
    int64_t until_ms = clock_mono_ms() + ASK_MS;
    rd_kafka_resp_err_t code;
    for (;;) {
        code = kafka_admin_ask_offsets(c, list, from_ms);
        if (!kafka_admin_is_leader_moving(code) || clock_mono_ms() >= until_ms)
            break;
        clock_sleep_ms(MOVED_STEP_MS);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_clear_reason(c);
        return BUS_OK;
    }
    rd_kafka_poll(c->rk, 0); /* brings the reason */
    return kafka_errors_explain(c, code, "query the offsets of the topic", err);
}

/* Moves p, which stands at the group's commit, to where reading starts. */
static rd_kafka_resp_err_t kafka_admin_position(struct kafka_client *c,
                                                const struct kafka_start *start,
                                                rd_kafka_topic_partition_t *p, uint64_t *removed,
                                                int64_t *left) {
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        c->rk, p->topic, p->partition, &low, &high, kafka_client_limit_ms(ASK_MS));
    if (code)
        return code;
    if (p->offset >= 0 && p->offset < low)
        *removed += (uint64_t)(low - p->offset);
    /* Nothing committed, removed by retention, or the topic was deleted and created again. */
    const bool is_outside = p->offset < low || p->offset > high;
    if (!start->member && !start->from_start)
        p->offset = high;
    else if (is_outside)
        p->offset = low;
    *left += high - p->offset;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t kafka_admin_positions(struct kafka_client *c, const struct kafka_start *start,
                                          kafka_list *list, uint64_t *lost, int64_t *left) {
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (start->member)
        code = rd_kafka_committed(start->member, list, kafka_client_limit_ms(ASK_MS));
    if (code)
        return code;
    uint64_t removed = 0;
    for (int i = 0; i < list->cnt; i++) {
        code = list->elems[i].err;
        if (!code)
            code = kafka_admin_position(c, start, &list->elems[i], &removed, left);
        if (code)
            return code; /* the question will be repeated: nothing is counted yet */
    }
    *lost += removed;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
