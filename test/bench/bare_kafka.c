/* clang-format off */
/* bare_kafka: the throughput of librdkafka alone with the same records, as a baseline for `make
 * bench-servers`.
 *   bare_kafka produce BROKERS TOPIC < LINES   KEY<TAB>VALUE each; idempotent, acks=all, until all
 *                                              are delivered
 *   bare_kafka copy BROKERS IN OUT             exactly once: consumes, produces and commits up to
 *                                              the end
 * The settings are those of lib/adapter/kafka/kafka_client.c. Prints the number of records. Main
 * thread. SPDX-License-Identifier: Apache-2.0 */
/* clang-format on */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 10000, TURN = 50000, TURN_BYTES = 16 << 20 };

static void die(const char *what, const char *why) {
    fprintf(stderr, "bare_kafka: %s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, rd_kafka_error_t *e) {
    if (e)
        die(what, rd_kafka_error_string(e));
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    (void)rk, (void)opaque;
    if (m->err)
        die("a record was not delivered", rd_kafka_err2str(m->err));
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *const (*settings)[2],
                          const char *brokers) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why))
        die(brokers, why);
    for (; (*settings)[0]; settings++)
        if (rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], why, sizeof why))
            die((*settings)[0], why);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk)
        die(brokers, why);
    return rk;
}

static void put(rd_kafka_t *rk, const char *topic, const void *key, size_t key_n, const void *value,
                size_t n) {
    /* The macros of rdkafka.h are statement expressions, which clang's -Wpedantic rejects. */
    rd_kafka_vu_t what[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key, key_n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value, n}}};
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    do {
        if (code)
            rd_kafka_poll(rk, 10);
        rd_kafka_error_t *e = rd_kafka_produceva(rk, what, sizeof what / sizeof *what);
        code = e ? rd_kafka_error_code(e) : RD_KAFKA_RESP_ERR_NO_ERROR;
        rd_kafka_error_destroy(e);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (code)
        die(topic, rd_kafka_err2str(code));
}

static long produce(const char *brokers, const char *topic) {
    static const char *const settings[][2] = {{"partitioner", "murmur2_random"},
                                              {"enable.idempotence", "true"},
                                              {"linger.ms", "2"},
                                              {"queue.buffering.max.kbytes", "32768"},
                                              {NULL, NULL}};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, settings, brokers);
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    long count = 0;
    for (; (n = getline(&line, &cap, stdin)) > 0; count++) {
        char *tab = memchr(line, '\t', (size_t)n);
        if (!tab)
            die("a line", "there is no tab");
        put(rk, topic, line, (size_t)(tab - line), tab + 1, (size_t)(line + n - tab) - 2);
        rd_kafka_poll(rk, 0);
    }
    free(line);
    if (rd_kafka_flush(rk, 6 * ASK_MS))
        die(topic, "not everything was delivered");
    rd_kafka_destroy(rk);
    return count;
}

/* Copies one batch in a transaction. False: every partition is at its end. */
static long copy_turn(rd_kafka_t *from, rd_kafka_t *to, const char *out, int *ends) {
    long count = 0;
    size_t bytes = 0;
    while (count < TURN && bytes < TURN_BYTES) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(from, count || *ends ? 0 : 100);
        if (!m)
            break;
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ++*ends;
        } else if (m->err) {
            die("reading", rd_kafka_message_errstr(m));
        } else {
            if (count++ == 0)
                check("begin", rd_kafka_begin_transaction(to));
            put(to, out, m->key, m->key_len, m->payload, m->len);
            bytes += m->len;
        }
        rd_kafka_message_destroy(m);
    }
    if (count == 0)
        return 0;
    rd_kafka_topic_partition_list_t *places = NULL;
    if (rd_kafka_assignment(from, &places))
        die("its partitions", "unknown");
    rd_kafka_position(from, places);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(from);
    check("offsets", rd_kafka_send_offsets_to_transaction(to, places, group, ASK_MS));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(places);
    check("commit", rd_kafka_commit_transaction(to, 6 * ASK_MS));
    return count;
}

static long copy(const char *brokers, const char *in, const char *out) {
    static const char *const reads[][2] = {{"group.id", "bare"},
                                           {"enable.auto.commit", "false"},
                                           {"auto.offset.reset", "earliest"},
                                           {"isolation.level", "read_committed"},
                                           {"enable.partition.eof", "true"},
                                           {"fetch.wait.max.ms", "100"},
                                           {"queued.min.messages", "200000"},
                                           {NULL, NULL}};
    static const char *const writes[][2] = {{"transactional.id", "bare"},
                                            {"partitioner", "murmur2_random"},
                                            {"linger.ms", "5"},
                                            {"retry.backoff.ms", "10"},
                                            {"queue.buffering.max.messages", "1000000"},
                                            {NULL, NULL}};
    rd_kafka_t *from = client(RD_KAFKA_CONSUMER, reads, brokers),
               *to = client(RD_KAFKA_PRODUCER, writes, brokers);
    rd_kafka_poll_set_consumer(from);
    check("transactions", rd_kafka_init_transactions(to, ASK_MS));
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, in, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(from, topics))
        die(in, "can't be subscribed to");
    rd_kafka_topic_partition_list_destroy(topics);
    const struct rd_kafka_metadata *about;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(from, in, NULL);
    if (rd_kafka_metadata(from, 0, topic, &about, ASK_MS))
        die(in, "can't be looked at");
    int partitions = about->topics[0].partition_cnt, ends = 0;
    long count = 0;
    while (ends < partitions)
        count += copy_turn(from, to, out, &ends);
    rd_kafka_metadata_destroy(about);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(from);
    rd_kafka_destroy(to);
    return count;
}

int main(int argc, char **argv) {
    long count;
    if (argc == 4 && strcmp(argv[1], "produce") == 0)
        count = produce(argv[2], argv[3]);
    else if (argc == 5 && strcmp(argv[1], "copy") == 0)
        count = copy(argv[2], argv[3], argv[4]);
    else {
        fprintf(
            stderr,
            "usage: bare_kafka produce BROKERS TOPIC < LINES | bare_kafka copy BROKERS IN OUT\n");
        return 2;
    }
    printf("%ld\n", count);
    return 0;
}
