#!/usr/bin/env bash
# Liveness under faults, in simulated time: pubsub is down while half of the nodes die, is ten minutes
# behind, has its clock set forward and back, is paused, killed, joined by another and left by it. It
# reports what its input shows, each silence once, and the same as a pubsub that ran without faults.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
interposed
export DISTLOG_BUS_KAFKA_PARTITIONS=3

# Time passes only when this script says so: for the bus, the nodes and pubsub the machine sleeps. Real time
# adds little to the 40 s between two heartbeats, where 60 s are allowed.
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=60s DISTLOG_PUBSUB_HEARTBEAT_GRACE=8s
tick 0
# Topics whose records have this script's time rather than the brokers'.
local_bus || LD_PRELOAD='' admin make 3 processed_logs alerts

# Nodes by the partition of their names, of three: all nodes of the second partition die.
names() {
    PYTHONPATH=$TOP/test/faults python3 -c '
import oracle
print(*[f"{i}" for i in range(60) if oracle.murmur2(b"%d" % i) % 3 == '"$1"'][:4])'
}
read -r a b e p0 < <(names 0)
read -r f g p1 _ < <(names 1)
read -r c d h p2 < <(names 2)
beats() {
    for n; do
        printf 'nodes\t%s\t{"node_id":"%s","message_type":"HEARTBEAT","status":"UP","at":%d}\n' "$n" \
            "$n" $slept
    done | "$BUS" put
}
pubsub() { distlog pubsub --time-format local "$@"; }
routed() { [ "$("$BUS" get processed_logs | grep -c "\"at\":$1}")" -eq "$2" ]; }
told() { sed -n 's/^ALERT: Node \(.*\) missed its heartbeat!$/\1/p' "$@" | sort -n | xargs; }
sorted() { printf '%s\n' "$@" | sort -n | xargs; }

# --- down for eight minutes while half of the nodes die
for n in $a $b $c $d $e $f $g $h; do
    printf 'nodes\t%s\t{"node_id":"%s","message_type":"REGISTRATION","service_name":"Pay"}\n' "$n" "$n"
done | "$BUS" put
run pubsub --no-follow
is "$status$out" 0 "eight nodes register"
living=($a $b $c $d)
dying=($e $f $g $h)
for i in {1..12}; do
    tick 40
    beats "${living[@]}" "${dying[@]}"
    [ "$i" -gt 4 ] || dying=("${dying[@]:1}") # one after another
done
printf 'nodes\t%s\t{"node_id":"%s","message_type":"LOG","log_level":"WARN"}\n' $a $a $c $c | "$BUS" put
run pubsub --no-follow
is "$(told out)" "$(sorted $e $f $g $h)" "after a restart exactly the dead nodes are reported"
run pubsub --no-follow
is "$out" "" "and only once"

# --- ten minutes behind
for _ in {1..15}; do
    tick 40
    beats "${living[@]}"
done
run pubsub --no-follow
is "$status$out" 0 "ten minutes behind: no false alarm"

# --- steps of its own clock
export FAULTS_CLOCK=$TMP/clock
printf %-8d 0 >clock
start ps distlog pubsub
unset FAULTS_CLOCK
wait_for 30 routed $slept 4
living=($a $b $c)
stepped() { # SECONDS…
    for step; do
        printf %-8d "$step" >clock
        tick 40
        beats "${living[@]}"
        wait_for 30 routed $slept 3 || ok 1 "heartbeats are routed after a step to $step s"
    done
}
stepped -3600 -3600 -3600
wait_for 5 has ps.out "Node $d "
ok $? "clock set back by an hour: the node that died is reported"
stepped 3600 0
is "$(told ps.out)" "$d" "clock set forward by an hour: no other node is"

# --- paused
stopped=$(told ps.out)
kill -STOP "${pids[ps]}"
for _ in 1 2 3 4; do
    tick 40
    beats "${living[@]}"
done
kill -CONT "${pids[ps]}"
wait_for 30 routed $slept 3
ok $? "it continues after a long pause"
is "$(told ps.out)" "$stopped" "the pause causes no false alarm"

# --- paused while half of them die, one after another
for n in $e $f $g $h; do
    printf 'nodes\t%s\t{"node_id":"%s","message_type":"REGISTRATION","service_name":"Pay"}\n' "$n" "$n"
done | "$BUS" put
dying=($e $f $g $h)
beats "${living[@]}" "${dying[@]}"
back() { [ "$("$BUS" get processed_logs | grep -c '"alert":"HEARTBEAT_RECOVERED"')" -eq 4 ]; }
wait_for 30 back
ok $? "four nodes come back"
kill -STOP "${pids[ps]}"
for i in {1..6}; do
    tick 40
    [ "$i" -gt 4 ] || dying=("${dying[@]:1}")
    beats "${living[@]}" "${dying[@]}"
done
printf 'nodes\t%s\t{"node_id":"%s","message_type":"LOG","log_level":"WARN","at":%d}\n' $a $a $slept |
    "$BUS" put
is "$(told ps.out)" "$stopped" "a paused pubsub reports nothing"
kill -CONT "${pids[ps]}"
wait_for 30 routed $slept 4
ok $? "it continues after half of them died"
all_told() { [ "$(told ps.out | wc -w)" -ge 5 ]; }
wait_for 30 all_told
is "$(told ps.out)" "$(sorted $stopped $e $f $g $h)" "it reports exactly these"
fell=$("$BUS" get -t nodes | awk -F '\t' '{ at[$4] = $3 } END { for (n in at) print n, int(at[n] / 1000) }')
for n in $e $f $g $h; do
    is "$("$BUS" get alerts | grep '"HEARTBEAT_MISSED"' | grep "\"node_id\":\"$n\"" | tail -n 1 |
        grep -o '"last_heartbeat":"[^"]*"')" \
        "\"last_heartbeat\":\"$(date -d "@$(sed -n "s/^$n //p" <<<"$fell")" '+%F %T')\"" \
        "$n: the alert has its last heartbeat"
done
what="alerts come before the record that came after they were due"
if local_bus; then
    is "$("$BUS" get alerts | tail -n 5 | sed -E 's/.*"(HEARTBEAT_MISSED|WARN)".*/\1/' | xargs)" \
        "$(printf 'HEARTBEAT_MISSED %.0s' 1 2 3 4)WARN" \
        "$what"
else
    skip "order is per key there" "$what"
fi

# --- another pubsub joins, the first is killed, comes back, and the other leaves
start other distlog pubsub
tick 40
beats "${living[@]}"
stop ps KILL
tick 20
beats "${living[@]}"
tick 40
beats "${living[@]}"
wait_for 40 routed $slept 3
ok $? "another takes over from a killed one"
start ps distlog pubsub
tick 40
beats "${living[@]}"
stop other
tick 20
beats "${living[@]}"
wait_for 40 routed $slept 3
ok $? "it hands over when it leaves"
is "$(told other.out ps.out)" "" "no false alarm"
stop ps

# --- every node falls silent; an unknown node on each partition shows that time has passed
tick 80
for n in $p0 $p1 $p2; do printf 'nodes\t%s\t{"node_id":"%s","message_type":"LOG"}\n' $n $n; done | "$BUS" put
run pubsub --no-follow
is "$(told out)" "$(sorted $a $b $c)" "in the end the other nodes are reported"

ask_oracle nodes processed_logs alerts \
    '"heartbeat_timeout": 60000, "grace": 8000, "exact": true, "skew": 3610000'
is "$status" 0 "everything is what the oracle expects"
note "$out$err"
run pubsub nodes calm_logs calm_alerts --group calm --no-follow
is "$("$BUS" get calm_alerts | sort)" "$("$BUS" get alerts | sort)" \
    "a pubsub that ran without faults reports the same"
done_testing
