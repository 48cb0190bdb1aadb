#!/bin/bash
# What goes over the wire between store and Elasticsearch: compressed, small answers, connections that last, so
# many requests at a time; and every way in which a whole request fails, before and after the server has
# done it: nothing is lost, nothing is there twice, one line when trouble starts and one when it ends.
# The test's own proxy stands between them (test/lib/proxy.py); the server is a real one.
# Also on: opensearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
server=$DISTLOG_STORE_ELASTICSEARCH_URLS port=$(free_port)
start proxy python3 "$TOP/test/lib/proxy.py" "$port" "$server" "$TMP/wire" "$TMP/rule"
export DISTLOG_STORE_ELASTICSEARCH_URLS=http://127.0.0.1:$port
wait_for 10 curl -fs "$DISTLOG_STORE_ELASTICSEARCH_URLS"

total=0
# records N: so many more, each tenth without a log_id.
records() {
    awk -v i="$total" -v n=$((total + $1)) 'BEGIN { for (; i < n; i++)
        printf "processed_logs\tk\t{%s\"node_id\":\"k\",\"log_level\":\"INFO\",\"pad\":\"%0150d\"}\n", i % 10 ? "\"log_id\":\"r" i "\"," : "", 0 }' | "$BUS" put
    total=$((total + $1))
}
bulks() { awk '$4 ~ /^\/_bulk/' wire; }
most() { bulks | awk -v f="$1" '$f > most { most = $f } END { print most + 0 }'; }

# How it asks.
records 30000
echo hold before >rule
run distlog store --no-follow --quiet
is "$status:$(documents)" 0:$total "through a relay"
is "$(bulks | awk '{ print $5 }' | sort -u)" gzip "every bulk request is compressed"
is "$(bulks | awk '$7 * 5 > $8' | wc -l)" 0 "to less than a fifth here"
is "$(bulks | awk '$6 !~ /gzip/' | wc -l)" 0 "and every answer may be"
is "$(bulks | grep -vc 'filter_path=items.\*.status,items.\*.error.type,items.\*.error.reason')" 0 "with answers of the verdicts alone"
is "$(bulks | awk '$11 * 4 > $8' | wc -l)" 0 "which are small"
is "$(most 2)" 2 "two requests under way at a time"
connections=$(bulks | awk '{ print $1 }' | sort -u | wc -l)
[ "$connections" -le 2 ]
ok $? "over connections that last ($connections for $(bulks | wc -l) requests)"
: >wire
records 30000
run distlog store --no-follow --quiet -o store.elasticsearch.in_flight=4
is "$status:$(most 2)" 0:4 "store.elasticsearch.in_flight asks for another number"
rm rule

# How it fails. Records without a log_id are stored under their place, so a request that was done is seen to be.
begin() { start store distlog store --quiet "$@" && wait_for 20 has store.err '→ store'; }
documents_are() { [ "$(documents)" = "$1" ]; }
tried() { [ "$(bulks | grep -c "$1")" -ge 3 ]; }
said() { lines store.err "trying again until it works|it works again"; }
over() { [ "$(said)" = $((2 * troubles)) ]; }
troubles=0
fails() { # fails RULE WHEN PATTERN [RECORDS]: what store says
    echo "$1 $2" >rule
    records "${4:-1200}"
    wait_for 60 tried "$1-$2"
    ok $? "$1 $2: tried again and again"
    rm rule
    wait_for 60 documents_are $total
    ok $? "$1 $2: nothing is lost, nothing is there twice"
    troubles=$((troubles + 1))
    wait_for 20 over
    is "$(said)" $((2 * troubles)) "$1 $2: one line when trouble starts, one when it ends"
    like "$(tail -n 2 store.err)" "^distlog store: $DISTLOG_STORE_ELASTICSEARCH_URLS: $3.*; trying again until it works$" "$1 $2: says so"
}
begin
for status in 429 500 502 503 504; do fails $status before "can't store: HTTP $status"; done
fails 400 before "can't store: HTTP 400" 2 # not the engine's: nothing is wrong with the records
fails 502 after "can't store: HTTP 502"
for when in before after midway; do fails cut $when '.*(reply|recv|Recv|transfer|connection|Connection)'; done
stop store
troubles=0
begin -o store.elasticsearch.timeout=1s
fails hang after '.*timed out .* \(it is slow, or store.elasticsearch.timeout is too short\)'
stop store
is "$status:$(documents)" 0:$total "at the end each record is one document"
is "$("$BUS" get processed_logs.dlq 2>/dev/null | wc -l)" 0 "and none is a dead letter"

# One record that is too large alone says nothing about the others.
: >wire
echo limit 400000 >rule
records 1000
awk 'BEGIN { printf "processed_logs\tk\t{\"log_id\":\"large\",\"pad\":\"%0500000d\"}\n", 0 }' | "$BUS" put
records 3000
run distlog store --no-follow -o store.elasticsearch.batch=1000
is "$status:$(documents)" 0:$total "a record larger than a request may be: the others are stored"
like "$out" '^Error storing log: .*HTTP 413' "it is told"
is "$("$BUS" get processed_logs.dlq | wc -l)" 1 "and a dead letter"
[ "$(bulks | wc -l)" -le 50 ]
ok $? "others are not sent in small change for its sake ($(bulks | wc -l) requests)"
echo limit 100000 >rule
records 1000
run distlog store --no-follow --quiet
is "$status:$(documents)" 0:$total "requests that are too large together are sent in parts"
rm rule

# One day's index is blocked: its records are tried again, and no others.
export DISTLOG_STORE_INDEX=$INDEX-%Y.%m.%d
days() { # N: so many records for each of two days, all of one size
    awk -v n="$1" 'BEGIN { for (; i < n; i++) for (day = 20; day <= 21; day++)
        printf "days\tk\t{\"log_id\":\"%03d %d %03d\",\"node_id\":\"k\",\"timestamp\":\"2026-11-%dT10:00:00Z\"}\n", n, day, i, day }' | "$BUS" put
}
days 1
run distlog store --no-follow --quiet days
is "$(es GET "/_cat/indices/$INDEX-*?h=index&s=index" | xargs)" "$INDEX-2026.11.20 $INDEX-2026.11.21" "an index a day"
es PUT "/$INDEX-2026.11.21/_settings" '{"index.blocks.read_only_allow_delete":true}' >/dev/null
days 100
: >wire
start store distlog store --quiet days
thrice() { [ "$(bulks | wc -l)" -ge 4 ]; }
wait_for 60 thrice
ok $? "what one index refuses is tried again and again"
whole=$(bulks | head -n 1 | cut -d' ' -f8)
is "$(bulks | sed 1d | cut -d' ' -f8 | sort -u)" $((whole / 2)) "the half that is refused, and not the rest ($whole bytes for all)"
es PUT "/$INDEX-2026.11.21/_settings" '{"index.blocks.read_only_allow_delete":null}' >/dev/null
all() { [ "$(es POST "/$INDEX-*/_refresh" >/dev/null && es GET "/$INDEX-*/_count" | sed 's/.*"count":\([0-9]*\).*/\1/')" = 202 ]; }
wait_for 60 all
ok $? "and stored when the index takes it"
stop store
is "$status" 0 "without more ado"
done_testing
