/* outbox: each request is settled exactly once, whatever the bus does. The bus is a puppet here:
 * this program has its own engines_open_bus.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../cmd/outbox.h"
#include "../../lib/adapter/os/clock.h"

static struct {
    const struct bus_open *how;
    uint64_t tags[32];
    size_t n, room;        /* queued; how many it takes before it says BUSY */
    enum bus_rc put, poll; /* what to answer */
    bool fails, opens;     /* deliveries fail; engines_open_bus works */
    int n_open, n_put, n_poll;
} puppet;

static struct {
    unsigned status;
    int times;
} settled[4];

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

/* Requests are told apart by where they point. */
static char names[4];

static struct http_request *request(int i) {
    return (struct http_request *)(void *)&names[i];
}

static void on_settle(void *ctx, struct http_request *r, unsigned status, const char *why) {
    (void)ctx;
    long i = (char *)(void *)r - names;
    assert_true(status == 200 ? !why : why && why[0]);
    settled[i].status = status;
    settled[i].times++;
}

static struct outbox outbox;
static struct run run = {.log = {"distlog test"}};
static struct ingest_record three[3] = {
    {{"{}", 2}, {NULL, 0}}, {{"{}", 2}, {NULL, 0}}, {{"{}", 2}, {NULL, 0}}};

static void put(int i, size_t n) {
    outbox_put(&outbox, request(i), "nodes", &(struct ingest_records){.items = three, .n = n});
}

static void is_settled(int i, unsigned status) {
    assert_int_equal(settled[i].times, 1);
    assert_int_equal(settled[i].status, status);
}

static int begin(void **state) {
    (void)state;
    memset(&puppet, 0, sizeof puppet);
    memset(settled, 0, sizeof settled);
    puppet.room = 32;
    puppet.opens = true;
    outbox = (struct outbox){.patience_ms = 60000, .settle = on_settle, .flow = "test"};
    return !outbox_open(&outbox, &run);
}

static int end(void **state) {
    (void)state;
    outbox_release(&outbox);
    return 0;
}

static void all_delivered(void **state) {
    (void)state;
    put(0, 3);
    put(1, 0);
    is_settled(1, 200);
    assert_int_equal(settled[0].times, 0);
    outbox_serve(&outbox);
    is_settled(0, 200);
    assert_int_equal(outbox.accepted, 3);
    assert_true(LIST_EMPTY(&outbox.waiting));
}

static void a_delivery_fails(void **state) {
    (void)state;
    put(0, 3);
    puppet.fails = true;
    outbox_serve(&outbox);
    is_settled(0, 503);
    assert_non_null(outbox_trouble(&outbox));
    puppet.fails = false;
    put(1, 1);
    outbox_serve(&outbox);
    is_settled(1, 200);
    assert_null(outbox_trouble(&outbox));
    assert_int_equal(outbox.accepted, 1);
}

static void a_full_queue_is_written_first(void **state) {
    (void)state;
    puppet.room = 2;
    put(0, 3);
    outbox_serve(&outbox);
    is_settled(0, 200);
}

static void full_for_good(void **state) {
    (void)state;
    puppet.room = 0;
    put(0, 3);
    is_settled(0, 503);
    assert_true(LIST_EMPTY(&outbox.waiting));
    assert_string_equal(outbox.trouble.text, "the puppet's queue is full");
}

static void too_large(void **state) {
    (void)state;
    puppet.put = BUS_POISON;
    put(0, 1);
    is_settled(0, 413);
    assert_null(outbox_trouble(&outbox));
}

static void lost_and_opened_again(void **state) {
    (void)state;
    put(0, 3);
    put(1, 1);
    puppet.poll = BUS_FATAL;
    puppet.opens = false;
    outbox_serve(&outbox);
    is_settled(0, 503);
    is_settled(1, 503);
    put(2, 1);
    is_settled(2, 503);
    while (puppet.n_open < 2) {
        clock_sleep_ms(outbox_wait_ms(&outbox, 1000));
        outbox_serve(&outbox);
    }
    assert_null(outbox.bus);
    puppet.opens = true;
    puppet.poll = BUS_OK;
    while (!outbox.bus) {
        clock_sleep_ms(outbox_wait_ms(&outbox, 1000));
        outbox_serve(&outbox);
    }
    put(3, 1);
    outbox_serve(&outbox);
    is_settled(3, 200);
}

static void away_at_the_start(void **state) {
    (void)state;
    outbox_release(&outbox);
    puppet.opens = false;
    assert_true(outbox_open(&outbox, &run));
    put(0, 1);
    is_settled(0, 503);
    puppet.opens = true;
    outbox.retry_ms = 0;
    outbox_serve(&outbox);
    put(1, 1);
    outbox_serve(&outbox);
    is_settled(1, 200);
}

/* To ask a bus that does not answer takes seconds, in which nobody is served. */
static void no_answer_is_not_waited_for_again_and_again(void **state) {
    (void)state;
    puppet.put = BUS_RETRY;
    for (int i = 0; i < 3; i++) {
        put(i, 2);
        is_settled(i, 503);
    }
    assert_int_equal(puppet.n_put, 1);
    puppet.put = BUS_OK;
    outbox.retry_ms = 0;
    put(3, 1);
    outbox_serve(&outbox);
    is_settled(3, 200);
}

/* What wakes collect is taken off, though nothing waits; a bus that wakes nobody is left in peace.
 */
static void an_idle_bus_is_served_if_it_wakes(void **state) {
    (void)state;
    outbox_serve(&outbox);
    assert_int_equal(puppet.n_poll, 0);
    handle.wake = 0;
    outbox_serve(&outbox);
    handle.wake = -1;
    assert_int_equal(puppet.n_poll, 1);
}

/* A bus that can be opened but takes nothing: said once, and tried less and less often. */
static void lost_again_and_again(void **state) {
    (void)state;
    puppet.poll = BUS_FATAL;
    for (int i = 0; i < 3; i++) {
        put(i, 1);
        outbox_serve(&outbox);
        is_settled(i, 503);
        assert_null(outbox.bus);
        assert_non_null(outbox_trouble(&outbox));
        outbox.retry_ms = 0;
        outbox_serve(&outbox);
        assert_non_null(outbox.bus);
        assert_null(outbox_trouble(&outbox));
        assert_true(outbox.daemon.in_trouble);
    }
    assert_int_equal(outbox.daemon.backoff.tries, 3);
    puppet.poll = BUS_OK;
    put(3, 1);
    outbox_serve(&outbox);
    is_settled(3, 200);
    assert_false(outbox.daemon.in_trouble);
}

/* Only a record can show that it is over, so somebody must be let through to send one. */
static void doubt_ends(void **state) {
    (void)state;
    puppet.room = 0;
    put(0, 1);
    assert_string_equal(outbox_trouble(&outbox), "the puppet's queue is full");
    put(1, 0); /* an empty array shows nothing */
    is_settled(1, 200);
    assert_non_null(outbox_trouble(&outbox));
    outbox.trouble_ms -= 10000;
    assert_null(outbox_trouble(&outbox));
}

static void lost_while_putting(void **state) {
    (void)state;
    put(0, 1);
    puppet.put = BUS_FATAL;
    put(1, 2);
    is_settled(0, 503);
    is_settled(1, 503);
    assert_null(outbox.bus);
}

static void out_of_patience(void **state) {
    (void)state;
    outbox.patience_ms = -1;
    puppet.poll = BUS_RETRY;
    put(0, 1);
    outbox_serve(&outbox);
    is_settled(0, 503);
    puppet.poll = BUS_OK;
    outbox_serve(&outbox);
    is_settled(0, 503);
    assert_true(LIST_EMPTY(&outbox.waiting));
    assert_int_equal(outbox.accepted, 0);
}

static void flush_says_what_is_left(void **state) {
    (void)state;
    put(0, 1);
    puppet.poll = BUS_RETRY;
    assert_false(outbox_flush(&outbox, 10));
    puppet.poll = BUS_OK;
    assert_true(outbox_flush(&outbox, 10));
    is_settled(0, 200);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(all_delivered),
        CASE(a_delivery_fails),
        CASE(a_full_queue_is_written_first),
        CASE(full_for_good),
        CASE(too_large),
        CASE(lost_and_opened_again),
        CASE(away_at_the_start),
        CASE(no_answer_is_not_waited_for_again_and_again),
        CASE(an_idle_bus_is_served_if_it_wakes),
        CASE(lost_again_and_again),
        CASE(doubt_ends),
        CASE(lost_while_putting),
        CASE(out_of_patience),
        CASE(flush_says_what_is_left),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
