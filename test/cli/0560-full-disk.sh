#!/bin/bash
# A full disk: store, collect and pubsub wait or report it, lose nothing, and continue when there is space
# again. Uses a small file system of its own, which needs a mount namespace.
# SPDX-License-Identifier: Apache-2.0
if [ "${1:-}" != inside ]; then
    for options in -m -rm; do
        unshare $options mount -t tmpfs tmpfs /mnt 2>/dev/null && exec unshare $options bash "$0" inside
    done
    echo "1..0 # SKIP no mount namespaces here"
    exit 0
fi
. "$(dirname "$0")/lib.sh"

mkdir disk && mount -t tmpfs -o size=6m tmpfs disk || exit 1
export DISTLOG_DATA=$TMP/disk/data DISTLOG_BUS_LOCAL_MIN_FREE=0
fill() { dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null; }
put() {
    printf 'processed_logs\tn\t{"log_id":"%s","node_id":"n","message":"one of many"}\n' "$@" | "$BUS" put
}

fill
start new distlog store --no-follow -o bus.local.path="$TMP/bus.db"
wait_for 10 has new.err "disk/data.*: [Nn]o space left"
ok $? "a full disk is named as the cause of a store that can't be created"
stop new KILL
rm disk/fill

put $(seq 100)
run distlog store --no-follow --quiet
like "$err" "stored 100," "records are stored while there is space"
put $(seq 101 200)
fill
run put late
is "$status" 1 "a full disk rejects a record"
like "$err" "bus.db: no space left on the disk" "the message says why"
start store distlog store --no-follow --quiet
wait_for 10 has store.err "no space left on the disk.*; retrying$"
ok $? "store waits"
rm disk/fill
await store
is "$status" 0 "store continues when there is space"
like "$(cat store.err)" "recovered: store local .*store.db, index logs \(outage [0-9.]+ s\)" "it logs the recovery"
like "$(distlog delete --dry-run 2>/dev/null)" '"count":200' "it has lost nothing"

# collect and pubsub on a bus whose disk is full
nodes() {
    printf 'nodes\tn%d\t{"node_id":"n%d","message_type":"%s","log_id":"n%d_%d"}\n' \
        $(for i in $(seq "$1" "$2"); do echo "$i" "$i" "$3" "$i" "$i"; done) | "$BUS" put
}
routed() { "$BUS" get processed_logs | grep -c '"node_id":"n[0-9]'; }
post() {
    curl -s -m 20 -D head -o body -w '%{http_code}' -H 'Content-Type: application/json' -d "$1" \
        "$url/log.input"
}
nodes 1 100 REGISTRATION
start pubsub distlog pubsub -o pubsub.heartbeat_timeout=1h
all() { [ "$(routed)" -eq "$1" ]; }
wait_for 20 all 100
ok $? "pubsub starts while there is space"
start collect distlog collect --listen 127.0.0.1:0
wait_for 10 has collect.err 'http://127.0.0.1:[0-9]+'
url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+' collect.err)
is "$(post '{"node_id":"n1","message_type":"LOG","n":1}')" 200 "collect starts while there is space"
wait_for 20 all 101
kill -STOP "${pids[pubsub]}" # so that pubsub has something to route on a full disk
nodes 101 200 REGISTRATION
fill
is "$(post '{"node_id":"n1","message_type":"LOG","n":2}')" 503 \
    "collect answers 503 when the disk is full"
like "$(cat head)" '^Retry-After: [0-9]+' "it sends Retry-After"
like "$(cat body)" 'no space left on the disk' "the body says why"
like "$(cat collect.err)" 'bus.db: no space left on the disk.*; answering 503 until it recovers' \
    "the log says why"
is "$(curl -s -o /dev/null -w '%{http_code}' "$url/healthz")" 503 "healthz answers 503 and says why"
kill -CONT "${pids[pubsub]}"
wait_for 20 has pubsub.err 'bus.db: no space left on the disk.*; retrying$'
ok $? "pubsub logs the full disk and waits"
is "$(post '{"node_id":"n1","message_type":"LOG","n":2}')" 503 "collect continues to answer"
rm disk/fill
again() { [ "$(post '{"node_id":"n1","message_type":"LOG","n":3}')" = 200 ]; }
wait_for 20 again
ok $? "collect answers 200 when there is space"
wait_for 20 all 202
ok $? "pubsub routes what waited"
for name in pubsub collect; do
    like "$(cat $name.err)" 'recovered: bus local .*bus.db \(outage [0-9.]+ s\)' "$name logs the recovery"
    stop $name
    is "$status" 0 "$name stops with exit code 0"
done
is "$("$BUS" get processed_logs | cut -f 2 | grep '"REGISTRATION"' | grep -o '"node_id":"n[0-9]*"' |
    sort | uniq -c | awk '$1 != 1' | wc -l)" 0 \
    "each record is routed once"
is "$("$BUS" get nodes | grep -o '"n":[0-9]' | tr -d '"' | xargs)" 'n:1 n:3' \
    "records answered with 503 are not stored, records answered with 200 are"
umount disk
done_testing
