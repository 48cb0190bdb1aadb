#!/usr/bin/env bash
# 100,000 nodes, of which 1,000 die, in a real pubsub: each dead node is reported once and in time, no
# living one is, and memory is within the limits of distlog(7). Hours pass in simulated time, the seconds
# around the end of the timeout in real time. Time that pubsub waits for a processor then does not count
# as its delay.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
interposed
NODES=100000 DEAD=1000 FEW=5000 TIMEOUT=3600 GRACE=1 # s
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=${TIMEOUT}s DISTLOG_PUBSUB_HEARTBEAT_GRACE=${GRACE}s
# Nor does the time that a disk takes for a commit, which has nothing to do with liveness.
memory=$(mktemp -d /dev/shm/distlog-test.XXXXXX 2>/dev/null) && export DISTLOG_DATA=$memory/data
clean() { [ -z "$memory" ] || rm -rf "$memory"; }
at_end+=(clean)
tick 0
# Topics whose records have this script's time rather than the brokers'.
local_bus || LD_PRELOAD='' admin make 1 processed_logs alerts

on=embedded
local_bus || on=Kafka
bound=$(grep -o "below [0-9]* MB on \(the \)\?$on" "$TOP/man/distlog.7" | grep -o '[0-9]*')
a_node=$(grep -o '[0-9]* bytes a node' "$TOP/man/distlog.7" | grep -o '[0-9]*')
# say FIRST STEP REST: prints one record for each STEPth node, beginning with number FIRST.
say() {
    awk -v from="$1" -v step="$2" -v n=$NODES -v rest="$3" \
        'BEGIN { for (i = from; i < n; i += step) printf "nodes\tnode-%d\t{\"node_id\":\"node-%d\",%s}\n", i, i, rest }'
}
routed() { [ "$("$BUS" get processed_logs | wc -l)" -ge "$1" ]; }
told() { [ "$(lines ps.out 'missed its heartbeat')" -ge "$1" ]; }
# waited_ns: prints how long pubsub, and a broker of ours, have been ready to run but did not.
waited_ns() {
    local of=("/proc/${pids[ps]}/task/"*/schedstat)
    [ -z "${pids[broker]:-}" ] || of+=("/proc/${pids[broker]}/task/"*/schedstat)
    awk '{ ns += $2 } END { printf "%.0f\n", ns }' "${of[@]}" 2>/dev/null
}

start ps distlog pubsub
wait_for 30 has ps.err '→'
say 0 1 '"message_type":"REGISTRATION","service_name":"Payment"' >registrations
# Nodes whose numbers end in 00 never send a heartbeat.
for i in {1..99}; do say "$i" 100 '"message_type":"HEARTBEAT","status":"UP"'; done >beats
head -n $FEW registrations | "$BUS" put
wait_for 60 routed $FEW
before=$(memory_kb ps RssAnon) # with everything that pubsub needs without nodes
tail -n +$((FEW + 1)) registrations | "$BUS" put
is "$?-$(wc -l <registrations)" "0-$NODES" "$NODES nodes register"
wait_for 300 routed $NODES
ok $? "and are known"
tick $((TIMEOUT / 2))
"$BUS" put <beats
is "$?-$(wc -l <beats)" "0-$((NODES - DEAD))" "$((NODES - DEAD)) of them send a heartbeat"
wait_for 300 routed $((2 * NODES - DEAD))
ok $? "all of that is read"
after=$(memory_kb ps RssAnon)
note "private memory: with $FEW nodes $before kB, with $NODES $after kB: $(((after - before) * 1024 / (NODES - FEW))) bytes a node"
what="a node takes at most the $a_node bytes that distlog(7) allows"
if local_bus; then
    [ $((after - before)) -le $(((NODES - FEW) * a_node / 1024 + 2048)) ] # no two batches are the same
    ok $? "$what"
else
    skip "librdkafka's prefetched records take more than that" "$what"
fi
is "$(cat ps.out)" "" "no node is reported yet"

# Now it is three seconds before the first dead node is due; on Kafka a record shows that.
first=$("$BUS" get -t nodes | head -n 1 | cut -f 3)
waited=$(waited_ns)
tick $(((first / 1000 + TIMEOUT - 3) - $(date +%s)))
beat='nodes\tnode-1\t{"node_id":"node-1","message_type":"HEARTBEAT","status":"UP"}\n'
printf "$beat" | "$BUS" put
wait_for 120 told $DEAD
ok $? "the $DEAD dead nodes are reported"
waited=$(($(waited_ns) - waited))
peak=$(memory_kb ps RssAnon)
tick $((TIMEOUT / 4))
printf "$beat" | "$BUS" put
wait_for 60 routed $((2 * NODES + 2)) # the HEARTBEAT_MISSED records are included
ok $? "time goes on"
is "$(sed -nE 's/^ALERT: Node node-([0-9]*) missed its heartbeat!$/\1/p' ps.out | sort -n | cksum)" \
    "$(seq 0 100 $((NODES - 1)) | cksum)" \
    "each of them once, and no living one"
"$BUS" get -t nodes >nodes.tsv
"$BUS" get -t alerts >alerts.tsv
cat >late.py <<'P'
import json, sys
timeout_ms, waited_ms = int(sys.argv[1]), int(sys.argv[2])
last, late = {}, []
for line in open("nodes.tsv"):
    _, _, ts, key, value = line.rstrip("\n").split("\t")
    last[key] = int(ts)
for line in open("alerts.tsv"):
    _, _, ts, key, value = line.rstrip("\n").split("\t")
    late.append(int(ts) - last[json.loads(value)["node_id"]] - timeout_ms)
print(len(late), "early" if min(late) < 0 else "late" if max(late) > 1000 + waited_ms else "in time")
print(f"reported {min(late)} to {max(late)} ms after the timeout and the grace, of which pubsub",
      f"waited {waited_ms} ms for a processor", file=sys.stderr)
P
LD_PRELOAD='' run python3 late.py $(((TIMEOUT + GRACE) * 1000)) $((waited / 1000000))
note "$err"
is "$out" "$DEAD in time" "each within a second of the end of the grace, and not before"
note "private memory at the end: $peak kB"
[ "$peak" -le $((bound * 1024 + NODES * a_node / 1024 + DEAD)) ]
ok $? "pubsub stays below $bound MB, $a_node bytes a node and a kilobyte for each silent one"
stop ps
is "$status" 0 "pubsub ends"
done_testing
