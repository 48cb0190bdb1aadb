#!/bin/bash
# delete: what it deletes, what it asks, what it prints, and that the file becomes smaller.
# Also on: elasticsearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

put() { printf 'processed_logs\tn\t%s\n' "$@" | "$BUS" put && distlog store --no-follow --quiet 2>/dev/null; }
found() { distlog search --limit -1 2>/dev/null | sed -n 's/.*"log_id":"\([^"]*\)".*/\1/p' | xargs; }
# Pages of the database, its write-ahead log counted in.
size() { sql "$TMP/data/store.db" "PRAGMA page_count"; }

run distlog delete
is "$status" 1 "without a store there is nothing to delete"
like "$err" "(store.db: there is no store yet|there is no index ${DISTLOG_STORE_INDEX:-none})" "and it says where it looked"

now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
put '{"log_id":"a","node_id":"node_01","log_level":"ERROR","timestamp":"2026-01-20T10:00:00Z"}' \
    '{"log_id":"b","node_id":"node_02","log_level":"WARN","message":"slow disk","timestamp":"2026-01-21T10:00:00Z"}' \
    '{"log_id":"c","node_id":"node_02","log_level":"WARN","timestamp":"'"$now"'"}' \
    '{"log_id":"d","node_id":"node_01","message_type":"HEARTBEAT","timestamp":"'"$now"'"}'
run distlog delete --dry-run --node node_02
is "$status:$out" '0:Documents to delete: {"count":2}' "--dry-run counts"
is "$(found)" "c d b a" "and deletes nothing"
run distlog delete --text disk
is "$status" 0 "delete"
like "$out" '^Deleted documents: \{"took":[0-9]+,"timed_out":false,"total":1,.*"deleted":1,.*"failures":\[\]\}$' "prints the engine's answer"
is "$err" "distlog delete: $STORE" "names the store that it opened"
is "$(found)" "c d a" "and deletes what matches"
run distlog delete --until 1970-01-01T00:00:00Z
like "$out" '"deleted":0' "the first moment of 1970 is a time like any other"
for flag in node service level type since until text; do
    run distlog delete --$flag ""
    like "$status:$err" "^2:distlog delete: --$flag: expected a value, this is empty" "an empty --$flag does not delete everything"
done
run distlog delete --older-than 1d --level warn
like "$out" '"deleted":0' "all restrictions must hold"
run distlog delete --older-than 1d
is "$(found)" "c d" "--older-than"

# On a terminal: $1 is typed; the rest is the command.
tty() { printf '%s\n' "$1" | script -qec "$2" "$TMP/tty" >/dev/null; }
tty n "distlog delete"
is "$?" 1 "a person who says no"
like "$(cat "$TMP/tty")" "Delete every document of $STORE\? \[y/N\]" "was asked"
is "$(found)" "c d" "and nothing was deleted"
tty y "distlog delete --node node_01"
unlike "$(cat "$TMP/tty")" "y/N" "a part is deleted without a question"
like "$(cat "$TMP/tty")" "1 of 1" "and the progress is shown"
is "$(found)" "c" "and is gone"
tty y "distlog delete"
is "$(found)" "" "a person who says yes"
put '{"log_id":"e"}'
tty n "distlog delete --yes"
is "$(found)" "" "--yes"
put '{"log_id":"f"}'
run distlog delete
like "$out" '"deleted":1' "without a terminal nobody is asked"

for i in $(seq 5000); do printf 'processed_logs\tk\t{"log_id":"k%d","node_id":"k","message":"one of many, number %d"}\n' "$i" "$i"; done | "$BUS" put
distlog store --no-follow --quiet 2>/dev/null
if [ -n "${TEST_STORE:-}" ]; then size() { documents; }; fi
before=$(size)
run distlog delete --node k
like "$out" '"total":5000,.*"deleted":5000' "many"
put '{"log_id":"g"}'
after=$(size)
[ "$after" -lt $((before / 4)) ]
ok $? "the file has become smaller ($before to $after pages)"
is "$(found)" "g" "and goes on to be used"

run distlog delete everything
is "$status" 2 "an operand is wrong usage"
done_testing
