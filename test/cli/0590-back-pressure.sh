#!/usr/bin/env bash
# Store and alert are down during a run at full load: no process uses more memory than distlog(7) allows,
# the embedded bus rejects records when it is full, and all accepted records arrive once they are back.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# The memory that distlog(7) allows a daemon, in MB.
on=embedded
local_bus || on=Kafka
bound=$(grep -o "below [0-9]* MB on \(the \)\?$on" "$TOP/man/distlog.7" | grep -o '[0-9]*')
export DISTLOG_BUS_LOCAL_MAX_SIZE=24MB DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=1h
run distlog store --no-follow # from now on the group exists
run distlog alert --no-follow --group pager
port=$(free_port)
start collect distlog collect --listen "127.0.0.1:$port"
start pubsub distlog pubsub
wait_for 20 has collect.err '→' && wait_for 20 has pubsub.err '→'
run python3 "$TOP/test/lib/load.py" flood "$port" 150000 40 "${pids[collect]}" "${pids[pubsub]}"
note "accepted, refused: $out"
if local_bus; then
    like "$out" '^[0-9]+ [1-9][0-9]+$' \
        "collect accepts records until the bus is full, then answers 503 with Retry-After"
    like "$(cat collect.err)" 'max_size.*answering 503' "the log names the limit"
else
    like "$out" '^15[0-9]{4} 0$' "collect accepts all records"
fi
for name in collect pubsub; do
    { read -r most; } <&3
    note "$name: at most $((most / 1024)) MB"
    sanitized || ok $((most / 1024 >= bound)) "$name stays below $bound MB"
done 3<most

# follow NAME COMMAND…: measures its memory until the command succeeds; $peak is the maximum.
follow() {
    peak=0
    for ((i = 0; i < 1200; i++)); do
        now=$(memory_kb "$1" RssAnon)
        [ "$now" -le $peak ] || peak=$now
        ! "${@:2}" || break
        sleep 0.2 # between two measurements
    done
    note "$1: at most $((peak / 1024)) MB"
    sanitized || ok $((peak / 1024 >= bound)) "$1 stays below $bound MB"
}
awk -F _ '$2 % 3 == 0' accepted >warned
start alert distlog alert --group pager
printed() { sed 's/.*, //' alert.out | sort >printed && [ -z "$(comm -23 warned printed | head -n 1)" ]; }
follow alert printed
is "$(comm -23 warned printed | wc -l)" 0 \
    "alert prints each of the $(wc -l <warned) alerts that waited for it"
is "$(uniq -d printed | wc -l)" 0 "none is printed twice"
start store distlog store --quiet
stored() {
    sql data/store.db 'SELECT id FROM doc' | grep -v -- - | sort >stored &&
        [ -z "$(comm -23 accepted stored | head -n 1)" ]
}
follow store stored
is "$(comm -23 accepted stored | wc -l)" 0 "store stores all records that were accepted"
again() {
    curl -s -f -d '{"node_id":"n1","message_type":"HEARTBEAT"}' -H 'Content-Type: application/json' \
        "http://127.0.0.1:$port/log.input"
}
wait_for 60 again
ok $? "collect accepts records again"
for name in collect pubsub alert store; do
    stop $name
    is "$status" 0 "$name stops with exit code 0"
done
is "$("$BUS" get processed_logs | cut -f 2 | grep -o '"log_id":"[^"]*"' | sort | uniq -d | wc -l)" 0 \
    "nothing was routed twice"
done_testing
