#!/bin/bash
# store: one document per record, dead letters with a reason, offsets committed after the documents.
# Also on: elasticsearch kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

put() { printf 'processed_logs\t%s\t%s\n' "$@" | "$BUS" put; }
count() { distlog delete --dry-run 2>/dev/null | sed 's/[^0-9]//g'; }
raw() { distlog search --format raw --limit -1 "$@" 2>/dev/null; }

put node_01 '{"log_id":"node_01_a", "node_id":"node_01" , "log_level":"WARN","message":"slow","message_type":"LOG","z":1.50}' \
    node_01 '{"node_id":"node_01","message_type":"HEARTBEAT","timestamp":"2026-11-24T07:00:01.5+01:00"}'
run distlog store --no-follow
is "$status" 0 "store --no-follow ends by itself"
is "$out" "Log stored successfully: node_01, node_01_a, WARN
Log stored successfully: node_01, HEARTBEAT" "a line for each document"
like "$err" "^distlog store: $PLACE, processed_logs → $STORE$" "the first line names the engines"
like "$err" "^distlog store: stopped: stored 2, already there 0, dead letters 0$" "the last line counts"
like "$(raw WARN)" '"_id":"node_01_a".*,"log_id":"node_01_a","node_id":"node_01","log_level":"WARN","message":"slow","message_type":"LOG","z":1.50}$' \
    "the record is stored compact, keys and numbers unchanged, under its log_id"
like "$(raw heartbeat)" '^\{"_id":"processed_logs-0-1-[0-9]{13}","@timestamp":"2026-11-24T06:00:01.500Z"' \
    "without a log_id its position is the id; a timestamp with a zone is the document's"

put node_01 '{"log_id":"node_01_a","node_id":"node_01","log_level":"WARN"}'
run distlog store --no-follow
is "$out" "" "nothing is printed for a document that is there already"
like "$err" "stored 0, already there 1, dead letters 0" "it is counted"
is "$(count)" 2 "it is there once"

printf 'processed_logs\tk\nprocessed_logs\tk\tnonsense\nprocessed_logs\tk\t{"a":1,"a":2}\nprocessed_logs\tk\t[]\n' |
    "$BUS" put
run distlog store --no-follow
like "$err" "stored 0, already there 0, dead letters 4" \
    "null, nonsense, a duplicate key and a non-object are dead letters"
is "$(grep -c '^Error storing log: ' <<<"$out")" 4 "each has an error line"
run "$BUS" get processed_logs.dlq
like "$out" '"topic":"processed_logs","partition":0,"offset":3,"timestamp":[0-9]+,"key":"k","value":null}' \
    "the dead letter of a null"
like "$out" '^k	\{"reason":"[^"]+","topic":"processed_logs","partition":0,"offset":4,"timestamp":[0-9]+,"key":"k","value":"nonsense"}' \
    "the dead letter of nonsense"

long=$(printf '%0513d' 7)
put n "{\"log_id\":\"$long\",\"message_type\":\"LONG\"}" n '{"log_id":"","message_type":"EMPTY"}' n \
    '{"log_id":7,"message_type":"NUMBER"}'
run distlog store --no-follow
like "$err" "stored 3, already there 0, dead letters 0" \
    "records whose log_id can't be an id are stored under their position"
is "$(raw | grep -Ec '^\{"_id":"processed_logs-0-(7|8|9)-')" 3 "they go under their place"

put $'\e[1m' '{"log_id":"\u001b]0;x\u0007\u009b","node_id":"a\nb","log_level":"\u007f"}'
run distlog store --no-follow
is "$out" 'Log stored successfully: a\nb, \x1b]0;x\x07\xc2\x9b, \x7f' "control characters are escaped"

put n '{"log_id":"quiet","node_id":"n"}'
run distlog store --no-follow --quiet
is "$out" "" "--quiet prints nothing"
like "$err" "stored 1," "and stores the record"

put n '{"log_id":"full","node_id":"n"}'
distlog store --no-follow >/dev/full 2>"$TMP/err"
is "$?" 1 "an unwritable standard output is a failure"
like "$(cat "$TMP/err")" "cannot write standard output: No space left" "the message names it"
run distlog store --no-follow
like "$err" "stored 0, already there 0," "what was stored was committed"

if [ -z "${TEST_STORE:-}" ]; then
mkdir other && for i in $(seq 3); do printf 'mine\tk\t{"log_id":"m%d"}\n' "$i"; done | "$BUS" put
run distlog store --no-follow mine -o store.local.path="$TMP/other/s.db" -o store.index=mine
like "$err" "mine → store local $TMP/other/s.db, index mine" "another topic, file and index can be named"
like "$err" "stored 3," "records are stored there"
fi

start store distlog store
wait_for 10 has "$TMP/store.err" "→ store" && put n '{"log_id":"live","node_id":"n","log_level":"INFO"}'
wait_for 10 has "$TMP/store.out" "n, live, INFO"
ok $? "a waiting store stores new records"
stop store
is "$status" 0 "SIGTERM: exit 0"
like "$(cat "$TMP/store.err")" "stopped: stored 1, already there 0, dead letters 0" \
    "the last line counts the record"

before=$(count)
for i in $(seq 8000); do
    printf 'processed_logs\tk\t{"log_id":"k%d","node_id":"k","message":"one of many"}\n' "$i"
done | "$BUS" put
start killed distlog store
wait_for 10 has "$TMP/killed.out" "k, k[0-9]+,"
stop killed KILL
run distlog store --no-follow
is "$status" 0 "after kill -9 the next store continues"
is "$(count)" $((before + 8000)) "nothing is lost or stored twice"

run distlog store --no-follow -o store.group=
is "$status" 2 "an empty group name is a configuration error"
[ -z "${TEST_STORE:-}" ] || done_testing # the rest is about files

put n '{"log_id":"waited","node_id":"n"}'
exec 9>>"$DISTLOG_DATA/store.db-lock"
flock 9
start waits distlog store --no-follow 9>&-
wait_for 20 has "$TMP/waits.err" "store.db: the store is locked by another process; retrying$"
ok $? "a locked store file is waited for, and the log says so"
exec 9>&-
await waits
like "$status:$(cat "$TMP/waits.out")" "^0:Log stored successfully: n, waited" \
    "the record is stored once it is unlocked"
is "$(lines "$TMP/waits.err" "recovered: store local .*store.db, index logs \(outage [0-9.]+ s\)")" 1 "the recovery is logged once"

start leaves distlog store
wait_for 10 has "$TMP/leaves.err" "→ store" && hold_bus
kill -TERM "${pids[leaves]}"
wait_for 8 sh -c "! kill -0 ${pids[leaves]}"
ok $? "store stops although the bus stays locked"
let_bus_go
await leaves

if local_bus; then
cp -r "$DISTLOG_DATA" hostile
python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute("UPDATE t1 SET ts = 1 << 62"); d.commit()' \
    hostile/bus.db
run distlog store --no-follow -o store.group=another -o bus.local.path="$TMP/hostile/bus.db"
is "$status" 1 "a damaged bus file ends store"
like "$err" "giving up: $TMP/hostile/bus.db: the file is damaged" "the message names the file"
fi

echo "this is a text" >foreign.db
run distlog store --no-follow -o store.local.path="$TMP/foreign.db"
is "$status" 1 "a foreign file is rejected"
like "$err" "foreign.db: not a distlog store file" "the message names it"
is "$(cat foreign.db)" "this is a text" "it is left unchanged"

start gone distlog store
wait_for 10 has "$TMP/gone.err" "→ store"
rm "$DISTLOG_DATA"/store.db
put n '{"log_id":"gone"}'
await gone
is "$status" 1 "a store file that is deleted while in use ends store"
like "$(cat "$TMP/gone.err")" "store.db: the store file was deleted or replaced" "the message names it"
run distlog store --no-follow
like "$err" "stored 1," "the record is not lost with the file"
done_testing
