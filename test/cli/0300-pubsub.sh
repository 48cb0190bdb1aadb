#!/usr/bin/env bash
# pubsub: what goes where, what a silence leads to, and that neither kill nor restart changes it.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# send NODE JSON: one record to the topic nodes.
send() { printf 'nodes\t%s\t%s\n' "$1" "$2" | "$BUS" put; }
reg() { send "$1" "{\"node_id\":\"$1\",\"message_type\":\"REGISTRATION\",\"service_name\":\"Pay\"}"; }
beat() { send "$1" "{\"node_id\":\"$1\",\"message_type\":\"HEARTBEAT\",\"status\":\"UP\"}"; }
# topic NAME PATTERN: how many of its records match.
topic() { "$BUS" get "$1" | grep -Ec -- "$2"; }
has_record() { [ "$(topic "$1" "$2")" -gt 0 ]; }

# --- routing
reg a
beat a
send a '{ "log_id" : "a_1", "node_id":"a","log_level":"WARN","n":1.0e0, "message_type":"LOG"}'
send b '{"node_id":"b","message_type":"LOG","log_level":"INFO"}'
send a '{bad'
printf 'nodes\ta\t"\xff"\n' | "$BUS" put
send a '{"message_type":"LOG"}'
send a '{"log_id":"a_2","node_id":"a","log_level":"ERROR","message_type":"LOG"}'
run distlog pubsub --no-follow
is "$status" 0 "what is there is routed, and --no-follow ends"
is "$out" "" "nothing to say on standard output"
like "$err" "^distlog pubsub: $PLACE, nodes → processed_logs, alerts\$" \
    "the first line names the engine, the place and the flow"
like "$err" '^distlog pubsub: stopped: read 8, routed 5, alerts 2, dead letters 3, unregistered 1$' \
    "the last line counts"
is "$("$BUS" get processed_logs | sed 's/"timestamp":"[^"]*"/T/')" "$(printf 'a\t%s\n' \
    '{"message_type":"REGISTRATION","node_id":"a","service_name":"Pay",T,"status":"UP"}' \
    '{"node_id":"a","message_type":"HEARTBEAT","status":"UP"}' \
    '{"log_id":"a_1","node_id":"a","log_level":"WARN","n":1.0e0,"message_type":"LOG"}' \
    '{"log_id":"a_2","node_id":"a","log_level":"ERROR","message_type":"LOG"}' \
    '{"message_type":"REGISTRATION","node_id":"a","service_name":"Pay",T,"status":"DOWN"}')" \
    "processed: in order, untouched but for white space"
is "$("$BUS" get alerts | grep -o 'a_[0-9]' | tr '\n' ' ')" "a_1 a_2 " "alerts: the warning and the error"
is "$(topic nodes.dlq '^.*\{"reason":"[^"]+","topic":"nodes","partition":0,"offset":[456],')" 3 \
    "dead letters say why and which"
is "$(topic nodes.dlq '"value_base64":"Iv8i"')" 1 "one that is not UTF-8 is in base64"
run distlog pubsub --no-follow
like "$err" 'stopped: read 0, routed 0, alerts 0, dead letters 0' "all of it was committed"

# --- settings
send b '{"node_id":"b","message_type":"LOG","log_level":"WARN"}'
run distlog pubsub --no-follow --unregistered dead_letter
is "$(topic nodes.dlq 'the node is not registered')" 1 "unregistered: dead_letter"
send b '{"node_id":"b","message_type":"LOG","log_level":"WARN"}'
run distlog pubsub --no-follow --unregistered forward
is "$(topic alerts '"b"')" 1 "unregistered: forward"
run distlog pubsub nodes p a --group other --no-follow --time-format rfc3339
is "$(topic p 'T[0-9:.]+Z"')" 2 "named topics, a group of its own, RFC 3339"
for bad in "pubsub nodes processed_logs" "pubsub nodes nodes alerts" \
    "pubsub --forget-after 8s" "pubsub --liveness some"; do
    run distlog $bad --no-follow
    is "$status" 2 "usage: $bad"
done

# --- silence
fast=(--heartbeat-timeout 300ms --heartbeat-grace 100ms --group silence)
start ps distlog pubsub "${fast[@]}" in p2 a2
sed 's/^nodes/in/' <<<"$(printf 'nodes\tx\t{"node_id":"x\\u001b","message_type":"REGISTRATION"}')" | "$BUS" put
wait_for 10 has ps.out '^ALERT: Node x\\x1b missed its heartbeat!$'
ok $? "a silence is told on standard output, control characters escaped"
wait_for 10 has_record p2 '"alert":"HEARTBEAT_MISSED"'
ok $? "and in processed"
stop ps KILL
run distlog pubsub "${fast[@]}" in p2 a2 --no-follow
printf 'in\tx\t{"node_id":"x\\u001b","message_type":"HEARTBEAT"}\n' | "$BUS" put
run distlog pubsub "${fast[@]}" in p2 a2 --no-follow
is "$("$BUS" get a2 | grep -o 'HEARTBEAT_[A-Z]*"' | tr '\n' ' ')" 'HEARTBEAT_MISSED" HEARTBEAT_RECOVERED" ' \
    "killed and restarted in the gap: one alarm, one recovery"

reg c
run distlog pubsub --no-follow --heartbeat-timeout 1ms
beat c # a process later: more than a millisecond
run distlog pubsub --no-follow --heartbeat-timeout 1ms
is "$(topic alerts '"log_id":"c_missed_[0-9]+"')-$(topic alerts '"log_id":"c_recovered_[0-9]+"')" 1-1 \
    "a gap while pubsub was away is told from the records"

# --- what is too large
name=$(printf 'n%.0s' {1..70000})
printf 'big\t\t{"node_id":"%s","message_type":"REGISTRATION"}\n' "$name" ${name:0:400} | "$BUS" put
run distlog pubsub big p3 a3 --group big --no-follow --heartbeat-timeout 1ms --heartbeat-grace 1h
is "$(topic big.dlq 'so long that alerts would exceed bus.max_record')-$(topic p3 '"UP"')" 1-1 \
    "a node with an id for which no alert has room is not registered"
printf 'big\t\t{"node_id":"%s","message_type":"HEARTBEAT"}\n' ${name:0:400} | "$BUS" put
run distlog pubsub big p3 a3 --group big --no-follow --heartbeat-timeout 1ms -o bus.max_record=1KB
is "$(topic big.dlq '"topic":"a3","partition":-1,.*"value":"{')" 2 "an alert that is larger than max_record is a dead letter, not lost"

# --- standby, and leaving
start one distlog pubsub
wait_for 10 has one.err '→'
start two distlog pubsub
if local_bus; then
    wait_for 10 has two.err 'another reader of the group distlog-pubsub is active: standing by'
    ok $? "a second pubsub stands by"
else
    skip "Kafka's readers share the partitions, see kafka-0200-scale.sh" "a second pubsub stands by"
fi
stop one
is "$status" 0 "TERM: exit 0"
local_bus && { wait_for 15 has two.err 'active now' || ok 1 "which is said"; }
reg d
wait_for 15 has_record processed_logs '"node_id":"d"'
ok $? "and another takes over"
stop two INT
is "$status" 0 "INT: exit 0"
done_testing
