#!/usr/bin/env bash
# bench: `make bench`: distlog compared with bare SQLite with the same records and transactions, in one
# run on one disk; and its memory when idle. RECORDS (200000), RUNS (3: the median counts). Prints a table
# and never fails: compare the ratios with the floors.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
BARE=$BENCH/bare
# Records per transaction: what is posted to collect at once, and what pubsub and store read at once
# (2,000 or
# 5,000, at most 1 MB).
PUBSUB_BATCH=2000 STORE_BATCH=4000
posts

# The three stages of one run: appends the seconds of distlog and of bare SQLite to
# $TMP/{ingest,pubsub,store}.{ours,bare}.
once() {
    rm -rf "$DISTLOG_DATA" bare-bus.db* bare-store.db*
    ingest ingest.ours
    local bus=$DISTLOG_DATA/bus.db store=$DISTLOG_DATA/store.db table
    timed pubsub.ours distlog pubsub --no-follow
    timed store.ours distlog store --no-follow --quiet
    is "$(sql "$store" "SELECT count(*) FROM doc WHERE type = 'LOG'")" $((RECORDS - 3)) \
        "every log is stored" | grep -v '^ok'

    table=t$(sql "$bus" "SELECT id FROM topic WHERE name = 'nodes'")
    "$BARE" insert "$bus" "$table" bare-bus.db $BATCH >>ingest.bare || exit 1
    "$BARE" copy bare-bus.db "$table" bare_copy $PUBSUB_BATCH >>pubsub.bare || exit 1
    "$BARE" insert "$store" doc bare-store.db $STORE_BATCH >>store.bare || exit 1
}
for ((i = 0; i < RUNS; i++)); do once; done

echo "In both, $BATCH/$PUBSUB_BATCH/$STORE_BATCH records a transaction."
head_line 'bare SQLite'
rate 'collect: arrays over HTTP' ingest
rate 'pubsub' pubsub
rate 'store' store

for ((i = 0; i < 49; i++)); do
    began=$(now)
    distlog --version >version.out
    echo $(($(now) - began))
done | sort -n | head -n 1 | \
    awk '{ printf "%-34s %9.1f ms %12s %7s %7s\n", "distlog --version, best of 49", $1 / 1000, "", "", "10 ms" }'

rm -rf "$DISTLOG_DATA"
for daemon in collect pubsub store alert; do
    case $daemon in collect) extra="--listen 127.0.0.1:$(free_port)" ;; *) extra= ;; esac
    start $daemon distlog $daemon $extra
    wait_for 10 has $daemon.err 'bus local' || { cat $daemon.err; exit 1; }
done
# ticks PID: prints the CPU time that it has used. settled PID: whether it has used none since the last
# call.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
settled() {
    local before=$used
    used=$(ticks "$1")
    [ "$used" = "$before" ]
}
for daemon in collect pubsub store alert; do
    used=
    wait_for 10 settled "${pids[$daemon]}"
    awk -v label="idle $daemon, private memory" \
        '/^RssAnon/ { printf "%-34s %9.1f MB %12s %7s %7s\n", label, $2 / 1024, "", "", "4 MB" }' \
        "/proc/${pids[$daemon]}/status"
    stop $daemon
done
exit "$failures"
