/* bus_world: see bus.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/adapter/os/clock.h"
#include "../../lib/base/rng.h"

enum { DEADLINE_MS = 30000 };

void world_set(struct world *w, const char *key, const char *value) {
    struct err err = {0};
    if (conf_set(w->conf, key, span_of(value), OPT_COMMAND_LINE, "test", &err) != 0)
        fail_msg("%s", err.text);
}

static void settings(struct world *w) {
    struct err err = {0};
    w->conf = conf_new(engines_sections);
    if (conf_env(w->conf, &err) != 0) /* DISTLOG_BUS_TYPE chooses the engine */
        fail_msg("%s", err.text);
    world_set(w, "bus.local.path", w->path);
    world_set(w, "bus.local.min_free", "0");
}

int world_make(void **state) {
    struct world *w = mem_calloc(1, sizeof *w);
    unsigned id = (unsigned)rng_os();
    const char *tmp = getenv("TMPDIR");
    snprintf(w->dir, sizeof w->dir, "%s/distlog-bus.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/bus.db", w->dir);
    snprintf(w->in, sizeof w->in, "in-%08x", id);
    snprintf(w->out, sizeof w->out, "out-%08x", id);
    snprintf(w->state, sizeof w->state, "state-%08x", id);
    snprintf(w->group, sizeof w->group, "group-%08x", id);
    settings(w);
    *state = w;
    return 0;
}

int world_end(void **state) {
    struct world *w = *state;
    static const char *const tail[] = {"", "-wal", "-shm", "-lock", "-wake"};
    for (size_t i = 0; i < sizeof tail / sizeof *tail; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", w->path, tail[i]);
        unlink(path);
    }
    int rc = rmdir(w->dir); /* fails if an unexpected file is left */
    conf_free(w->conf);
    free(w);
    return rc;
}

static void on_delivered(void *ctx, uint64_t tag, enum bus_rc rc, const char *why) {
    struct told *t = ctx;
    if (rc == BUS_OK) {
        t->ok++;
        t->sum += tag;
    } else {
        t->failed++;
        snprintf(t->why, sizeof t->why, "%s", why);
    }
}

struct bus *open_bus(struct world *w, const struct bus_open *how) {
    struct bus *bus = NULL;
    struct err err = {0};
    if (engines_open_bus(w->conf, how, &bus, &err) != BUS_OK)
        fail_msg("open: %s", err.text);
    return bus_check(bus, how);
}

struct bus *open_writer(struct world *w, struct told *told) {
    struct bus_open how = {.delivered = on_delivered, .ctx = told, .bounded = true};
    return open_bus(w, &how);
}

struct bus *open_reader(struct world *w, const char *group) {
    struct bus_open how = {.group = group, .input = w->in, .state = w->state, .from_start = true};
    return open_bus(w, &how);
}

struct bus *open_looker(struct world *w, const char *topic) {
    struct bus_open how = {.group = "", .input = topic, .from_start = true};
    return open_bus(w, &how);
}

void close_bus(struct bus *bus) {
    bus->engine->close(bus);
}

void put(struct bus *bus, const char *topic, const char *key, const char *value, uint64_t tag) {
    struct err err = {0};
    enum bus_rc rc = bus->engine->put(bus, topic, -1, span_of(key), span_of(value), tag, &err);
    if (rc != BUS_OK)
        fail_msg("put: %d %s", (int)rc, err.text);
}

void feed(struct world *w, const char *topic, const char *key, const char *prefix, int from,
          int n) {
    struct told told = {0};
    struct err err = {0};
    struct bus *bus = open_writer(w, &told);
    for (int i = from; i < from + n; i++) {
        char value[64];
        snprintf(value, sizeof value, "%s%d", prefix, i);
        put(bus, topic, key, value, 1);
    }
    if (bus->engine->flush(bus, DEADLINE_MS, &err) != BUS_OK)
        fail_msg("flush: %s", err.text);
    assert_int_equal(told.ok, n);
    close_bus(bus);
}

enum bus_rc commit(struct bus *bus) {
    struct err err = {0};
    enum bus_rc rc;
    int64_t deadline = clock_mono_ms() + DEADLINE_MS;
    while ((rc = bus->engine->commit(bus, &err)) == BUS_RETRY && clock_mono_ms() < deadline)
        continue;
    if (rc == BUS_FATAL)
        print_error("commit: %s\n", err.text);
    return rc;
}

void undo(struct bus *bus) {
    bus->engine->undo(bus);
}

bool take(struct bus *bus, struct seen *seen) {
    struct bus_batch batch = {0};
    struct err err = {0};
    enum bus_rc rc;
    int64_t deadline =
        clock_mono_ms() + DEADLINE_MS; /* a killed process may have left a transaction open */
    while ((rc = bus->engine->poll(bus, 200, &batch, &err)) == BUS_RETRY &&
           clock_mono_ms() < deadline)
        continue;
    if (rc != BUS_OK)
        fail_msg("poll: %s", err.text);
    seen->records = mem_realloc(seen->records, seen->n + batch.n, sizeof *seen->records);
    for (size_t i = 0; i < batch.n; i++) {
        struct bus_record *r = &seen->records[seen->n++];
        *r = batch.records[i];
        r->key = r->key.p ? arena_span(&seen->arena, r->key) : r->key;
        r->value = r->value.p ? arena_span(&seen->arena, r->value) : r->value;
    }
    seen->lost += batch.lost;
    seen->active = batch.n_parts > 0;
    bool end = seen->active;
    for (size_t i = 0; i < batch.n_parts; i++)
        end &= batch.parts[i].at_end;
    return end;
}

void read_n(struct bus *bus, struct seen *seen, size_t n) {
    int64_t deadline = clock_mono_ms() + DEADLINE_MS;
    while (seen->n < n && clock_mono_ms() < deadline)
        take(bus, seen);
    assert_int_equal(seen->n, n);
}

void read_all(struct bus *bus, struct seen *seen) {
    int64_t deadline = clock_mono_ms() + DEADLINE_MS;
    while (!take(bus, seen))
        assert_true(clock_mono_ms() < deadline);
}

void look(struct world *w, const char *topic, struct seen *seen) {
    struct bus *bus = open_looker(w, topic);
    read_all(bus, seen);
    close_bus(bus);
}

const char *value_of(const struct seen *seen, size_t i) {
    return seen->records[i].value.p ? seen->records[i].value.p : "";
}

void assert_numbered(const struct seen *seen) {
    for (size_t i = 0; i < seen->n; i++)
        assert_int_equal(atol(value_of(seen, i)), i);
}

void seen_release(struct seen *seen) {
    arena_release(&seen->arena);
    free(seen->records);
    *seen = (struct seen){0};
}

int64_t lag_of(struct world *w, struct bus *bus) {
    int64_t left = -1;
    struct err err = {0};
    if (bus->engine->lag(bus, w->group, w->in, &left, &err) != BUS_OK)
        fail_msg("lag: %s", err.text);
    return left;
}

pid_t in_child(const struct world *w, const char *work) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test must leave no child */
        execl("/proc/self/exe", "child", work, w->path, w->in, w->out, w->state, w->group, NULL);
        _exit(127);
    }
    return pid;
}

void kill_child(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

struct world *world_of_child(char **argv) {
    struct world *w = mem_calloc(1, sizeof *w);
    snprintf(w->path, sizeof w->path, "%s", argv[2]);
    snprintf(w->in, sizeof w->in, "%s", argv[3]);
    snprintf(w->out, sizeof w->out, "%s", argv[4]);
    snprintf(w->state, sizeof w->state, "%s", argv[5]);
    snprintf(w->group, sizeof w->group, "%s", argv[6]);
    settings(w);
    return w;
}
