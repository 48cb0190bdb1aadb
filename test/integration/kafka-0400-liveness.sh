#!/usr/bin/env bash
# Liveness on several partitions: who is told when, whatever the other partitions do.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
PATH=$PATH:$TOP/test/faults

# a, b and c: names of nodes, one on each of the three partitions.
read -r a b c < <(PYTHONPATH=$TOP/test/faults python3 -c '
import oracle
names = {}
for i in range(100):
    names.setdefault(oracle.murmur2(b"n%d" % i) % 3, "n%d" % i)
print(names[0], names[1], names[2])')
reg() { printf 'nodes\t%s\t{"node_id":"%s","message_type":"REGISTRATION","service_name":"Pay"}\n' "$1" "$1"; }
beat() { printf 'nodes\t%s\t{"node_id":"%s","message_type":"HEARTBEAT","status":"UP"}\n' "$1" "$1"; }
log() { printf 'nodes\t%s\t{"node_id":"%s","message_type":"LOG","log_level":"%s"}\n' "$1" "$1" "$2"; }

# --- a busy partition beside a quiet one
# flood NODE…: a beat and a hundred logs of each, again and again, as long as this script lives.
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
ok $? "a silent node is told while the others' partitions are never at their end"
rm flood
wait $!
done_testing
