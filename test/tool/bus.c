/* bus: writes and reads topics for the black-box tests, on the engine that the environment selects
 * (DISTLOG_BUS_TYPE, DISTLOG_DATA, …).
 *
 *     bus put        < lines of TOPIC<TAB>KEY[<TAB>VALUE]; an empty KEY or a missing VALUE is null
 *     bus get TOPIC  > lines of KEY<TAB>VALUE, all that the topic holds
 *     bus get -t TOPIC  the same, preceded by PARTITION<TAB>OFFSET<TAB>TIMESTAMP<TAB>
 *
 * Owns nothing. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "../../lib/engines.h"

static int fail(const struct err *err) {
    fprintf(stderr, "bus: %s\n", err->text);
    return 1;
}

static void delivered(void *ctx, uint64_t tag, enum bus_rc rc, const char *why) {
    bool *failed = ctx;
    if (rc != BUS_OK) {
        fprintf(stderr, "bus: line %llu: %s\n", (unsigned long long)tag, why);
        *failed = true;
    }
}

/* Takes the next field of the line; .p NULL: none is left. */
static struct span field(char **at) {
    char *from = *at;
    if (!from)
        return (struct span){0};
    size_t n = strcspn(from, "\t");
    *at = from[n] ? from + n + 1 : NULL;
    from[n] = '\0';
    return (struct span){from, n};
}

static int put(struct bus *bus, const bool *failed) {
    struct err err;
    char *line = NULL;
    size_t cap = 0;
    enum bus_rc rc = BUS_OK;
    ssize_t n;
    for (uint64_t tag = 1; rc == BUS_OK && (n = getline(&line, &cap, stdin)) > 0; tag++) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        char *at = line;
        const char *topic = field(&at).p;
        struct span key = field(&at), value = {at, at ? strlen(at) : 0};
        if (!key.n)
            key.p = NULL;
        while ((rc = bus->engine->put(bus, topic, -1, key, value, tag, &err)) == BUS_FULL)
            if ((rc = bus->engine->poll(bus, 100, NULL, &err)) != BUS_OK)
                break;
    }
    free(line);
    if (rc == BUS_OK)
        rc = bus->engine->flush(bus, 10000, &err);
    return rc != BUS_OK ? fail(&err) : *failed;
}

static bool show(void *ctx, const struct bus_record *record) {
    if (ctx)
        printf("%d\t%lld\t%lld\t", (int)record->partition, (long long)record->offset,
               (long long)record->ts_ms);
    const struct span fields[] = {record->key, record->value};
    for (int i = 0; i < 2; i++) {
        if (fields[i].n)
            fwrite(fields[i].p, 1, fields[i].n, stdout);
        putchar(i == 0 ? '\t' : '\n');
    }
    return true;
}

int main(int argc, char **argv) {
    bool writes = argc == 2 && strcmp(argv[1], "put") == 0, failed = false;
    bool timed = argc == 4 && strcmp(argv[2], "-t") == 0;
    if (!writes && !((argc == 3 || timed) && strcmp(argv[1], "get") == 0)) {
        fprintf(stderr, "usage: bus put < LINES | bus get [-t] TOPIC\n");
        return 2;
    }
    struct err err;
    struct bus *bus = NULL;
    struct conf *conf = conf_new(engines_sections);
    struct bus_open how = {.delivered = delivered, .ctx = &failed};
    int code;
    if (conf_env(conf, &err) != 0 || engines_open_bus(conf, &how, &bus, &err) != BUS_OK)
        code = fail(&err);
    else if (writes)
        code = put(bus, &failed);
    else
        code = bus->engine->replay(bus, argv[argc - 1], -1, 0, -1, show, timed ? &timed : NULL,
                                   &err) == BUS_OK
                   ? 0
                   : fail(&err);
    if (bus)
        bus->engine->close(bus);
    conf_free(conf);
    return code;
}
