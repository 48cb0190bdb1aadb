#!/bin/bash
# What the Python tools that distlog replaces wrote to the index: dynamic mapping (text with .keyword),
# local times without a zone, no @timestamp, ids of the engine's own. Search and delete can use it, and
# store continues to write to it.
# Also on: opensearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es

put() {
    printf 'processed_logs\t\t%s\n' "$@" | "$BUS" put && distlog store --no-follow --quiet 2>"$TMP/store.err"
}
found() { distlog search "$@" 2>"$TMP/err" | sed -n 's/.*"log_id": *"\([^"]*\)".*/\1/p' | xargs; }
old() { es POST "/$INDEX/_doc?refresh=true" "$1" >"$TMP/old.out"; }

old '{"log_id": "node_01_1", "node_id": "node_01", "log_level": "INFO", "message_type": "LOG", "message": "Sample log message from node_01", "service_name": "Payment", "timestamp": "2026-11-20 10:00:00"}'
old '{"log_id": "node_02_2", "node_id": "node_02", "log_level": "WARN", "message_type": "LOG", "message": "Sample log message from node_02", "response_time_ms": 250, "threshold_limit_ms": 300, "service_name": "Order Service", "timestamp": "2026-11-20 10:00:02"}'
old '{"log_id": "node_01_3", "node_id": "node_01", "log_level": "ERROR", "message_type": "LOG", "message": "Sample log message from node_01", "error_details": {"error_code": 50, "error_message": "Sample error"}, "service_name": "Payment", "timestamp": "2026-11-20 10:00:01"}'
old '{"node_id": "node_03", "message_type": "HEARTBEAT", "status": "UP", "timestamp": "2026-11-20 10:00:03"}'
like "$(es GET "/$INDEX/_mapping")" '"node_id":\{"type":"text","fields":\{"keyword"' \
    "the index has the mapping of the old tools"

run distlog search error
is "$status:$out" '0:Search results for error:
{"log_id":"node_01_3","node_id":"node_01","log_level":"ERROR","message_type":"LOG","message":"Sample log message from node_01","error_details":{"error_code":50,"error_message":"Sample error"},"service_name":"Payment","timestamp":"2026-11-20 10:00:01"}' "search finds by level, and prints one compact line"
is "$(found --limit -1)" "node_02_2 node_01_3 node_01_1" "newest first, by their own timestamps"
is "$(distlog search heartbeat 2>/dev/null | sed -n 2p)" \
    '{"node_id":"node_03","message_type":"HEARTBEAT","status":"UP","timestamp":"2026-11-20 10:00:03"}' \
    "search by type"
is "$(found --node node_01)" "node_01_3 node_01_1" "search by node, exactly"
is "$(found --service "Order Service")" "node_02_2" "search by service"
is "$(found --service Order)" "" "a part of a service's name does not match"
is "$(found --text 'sample node_02')" "node_02_2" "search by words"
is "$(found --since '2026-11-20 10:00:01' --until '2026-11-20 10:00:02')" "node_01_3" \
    "search by time, in the zone of this machine"
is "$(TZ=Etc/GMT-2 found --since '2026-11-20T08:00:01Z' --until '2026-11-20T08:00:02Z')" "node_01_3" \
    "search by time with a zone"
like "$(distlog search error --format raw 2>/dev/null)" \
    '"_id":"[^"]+","@timestamp":"2026-11-20T10:00:01.000Z","log_id"' "--format raw shows the time"

put '{"log_id":"node_01_4","node_id":"node_01","log_level":"INFO","message_type":"LOG","timestamp":"2026-11-21 10:00:00"}'
like "$(cat "$TMP/store.err")" "stored 1, already there 0, dead letters 0" \
    "store adds a record of a message without a key"
is "$(found --limit -1)" "node_01_4 node_02_2 node_01_3 node_01_1" \
    "documents with a time from store come first"
is "$(found --node node_01 --since '2026-11-20 10:00:01')" "node_01_4 node_01_3" \
    "documents of both kinds are found by time"

run distlog delete --until '2026-11-20 10:00:01'
like "$out" '"deleted":1,' "delete by time"
run distlog delete --level warn
like "$out" '"deleted":1,' "delete by level"
run distlog delete
like "$out" '^Deleted documents: .*"deleted":3,' "delete everything"
is "$(documents)" 0 "no document is left"

es DELETE "/$INDEX" >/dev/null
es PUT "/$INDEX" '{"mappings":{"properties":{"node_id":{"type":"long"}}}}' >/dev/null
run distlog store --no-follow
is "$status" 1 "an index with an unsuitable mapping is an error"
like "$err" "^distlog store: $DISTLOG_STORE_ELASTICSEARCH_URLS: index $INDEX has an incompatible mapping: node_id must be a keyword, or text with a .keyword \(reindex it, or choose another store.index\)$" \
    "the message says what is wrong with it"
done_testing
