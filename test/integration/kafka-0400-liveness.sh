#!/usr/bin/env bash
# Liveness on several partitions: which nodes are reported, and when, whatever other partitions do; and
# that a broker that is stopped for 20 s, rebalances and restarts change nothing: the reports follow from
# the input alone.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka

# a, b and c: names of nodes, one for each of the three partitions.
read -r a b c < <(PYTHONPATH=$TOP/test/faults python3 -c '
import oracle
names = {}
for i in range(100):
    names.setdefault(oracle.murmur2(b"n%d" % i) % 3, "n%d" % i)
print(names[0], names[1], names[2])')
reg() { printf 'nodes\t%s\t{"node_id":"%s","message_type":"REGISTRATION","service_name":"Pay"}\n' "$1" "$1"; }
beat() { printf 'nodes\t%s\t{"node_id":"%s","message_type":"HEARTBEAT","status":"UP"}\n' "$1" "$1"; }
log() { printf 'nodes\t%s\t{"node_id":"%s","message_type":"LOG","log_level":"%s"}\n' "$1" "$1" "$2"; }

# --- a busy partition next to a quiet one
# flood NODE…: puts a heartbeat and a hundred logs of each, again and again, as long as this script lives.
flood() {
    while [ -e "$TMP/flood" ]; do
        for node; do
            beat "$node"
            for _ in {1..100}; do log "$node" INFO; done
        done
        sleep 0.02 # the rate
    done | "$BUS" put
}
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=2s
start ps distlog pubsub
{ reg "$a"; reg "$b"; reg "$c"; } | "$BUS" put
touch flood
flood "$b" "$c" &
wait_for 20 has ps.out "ALERT: Node $a missed its heartbeat!"
ok $? "a silent node is reported although the other partitions are never read to their end"
rm flood
wait $!
stop ps

# --- the broker is stopped while heartbeats pile up in collect; then the members of the group change
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=4s DISTLOG_PUBSUB_TIME_FORMAT=local DISTLOG_NODE_HEARTBEAT=1s
export DISTLOG_NODE_INTERVAL=200ms DISTLOG_NODE_WEIGHTS=INFO=90,WARN=10,ERROR=0
topics=(load out al)
port=$(free_port)
start collect distlog collect --listen "127.0.0.1:$port" -o collect.routes=log.input=load
wait_for 20 has collect.err '→'
start one distlog pubsub "${topics[@]}" --group g
start nodes distlog node --nodes 12 --url "http://127.0.0.1:$port/log.input" --quiet
so_far() { "$BUS" get out 2>/dev/null | grep -Ec -- "$1"; }
reached() { [ "$(so_far .)" -ge "$1" ]; }
goes_on() { wait_for 60 reached $(($(so_far .) + ${1:-200})); }
goes_on
ok $? "twelve nodes are routed"
kill -STOP "${pids[broker]}"
sleep 20 # the subject of this case
kill -CONT "${pids[broker]}"
goes_on
ok $? "routing continues after the broker was stopped for 20 s"
start two distlog pubsub "${topics[@]}" --group g
goes_on
stop one KILL
goes_on 400
ok $? "routing continues after another pubsub joined and the first was killed"
start one distlog pubsub "${topics[@]}" --group g
goes_on
stop two
goes_on
ok $? "routing continues after it came back and the other one left"
stop nodes KILL # without a DOWN
broker restart
wait_for 60 reached "$("$BUS" get load | grep -vc REGISTRATION)"
oracle() {
    ask_oracle "${topics[@]}" \
        '"engine": "kafka", "heartbeat_timeout": 4000, "grace": 1000, "exact": true, "partitions": 3'
}
all_told() { [ "$(cat one.out two.out | grep -c 'missed its heartbeat')" -ge 12 ] && oracle; }
wait_for 60 all_told
oracle
is "$status" 0 "in the end all nodes are silent, and the reports are what the oracle expects"
note "$out$err"
stop one
stop collect
run distlog pubsub load calm_out calm_al --group calm --no-follow
calm() { "$BUS" get "$1" | grep -o '"log_id":"[^"]*_\(missed\|recovered\)_[0-9]*"' | sort; }
is "$(comm -23 <(calm calm_al) <(calm al) | wc -l)" 0 \
    "every alert of a pubsub that ran without faults is there"
is "$(comm -13 <(calm calm_al) <(calm al) | grep -vc missed)" 0 \
    "the others are those of the silence at the end"
done_testing
