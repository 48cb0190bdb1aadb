#!/usr/bin/env bash
# nodes: which nodes are known, whether they are UP or silent, and since when.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

send() { printf 'nodes\t%s\t%s\n' "$1" "$2" | "$BUS" put; }

if local_bus; then
    run distlog nodes
    is "$status" 1 "no bus: exit 1"
    like "$err" "^distlog nodes: no bus at $TMP/data/bus.db: " "the message names the file"
    [ ! -e "$TMP/data/bus.db" ]
    ok $? "nodes creates no bus"
else
    run distlog nodes
    is "$status-$(wc -l <<<"$out")-$err" "0-1-" "without a topic no node is known"
    is "$(kcat -L -b "$TEST_KAFKA" | grep -c 'topic "nodes')" 0 "looking makes no topic"
fi

send b '{"node_id":"b\u0007","message_type":"REGISTRATION","service_name":"Ord\u0065r"}'
send a '{"node_id":"a","message_type":"REGISTRATION"}'
run distlog nodes
is "$status-$out" "0-STATUS  SINCE                LAST                 SERVICE           NODE" \
    "records that are not routed yet: no node is known"
like "$err" 'pubsub is behind: 2 records of nodes are not routed yet' "it logs that pubsub is behind"

distlog pubsub --no-follow 2>/dev/null
run distlog nodes -o pubsub.heartbeat_timeout=1h
is "$err" "" "it does not when pubsub is not behind"
is "$(sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}/T/g; s/ +/ /g' <<<"$out")" \
    "$(printf '%s\n' 'STATUS SINCE LAST SERVICE NODE' 'UP T T - a' 'UP T T Order b\x07')" "a table, by id"
is "$(awk '{ print index($0, NR == 1 ? "NODE" : NR == 2 ? "a" : "b\\") }' <<<"$out" | sort -u | wc -l)" 1 \
    "a table with columns"
run distlog nodes --format json -o pubsub.heartbeat_timeout=1h -o pubsub.time_format=rfc3339
is "$(sed -E 's/[0-9-]{10}T[0-9:.]{12}Z/T/g' <<<"$out")" "$(printf '%s\n' \
    '{"node_id":"a","service_name":null,"status":"UP","since":"T","last_heartbeat":"T"}' \
    '{"node_id":"b\u0007","service_name":"Order","status":"UP","since":"T","last_heartbeat":"T"}')" \
    "JSON, one object per line"
is "$(distlog nodes --format json -o pubsub.heartbeat_timeout=1ms | grep -c '"status":"silent"')" 2 \
    "silent: the last heartbeat is older than the timeout"

before=$(distlog nodes --format json -o pubsub.time_format=rfc3339 | grep -o '"last.*' | head -n 1)
send a '{"node_id":"a","message_type":"HEARTBEAT","status":"UP"}'
run distlog nodes --format json -o pubsub.time_format=rfc3339
[ "$(grep -o '"last.*' <<<"$out" | head -n 1)" != "$before" ]
ok $? "a heartbeat counts before pubsub has routed it"

send a '{"node_id":"a","message_type":"LOG","log_level":"ERROR"}'
distlog pubsub --no-follow 2>/dev/null
run distlog nodes --format json
is "$(grep -c '"a"' <<<"$out")" 0 "after an ERROR the node is unknown"
run distlog nodes more
is "$status" 2 "operands are a usage error"
done_testing
