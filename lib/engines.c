/* engines: see engines.h. To add an engine: its extern line, its place in the table, its name in
 * the choices, its section in engines_sections. SPDX-License-Identifier: Apache-2.0 */
#include "engines.h"

extern const struct bus_engine bus_sqlite, bus_kafka;
extern const struct store_engine store_sqlite, store_es;
extern const struct opt_section bus_sqlite_section, kafka_section, store_sqlite_section, es_section;

static const struct bus_engine *const bus_engines[] = {&bus_sqlite, &bus_kafka};
#define BUS_NAMES "local|kafka"
static const struct store_engine *const store_engines[] = {&store_sqlite, &store_es};
#define STORE_NAMES "local|elasticsearch"

static const struct opt bus_rows[] = {
    OPT(struct bus_conf, CHOICE, type, "local", .choices = BUS_NAMES,
        .help = "engine that carries the records"),
    OPT(struct bus_conf, BYTES, max_record, "1MB", .min = 1024, .max = 64 << 20,
        .help = "largest record accepted, key and value together"),
};
const struct opt_section bus_section = OPT_SECTION(
    "bus", "the log that carries records between the stages", bus_rows, struct bus_conf);

static const struct opt topics_rows[] = {
    OPT(struct topics_conf, STRING, input, "nodes", .arg = "TOPIC", .bits = OPT_NAME,
        .help = "records that nodes sent, read by pubsub"),
    OPT(struct topics_conf, STRING, processed, "processed_logs", .arg = "TOPIC", .bits = OPT_NAME,
        .help = "records that pubsub passed on, read by store"),
    OPT(struct topics_conf, STRING, alerts, "alerts", .arg = "TOPIC", .bits = OPT_NAME,
        .help = "warnings, errors and alerts from pubsub, read by alert"),
};
const struct opt_section topics_section =
    OPT_SECTION("topics", "topic names", topics_rows, struct topics_conf);

static const struct opt store_rows[] = {
    OPT(struct store_conf, CHOICE, type, "local", .choices = STORE_NAMES,
        .help = "engine that stores the documents"),
    OPT(struct store_conf, STRING, group, "distlog-store", .flag = "group", .arg = "NAME",
        .help = "consumer group in which store reads"),
    OPT(struct store_conf, STRING, index, "logs", .flag = "index", .arg = "NAME",
        .bits = OPT_PATTERN, .help = "index that receives the documents"),
    OPT(struct store_conf, BOOL, quiet, "false", .flag = "quiet", .letter = 'q',
        .help = "do not print a line for each document"),
};
const struct opt_section store_section = OPT_SECTION(
    "store", "the index that store writes and search reads", store_rows, struct store_conf);

const struct opt_section *const engines_sections[] = {
    &bus_section,   &bus_sqlite_section,   &kafka_section, &topics_section,
    &store_section, &store_sqlite_section, &es_section,    NULL};

enum bus_rc engines_open_bus(const struct conf *conf, const struct bus_open *how, struct bus **out,
                             struct err *err) {
    const struct bus_conf *c = conf_section(conf, &bus_section);
    const struct bus_engine *const *engine = bus_engines;
    while (strcmp((*engine)->name, c->type) != 0)
        engine++; /* BUS_NAMES has no other */
    struct bus_open all = *how;
    all.max_record = c->max_record;
    enum bus_rc rc = (*engine)->open(conf, &all, out, err);
#ifdef DISTLOG_DEV
    if (rc == BUS_OK)
        *out = bus_check(*out, &all);
#endif
    return rc;
}

enum store_rc engines_open_store(const struct conf *conf, bool create, struct store **out,
                                 struct err *err) {
    const struct store_conf *c = conf_section(conf, &store_section);
    const struct store_engine *const *engine = store_engines;
    while (strcmp((*engine)->name, c->type) != 0)
        engine++; /* STORE_NAMES has no other */
    enum store_rc rc = (*engine)->open(conf, c->index, create, out, err);
#ifdef DISTLOG_DEV
    if (rc == STORE_OK)
        *out = store_check(*out);
#endif
    return rc;
}
