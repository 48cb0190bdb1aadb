#!/usr/bin/env bash
# servers: `make bench-servers`: distlog on a real Kafka and a real Elasticsearch compared with bare
# librdkafka and bare libcurl with the same records, in one run on the same servers. RECORDS (200000),
# RUNS (3). Whole processes are timed, including the time to join the group, in both cases; of the bare
# bulk only its loop. Prints a table; fails only if records are missing.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/lib.sh"
on_kafka
own_es start es
posts
split -l 2500 -d -a 4 lines part- # as many documents as store puts into one of its two requests

# The bare bulk stores every document with the same id, in an index that has the mapping of store's
# template.
bodies() {
    python3 - "$1" <<'END'
import glob, json, sys
for path in glob.glob("part-*"):
    with open(path.replace("part", "body"), "w") as out:
        for line in open(path):
            value = line.split("\t", 1)[1].rstrip("\n")
            name = json.loads(value).get("log_id")
            create = {"create": {"_index": sys.argv[1], **({"_id": name} if name else {})}}
            out.write(json.dumps(create) + "\n" + value[:-1] + ',"@timestamp":"2024-01-01T00:00:00.000Z"}\n')
END
}

# The three stages of one run, with its own topics, groups and indices.
once() {
    local n=$1
    export DISTLOG_TOPICS_INPUT=nodes-$n DISTLOG_TOPICS_PROCESSED=processed-$n DISTLOG_TOPICS_ALERTS=alerts-$n
    export DISTLOG_PUBSUB_GROUP=pubsub-$n DISTLOG_STORE_GROUP=store-$n \
        DISTLOG_COLLECT_ROUTES=log.input=nodes-$n
    on_es "$TEST_ES"
    export DISTLOG_STORE_INDEX=bench-%Y-$n
    # The topics are created before anything is timed.
    distlog pubsub --no-follow >topics.out 2>&1 || { cat topics.out; exit 1; }
    for topic in "bare-$n" "copy-$n"; do "$BUS" put <<<"$topic	k	{}" || exit 1; done
    ingest ingest.ours -Z --parallel-max 8 # one at a time would measure the round trip to the broker
    timed ingest.bare "$BENCH/bare_kafka" produce "$TEST_KAFKA" "bare-$n" <lines
    timed pubsub.ours distlog pubsub --no-follow
    timed pubsub.bare "$BENCH/bare_kafka" copy "$TEST_KAFKA" "bare-$n" "copy-$n"
    timed store.ours distlog store --no-follow --quiet
    bodies "bench-bare-$n"
    "$BENCH/bare_bulk" "$TEST_ES" body-* >>store.bare || exit 1
    INDEX=bench
    is "$(documents)" $((2 * RECORDS)) "every document is stored, twice over" | grep -v '^ok'
    es_clean
}
once warm-up # the first run of the servers is several times slower
rm -f ./*.ours ./*.bare
for ((i = 0; i < RUNS; i++)); do once "$i"; done

echo "Beside bare librdkafka (one transaction for up to 50,000 records in both) and libcurl (2 × 2,500 documents)."
head_line 'bare library'
rate 'collect: arrays over HTTP to Kafka' ingest
rate 'pubsub, exactly once' pubsub
rate 'store to Elasticsearch' store
exit "$failures"
