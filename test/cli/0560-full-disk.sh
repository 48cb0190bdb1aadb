#!/bin/bash
# A full disk: everything waits or says so, nothing is lost, and it goes on when there is room again.
# On a small file system of its own, which needs a mount namespace.
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
put() { printf 'processed_logs\tn\t{"log_id":"%s","node_id":"n","message":"one of many"}\n' "$@" | "$BUS" put; }

fill
start new distlog store --no-follow -o bus.local.path="$TMP/bus.db"
wait_for 10 has new.err "disk/data.*: [Nn]o space left"
ok $? "no room for a new store is said as that"
stop new KILL
rm disk/fill

put $(seq 100)
run distlog store --no-follow --quiet
like "$err" "stored 100," "there is room"
put $(seq 101 200)
fill
run put late
is "$status" 1 "a full disk refuses a record"
like "$err" "bus.db: no space left on the disk" "and says why"
start store distlog store --no-follow --quiet
wait_for 10 has store.err "no space left on the disk.*; trying again"
ok $? "store waits"
rm disk/fill
await store
is "$status" 0 "until there is room"
like "$(cat store.err)" "it works again" "says so"
like "$(distlog delete --dry-run 2>/dev/null)" '"count":200' "and has lost nothing"
umount disk
done_testing
