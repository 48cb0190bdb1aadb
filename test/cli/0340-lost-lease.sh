#!/usr/bin/env bash
# A lost lease on the embedded bus: a pubsub stops in the middle of a transaction for longer than its lease
# lasts, before and after the transaction begins. What it began counts only if no other pubsub took over.
# (Kafka: kafka-0450-fenced.sh)
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
interposed
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=1h DISTLOG_PUBSUB_TIME_FORMAT=local
sent=0
tick 0
put() { # put COUNT: puts that many numbered warnings
    for ((i = 0; i < $1; i++)); do
        printf 'nodes\ta\t{"node_id":"a","message_type":"LOG","log_level":"WARN","n":%d}\n' $((sent + i))
    # one that stops while it renews its lease may keep the bus locked
    done | "$BUS" put && sent=$((sent + $1))
}
routed() { [ "$("$BUS" get alerts | sort -u | grep -c .)" -ge "$sent" ]; }
# both POINT: `one` is active and stops there when the next records come; `two` stands by.
both() {
    printf 0 >on
    start one env FAULTS_POINT="$1:1:stop" FAULTS_CONTROL="$TMP/on" distlog pubsub
    wait_for 20 has one.err '→'
    start two distlog pubsub
    wait_for 20 has two.err 'standing by: another reader of group distlog-pubsub is active'
    printf 1 >on
    put 100
    wait_for 20 is_stopped one
    ok $? "$1: one stops in mid-transaction"
    printf 0 >on
    tick 10 # longer than a lease
}
printf 'nodes\ta\t{"node_id":"a","message_type":"REGISTRATION"}\n' | "$BUS" put

both sqlite-lock-before
wait_for 20 has two.err 'active: now reading as group distlog-pubsub'
ok $? "two takes over when the lease expires"
put 100
wait_for 20 routed
ok $? "two routes the records"
kill -CONT "${pids[one]}"
wait_for 20 has one.err 'another reader of group distlog-pubsub took over while this process was paused; retrying$'
ok $? "one reports the loss when it resumes"
wait_for 20 has one.err 'standing by: another reader of group distlog-pubsub is active'
ok $? "one stands by"
is "$(lines one.err 'took over')" 1 "one reports it in one line"
stop two
wait_for 20 has one.err 'active: now reading as group distlog-pubsub'
put 100
wait_for 20 routed
ok $? "one is active again when two leaves"
stop one
is "$status" 0 "two stops with exit code 0"

both sqlite-commit-before
wait_for 120 has two.err 'the bus is locked by another process' # five seconds on an idle machine
ok $? "two can't take over a locked bus, and logs that"
kill -CONT "${pids[one]}"
wait_for 20 routed
ok $? "one resumes, and the work goes on"
put 100
wait_for 20 routed
ok $? "one of them has the group"
for daemon in one two; do
    stop $daemon
    is "$status" 0 "$daemon stops with exit code 0"
done

run distlog pubsub --no-follow
ask_oracle nodes processed_logs alerts \
    '"heartbeat_timeout": 3600000, "grace": 1000, "exact": true, "settled": false'
is "$status" 0 "each record is routed once"
note "$out$err"
done_testing
