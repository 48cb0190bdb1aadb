#!/bin/bash
# A deletion is a task of the engine: its progress on a terminal, SIGTERM in the middle of it, two of them
# at a time, and failures in its answer. A proxy makes it slow enough (test/lib/proxy.py).
# Also on: opensearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
port=$(free_port)
start proxy python3 "$TOP/test/lib/proxy.py" "$port" "$DISTLOG_STORE_ELASTICSEARCH_URLS" wire rule
export DISTLOG_STORE_ELASTICSEARCH_URLS=http://127.0.0.1:$port
wait_for 10 curl -fs "$DISTLOG_STORE_ELASTICSEARCH_URLS"

round=0
fill() { # N: stores that many documents
    round=$((round + 1))
    awk -v n="$1" -v r="$round" 'BEGIN { for (; i < n; i++)
        printf "processed_logs\tk\t{\"log_id\":\"%d_%d\",\"node_id\":\"k\",\"log_level\":\"INFO\"}\n", r, i }' | "$BUS" put
    distlog store --no-follow --quiet 2>/dev/null
}
number() { grep -o "\"$1\":[0-9]*" "$2" | head -n 1 | cut -d: -f2; } # NAME FILE

# Two at a time: each skips what the other has deleted.
fill 20000
echo slow 5000 >rule
start one distlog delete
start two distlog delete
await one
first=$status
await two
is "$first:$status" 0:0 "two deletions at a time both succeed"
is "$(($(number deleted one.out) + $(number deleted two.out)))" 20000 \
    "each document is deleted by one of them"
is "$(number total one.out):$(number total two.out)" 20000:20000 "both had found all documents"
is "$(documents)" 0 "no document is left"

# Progress of a running deletion.
fill 5000
echo slow 1000 >rule
script -qefc "distlog delete --yes" tty >/dev/null </dev/null
is "$?" 0 "the progress is shown"
like "$(tr '\r' '\n' <tty)" '^[1-4]000 of 5000' "until everything is deleted"
like "$(tr '\r' '\n' <tty)" '^5000 of 5000' "with one line for the end"
unlike "$(sed '1,/of 5000/d' tty)" ' of ' "with one line for it"

# SIGTERM in the middle.
fill 5000
echo slow 40 >rule # 25 s from one batch to the next
: >tty # the progress of the previous deletion is no sign of this one
start delete script -qefc "exec distlog delete --yes" tty
wait_for 30 has tty '1000 of 5000'
ok $? "some documents are deleted"
kill -TERM "$(pgrep -P "${pids[delete]}")"
await delete
is "$status" 1 "SIGTERM in the middle of a deletion: exit 1"
like "$(cat tty)" '^distlog delete: interrupted before the end; some matching documents may remain' "the message says so"
deleted=$(number deleted tty)
[ "$deleted" -gt 0 ] && [ "$deleted" -lt 5000 ]
ok $? "the answer says how many were deleted ($deleted)"
is "$(documents)" $((5000 - deleted)) "the rest is still there, because the engine stopped, too"
is "$(es GET '/_tasks?actions=*byquery' | grep -c '"action"')" 0 "the task has ended"
rm rule

# Failures.
blocked() { # KIND: an index with that block
    es PUT "/$INDEX/_settings" '{"index.blocks.'"$1"'":true}' >/dev/null
    run distlog delete
    es PUT "/$INDEX/_settings" '{"index.blocks.'"$1"'":null}' >/dev/null
}
blocked write
is "$status" 1 "documents that can't be deleted are a failure"
like "$err" "distlog delete: $DISTLOG_STORE_ELASTICSEARCH_URLS: can't delete: index \[$INDEX\] blocked by: \[FORBIDDEN/8/index write" \
    "the message has the engine's reason"
like "$out" '^Deleted documents: .*"failures":\[\{' "the engine's answer is printed"
blocked read
is "$status:$out" 1: "documents that can't be read are a failure"
like "$err" "distlog delete: $DISTLOG_STORE_ELASTICSEARCH_URLS: can't delete: index \[$INDEX\] blocked by: \[FORBIDDEN/7/index read" \
    "the message has the engine's reason"
is "$(documents)" $((5000 - deleted)) "nothing was deleted"
run distlog delete
is "$status:$(documents)" 0:0 "all documents are deleted when the index allows it"
done_testing
