#!/usr/bin/env bash
# Faults of Kafka: the broker goes down under load, records are invalid, a topic is recreated, partitions
# are added, retention removes records. Nothing is lost or duplicated, and each outage is logged once when
# it begins and once when it ends.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
# a foreign client
put() {
    kcat -P -b "$TEST_KAFKA" -X message.max.bytes=2000000 -X partitioner=murmur2_random "$@"
}

# --- the broker is stopped, and killed, under load: acknowledged records are stored
port=$(free_port)
start collect distlog collect --listen "127.0.0.1:$port" -o collect.request_timeout=5s
start pubsub distlog pubsub
start store distlog store
wait_for 20 has collect.err '→'
start post python3 "$TOP/test/lib/load.py" numbered "$port" l 5
posted() { [ "$(grep -c . post.out)" -gt "$1" ]; }
further() { wait_for 40 posted $(($(grep -c . post.out) + 100)); }
further
# in_outage NAME: whether it has logged an outage that has not ended. recovered NAME: whether it has not.
in_outage() {
    [ "$(lines "$1.err" '; retrying$')" -gt "$(lines "$1.err" 'recovered: bus kafka .* \(outage [0-9.]+ s\)')" ]
}
recovered() { ! in_outage "$1"; }
for d in pubsub store; do
    wait_for 20 recovered $d # a new topic may have caused a short outage
    before+=("$(lines $d.err .)")
done
broker stop
wait_for 20 has collect.err 'answering 503 until it recovers'
ok $? "collect logs the outage"
for d in pubsub store; do
    wait_for 40 in_outage $d
    ok $? "$d logs the outage"
    like "$(tail -n 1 $d.err)" 'check bus.kafka.brokers' "the line names the setting to check"
    unlike "$(cat $d.err)" 'security.protocol' "it does not name settings that have worked"
done
broker start
further
ok $? "collect accepts records after the outage"
for d in pubsub store; do
    wait_for 40 recovered $d
    is "$(lines $d.err .)" $((before[0] + 2)) "$d logs one line for the outage and one for the recovery"
    note "$(tail -n 2 $d.err)"
    before=("${before[@]:1}")
done
broker kill
broker start
further
ok $? "collect accepts records after the broker was killed and restarted"
touch enough
await post
stop collect
for d in pubsub store; do wait_for 40 recovered $d; done
# No outage is logged before the library has noticed that the broker was away. Who is asked to stop in the
# middle of a commit that the broker answers too late leaves with exit code 1, so both have to be idle first.
routed() { [ "$(count processed_logs '"LOG"')" -eq "$(count nodes '"LOG"')" ]; }
distinct() { values nodes | grep '"LOG"' | grep -o '"l[0-9]*"' | sort -u | wc -l; }
stored() { [ "$(timeout 20 distlog search INFO --limit 100000 | grep -c '"LOG"')" -eq "$(distinct)" ]; }
wait_for 60 routed
ok $? "pubsub catches up"
wait_for 60 stored
ok $? "store catches up"
for d in pubsub store; do stop $d; is "$status" 0 "$d leaves in peace"; done
run timeout 60 distlog pubsub --no-follow
run timeout 60 distlog store --no-follow
like "$(cat collect.err)" 'recovered: bus kafka .* \(outage [0-9.]+ s\)' "collect logs the recovery"
values nodes | grep -o '"log_id": *"[^"]*"' | grep -o 'l[0-9]*' | grep -v log | sort >there
sort post.out >accepted
is "$(comm -23 accepted there | wc -l)" 0 "every record that was answered with 200 is in the topic"
values nodes | grep '"LOG"' | grep -o '"l[0-9]*"' | sort >in
values processed_logs | grep '"LOG"' | grep -o '"l[0-9]*"' | sort >out
is "$(comm -3 in out | wc -l)" 0 "each record was routed once"
is "$(timeout 20 distlog search INFO --limit 100000 | grep -c '"LOG"')" "$(sort -u out | wc -l)" \
    "each record was stored once"
note "accepted $(wc -l <accepted), in the topic $(wc -l <in), $(cat post.err)"
note "$(cat pubsub.err store.err)"

# --- invalid records among valid ones
python3 - >poison <<'P'
import json
one = lambda **k: json.dumps({"node_id": "p", "message_type": "LOG", "log_level": "WARN", **k})
print("p\t" + json.dumps({"node_id": "p", "message_type": "REGISTRATION"}))
print("p\t" + one(log_id="p_1"))
print("p\tnot json")
print("p\t" + one(log_id="p_" + "x" * 600))
print("p\t" + one(log_id="p_big", message="x" * 1048000))
print("p\t" + one(log_id="p_huge", message="x" * 1052000)) # allowed by its topic, but not by bus.max_record
print("p\t" + one(log_id="p_2"))
P
printf 'poison\tp\t{}\n' | DISTLOG_BUS_KAFKA_PARTITIONS=1 "$BUS" put # creates the topic
put -t poison -K '\t' -l poison
printf '{\n  "node_id": "p",\n  "message_type": "LOG",\n  "log_level": "WARN",\n  "log_id": "p_pretty"\n}' \
    >pretty
put -t poison -k p pretty
printf '\t{"node_id":"p","message_type":"LOG","log_level":"WARN","log_id":"p_nokey"}\n' |
    put -t poison -Z -K '\t'
printf 'p\t\n' | put -t poison -Z -K '\t'
run timeout 60 distlog pubsub poison p2 a2 --group g2 --no-follow
like "$err" 'read 11, routed 7, alerts 6, dead letters 4' \
    "valid records are routed, the others are dead letters"
note "$err"
run timeout 60 distlog store p2 --no-follow -o store.group=s2
is "$status" 0 "the routed records are stored"
is "$(timeout 20 distlog search WARN --limit 100 | grep -c '"p_\(1\|2\|big\|pretty\|nokey\|xxx\)')" 6 \
    "all six of them"

# --- a topic is recreated
admin delete poison
printf 'poison\tp\t{"node_id":"q","message_type":"REGISTRATION"}\npoison\tp\t{"node_id":"q","message_type":"LOG","log_level":"WARN"}\n' \
    >again
made_again() { "$BUS" put <again; }
wait_for 20 made_again
run timeout 60 distlog pubsub poison p2 a2 --group g2 --no-follow
like "$err" 'read 2, routed 2, alerts 1' "a recreated topic is read from its beginning"
note "$err"

# … and while it is being read
printf 'anew\tq\t{"node_id":"q","message_type":"REGISTRATION"}\n' | "$BUS" put
start pubsub distlog pubsub anew p3 a3 --group g3
wait_for 20 counts p3 . 1
admin delete anew
wait_for 20 has pubsub.err 'Unknown topic or partition .*; retrying$'
ok $? "a topic that is deleted while it is read is logged"
printf 'anew\tq\t{"node_id":"r","message_type":"REGISTRATION"}\n' >again
wait_for 20 made_again
wait_for 40 counts p3 '"r"' 1
ok $? "a topic that is recreated while it is read is read from its beginning, however long the old one was"
stop pubsub

# --- partitions are added while pubsub runs
twenty() {
    for n in $(seq 20); do
        printf 'wider\tw%s\t{"node_id":"w%s","message_type":"%s","log_level":"INFO"}\n' "$n" "$n" "$1"
    done | "$BUS" put
}
twenty REGISTRATION
properties "$TEST_KAFKA" topic.metadata.refresh.interval.ms=1000
start pubsub distlog pubsub wider p5 a5 --group g5
properties
wait_for 20 counts p5 UP 20
admin partitions wider 6
twenty LOG
all_routed() { counts p5 '"LOG"' 20; }
wait_for 60 all_routed
ok $? "records on partitions that are added at runtime are routed, each once"
wait_for 20 has pubsub.err \
    'of wider, so its alerts follow .*after adding partitions, have the nodes register again'
ok $? "the log says what happens to nodes that moved, and what to do"
is "$(kcat -L -b "$TEST_KAFKA" -t g5.state | grep -c '^    partition')" 6 \
    "the changelog has as many partitions as the input"
twenty REGISTRATION
wait_for 30 counts p5 '"REGISTRATION"' 40
ok $? "the nodes register again"
stop pubsub
note "$(cat pubsub.err)"
for n in 7 8; do
    admin partitions wider $n
    for d in one two three four; do start $d distlog pubsub wider p5 a5 --group g5; done
    codes=
    for d in one two three four; do
        wait_for 30 has $d.err .
        stop $d
        codes+=$status
    done
    is $codes 0000 "several pubsubs that find new partitions at the same time start and stop with exit code 0"
    note "$(cat one.err two.err three.err four.err)"
done

# --- retention removes records before they are read
single() {
    for n in $(seq "$@"); do
        printf 'short\tm\t{"node_id":"m","message_type":"LOG","log_level":"INFO","log_id":"m%s"}\n' "$n"
    done | DISTLOG_BUS_KAFKA_PARTITIONS=1 "$BUS" put
}
single 5
run timeout 60 distlog store short --no-follow -o store.group=s3
like "$err" 'stored 5, already there 0' "the first records of a topic are stored"
single 6 15
admin trim short 0 8
run timeout 60 distlog store short --no-follow -o store.group=s3
like "$err" 'retention removed 3 records of short before they were read; raise its retention' \
    "removed records are counted in the log"
like "$err" 'stored 7, already there 0' "the other records are stored"

# --- a node on two partitions
start pubsub distlog pubsub poison p2 a2 --group g2
for p in 0 1 2; do
    printf 'q\t{"node_id":"q","message_type":"HEARTBEAT"}\n' | put -t poison -p $p -K '\t'
done
wait_for 20 has pubsub.err 'records of node q arrive on several partitions of poison, .*Key records by node_id'
ok $? "a node on two partitions is logged, with the remedy"
stop pubsub
start one distlog pubsub nodes p2 a2 --group g4
start two distlog pubsub nodes p2 a2 --group g4
both() { has one.err '→' && has two.err '→'; }
wait_for 20 both
printf 'nodes\ts\t{"node_id":"s","message_type":"REGISTRATION"}\n' | "$BUS" put
on_each() {
    for p in 0 1 2; do
        printf 's\t{"node_id":"s","message_type":"HEARTBEAT"}\n' | put -t nodes -p $p -K '\t'
    done
    cat one.err two.err >both.err
    has both.err 'node s is not registered: records of such nodes are dropped \(pubsub.unregistered\). .*must first send a REGISTRATION with the key of its other records, its node_id'
}
wait_for 30 on_each
ok $? "a reader with which the node never registered logs it, with the remedy"
stop one
stop two

# --- two readers of one partition: the one without a partition logs an outage of the broker, too
for d in one two; do start $d distlog pubsub short p6 a6 --group g6; done
wait_for 30 members g6 2
broker stop
for d in one two; do
    wait_for 40 in_outage $d
    ok $? "$d of two readers of one partition logs the outage"
done
broker start
for d in one two; do
    wait_for 60 recovered $d
    is "$(lines $d.err '; retrying$') $(lines $d.err 'recovered: bus kafka .* \(outage [0-9.]+ s\)')" "1 1" \
        "$d logs the outage once, and the recovery once"
    note "$(cat $d.err)"
    stop $d
done
done_testing
