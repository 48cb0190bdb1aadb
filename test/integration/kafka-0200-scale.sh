#!/usr/bin/env bash
# Several pubsub and store processes share the work: some are killed, started and stopped while nodes run;
# no node is forgotten, no alarm is false, no record is routed twice, lost from the index or stored twice.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
export DISTLOG_NODE_INTERVAL=50ms DISTLOG_NODE_HEARTBEAT=500ms DISTLOG_NODE_WEIGHTS=INFO=85,WARN=15,ERROR=0
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=7s
port=$(free_port)
start collect distlog collect --listen "127.0.0.1:$port"
wait_for 10 has collect.err '→'
nodes=12
start nodes distlog node --nodes $nodes --url "http://127.0.0.1:$port/log.input" --quiet
up='"message_type":"REGISTRATION".*"status":"UP"'
# kcat's -e never ends while records keep coming; `bus get` reads up to the end that it saw at its start.
so_far() { "$BUS" get processed_logs 2>/dev/null | grep -Ec -- "$1"; }
moving() { [ "$(so_far .)" -gt "$1" ]; }
all_known() { [ "$(so_far "$up")" -eq $nodes ]; }
# goes_on: waits until pubsub has routed more records.
goes_on() { wait_for 40 moving $(($(so_far .) + 300)); }

start p1 distlog pubsub
start s1 distlog store
wait_for 20 all_known
ok $? "one pubsub knows all nodes"
start p2 distlog pubsub
goes_on
ok $? "pubsub routes after a second one joined"
start s2 distlog store
wait_for 30 members distlog-store 2
ok $? "two stores share the partitions"
# Each prints what it stores: wait until both have stored more.
both_store() { [ "$(lines s1.out .)" -gt "$s1" ] && [ "$(lines s2.out .)" -gt "$s2" ]; }
s1=$(lines s1.out .) s2=$(lines s2.out .)
wait_for 30 both_store
ok $? "both store documents"
start p3 distlog pubsub
goes_on
ok $? "pubsub routes after a third one joined"
stop p1 KILL
goes_on
ok $? "pubsub routes after the first was killed"
start p4 distlog pubsub
stop s1 KILL
goes_on
ok $? "pubsub routes after another one joined"
wait_for 60 members distlog-store 1
ok $? "a store was killed, and the other has all partitions"
stop p2
is "$status" 0 "a pubsub stops with exit code 0"
goes_on
ok $? "the others route"

# The nodes report DOWN; then everything is counted.
stop nodes
stop collect
for p in p3 p4; do stop $p; done
run timeout 60 distlog pubsub --no-follow
stop s2
run timeout 60 distlog store --no-follow
in=$(count nodes .) beats=$(count nodes HEARTBEAT) logs=$(count nodes '"LOG"') warns=$(count nodes '"WARN"')
is "$in" "$(sed -n 's/.*accepted \([0-9]*\).*/\1/p' collect.err)" \
    "every record that collect accepted, from the first one of a new topic on, is in the topic"
note "in $in: beats $beats, logs $logs of which warnings $warns"
is "$(count processed_logs '"LOG"')" "$logs" "each log is in processed once"
is "$(values processed_logs | grep -o '"log_id":"[^"]*"' | sort | uniq -d | wc -l)" 0 "none twice"
is "$(count processed_logs '"HEARTBEAT"')" "$beats" "each heartbeat is"
is "$(count alerts '"WARN"')" "$warns" "each warning is in alerts"
is "$(count alerts 'HEARTBEAT_MISSED')" 0 "no false alarm"
is "$(count processed_logs "$up")" $nodes "each registration is reported once"
is "$(count processed_logs '"message_type":"REGISTRATION".*"status":"DOWN"')" "$nodes" \
    "each DOWN is reported once"
is "$(count nodes.dlq .):$(count processed_logs.dlq .)" 0:0 "no dead letters"
# The index against the topic: one document per record, with its log_id or its position as id.
values processed_logs | cut -f 2 | sort >records
sql data/store.db 'SELECT json FROM doc' | sort >documents
is "$(wc -l <documents)" "$(wc -l <records)" "as many documents as records"
cmp -s records documents
ok $? "each record has one document, whichever store wrote it"
is "$(distlog nodes | grep -c UP)" 0 "in the end no node is UP"
done_testing
