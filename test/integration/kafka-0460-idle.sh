#!/usr/bin/env bash
# The lost lease of an idle pubsub: no record, but a silence has made it act when it stops, between its poll
# and the first record that it writes. A second one reports that silence, the node returns and leaves, and the
# first one wakes: the brokers must refuse its transaction, as they do after a turn with records
# (kafka-0450-fenced.sh).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=3s
reg() { printf 'nodes\tn\t{"node_id":"n","message_type":"REGISTRATION","service_name":"Pay"}\n'; }
beat() { printf 'nodes\tn\t{"node_id":"n","message_type":"HEARTBEAT","status":"%s"}\n' "$1"; }
# state: the newest value of each key, of the node and of the partitions; a removed one has none.
state() { values distlog-pubsub.state | awk -F '\t' '{ newest[$1] = $2 } END { for (key in newest) print key "\t" newest[key] }' | sort; }
missed() { count alerts HEARTBEAT_MISSED; }

printf 0 >on
start one env LD_PRELOAD="$INTERPOSER" FAULTS_POINT=produce-before:1:stop FAULTS_CONTROL="$TMP/on" distlog pubsub
wait_for 20 has one.err '→'
{ reg && beat UP; } | "$BUS" put
wait_for 20 counts processed_logs '"HEARTBEAT"' 1
ok $? "a node is routed"
printf 1 >on
wait_for 20 is_stopped one
ok $? "it goes silent, and the pubsub stops before it writes the alert"
is "$(missed)" 0 "so that there is none"
printf 0 >on

start two distlog pubsub
wait_for 60 counts alerts HEARTBEAT_MISSED 1
ok $? "a second one takes over and reports the silence"
{ beat UP && beat DOWN; } | "$BUS" put
wait_for 20 counts processed_logs '"HEARTBEAT","status":"DOWN"' 1
ok $? "the node says that it is back, and goodbye"
is "$(count alerts HEARTBEAT_RECOVERED)" 1 "the alert is over"
before=$(state)
like "$before" $'^node n\t$' "and the node's state is removed"

kill -CONT "${pids[one]}"
wait_for 60 members distlog-pubsub 2
ok $? "the first one wakes and joins the group again"
is "$(missed)" 1 "the silence was reported once"
is "$(count processed_logs HEARTBEAT_MISSED)" 1 "in the processed topic too"
is "$(lines one.out 'missed its heartbeat')" 0 "and by the second one alone"
is "$(state)" "$before" "no state was overwritten"
stop two
{ reg && beat UP; } | "$BUS" put
wait_for 60 counts processed_logs '"HEARTBEAT"' 4
ok $? "it works on when the second one has left"
stop one
is "$status" 0 "and leaves in peace"
like "$(lines one.err '; retrying$')-$(lines one.err 'recovered: bus kafka .* \(outage [0-9.]+ s\)')" '^(0-0|1-1)$' \
    "it logged the beginning and the end of what happened, or nothing"
note "$(cat one.err)"
done_testing
