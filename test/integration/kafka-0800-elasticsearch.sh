#!/usr/bin/env bash
# Kafka and Elasticsearch together: what store does with records that are none, with ids that are too long, and
# with a topic made anew, where offsets begin again and documents are there already.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
on_kafka
export DISTLOG_BUS_KAFKA_PARTITIONS=1
record() { printf '%s\tk\t{"node_id":"k","message_type":"LOG","log_level":"WARN"%s}\n' processed_logs "${1:+,\"log_id\":\"$1\"}"; }
long=$(printf 'x%.0s' $(seq 600))
{ # the last three: none that could be stored
    record k_1
    record "$long"
    record
    printf 'processed_logs\tk\tnot json\nprocessed_logs\tk\t{"a":1,"a":2}\nprocessed_logs\tk\t[1]\n'
} | "$BUS" put
printf 'k\t\n' | kcat -P -b "$TEST_KAFKA" -t processed_logs -Z -K '\t'
record k_2 | "$BUS" put
run timeout 60 distlog store --no-follow
is "$status" 0 "store goes on to the end"
like "$err" "→ $STORE" "from Kafka to Elasticsearch"
like "$err" 'stored 4, already there 0, dead letters 4' "what is a document is stored, the rest set aside"
is "$(documents)" 4 "and is there"
like "$out" "^Log stored successfully: k, $long, WARN" "one whose log_id is too long for an _id, too"
like "$(es POST "/$INDEX/_search" '{"query":{"prefix":{"log_id":"xxx"}}}')" '"_id":"processed_logs-0-1-[0-9]*"' "under its place on the bus"
like "$(timeout 20 distlog search WARN --limit 10)" "\"log_id\":\"$long\"" "where search finds it"
is "$(count processed_logs.dlq '"reason"')" 4 "each dead letter is in its topic"
is "$(count processed_logs.dlq '"reason":"","|"reason":null')" 0 "with the reason"
run timeout 60 distlog store --no-follow -o store.group=again
like "$err" 'stored 0, already there 4, dead letters 4' "another group finds each document there"

# --- the topic made anew: its offsets begin again, and one of its records is stored already
admin delete processed_logs
anew() { { record k_2; record; record k_3; } | "$BUS" put; }
wait_for 20 anew
run timeout 60 distlog store --no-follow
like "$err" 'stored 2, already there 1, dead letters 0' "a topic made anew is stored from its beginning"
is "$(documents)" 6 "and no record is taken for one of the old topic that had its place"
done_testing
