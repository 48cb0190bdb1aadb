/* ingest_queue: each request is answered exactly once, whatever the bus does. The bus is a puppet,
 * opened by this program's own engines_open_bus. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/adapter/os/clock.h"
#include "../../lib/app/ingest_queue.h"

static struct {
    const struct bus_open *how;
    uint64_t tags[32];
    size_t n, room;        /* queued; how many it takes before it answers BUS_FULL */
    enum bus_rc put, poll; /* what to answer */
    bool fails, opens;     /* deliveries fail; engines_open_bus works */
    int n_open, n_put, n_poll;
} puppet;

static struct {
    unsigned status;
    int times;
} answered[4];

static enum bus_rc puppet_put(struct bus *bus, const char *topic, int32_t partition,
                              struct span key, struct span value, uint64_t tag, struct err *err) {
    (void)bus, (void)topic, (void)partition, (void)key, (void)value;
    err_set(err, "the puppet's queue is full");
    puppet.n_put++;
    if (puppet.put != BUS_OK)
        return puppet.put;
    if (puppet.n == puppet.room)
        return BUS_FULL;
    puppet.tags[puppet.n++] = tag;
    return BUS_OK;
}

static enum bus_rc puppet_poll(struct bus *bus, int wait_ms, struct bus_batch *batch,
                               struct err *err) {
    (void)bus, (void)wait_ms, (void)batch;
    err_set(err, "the puppet does not write");
    puppet.n_poll++;
    for (size_t i = 0; puppet.poll == BUS_OK && i < puppet.n; i++)
        puppet.how->delivered(puppet.how->ctx, puppet.tags[i], puppet.fails ? BUS_RETRY : BUS_OK,
                              "the disk is full");
    puppet.n = puppet.poll == BUS_OK ? 0 : puppet.n;
    return puppet.poll;
}

static enum bus_rc puppet_flush(struct bus *bus, int limit_ms, struct err *err) {
    return puppet_poll(bus, limit_ms, NULL, err);
}

static void puppet_close(struct bus *bus) {
    (void)bus;
    puppet.n = 0;
}

static const struct bus_engine engine = {.name = "puppet",
                                         .put = puppet_put,
                                         .poll = puppet_poll,
                                         .flush = puppet_flush,
                                         .close = puppet_close};
static struct bus handle = {.engine = &engine, .place = {.p = "bus puppet", .n = 10}, .wake = -1};

enum bus_rc engines_open_bus(const struct conf *conf, const struct bus_open *how, struct bus **out,
                             struct err *err) {
    (void)conf;
    puppet.how = how;
    puppet.n_open++;
    *out = &handle;
    err_set(err, "the puppet is away");
    return puppet.opens ? BUS_OK : BUS_RETRY;
}

const struct opt_section bus_section = {.name = "bus"};

enum store_rc engines_open_store(const struct conf *conf, bool create, struct store **out,
                                 struct err *err) {
    (void)conf, (void)create, (void)out, (void)err;
    return STORE_FATAL;
}

/* Requests are distinguished by their address. */
static char names[4];

static struct http_request *request(int i) {
    return (struct http_request *)(void *)&names[i];
}

static void on_respond(void *ctx, struct http_request *r, unsigned status, const char *why) {
    (void)ctx;
    long i = (char *)(void *)r - names;
    assert_true(status == 200 ? !why : why && why[0]);
    answered[i].status = status;
    answered[i].times++;
}

static struct ingest_queue queue;
static const struct log quiet = {.prefix = "distlog test", .level = LOG_INFO};
static struct ingest_record three[3] = {
    {{"{}", 2}, {NULL, 0}}, {{"{}", 2}, {NULL, 0}}, {{"{}", 2}, {NULL, 0}}};

static void put(int i, size_t n) {
    ingest_queue_put(&queue, request(i), "nodes", &(struct ingest_records){.items = three, .n = n});
}

static void is_answered(int i, unsigned status) {
    assert_int_equal(answered[i].times, 1);
    assert_int_equal(answered[i].status, status);
}

static int open_queue(void) {
    const struct ingest_queue_conf conf = {
        .log = &quiet, .flow = "test", .timeout_ms = 60000, .respond = on_respond};
    struct err err;
    return ingest_queue_open(&queue, &conf, &err);
}

static int begin(void **state) {
    (void)state;
    memset(&puppet, 0, sizeof puppet);
    memset(answered, 0, sizeof answered);
    puppet.room = 32;
    puppet.opens = true;
    return open_queue();
}

static int end(void **state) {
    (void)state;
    ingest_queue_release(&queue);
    return 0;
}

static void requests_are_answered_once_delivered(void **state) {
    (void)state;
    put(0, 3);
    put(1, 0);
    is_answered(1, 200);
    assert_int_equal(answered[0].times, 0);
    ingest_queue_serve(&queue);
    is_answered(0, 200);
    assert_int_equal(queue.accepted, 3);
    assert_true(ingest_queue_is_empty(&queue));
}

static void a_failed_delivery_is_answered_503(void **state) {
    (void)state;
    put(0, 3);
    puppet.fails = true;
    ingest_queue_serve(&queue);
    is_answered(0, 503);
    assert_non_null(ingest_queue_fault(&queue));
    puppet.fails = false;
    put(1, 1);
    ingest_queue_serve(&queue);
    is_answered(1, 200);
    assert_null(ingest_queue_fault(&queue));
    assert_int_equal(queue.accepted, 1);
}

static void a_full_queue_is_written_first(void **state) {
    (void)state;
    puppet.room = 2;
    put(0, 3);
    ingest_queue_serve(&queue);
    is_answered(0, 200);
}

static void a_full_bus_is_answered_503(void **state) {
    (void)state;
    puppet.room = 0;
    put(0, 3);
    is_answered(0, 503);
    assert_true(ingest_queue_is_empty(&queue));
    assert_string_equal(queue.refusal.text, "the puppet's queue is full");
}

static void a_record_that_is_too_large_is_answered_413(void **state) {
    (void)state;
    puppet.put = BUS_POISON;
    put(0, 1);
    is_answered(0, 413);
    assert_null(ingest_queue_fault(&queue));
}

static void a_bus_that_failed_is_reopened(void **state) {
    (void)state;
    put(0, 3);
    put(1, 1);
    puppet.poll = BUS_FATAL;
    puppet.opens = false;
    ingest_queue_serve(&queue);
    is_answered(0, 503);
    is_answered(1, 503);
    put(2, 1);
    is_answered(2, 503);
    while (puppet.n_open < 2) {
        clock_sleep_ms(ingest_queue_wait_ms(&queue, 1000));
        ingest_queue_serve(&queue);
    }
    assert_null(queue.bus);
    puppet.opens = true;
    puppet.poll = BUS_OK;
    while (!queue.bus) {
        clock_sleep_ms(ingest_queue_wait_ms(&queue, 1000));
        ingest_queue_serve(&queue);
    }
    put(3, 1);
    ingest_queue_serve(&queue);
    is_answered(3, 200);
}

static void a_bus_that_is_down_at_the_start_is_opened_later(void **state) {
    (void)state;
    ingest_queue_release(&queue);
    puppet.opens = false;
    assert_int_equal(open_queue(), 0);
    put(0, 1);
    is_answered(0, 503);
    puppet.opens = true;
    queue.retry_ms = 0;
    ingest_queue_serve(&queue);
    put(1, 1);
    ingest_queue_serve(&queue);
    is_answered(1, 200);
}

/* Each call to such a bus may take seconds, during which no other request is served. */
static void a_bus_that_does_not_respond_is_not_asked_for_each_request(void **state) {
    (void)state;
    puppet.put = BUS_RETRY;
    for (int i = 0; i < 3; i++) {
        put(i, 2);
        is_answered(i, 503);
    }
    assert_int_equal(puppet.n_put, 1);
    puppet.put = BUS_OK;
    queue.retry_ms = 0;
    put(3, 1);
    ingest_queue_serve(&queue);
    is_answered(3, 200);
}

/* The descriptor must be drained even if no request is waiting. */
static void an_idle_bus_is_polled_only_if_it_has_a_wake_descriptor(void **state) {
    (void)state;
    ingest_queue_serve(&queue);
    assert_int_equal(puppet.n_poll, 0);
    handle.wake = 0;
    ingest_queue_serve(&queue);
    handle.wake = -1;
    assert_int_equal(puppet.n_poll, 1);
}

/* The bus can be opened but accepts nothing: one outage is logged, with growing retry intervals. */
static void a_bus_that_keeps_failing_is_reopened_less_often(void **state) {
    (void)state;
    puppet.poll = BUS_FATAL;
    for (int i = 0; i < 3; i++) {
        put(i, 1);
        ingest_queue_serve(&queue);
        is_answered(i, 503);
        assert_null(queue.bus);
        assert_non_null(ingest_queue_fault(&queue));
        queue.retry_ms = 0;
        ingest_queue_serve(&queue);
        assert_non_null(queue.bus);
        assert_null(ingest_queue_fault(&queue));
        assert_true(queue.outage.is_ongoing);
    }
    assert_int_equal(queue.outage.backoff.tries, 3);
    puppet.poll = BUS_OK;
    put(3, 1);
    ingest_queue_serve(&queue);
    is_answered(3, 200);
    assert_false(queue.outage.is_ongoing);
}

/* Only a record that is accepted ends the outage, so after a while one must be let through. */
static void requests_are_let_through_after_a_refusal(void **state) {
    (void)state;
    puppet.room = 0;
    put(0, 1);
    assert_string_equal(ingest_queue_fault(&queue), "the puppet's queue is full");
    put(1, 0); /* an empty array proves nothing */
    is_answered(1, 200);
    assert_non_null(ingest_queue_fault(&queue));
    queue.refused_ms -= 10000;
    assert_null(ingest_queue_fault(&queue));
}

static void a_bus_that_fails_during_a_put_is_closed(void **state) {
    (void)state;
    put(0, 1);
    puppet.put = BUS_FATAL;
    put(1, 2);
    is_answered(0, 503);
    is_answered(1, 503);
    assert_null(queue.bus);
}

static void a_request_that_times_out_is_answered_503(void **state) {
    (void)state;
    queue.conf.timeout_ms = -1;
    puppet.poll = BUS_RETRY;
    put(0, 1);
    ingest_queue_serve(&queue);
    is_answered(0, 503);
    puppet.poll = BUS_OK;
    ingest_queue_serve(&queue);
    is_answered(0, 503);
    assert_true(ingest_queue_is_empty(&queue));
    assert_int_equal(queue.accepted, 0);
}

static void flush_reports_undelivered_requests(void **state) {
    struct err err;
    (void)state;
    put(0, 1);
    puppet.poll = BUS_RETRY;
    assert_int_equal(ingest_queue_flush(&queue, 10, &err), -1);
    puppet.poll = BUS_OK;
    assert_int_equal(ingest_queue_flush(&queue, 10, &err), 0);
    is_answered(0, 200);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(requests_are_answered_once_delivered),
        CASE(a_failed_delivery_is_answered_503),
        CASE(a_full_queue_is_written_first),
        CASE(a_full_bus_is_answered_503),
        CASE(a_record_that_is_too_large_is_answered_413),
        CASE(a_bus_that_failed_is_reopened),
        CASE(a_bus_that_is_down_at_the_start_is_opened_later),
        CASE(a_bus_that_does_not_respond_is_not_asked_for_each_request),
        CASE(an_idle_bus_is_polled_only_if_it_has_a_wake_descriptor),
        CASE(a_bus_that_keeps_failing_is_reopened_less_often),
        CASE(requests_are_let_through_after_a_refusal),
        CASE(a_bus_that_fails_during_a_put_is_closed),
        CASE(a_request_that_times_out_is_answered_503),
        CASE(flush_reports_undelivered_requests),
    };
    return cmocka_run_group_tests_name("ingest_queue", tests, NULL, NULL);
}
