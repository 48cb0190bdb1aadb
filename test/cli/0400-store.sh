#!/bin/bash
# store: documents once each, dead letters with the reason, offsets after the documents.
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
like "$(raw WARN)" '"_id":"node_01_a".*,"log_id":"node_01_a","node_id":"node_01","log_level":"WARN","message":"slow","message_type":"LOG","z":1.50}$' "stored compact, keys and numbers as they were, under its log_id"
like "$(raw heartbeat)" '^\{"_id":"processed_logs-0-1-[0-9]{13}","@timestamp":"2026-11-24T06:00:01.500Z"' "without a log_id the place is the id; a time with a zone is the document's"

put node_01 '{"log_id":"node_01_a","node_id":"node_01","log_level":"WARN"}'
run distlog store --no-follow
is "$out" "" "no line for what is there already"
like "$err" "stored 0, already there 1, dead letters 0" "but it is counted"
is "$(count)" 2 "and is there once"

printf 'processed_logs\tk\nprocessed_logs\tk\tnonsense\nprocessed_logs\tk\t{"a":1,"a":2}\nprocessed_logs\tk\t[]\n' | "$BUS" put
run distlog store --no-follow
like "$err" "stored 0, already there 0, dead letters 4" "null, nonsense, a double key and no object: dead letters"
is "$(grep -c '^Error storing log: ' <<<"$out")" 4 "an error line for each"
run "$BUS" get processed_logs.dlq
like "$out" '"topic":"processed_logs","partition":0,"offset":3,"timestamp":[0-9]+,"key":"k","value":null}' "the envelope of a null"
like "$out" '^k	\{"reason":"[^"]+","topic":"processed_logs","partition":0,"offset":4,"timestamp":[0-9]+,"key":"k","value":"nonsense"}' "the envelope of nonsense"

long=$(printf '%0513d' 7)
put n "{\"log_id\":\"$long\",\"message_type\":\"LONG\"}" n '{"log_id":"","message_type":"EMPTY"}' n '{"log_id":7,"message_type":"NUMBER"}'
run distlog store --no-follow
like "$err" "stored 3, already there 0, dead letters 0" "ids that no store takes are no reason to lose a document"
is "$(raw | grep -Ec '^\{"_id":"processed_logs-0-(7|8|9)-')" 3 "they go under their place"

put $'\e[1m' '{"log_id":"\u001b]0;x\u0007\u009b","node_id":"a\nb","log_level":"\u007f"}'
run distlog store --no-follow
is "$out" 'Log stored successfully: a\nb, \x1b]0;x\x07\xc2\x9b, \x7f' "control characters are escaped"

put n '{"log_id":"quiet","node_id":"n"}'
run distlog store --no-follow --quiet
is "$out" "" "--quiet prints nothing"
like "$err" "stored 1," "and stores"

put n '{"log_id":"full","node_id":"n"}'
distlog store --no-follow >/dev/full 2>"$TMP/err"
is "$?" 1 "standard output that takes nothing is a failure"
like "$(cat "$TMP/err")" "standard output can't be written: No space left" "and is named"
run distlog store --no-follow
like "$err" "stored 0, already there 0," "what was stored was committed"

if [ -z "${TEST_STORE:-}" ]; then
mkdir other && for i in $(seq 3); do printf 'mine\tk\t{"log_id":"m%d"}\n' "$i"; done | "$BUS" put
run distlog store --no-follow mine -o store.local.path="$TMP/other/s.db" -o store.index=mine
like "$err" "mine → store local $TMP/other/s.db, index mine" "another topic, file and index"
like "$err" "stored 3," "are stored into"
fi

start store distlog store
wait_for 10 has "$TMP/store.err" "→ store" && put n '{"log_id":"live","node_id":"n","log_level":"INFO"}'
wait_for 10 has "$TMP/store.out" "n, live, INFO"
ok $? "a waiting store takes what comes"
stop store
is "$status" 0 "TERM ends it"
like "$(cat "$TMP/store.err")" "stopped: stored 1, already there 0, dead letters 0" "with its count"

before=$(count)
for i in $(seq 8000); do printf 'processed_logs\tk\t{"log_id":"k%d","node_id":"k","message":"one of many"}\n' "$i"; done | "$BUS" put
start killed distlog store
wait_for 10 has "$TMP/killed.out" "k, k[0-9]+,"
stop killed KILL
run distlog store --no-follow
is "$status" 0 "after kill -9 the next one goes on"
is "$(count)" $((before + 8000)) "nothing is lost and nothing is there twice"

run distlog store --no-follow -o store.group=
is "$status" 2 "a group without a name: wrong configuration"
[ -z "${TEST_STORE:-}" ] || done_testing # what follows is about files

put n '{"log_id":"waited","node_id":"n"}'
exec 9>>"$DISTLOG_DATA/store.db-lock"
flock 9
start waits distlog store --no-follow 9>&-
wait_for 20 has "$TMP/waits.err" "store.db: another process keeps the store locked; trying again"
ok $? "a store that does not answer is waited for, and that is said"
exec 9>&-
await waits
like "$status:$(cat "$TMP/waits.out")" "^0:Log stored successfully: n, waited" "until it does"
is "$(lines "$TMP/waits.err" "it works again")" 1 "which is said once"

start leaves distlog store
wait_for 10 has "$TMP/leaves.err" "→ store" && hold_bus
kill -TERM "${pids[leaves]}"
wait_for 8 sh -c "! kill -0 ${pids[leaves]}"
ok $? "a bus that is held for good keeps nobody from leaving"
let_bus_go
await leaves

if local_bus; then
cp -r "$DISTLOG_DATA" hostile
python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute("UPDATE t1 SET ts = 1 << 62"); d.commit()' hostile/bus.db
run distlog store --no-follow -o store.group=another -o bus.local.path="$TMP/hostile/bus.db"
is "$status" 1 "a damaged bus ends store"
like "$err" "leaving: $TMP/hostile/bus.db: the file is damaged" "and is named"
fi

echo "this is a text" >foreign.db
run distlog store --no-follow -o store.local.path="$TMP/foreign.db"
is "$status" 1 "a foreign file is refused"
like "$err" "foreign.db: this is not a distlog store file" "and named"
is "$(cat foreign.db)" "this is a text" "and left alone"

start gone distlog store
wait_for 10 has "$TMP/gone.err" "→ store"
rm "$DISTLOG_DATA"/store.db
put n '{"log_id":"gone"}'
await gone
is "$status" 1 "a store file that is deleted under it ends store"
like "$(cat "$TMP/gone.err")" "store.db: the store file was deleted or replaced" "and is named"
run distlog store --no-follow
like "$err" "stored 1," "and the record was not lost with it"
done_testing
