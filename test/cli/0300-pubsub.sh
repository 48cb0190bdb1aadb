#!/usr/bin/env bash
# pubsub: how it routes records and reports silence, and that neither a kill nor a restart changes that.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# send NODE JSON: puts one record into the topic nodes.
send() { printf 'nodes\t%s\t%s\n' "$1" "$2" | "$BUS" put; }
reg() { send "$1" "{\"node_id\":\"$1\",\"message_type\":\"REGISTRATION\",\"service_name\":\"Pay\"}"; }
beat() { send "$1" "{\"node_id\":\"$1\",\"message_type\":\"HEARTBEAT\",\"status\":\"UP\"}"; }
# topic NAME PATTERN: prints how many of its records match.
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
is "$status" 0 "--no-follow routes what is there and ends"
is "$out" "" "nothing on standard output"
like "$err" "^distlog pubsub: $PLACE, nodes → processed_logs, alerts\$" \
    "the first line names the bus and the topics"
like "$err" '^distlog pubsub: stopped: read 8, routed 5, alerts 2, dead letters 3, unregistered 1$' \
    "the last line counts"
is "$("$BUS" get processed_logs | sed 's/"timestamp":"[^"]*"/T/')" "$(printf 'a\t%s\n' \
    '{"message_type":"REGISTRATION","node_id":"a","service_name":"Pay",T,"status":"UP"}' \
    '{"node_id":"a","message_type":"HEARTBEAT","status":"UP"}' \
    '{"log_id":"a_1","node_id":"a","log_level":"WARN","n":1.0e0,"message_type":"LOG"}' \
    '{"log_id":"a_2","node_id":"a","log_level":"ERROR","message_type":"LOG"}' \
    '{"message_type":"REGISTRATION","node_id":"a","service_name":"Pay",T,"status":"DOWN"}')" \
    "processed: in order, unchanged but for white space"
is "$("$BUS" get alerts | grep -o 'a_[0-9]' | tr '\n' ' ')" "a_1 a_2 " \
    "alerts: the warning and the error"
is "$(topic nodes.dlq '^.*\{"reason":"[^"]+","topic":"nodes","partition":0,"offset":[456],')" 3 \
    "dead letters have a reason and their origin"
is "$(topic nodes.dlq '"value_base64":"Iv8i"')" 1 "a record that is not UTF-8 is stored in base64"
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
    is "$status" 2 "usage error: $bad"
done

# --- silence
fast=(--heartbeat-timeout 300ms --heartbeat-grace 100ms --group silence)
start ps distlog pubsub "${fast[@]}" in p2 a2
sed 's/^nodes/in/' <<<"$(printf 'nodes\tx\t{"node_id":"x\\u001b","message_type":"REGISTRATION"}')" |
    "$BUS" put
wait_for 10 has ps.out '^ALERT: Node x\\x1b missed its heartbeat!$'
ok $? "silence is reported on standard output, with control characters escaped"
wait_for 10 has_record p2 '"alert":"HEARTBEAT_MISSED"'
ok $? "and in processed"
stop ps KILL
run distlog pubsub "${fast[@]}" in p2 a2 --no-follow
printf 'in\tx\t{"node_id":"x\\u001b","message_type":"HEARTBEAT"}\n' | "$BUS" put
run distlog pubsub "${fast[@]}" in p2 a2 --no-follow
is "$("$BUS" get a2 | grep -o 'HEARTBEAT_[A-Z]*"' | tr '\n' ' ')" 'HEARTBEAT_MISSED" HEARTBEAT_RECOVERED" ' \
    "killed and restarted during a gap: one MISSED, one RECOVERED"

reg c
run distlog pubsub --no-follow --heartbeat-timeout 1ms
beat c # at least a millisecond later
run distlog pubsub --no-follow --heartbeat-timeout 1ms
is "$(topic alerts '"log_id":"c_missed_[0-9]+"')-$(topic alerts '"log_id":"c_recovered_[0-9]+"')" 1-1 \
    "a gap while pubsub was down is reported from the records"

# --- records that are too large
name=$(printf 'n%.0s' {1..70000})
printf 'big\t\t{"node_id":"%s","message_type":"REGISTRATION"}\n' "$name" ${name:0:400} | "$BUS" put
run distlog pubsub big p3 a3 --group big --no-follow --heartbeat-timeout 1ms --heartbeat-grace 1h
is "$(topic big.dlq 'too long: an alert about the node would exceed bus.max_record')-$(topic p3 '"UP"')" 1-1 \
    "a node whose id is too long for an alert is not registered"
printf 'big\t\t{"node_id":"%s","message_type":"HEARTBEAT"}\n' ${name:0:400} | "$BUS" put
run distlog pubsub big p3 a3 --group big --no-follow --heartbeat-timeout 1ms -o bus.max_record=1KB
is "$(topic big.dlq '"topic":"a3","partition":-1,.*"value":"{')" 2 \
    "an alert that is larger than max_record is a dead letter, not lost"

# --- standby and shutdown
start one distlog pubsub
wait_for 10 has one.err '→'
start two distlog pubsub
if local_bus; then
    wait_for 10 has two.err 'standing by: another reader of group distlog-pubsub is active'
    ok $? "a second pubsub stands by"
else
    skip "Kafka's readers share the partitions, see kafka-0200-scale.sh" "a second pubsub stands by"
fi
stop one
is "$status" 0 "SIGTERM: exit 0"
local_bus && { wait_for 15 has two.err 'active: now reading as group distlog-pubsub' || ok 1 "two logs that it is active"; }
reg d
wait_for 15 has_record processed_logs '"node_id":"d"'
ok $? "the standby takes over"
stop two INT
is "$status" 0 "SIGINT: exit 0"
done_testing
