#!/bin/bash
# search: what it finds, in which order, and how it prints the documents.
# Also on: elasticsearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

put() { printf 'processed_logs\tn\t%s\n' "$@" | "$BUS" put && distlog store --no-follow --quiet 2>/dev/null; }
# found ARGS…: prints the log_ids that search finds, in order.
found() { distlog search "$@" 2>"$TMP/err" | sed -n 's/.*"log_id":"\([^"]*\)".*/\1/p' | xargs; }

run distlog search ERROR
is "$status" 1 "without a store there is nothing to search"
like "$err" "(store.db: the store does not exist yet|index ${DISTLOG_STORE_INDEX:-none} does not exist)" \
    "the message says where it looked"
is "$(ls "$TMP/data" 2>/dev/null)" "" "it creates nothing"

put '{"log_id":"a","node_id":"node_01","log_level":"ERROR","message":"Disk is full","message_type":"LOG","service_name":"Payment","timestamp":"2026-11-20T10:00:00Z"}' \
    '{"log_id":"b","node_id":"node_02","log_level":"WARN","message":"Disk is slow","message_type":"LOG","service_name":"Order","timestamp":"2026-11-21T10:00:00Z"}' \
    '{"log_id":"c","node_id":"node_02","log_level":"INFO","message":"foo-bar \"x\"","message_type":"LOG","service_name":"Order","timestamp":"2026-11-22T10:00:00Z"}' \
    '{"log_id":"d","node_id":"node_01","message_type":"HEARTBEAT","timestamp":"2026-11-23T10:00:00Z"}' \
    '{"log_id":"e","node_id":"node_03","log_level":"ALERT","message_type":"ALERT","timestamp":"2026-11-23T10:00:00+00:00"}'
run distlog search error
is "$status" 0 "search by level"
is "$out" 'Search results for error:
{"log_id":"a","node_id":"node_01","log_level":"ERROR","message":"Disk is full","message_type":"LOG","service_name":"Payment","timestamp":"2026-11-20T10:00:00Z"}' "it prints a title, and the documents as they were sent"
is "$err" "distlog search: $STORE" "it names the store"
is "$(found)" "d e c b a" "newest first, then by log_id"
is "$(found Heartbeat)" "d" "HEARTBEAT is a message type"
is "$(found alert)" "e" "any other word is a level, even ALERT"
is "$(found --level warn)" "b" "--level ignores case"
is "$(found --type log --node node_02)" "c b" "--type and --node"
is "$(found --service Payment)" "a" "--service"
is "$(found --limit 2)" "d e" "--limit"
is "$(found -n -1 | wc -w)" 5 "--limit -1: all documents"
is "$(found --since 2026-11-21T10:00:00Z --until 2026-11-23)" "c b" \
    "--since is inclusive, --until is not"
is "$(found --since 2026-11-22)" "d e c" "--since with a date"
is "$(found --since 15m)" "" "--since with a duration"
is "$(found --text 'DISK full')" "a" "--text: all of the words, in any case"
is "$(found --text 'foo-bar')" "c" "--text: words that are operators in query languages"
is "$(found --text '"x"')" "c" "--text: quotation marks"
is "$(found --text '"')" "" "--text: without a word nothing is found"
is "$(found warn --level WARN)" "b" "WHAT and --level may agree"

run distlog search DEBUG
is "$status:$out" "0:Search results for DEBUG:" "finding nothing is not a failure"
like "$err" "nothing found" "a message says so"
run distlog search "$(printf '\033[2J')"
is "$(head -1 <<<"$out")" 'Search results for \x1b[2J:' "the title is escaped"
run distlog search --format raw error
like "$out" '^\{"_id":"a","@timestamp":"2026-11-20T10:00:00.000Z","log_id":"a",' \
    "--format raw adds what store added"

run distlog search warn --level error
is "$status" 2 "WHAT and --level may not conflict"
like "$err" "^distlog search: WARN conflicts with --level ERROR: no document can match both$" "the message names both"
run distlog search --since yesterdayish
is "$status" 2 "an invalid time is a usage error"
like "$err" "^distlog search: --since: " "the message names the flag"
run distlog search --format xml
is "$status" 2 "an invalid format is a usage error"
run distlog search ERROR WARN
is "$status" 2 "an extra operand is a usage error"
if [ -z "${TEST_STORE:-}" ]; then
    run distlog search -o store.index=none
    is "$status:$(wc -l <<<"$out")" "0:1" "another index has other documents"
fi

start follow distlog search --follow --limit 2 --node node_01
wait_for 10 has "$TMP/follow.out" '"d"'
put '{"log_id":"f","node_id":"node_01","timestamp":"2026-11-01T10:00:00Z"}' \
    '{"log_id":"g","node_id":"node_09"}'
wait_for 10 has "$TMP/follow.out" '"f"'
ok $? "--follow prints what is stored, in that order"
stop follow
is "$status" 0 "SIGTERM: exit 0"
is "$(sed -n 's/.*"log_id":"\([^"]*\)".*/\1/p' "$TMP/follow.out" | xargs)" "a d f" \
    "--follow begins with the newest, oldest of them first"

put "$(printf '{"log_id":"ctl","m":"\\u001b\177\302\233\303\251"}')"
run distlog search --limit -1
is "$(grep ctl <<<"$out")" '{"log_id":"ctl","m":"\u001b\u007f\u009bé"}' \
    "control characters in documents are escaped as in JSON"

own='{"log_id":"own","node_id":"node_07","@timestamp":"2026-11-20T10:00:00.000Z"}'
put "$own"
is "$(distlog search --node node_07 2>/dev/null | tail -n +2)" "$own" \
    "a record's own @timestamp is part of it"

distlog search --limit -1 >/dev/full 2>"$TMP/err"
is "$?" 1 "a full disk is a failure"
like "$(cat "$TMP/err")" "cannot write standard output" "the message says so"
done_testing
