#!/usr/bin/env bash
# `make bench` on a small scale: checks that it measures everything, not how fast it is.
. "$(dirname "$0")/lib.sh"

run env DISTLOG="$DISTLOG" RECORDS=2000 RUNS=1 bash "$TOP/test/bench/run.sh"
is "$status" 0 "the bench runs"
for what in 'collect: arrays over HTTP' pubsub store; do
    like "$out" "^$what +[1-9][0-9]*/s +[1-9][0-9]*/s +[0-9]+\.[0-9]+ +0\.50$" "$what beside bare SQLite"
done
like "$out" '^distlog --version, best of 49 +[0-9.]+ ms' "the time that --version takes"
for daemon in collect pubsub store alert; do
    like "$out" "^idle $daemon, private memory +[0-9.]+ MB" "the memory of an idle $daemon"
done
done_testing
