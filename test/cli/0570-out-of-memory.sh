#!/usr/bin/env bash
# Out of memory: whatever allocation fails, a command logs one line and exits with 1, and nothing is lost.
# FAULTS_SEEDS lengthens the run.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
records=300
for ((i = 0; i < records; i++)); do
    kind=LOG
    [ $i -gt 2 ] || kind=REGISTRATION
    printf 'nodes\tn%d\t{"log_id":"n%d_%d","node_id":"n%d","message_type":"%s","log_level":"INFO"}\n' \
        $((i % 3)) $((i % 3)) $i $((i % 3)) $kind
done | "$BUS" put

distlog store --no-follow 2>first.err # so that there is a store

interposed
# poor SEED COMMAND…: runs it while one in so many of its allocations fails, from the start. The time
# jumps, so
# that the group of the previous command is free.
printf 1 >on
poor() {
    tick 10
    run env FAULTS_CONTROL="$TMP/on" FAULTS_MALLOC="1/$((50 + $1 % 5 * 150)):$1" "${@:2}"
}
year='--heartbeat-timeout 365d' odd='' starved=0
# judge WHAT FILE: checks that it ended properly, with $status and this file as its standard error.
judge() {
    local said
    said=$(lines "$2" 'out of memory')
    starved=$((starved + said))
    case $status:$said:$(tail -n 1 "$2") in
    0:0:* | '1:1:distlog: out of memory') ;;
    *) odd+="$1: exit $status $(cat "$2")"$'\n' ;;
    esac
}
# letters FROM TO, warnings FROM TO: puts dead letters and warnings of these numbers.
letters() {
    printf 'many.dlq\tk\t{"reason":"r","topic":"again","partition":0,"offset":%d,"timestamp":1,"key":"k","value":"letter %d"}\n' \
        $(for i in $(seq "$1" "$2"); do echo "$i" "$i"; done) | "$BUS" put
}
warnings() {
    printf 'alerts\tn\t{"log_id":"warning-%d","node_id":"n","log_level":"WARN","message_type":"LOG"}\n' \
        $(seq "$1" "$2") | "$BUS" put
}
# Posts ten requests to collect, whose allocations fail after the first; acknowledged lists the accepted
# ones.
poor_collect() {
    tick 10
    printf 0 >on
    FAULTS_CONTROL=$TMP/on FAULTS_MALLOC=1/$((50 + $1 % 5 * 150)):$1 start collect distlog collect \
        --listen 127.0.0.1:0 -o topics.input=posts -o collect.routes=log.input=posts
    wait_for 20 has collect.err 'http://127.0.0.1:[0-9]+'
    local url i
    url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+' collect.err)
    for i in {0..9}; do
        [ "$(LD_PRELOAD='' curl -s -m 20 -o body -w '%{http_code}' -H 'Content-Type: application/json' \
            -d "[{\"post\":\"$1-$i\"}]" "$url/log.input")" != 200 ] ||
            echo "\"post\":\"$1-$i\"" >>acknowledged
        printf 1 >on
    done
    stop collect
}
seeds=${FAULTS_SEEDS:-20}
for seed in $(seq 1 "$seeds"); do
    warnings $((seed * 5)) $((seed * 5 + 4))
    letters $((seed * 5)) $((seed * 5 + 4))
    for command in "pubsub --no-follow $year" 'store --no-follow --quiet' 'search info' 'nodes' \
        'alert --no-follow --group pager' \
        'deadletter list many' 'deadletter retry many'; do
        poor "$seed" distlog $command
        judge "$seed $command" err
        [ "${command%% *}" != alert ] || cat out >>printed
    done
    poor_collect "$seed"
    judge "$seed collect" collect.err
done
is "$odd" "" "whatever allocation fails: exit 0, or exactly one message and exit 1"
ok $((starved < 10)) "allocations failed often ($starved times)"
tick 10
run distlog pubsub --no-follow $year
run distlog store --no-follow --quiet
is "$status" 0 "the rest is routed and stored"
run distlog alert --no-follow --group pager
is "$(cat printed out | sort -u | wc -l)" "$((5 * seeds))" "each alert is printed"
run distlog deadletter retry many
is "$status" 0 "the other dead letters are sent"
is "$("$BUS" get again | wc -l)-$("$BUS" get again | sort -u | wc -l)" "$((5 * seeds))-$((5 * seeds))" \
    "each dead letter is sent once"
"$BUS" get posts | grep -o '"post":"[0-9-]*"' | sort -u >posted
is "$(sort acknowledged | comm -23 - posted | wc -l)" 0 \
    "everything that collect accepted is there ($(wc -l <acknowledged) of $((10 * seeds)) requests)"
is "$("$BUS" get processed_logs | grep -c .)-$("$BUS" get processed_logs | sort -u | grep -c .)" \
    "$records-$records" \
    "each record is in processed once"
is "$(sql data/store.db 'SELECT count(*) FROM doc')" "$records" "each record has its document"
done_testing
