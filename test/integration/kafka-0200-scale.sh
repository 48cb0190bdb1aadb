#!/usr/bin/env bash
# Several pubsub and store processes share the work: some die, come and go while nodes run, and no node is
# forgotten, falsely alarmed or routed twice, and no record is left out of the index or stored twice.
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
# kcat's -e never comes to an end while records keep coming; `bus get` reads to where it was.
so_far() { "$BUS" get processed_logs 2>/dev/null | grep -Ec -- "$1"; }
moving() { [ "$(so_far .)" -gt "$1" ]; }
all_known() { [ "$(so_far "$up")" -eq $nodes ]; }
# goes_on: what comes out of pubsub grows from now on.
goes_on() { wait_for 40 moving $(($(so_far .) + 300)); }

start p1 distlog pubsub
start s1 distlog store
wait_for 20 all_known
ok $? "one pubsub knows all nodes"
start p2 distlog pubsub
goes_on
ok $? "a second joins"
start s2 distlog store
wait_for 30 members distlog-store 2
ok $? "two stores share the partitions"
# Each prints what it stores: both go on from here.
both_store() { [ "$(lines s1.out .)" -gt "$s1" ] && [ "$(lines s2.out .)" -gt "$s2" ]; }
s1=$(lines s1.out .) s2=$(lines s2.out .)
wait_for 30 both_store
ok $? "and both store"
start p3 distlog pubsub
goes_on
ok $? "a third"
stop p1 KILL
goes_on
ok $? "the first is killed"
start p4 distlog pubsub
stop s1 KILL
goes_on
ok $? "another comes"
wait_for 60 members distlog-store 1
ok $? "a store is killed, and the other has all partitions"
stop p2
is "$status" 0 "one leaves"
goes_on
ok $? "and the work goes on"

# Nodes say goodbye; then everything is counted.
stop nodes
stop collect
for p in p3 p4; do stop $p; done
run timeout 60 distlog pubsub --no-follow
stop s2
run timeout 60 distlog store --no-follow
in=$(count nodes .) beats=$(count nodes HEARTBEAT) logs=$(count nodes '"LOG"') warns=$(count nodes '"WARN"')
is "$in" "$(sed -n 's/.*accepted \([0-9]*\).*/\1/p' collect.err)" "what collect accepted, from the first record of a topic just made on, is in the topic"
note "in $in: beats $beats, logs $logs of which warnings $warns"
is "$(count processed_logs '"LOG"')" "$logs" "each log is in processed once"
is "$(values processed_logs | grep -o '"log_id":"[^"]*"' | sort | uniq -d | wc -l)" 0 "none twice"
is "$(count processed_logs '"HEARTBEAT"')" "$beats" "each beat"
is "$(count alerts '"WARN"')" "$warns" "each warning is in alerts"
is "$(count alerts 'HEARTBEAT_MISSED')" 0 "no false alarm"
is "$(count processed_logs "$up")" $nodes "each registration once"
is "$(count processed_logs '"message_type":"REGISTRATION".*"status":"DOWN"')" "$nodes" "each node's goodbye"
is "$(count nodes.dlq .):$(count processed_logs.dlq .)" 0:0 "no dead letters"
# The index, held against the topic: a document a record, under its log_id or its place.
values processed_logs | cut -f 2 | sort >records
sql data/store.db 'SELECT json FROM doc' | sort >documents
is "$(wc -l <documents)" "$(wc -l <records)" "as many documents as records"
cmp -s records documents
ok $? "each record is one document, whoever stored it"
is "$(distlog nodes | grep -c UP)" 0 "nobody is left"
done_testing
