/* bus_check: it accepts what the contract allows. The engine is a puppet that returns the record of
 * one partition and aborts its transactions. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/port/bus.h"

static struct {
    struct bus bus;
    enum bus_rc poll, commit;
    struct bus_part part;
    struct bus_record record;
} puppet;

static enum bus_rc puppet_poll(struct bus *bus, int wait_ms, struct bus_batch *batch,
                               struct err *err) {
    (void)bus, (void)wait_ms;
    err_set(err, "the consumer group was rebalanced before the commit");
    *batch = (struct bus_batch){
        .records = &puppet.record, .n = 1, .parts = &puppet.part, .n_parts = 1, .generation = 1};
    return puppet.poll;
}

static enum bus_rc puppet_commit(struct bus *bus, struct err *err) {
    (void)bus;
    err_set(err, "the consumer group was rebalanced before the commit");
    return puppet.commit;
}

static void puppet_close(struct bus *bus) {
    (void)bus;
}

static const struct bus_engine puppet_engine = {
    .name = "puppet", .poll = puppet_poll, .commit = puppet_commit, .close = puppet_close};

/* Whichever call reported the abort, poll() may return the same record again. */
static void records_of_an_aborted_transaction_may_come_again(void **state) {
    (void)state;
    struct bus_open how = {.group = "g", .input = "in"};
    struct bus_batch batch;
    struct err err;
    puppet.bus = (struct bus){
        .engine = &puppet_engine, .place = {.p = (char[]){"puppet"}, .n = 6}, .wake = -1};
    puppet.record.offset = 7;
    struct bus *bus = bus_check(&puppet.bus, &how);
    assert_int_equal(bus->engine->poll(bus, 0, &batch, &err), BUS_OK);
    puppet.commit = BUS_ABORTED;
    assert_int_equal(bus->engine->commit(bus, &err), BUS_ABORTED);
    assert_int_equal(bus->engine->poll(bus, 0, &batch, &err), BUS_OK);
    puppet.poll = BUS_ABORTED;
    assert_int_equal(bus->engine->poll(bus, 0, &batch, &err), BUS_ABORTED);
    puppet.poll = BUS_OK;
    assert_int_equal(bus->engine->poll(bus, 0, &batch, &err), BUS_OK);
    bus->engine->close(bus);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_an_aborted_transaction_may_come_again)};
    return cmocka_run_group_tests_name("bus_check", tests, NULL, NULL);
}
