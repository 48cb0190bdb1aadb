#!/usr/bin/env bash
# Kafka and Elasticsearch together: store with invalid records, with log_ids that are too long, and with a
# recreated topic, where offsets start again and documents exist already.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
on_kafka
export DISTLOG_BUS_KAFKA_PARTITIONS=1
record() {
    printf '%s\tk\t{"node_id":"k","message_type":"LOG","log_level":"WARN"%s}\n' processed_logs \
        "${1:+,\"log_id\":\"$1\"}"
}
long=$(printf 'x%.0s' $(seq 600))
{ # the last three can't be stored
    record k_1
    record "$long"
    record
    printf 'processed_logs\tk\tnot json\nprocessed_logs\tk\t{"a":1,"a":2}\nprocessed_logs\tk\t[1]\n'
} | "$BUS" put
printf 'k\t\n' | kcat -P -b "$TEST_KAFKA" -t processed_logs -Z -K '\t'
record k_2 | "$BUS" put
run timeout 60 distlog store --no-follow
is "$status" 0 "store reads to the end"
like "$err" "→ $STORE" "from Kafka to Elasticsearch"
like "$err" 'stored 4, already there 0, dead letters 4' \
    "valid records are stored, the others are dead letters"
is "$(documents)" 4 "they have documents"
like "$out" "^Log stored successfully: k, $long, WARN" "even one whose log_id is too long for an _id"
like "$(es POST "/$INDEX/_search" '{"query":{"prefix":{"log_id":"xxx"}}}')" \
    '"_id":"processed_logs-0-1-[0-9]*"' "under its position on the bus"
like "$(timeout 20 distlog search WARN --limit 10)" "\"log_id\":\"$long\"" "search finds it"
is "$(count processed_logs.dlq '"reason"')" 4 "each dead letter is in its topic"
is "$(count processed_logs.dlq '"reason":"","|"reason":null')" 0 "with the reason"
run timeout 60 distlog store --no-follow -o store.group=again
like "$err" 'stored 0, already there 4, dead letters 4' "another group finds each document there"

# --- a recreated topic: its offsets start again, and one of its records is stored already
admin delete processed_logs
recreated() { { record k_2; record; record k_3; } | "$BUS" put; }
wait_for 20 recreated
run timeout 60 distlog store --no-follow
like "$err" 'stored 2, already there 1, dead letters 0' "a recreated topic is stored from its beginning"
is "$(documents)" 6 "no record is mistaken for one of the old topic with the same offset"
done_testing
