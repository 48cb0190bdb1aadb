#!/usr/bin/env bash
# A lost session: a pubsub stops in the middle of a transaction, at each of its named points, for longer
# than its session lasts. Another one takes over its partitions; when it resumes, it drops what it had
# begun and continues. Nothing is lost, duplicated or reported wrongly.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
export DISTLOG_NODE_INTERVAL=50ms DISTLOG_NODE_HEARTBEAT=500ms DISTLOG_NODE_WEIGHTS=INFO=85,WARN=15,ERROR=0
export DISTLOG_PUBSUB_TIME_FORMAT=local DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=4s
port=$(free_port)

fenced() { # fenced POINT [WORD…]: the words are added to the command line of `one`
    local from=in-$1 to=out-$1 alerts=alerts-$1 group=group-$1
    local flow=("$from" "$to" "$alerts" --group "$group")
    printf 0 >on
    start collect distlog collect --listen "127.0.0.1:$port" -o "collect.routes=log.input=$from"
    wait_for 20 has collect.err '→'
    start nodes distlog node --nodes 12 --url "http://127.0.0.1:$port/log.input" --quiet
    start two distlog pubsub "${flow[@]}"
    wait_for 20 has two.err '→'
    start one env LD_PRELOAD="$INTERPOSER" FAULTS_POINT="$1:20:stop" FAULTS_CONTROL="$TMP/on" distlog \
        pubsub "${flow[@]}" "${@:2}"
    wait_for 30 members "$group" 2
    goes_on_everywhere "$to" "$1: two pubsubs share the partitions"
    printf 1 >on
    wait_for 30 is_stopped one
    ok $? "$1: one stops there"
    printf 0 >on
    goes_on_everywhere "$to" "the other takes over what it had"
    kill -CONT "${pids[one]}"
    wait_for 30 members "$group" 2
    goes_on_everywhere "$to" "it wakes, and both go on"
    stop nodes
    stop collect
    stop one
    is "$status" 0 "$1: one stops with exit code 0"
    like "$(lines one.err '; retrying$')-$(lines one.err 'recovered: bus kafka .* \(outage [0-9.]+ s\)')" '^(0-0|1-1)$' \
        "$1: its log has one line for the loss and one for the recovery, or none if it only saw a rebalance"
    stop two
    run timeout 60 distlog pubsub --no-follow "${flow[@]}"
    rm -rf dump
    ask_oracle "$from" "$to" "$alerts" \
        '"engine": "kafka", "heartbeat_timeout": 4000, "grace": 1000, "exact": true, "partitions": 3'
    is "$status" 0 "$1: the output is what the oracle expects"
    note "$out$err"
    note "$(cat one.err)"
}
# The transaction has not timed out yet: only the group's generation fences the pubsub that is too late.
fenced produce-after -o bus.kafka.properties=transaction.timeout.ms=60000
fenced offsets-after
fenced commit-before
done_testing
