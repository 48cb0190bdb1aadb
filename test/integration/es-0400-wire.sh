#!/bin/bash
# The requests of store to Elasticsearch: compressed, with small answers, over persistent connections,
# several at a time; and every way in which a whole request fails, before and after the server has
# processed it: nothing is lost or stored twice, and each outage is logged once when it begins and once
# when it ends. A proxy stands between them (test/lib/proxy.py); the server is a real one.
# Also on: opensearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
server=$DISTLOG_STORE_ELASTICSEARCH_URLS port=$(free_port)
start proxy python3 "$TOP/test/lib/proxy.py" "$port" "$server" "$TMP/wire" "$TMP/rule"
export DISTLOG_STORE_ELASTICSEARCH_URLS=http://127.0.0.1:$port
wait_for 10 curl -fs "$DISTLOG_STORE_ELASTICSEARCH_URLS"

total=0
# records N: puts that many more, every tenth without a log_id.
records() {
    awk -v i="$total" -v n=$((total + $1)) 'BEGIN { for (; i < n; i++)
        printf "processed_logs\tk\t{%s\"node_id\":\"k\",\"log_level\":\"INFO\",\"pad\":\"%0150d\"}\n", i % 10 ? "\"log_id\":\"r" i "\"," : "", 0 }' | "$BUS" put
    total=$((total + $1))
}
bulks() { awk '$4 ~ /^\/_bulk/' wire; }
most() { bulks | awk -v f="$1" '$f > most { most = $f } END { print most + 0 }'; }

# Requests that succeed.
records 30000
echo hold before >rule
run distlog store --no-follow --quiet
is "$status:$(documents)" 0:$total "all documents are stored through the proxy"
is "$(bulks | awk '{ print $5 }' | sort -u)" gzip "every bulk request is compressed"
is "$(bulks | awk '$7 * 5 > $8' | wc -l)" 0 "to less than a fifth"
is "$(bulks | awk '$6 !~ /gzip/' | wc -l)" 0 "every answer may be compressed"
is "$(bulks | grep -vc 'filter_path=items.\*.status,items.\*.error.type,items.\*.error.reason')" 0 \
    "the answers contain only the verdicts"
is "$(bulks | awk '$11 * 4 > $8' | wc -l)" 0 "the answers are small"
is "$(most 2)" 2 "two requests are in progress at a time"
connections=$(bulks | awk '{ print $1 }' | sort -u | wc -l)
[ "$connections" -le 2 ]
ok $? "connections are persistent ($connections for $(bulks | wc -l) requests)"
: >wire
records 30000
run distlog store --no-follow --quiet -o store.elasticsearch.in_flight=4
is "$status:$(most 2)" 0:4 "store.elasticsearch.in_flight sets another number"
rm rule

# Requests that fail. Records without a log_id are stored under their position, so that a repeated request
# does not
# store them twice.
begin() { start store distlog store --quiet "$@" && wait_for 20 has store.err '→ store'; }
documents_are() { [ "$(documents)" = "$1" ]; }
tried() { [ "$(bulks | grep -c "$1")" -ge 3 ]; }
outage_lines() { lines store.err "; retrying$|recovered: store .*\(outage [0-9.]+ s\)$"; }
over() { [ "$(outage_lines)" = $((2 * outages)) ]; }
outages=0
fails() { # fails RULE WHEN PATTERN [RECORDS]: checks the outage, and its message
    echo "$1 $2" >rule
    records "${4:-1200}"
    wait_for 60 tried "$1-$2"
    ok $? "$1 $2: retried"
    rm rule
    wait_for 60 documents_are $total
    ok $? "$1 $2: nothing is lost or stored twice"
    outages=$((outages + 1))
    wait_for 20 over
    is "$(outage_lines)" $((2 * outages)) "$1 $2: one line when the outage begins, one when it ends"
    like "$(tail -n 2 store.err)" \
        "^distlog store: $DISTLOG_STORE_ELASTICSEARCH_URLS: $3.*; retrying$" \
        "$1 $2: the message says why"
}
begin
for status in 429 500 502 503 504; do fails $status before "can't store: HTTP $status"; done
fails 400 before "can't store: HTTP 400" 2 # from the proxy: the records are valid
fails 502 after "can't store: HTTP 502"
for when in before after midway; do fails cut $when '.*(reply|recv|Recv|transfer|connection|Connection)'; done
stop store
outages=0
begin -o store.elasticsearch.timeout=1s
fails hang after '.*timed out .* \(the host is slow, or store.elasticsearch.timeout is too short\)'
stop store
is "$status:$(documents)" 0:$total "in the end each record has one document"
is "$("$BUS" get processed_logs.dlq 2>/dev/null | wc -l)" 0 "there are no dead letters"

# One record that is too large by itself does not affect the others.
: >wire
echo limit 400000 >rule
records 1000
awk 'BEGIN { printf "processed_logs\tk\t{\"log_id\":\"large\",\"pad\":\"%0500000d\"}\n", 0 }' | "$BUS" put
records 3000
run distlog store --no-follow -o store.elasticsearch.batch=1000
is "$status:$(documents)" 0:$total "a record that is larger than a request may be: the others are stored"
like "$out" '^Error storing log: .*HTTP 413' "its line says why"
is "$("$BUS" get processed_logs.dlq | wc -l)" 1 "it is a dead letter"
[ "$(bulks | wc -l)" -le 50 ]
ok $? "the others are not sent in small requests because of it ($(bulks | wc -l) requests)"
echo limit 100000 >rule
records 1000
run distlog store --no-follow --quiet
is "$status:$(documents)" 0:$total "requests that are too large are split"
rm rule

# The index of one day is blocked: only its records are retried.
export DISTLOG_STORE_INDEX=$INDEX-%Y.%m.%d
days() { # N: puts that many records for each of two days, all of the same size
    awk -v n="$1" 'BEGIN { for (; i < n; i++) for (day = 20; day <= 21; day++)
        printf "days\tk\t{\"log_id\":\"%03d %d %03d\",\"node_id\":\"k\",\"timestamp\":\"2026-11-%dT10:00:00Z\"}\n", n, day, i, day }' | "$BUS" put
}
days 1
run distlog store --no-follow --quiet days
is "$(es GET "/_cat/indices/$INDEX-*?h=index&s=index" | xargs)" "$INDEX-2026.11.20 $INDEX-2026.11.21" \
    "an index per day"
es PUT "/$INDEX-2026.11.21/_settings" '{"index.blocks.read_only_allow_delete":true}' >/dev/null
days 100
: >wire
start store distlog store --quiet days
thrice() { [ "$(bulks | wc -l)" -ge 4 ]; }
wait_for 60 thrice
ok $? "records for a blocked index are retried"
whole=$(bulks | head -n 1 | cut -d' ' -f8)
is "$(bulks | sed 1d | cut -d' ' -f8 | sort -u)" $((whole / 2)) \
    "only the rejected half is sent again ($whole bytes in all)"
es PUT "/$INDEX-2026.11.21/_settings" '{"index.blocks.read_only_allow_delete":null}' >/dev/null
all() {
    [ "$(es POST "/$INDEX-*/_refresh" >/dev/null && es GET "/$INDEX-*/_count" |
        sed 's/.*"count":\([0-9]*\).*/\1/')" = 202 ]
}
wait_for 60 all
ok $? "they are stored when the index is no longer blocked"
stop store
is "$status" 0 "store stops with exit code 0"
done_testing
