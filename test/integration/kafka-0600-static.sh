#!/usr/bin/env bash
# Static membership (bus.kafka.instance): a reader that comes back in time, killed or stopped, has the
# same partitions as before, without a rebalance; one that stays away is replaced after the session
# timeout of 10 s. No node is forgotten, no alarm is false, and nothing is routed twice.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
export DISTLOG_NODE_INTERVAL=50ms DISTLOG_NODE_HEARTBEAT=500ms DISTLOG_NODE_WEIGHTS=INFO=85,WARN=15,ERROR=0
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=20s # longer than the partitions of a missing member wait
port=$(free_port)
start collect distlog collect --listen "127.0.0.1:$port"
wait_for 10 has collect.err '→'
nodes=12
start nodes distlog node --nodes $nodes --url "http://127.0.0.1:$port/log.input" --quiet
pubsub() { start "$1" distlog pubsub -o bus.kafka.instance="$1"; }
# The broker's log has a line for each rebalance.
changes() { grep -c "Preparing to rebalance group distlog-pubsub" "$TEST_SERVERS_RUN/kafka/broker.log"; }
goes_on() { goes_on_everywhere processed_logs "$1"; }

pubsub one
wait_for 30 has one.err '→'
pubsub two
wait_for 30 members distlog-pubsub 2
goes_on "routing continues when two share the three partitions"
rebalances=$(changes)

stop two KILL
pubsub two
goes_on "routing continues when one was killed and comes back with its name"
stop one
is "$status" 0 "the other stops with exit code 0"
pubsub one
goes_on "routing continues when it comes back"
is "$(changes)" "$rebalances" \
    "no partition moved for either: the group had $rebalances rebalances before, and none since"

stop two
wait_for 30 members distlog-pubsub 1
goes_on "routing continues when one stays away and its session has ended"
stop one KILL
pubsub three
goes_on "routing continues when one with another name takes over from a killed one"
stop nodes
stop collect
run timeout 60 distlog pubsub --no-follow -o bus.kafka.instance=three
stop three
logs=$(count nodes '"LOG"')
note "$(count nodes .) records, of which $logs logs"
is "$(count processed_logs '"LOG"')" "$logs" "each log is in processed once"
is "$(values processed_logs | grep -o '"log_id":"[^"]*"' | sort | uniq -d | wc -l)" 0 "none twice"
is "$(count processed_logs '"HEARTBEAT"')" "$(count nodes HEARTBEAT)" "each heartbeat is"
is "$(count alerts 'HEARTBEAT_MISSED')" 0 "no false alarm"
is "$(count processed_logs '"message_type":"REGISTRATION".*"status":"UP"')" $nodes \
    "each registration is reported once"
done_testing
