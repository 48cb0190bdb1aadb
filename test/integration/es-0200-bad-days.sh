#!/bin/bash
# Faults of Elasticsearch while store runs: it is stopped, killed, full, overloaded, limits bodies, or
# rejects a record in mid-batch. Nothing is lost or stored twice, and each outage is logged once when it
# begins and once when it ends.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
own_es start
on_es "$TEST_ES"

records() { # PREFIX FROM TO
    awk -v p="$1" -v i="$2" -v n="$3" 'BEGIN { for (; i <= n; i++)
        printf "processed_logs\tk\t{\"log_id\":\"%s%d\",\"node_id\":\"k\",\"log_level\":\"INFO\",\"message\":\"one of many\",\"pad\":\"%0200d\"}\n", p, i, 0 }' | "$BUS" put
}
begin() { # starts store in the background and waits until it is connected
    start store distlog store "$@"
    wait_for 20 has "$TMP/store.err" "→ store"
}
outage_lines() { lines "$TMP/store.err" "; retrying$|recovered: store .*\(outage [0-9.]+ s\)$"; }
end() { # WANTED DESCRIPTION: checks that all documents are stored once
    wait_for 60 documents_are "$1"
    local kb
    kb=$(memory_kb store VmHWM)
    stop store
    is "$status:$(documents)" "0:$1" "$2"
    ok $((kb >= 256 * 1024)) "store used less than 256 MB of memory ($((kb / 1024)) MB)"
}
followed_lines() { sed -n 's/.*"log_id":"\([^"]*\)".*/\1/p' "$TMP/follow.out" | sort | uniq -u | wc -l; }
followed() { [ "$(followed_lines)" = "$1" ]; }
documents_are() { [ "$(documents)" = "$1" ]; }

# Stopped under load, and restarted.
begin
records a 1 2000
wait_for 20 has "$TMP/store.out" "k, a"
start follow distlog search --follow --limit -1
wait_for 20 has "$TMP/follow.out" '"log_id"'
own_es stop
records a 2001 10000
wait_for 20 has "$TMP/store.err" "; retrying$"
ok $? "an outage is logged"
like "$(cat "$TMP/store.err")" \
    "distlog store: $TEST_ES: .*(connect|Connection|reply).* \(check store.elasticsearch.urls\); retrying" \
    "the line has the address and names the setting"
own_es start
end 10000 "stopped and started under load: nothing lost, nothing twice"
is "$(outage_lines)" 2 "the outage has one line for its beginning and one for its end"
wait_for 20 followed 10000
ok $? "search --follow waited, too, and printed what was stored, $(followed_lines) lines"
is "$(lines "$TMP/follow.err" "; retrying$|recovered: store .*\(outage [0-9.]+ s\)$")" 2 \
    "its log has one line for the beginning and one for the end"
stop follow

# Killed: a request may have been processed without an answer.
begin
records b 1 10000
wait_for 20 has "$TMP/store.out" "k, b"
own_es kill
wait_for 20 has "$TMP/store.err" "; retrying$"
own_es start
end 20000 "killed in mid-request: nothing lost, nothing twice"
is "$(outage_lines)" 2 "the outage has one line for its beginning and one for its end"

# Full: the index is read-only, and each item has a 429 in a 200.
es PUT "/$INDEX/_settings" '{"index.blocks.read_only_allow_delete":true}' >/dev/null
begin
records c 1 1000
wait_for 20 has "$TMP/store.err" "; retrying$"
like "$(cat "$TMP/store.err")" "can't store: cluster_block_exception: .*; retrying" \
    "a full server is logged"
es PUT "/$INDEX/_settings" '{"index.blocks.read_only_allow_delete":null}' >/dev/null
end 21000 "full and then not: nothing lost"
is "$(outage_lines)" 2 "the outage has one line for its beginning and one for its end"

# A record that is rejected in the middle of a batch.
{
    records d 1 500
    es PUT "/$INDEX/_mapping" '{"properties":{"number":{"type":"long","ignore_malformed":false}}}' >/dev/null
    printf 'processed_logs\tk\t{"log_id":"poison","node_id":"k","number":"not one"}\n' | "$BUS" put
    records d 501 1000
}
begin
end 22000 "poison in mid-batch: the rest is stored"
is "$(lines "$TMP/store.out" '^Error storing log: ')" 1 "the rejected record is printed once"
like "$(cat "$TMP/store.out")" \
    "^Error storing log: document_parsing_exception: .*failed to parse field \[number\]" \
    "with the engine's reason"
like "$("$BUS" get processed_logs.dlq)" '"reason":"document_parsing_exception: [^"]*number' \
    "the dead letter has the reason, too"

# A log_id of more than 512 bytes would fail a whole request; store uses another _id.
long=$(printf '%0600d' 7)
printf 'processed_logs\tk\t{"log_id":"%s","node_id":"k"}\n' "$long" | "$BUS" put
run distlog store --no-follow --quiet
like "$err" "stored 1, already there 0, dead letters 0" \
    "a record with a log_id of 600 bytes is stored under its position"

# Overloaded: whole requests get 429 until they are small enough.
own_es stop
ES_EXTRA='indexing_pressure.memory.limit: 400kb' own_es start
begin
records e 1 10000
end 32001 "an indexing pressure of 400 KB: nothing lost, nothing twice"
like "$(cat "$TMP/store.err")" "can't store: HTTP 429: es_rejected_execution_exception" \
    "the overload is logged"
[ "$(outage_lines)" -le 8 ]
ok $? "not once for each request ($(outage_lines) lines)"

# http.max_content_length: 413, for which requests are halved; one record is larger than the limit.
own_es stop
ES_EXTRA='http.max_content_length: 1mb' own_es start
es PUT "/$INDEX/_settings" '{"index.blocks.read_only_allow_delete":null}' >/dev/null
begin -o bus.max_record=4MB
records f 1 10000
python3 -c 'print("processed_logs\tk\t{\"log_id\":\"huge\",\"pad\":\"" + "x" * 2000000 + "\"}")' >"$TMP/huge"
DISTLOG_BUS_MAX_RECORD=4MB "$BUS" put <"$TMP/huge"
records f 10001 10500
end 42501 "a body limit of 1 MB: nothing lost, nothing twice"
is "$(lines "$TMP/store.out" '^Error storing log: .*HTTP 413')" 1 \
    "the record that is larger than the limit is printed once"
is "$(outage_lines)" 0 "this is no outage"

# Hung: store stops without an answer.
begin
kill -STOP "${pids[es]}"
records g 1 1
# Unread bytes at the server's end of a connection: it has received the request.
asked() {
    awk -v p="$(printf ':%04X' "${TEST_ES##*:}")" '$2 ~ p "$" && $5 !~ /:0+$/ { n++ } END { exit !n }' \
        /proc/net/tcp /proc/net/tcp6
}
wait_for 20 asked
began=$SECONDS
stop store
is "$status" 1 "store stops within 5 s of SIGTERM although the server hangs"
[ $((SECONDS - began)) -le 8 ]
ok $? "($((SECONDS - began)) s)"
kill -CONT "${pids[es]}"
begin
end 42502 "and the next one resolves it"
done_testing
