#!/bin/bash
# delete: what it deletes, what it asks and prints, and that the file shrinks.
# Also on: elasticsearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

put() { printf 'processed_logs\tn\t%s\n' "$@" | "$BUS" put && distlog store --no-follow --quiet 2>/dev/null; }
found() { distlog search --limit -1 2>/dev/null | sed -n 's/.*"log_id":"\([^"]*\)".*/\1/p' | xargs; }
# Pages of the database, including those of its write-ahead log.
size() { sql "$TMP/data/store.db" "PRAGMA page_count"; }

run distlog delete
is "$status" 1 "without a store there is nothing to delete"
like "$err" "(store.db: the store does not exist yet|index ${DISTLOG_STORE_INDEX:-none} does not exist)" \
    "the message says where it looked"

now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
put '{"log_id":"a","node_id":"node_01","log_level":"ERROR","timestamp":"2026-01-20T10:00:00Z"}' \
    '{"log_id":"b","node_id":"node_02","log_level":"WARN","message":"slow disk","timestamp":"2026-01-21T10:00:00Z"}' \
    '{"log_id":"c","node_id":"node_02","log_level":"WARN","timestamp":"'"$now"'"}' \
    '{"log_id":"d","node_id":"node_01","message_type":"HEARTBEAT","timestamp":"'"$now"'"}'
run distlog delete --dry-run --node node_02
is "$status:$out" '0:Documents to delete: {"count":2}' "--dry-run counts"
is "$(found)" "c d b a" "it deletes nothing"
run distlog delete --text disk
is "$status" 0 "delete succeeds"
like "$out" '^Deleted documents: \{"took":[0-9]+,"timed_out":false,"total":1,.*"deleted":1,.*"failures":\[\]\}$' \
    "it prints the engine's answer"
is "$err" "distlog delete: $STORE" "it names the store"
is "$(found)" "c d a" "it deletes what matches"
run distlog delete --until 1970-01-01T00:00:00Z
like "$out" '"deleted":0' "the beginning of 1970 is a valid time"
for flag in node service level type since until text; do
    run distlog delete --$flag ""
    like "$status:$err" "^2:distlog delete: --$flag: the value must not be empty" \
        "an empty --$flag does not delete everything"
done
run distlog delete --older-than 1d --level warn
like "$out" '"deleted":0' "all conditions must match"
run distlog delete --older-than 1d
is "$(found)" "c d" "--older-than"

# Types $1 on a terminal, where the rest of the arguments run as a command.
tty() { printf '%s\n' "$1" | script -qec "$2" "$TMP/tty" >/dev/null; }
tty n "distlog delete"
is "$?" 1 "the answer no is a failure"
like "$(cat "$TMP/tty")" "Delete all documents of $STORE\? \[y/N\]" "there was a question"
is "$(found)" "c d" "nothing was deleted"
tty y "distlog delete --node node_01"
unlike "$(cat "$TMP/tty")" "y/N" "deleting a part asks no question"
like "$(cat "$TMP/tty")" "1 of 1" "the progress is shown"
is "$(found)" "c" "the documents are deleted"
tty y "distlog delete"
is "$(found)" "" "the answer yes is a success"
put '{"log_id":"e"}'
tty n "distlog delete --yes"
is "$(found)" "" "--yes"
put '{"log_id":"f"}'
run distlog delete
like "$out" '"deleted":1' "without a terminal there is no question"

for i in $(seq 5000); do
    printf 'processed_logs\tk\t{"log_id":"k%d","node_id":"k","message":"one of many, number %d"}\n' "$i" "$i"
done | "$BUS" put
distlog store --no-follow --quiet 2>/dev/null
if [ -n "${TEST_STORE:-}" ]; then size() { documents; }; fi
before=$(size)
run distlog delete --node k
like "$out" '"total":5000,.*"deleted":5000' "many documents"
put '{"log_id":"g"}'
after=$(size)
[ "$after" -lt $((before / 4)) ]
ok $? "the file has shrunk ($before to $after pages)"
is "$(found)" "g" "it can still be used"

run distlog delete everything
is "$status" 2 "an operand is a usage error"
done_testing
