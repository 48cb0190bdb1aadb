/* test/contract/bus.h: shared by the contract tests of the bus: a bus of their own, handles, and
 * functions that wait for a condition. Owns a temporary folder for each test.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>

#include "../../lib/base/arena.h"
#include "../../lib/base/mem.h"
#include "../../lib/engines.h"

/* One test's world. Each test has new names, because a server keeps the topics of earlier ones. */
struct world {
    struct conf *conf;
    char dir[64], path[80]; /* of the embedded bus */
    char in[48], out[48], state[48], group[48];
};

/* What delivered() reported to a writer. */
struct told {
    uint64_t sum, ok, failed;
    char why[256];
};

/* Copies of records that were read; each key and value that is not null ends with NUL. */
struct seen {
    struct arena arena;
    struct bus_record *records;
    size_t n;
    uint64_t lost;
    bool active; /* the last poll listed parts */
};

int world_make(void **state);
int world_end(void **state);
/* Sets one setting, as -o would. */
void world_set(struct world *w, const char *key, const char *value);

/* Opens the bus of the world's settings, wrapped in bus_check. */
struct bus *open_bus(struct world *w, const struct bus_open *how);
/* told collects what delivered() reports. bounded, as collect opens it. */
struct bus *open_writer(struct world *w, struct told *told);
/* Reads w->in from the start in group ("": of its own) and may change w->state. */
struct bus *open_reader(struct world *w, const char *group);
/* Reads a topic from its start, without a group. */
struct bus *open_looker(struct world *w, const char *topic);
void close_bus(struct bus *bus);

void put(struct bus *bus, const char *topic, const char *key, const char *value, uint64_t tag);
/* Writes the records "<prefix><number>" under one key and waits until they are durable. */
void feed(struct world *w, const char *topic, const char *key, const char *prefix, int from, int n);
/* Commits, and repeats that after BUS_RETRY. */
enum bus_rc commit(struct bus *bus);
void undo(struct bus *bus);
/* One poll of up to 200 ms, repeated after BUS_RETRY; copies its records into seen.
 * True if every part was at its end. */
bool take(struct bus *bus, struct seen *seen);
/* Polls until seen holds n records; fails after 30 s. */
void read_n(struct bus *bus, struct seen *seen, size_t n);
/* Polls until this handle is active and at its end. */
void read_all(struct bus *bus, struct seen *seen);
/* All records of a topic, as another reader finds them. */
void look(struct world *w, const char *topic, struct seen *seen);
/* value of record i, NUL-terminated; "" for null */
const char *value_of(const struct seen *seen, size_t i);
/* Checks that each record occurs once and in order: values count up from 0. */
void assert_numbered(const struct seen *seen);
void seen_release(struct seen *seen);
int64_t lag_of(struct world *w, struct bus *bus);
/* Starts this program again to do work (argv[1], for main) in the same world. Not a bare fork:
 * SQLite must not be used across one. */
pid_t in_child(const struct world *w, const char *work);
void kill_child(pid_t pid);
struct world *world_of_child(char **argv);
