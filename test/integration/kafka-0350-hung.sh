#!/usr/bin/env bash
# A broker that hangs, neither down nor answering, and a library call that never returns: a daemon stops
# when asked to, whatever it waits for, and the next start continues from there: nothing is lost, routed
# twice or stored twice.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
feed() { # feed TOPIC ID COUNT: registers n0 to n4, then puts records of theirs, with the ids ID0 and on
    python3 - "$@" <<'P' | kcat -P -b "$TEST_KAFKA" -X partitioner=murmur2_random -t "$1" -K '\t' # a foreign client
import sys
for n in range(5):
    print('n%d\t{"node_id":"n%d","message_type":"REGISTRATION"}' % (n, n))
for i in range(int(sys.argv[3])):
    n = i % 5
    print('n%d\t{"log_id":"%s%d","node_id":"n%d","message_type":"LOG","log_level":"INFO","service_name":"%s"}' % (n, sys.argv[2], i, n, "s" * 99))
P
}
for topic in nodes to_store to_print; do printf '%s\tn0\t{}\n' $topic | "$BUS" put; done # creates it
feed nodes r 200000
feed to_store s 30000
feed to_print a 20000
port=$(free_port)
start post python3 "$TOP/test/lib/load.py" numbered "$port" c 0
mkfifo store.pipe alert.pipe
so_far() {
    for p in 0 1 2; do
        kcat -Q -b "$TEST_KAFKA" -t routed:$p:-1
    done 2>/dev/null | awk '{n += $NF} END {print n + 0}'
}
goes_on() { [ "$(so_far)" -gt "$1" ]; }
posted() { [ "$(grep -c . post.out)" -gt "$1" ]; }
ms() { echo $(($(date +%s%N) / 1000000)); }

# each_leaves WHEN WAIT…: all four daemons work when the broker hangs; WAIT… is how long it has hung when
# they are
# stopped. store and alert have more to print than their pipe holds, and records to commit next.
each_leaves() {
    local when=$1 name begin took= routed line
    routed=$(so_far)
    start collect distlog collect --listen "127.0.0.1:$port"
    start pubsub distlog pubsub nodes routed alarms
    exec 7<>store.pipe 8<>alert.pipe
    start store sh -c 'exec distlog store to_store >store.pipe'
    start alert sh -c 'exec distlog alert to_print --group printer >alert.pipe'
    read -r -t 30 _ <&7
    read -r -t 30 line <&8
    printf '%s\n' "$line" >>printed.out
    wait_for 40 goes_on "$routed"
    wait_for 30 posted $(($(grep -c . post.out) + 20))
    kill -STOP "${pids[broker]}"
    cat store.pipe >>stored.out 7<&- 8<&- &
    pids[cat_store]=$!
    cat alert.pipe >>printed.out 7<&- 8<&- &
    pids[cat_alert]=$!
    "${@:2}"
    begin=$(ms)
    for name in collect pubsub store alert; do kill -TERM "${pids[$name]}"; done
    for name in collect pubsub store alert; do
        wait_for 10 gone "${pids[$name]}"
        ok $? "$name stops while the broker hangs, $when"
        took+=" $name $(($(ms) - begin)) ms"
        stop $name KILL
        took+=" (exit $status)"
    done
    note "gone after:$took"
    exec 7<&- 8<&-
    kill -CONT "${pids[broker]}"
    await cat_store
    await cat_alert
    note "$(cat collect.err pubsub.err store.err alert.err)"
}
each_leaves "at once" true
each_leaves "after a while" wait_for 20 has pubsub.err '; retrying$'
touch enough
await post

# --- the library call that adds the offsets to a transaction never returns, as it happens when the broker
# goes down
# at that moment
feed nodes R 10
LD_PRELOAD=$INTERPOSER FAULTS_POINT=offsets-before:1:hang start pubsub distlog pubsub nodes routed alarms
wait_for 40 has pubsub.err "cannot commit: .*; retrying$"
ok $? "pubsub logs that a commit does not return"
kill -TERM "${pids[pubsub]}"
wait_for 10 gone "${pids[pubsub]}"
ok $? "it stops when asked to"
stop pubsub KILL
is "$status" 1 "with exit code 1, because the commit is unfinished"
note "$(cat pubsub.err)"

# --- the next start resolves what was in progress
run timeout 90 distlog pubsub nodes routed alarms --no-follow
is "$status" 0 "the next pubsub succeeds"
run timeout 90 distlog store to_store --no-follow
is "$status" 0 "the next store succeeds"
run timeout 90 distlog alert to_print --group printer --no-follow
is "$status" 0 "the next alert succeeds"
cat out >>printed.out
ids() { grep -o '"log_id": *"[^"]*"' | grep -o '"[rRsac][0-9]*"' | tr -d '"'; }
values nodes | ids | sort >in
sort post.out >accepted
is "$(comm -23 accepted in | wc -l)" 0 "every record that was answered with 200 is in the topic"
values routed | ids | grep '[rR]' | sort >routed
is "$(grep '[rR]' in | comm -3 - routed | wc -l)" 0 "each record was routed once"
is "$(timeout 60 distlog search INFO --limit 1000000 | ids |
    sort -u | wc -l) $(sql "$DISTLOG_DATA/store.db" 'SELECT count(*) FROM doc')" '30000 30006' \
    "each record was stored once"
is "$(grep -o 'a[0-9]*$' printed.out | sort -u | wc -l)" 20000 "no alert is lost"
done_testing
