#!/bin/bash
# A deletion is a task of the engine: its progress on a terminal, TERM in the middle of it, two of them at a
# time, and failures that its answer tells. A proxy makes it slow enough to be met half-way
# (test/lib/proxy.py).
# Also on: opensearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
port=$(free_port)
start proxy python3 "$TOP/test/lib/proxy.py" "$port" "$DISTLOG_STORE_ELASTICSEARCH_URLS" wire rule
export DISTLOG_STORE_ELASTICSEARCH_URLS=http://127.0.0.1:$port
wait_for 10 curl -fs "$DISTLOG_STORE_ELASTICSEARCH_URLS"

round=0
fill() { # N: so many documents
    round=$((round + 1))
    awk -v n="$1" -v r="$round" 'BEGIN { for (; i < n; i++)
        printf "processed_logs\tk\t{\"log_id\":\"%d_%d\",\"node_id\":\"k\",\"log_level\":\"INFO\"}\n", r, i }' | "$BUS" put
    distlog store --no-follow --quiet 2>/dev/null
}
number() { grep -o "\"$1\":[0-9]*" "$2" | head -n 1 | cut -d: -f2; } # NAME FILE

# Two at a time: each passes over what the other has deleted.
fill 20000
echo slow 5000 >rule
start one distlog delete
start two distlog delete
await one
first=$status
await two
is "$first:$status" 0:0 "two deletions at a time both end well"
is "$(($(number deleted one.out) + $(number deleted two.out)))" 20000 "each document is deleted by one of them"
is "$(number total one.out):$(number total two.out)" 20000:20000 "both had found all"
is "$(documents)" 0 "nothing is left"

# Progress, while it runs.
fill 5000
echo slow 1000 >rule
script -qefc "distlog delete --yes" tty >/dev/null </dev/null
is "$?" 0 "on a terminal"
like "$(tr '\r' '\n' <tty)" '^[1-4]000 of 5000' "it is told how far it is"
like "$(tr '\r' '\n' <tty)" '^5000 of 5000' "until it is done"
unlike "$(sed '1,/of 5000/d' tty)" ' of ' "with one line for it"

# TERM in the middle.
fill 5000
echo slow 40 >rule # 25 s from a batch to the next
: >tty # what the one before was told is no sign of this one
start delete script -qefc "exec distlog delete --yes" tty
wait_for 30 has tty '1000 of 5000'
ok $? "a part is deleted"
kill -TERM "$(pgrep -P "${pids[delete]}")"
await delete
is "$status" 1 "TERM in mid-delete: it did not do what it was asked"
like "$(cat tty)" '^distlog delete: stopped before the end: what is left is still there' "and says so"
deleted=$(number deleted tty)
[ "$deleted" -gt 0 ] && [ "$deleted" -lt 5000 ]
ok $? "its answer tells what was deleted ($deleted)"
is "$(documents)" $((5000 - deleted)) "the rest is still there, for the engine has stopped too"
is "$(es GET '/_tasks?actions=*byquery' | grep -c '"action"')" 0 "its task is gone"
rm rule

# Failures.
blocked() { # KIND: an index with such a block
    es PUT "/$INDEX/_settings" '{"index.blocks.'"$1"'":true}' >/dev/null
    run distlog delete
    es PUT "/$INDEX/_settings" '{"index.blocks.'"$1"'":null}' >/dev/null
}
blocked write
is "$status" 1 "documents that can't be deleted: a failure"
like "$err" "distlog delete: $DISTLOG_STORE_ELASTICSEARCH_URLS: can't delete: index \[$INDEX\] blocked by: \[FORBIDDEN/8/index write" "with the engine's reason"
like "$out" '^Deleted documents: .*"failures":\[\{' "and its answer"
blocked read
is "$status:$out" 1: "documents that can't be read: a failure"
like "$err" "distlog delete: $DISTLOG_STORE_ELASTICSEARCH_URLS: can't delete: index \[$INDEX\] blocked by: \[FORBIDDEN/7/index read" "with the engine's reason"
is "$(documents)" $((5000 - deleted)) "nothing was deleted"
run distlog delete
is "$status:$(documents)" 0:0 "and when the index lets it, all of it is"
done_testing
