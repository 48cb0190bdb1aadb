#!/usr/bin/env bash
# Migration from the Python tools that distlog replaces: topics and an index as they left them. Records are
# written as json.dumps does, without a key, on three partitions; the index is mapped dynamically and its
# documents have ids of the engine's own. Every command works with them, and the counts agree with what was
# written. Then the consequences of messages without a key (distlog(7), COMING FROM THE PYTHON TOOLS).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
on_kafka
export DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=7s

# old.py PART: what one run of the tools wrote, one record per line.
cat >old.py <<'P'
import json, sys
names = {"node_01": "Payment Service", "node_02": "Order Service", "node_03": "Base Service"}
at = lambda second: "2026-11-20 10:%02d:%02d" % (second // 60, second % 60)
registration = lambda n: {"node_id": n, "message_type": "REGISTRATION", "service_name": names[n],
                          "timestamp": at(0)}
def log(node, i, level):
    r = {"log_id": "%s_%08d-0000-4000-8000-000000000000" % (node, i), "node_id": node, "log_level": level,
         "message": "Sample log message from " + node, "message_type": "LOG"}
    if level == "WARN":
        r.update(response_time_ms=100 + i, threshold_limit_ms=300)
    if level == "ERROR":
        r.update(error_details={"error_code": 20 + i % 80, "error_message": "Sample error"})
    r.update(service_name=names[node], timestamp=at(i))
    return r
part, first = sys.argv[1], int((sys.argv[2:] or [0])[0])
out = []
for n in names:
    if part == "registrations":
        out.append(registration(n))
    if part == "service": # twenty logs, three of them warnings, and four heartbeats
        for i in range(first, first + 20):
            out.append(log(n, i, "WARN" if i % 7 == 3 else "INFO"))
            if i % 5 == 0:
                out.append({"node_id": n, "message_type": "HEARTBEAT", "status": "UP", "timestamp": at(i)})
    if part == "errors":
        out.append(log(n, 500, "ERROR"))
    if part == "routed": # what pub_sub_model made of an earlier run, and log_storage stored
        out.append({"message_type": "REGISTRATION", "node_id": n, "service_name": names[n], "timestamp": at(0), "status": "UP"})
        out += [log(n, i, "INFO") for i in range(900, 904)] + [log(n, 904, "WARN"), log(n, 905, "ERROR")]
        out.append({"message_type": "REGISTRATION", "node_id": n, "service_name": names[n], "timestamp": at(5), "status": "DOWN"})
    if part == "raised":
        out += [log(n, 904, "WARN"), log(n, 905, "ERROR")]
print("\n".join(json.dumps(r) for r in out))
P
old() { python3 old.py "$@"; }
# put TOPIC [PARTITION]: puts lines as kcat does without -K: without a key, each on a random partition.
put() { kcat -P -b "$TEST_KAFKA" -t "$1" -p "${2:--1}" -X sticky.partitioning.linger.ms=0; }
# spread TOPIC: prints how many of its partitions have records.
spread() { kcat -Q -b "$TEST_KAFKA" -t "$1:0:-1" -t "$1:1:-1" -t "$1:2:-1" | awk '$NF > 0' | wc -l; }
# gaps TOPIC MS: prints how often two heartbeats of a node are further apart than that, by the bus's own
# times.
gaps() {
    kcat -C -b "$TEST_KAFKA" -t "$1" -e -q -f '%T %s\n' 2>/dev/null | sort -n | python3 -c '
import json, sys
last, gaps = {}, 0
for line in sys.stdin:
    at, record = line.split(" ", 1)
    try: r = json.loads(record)
    except ValueError: continue
    if r["message_type"] != "LOG":
        gaps += int(at) - last.get(r["node_id"], int(at)) > int(sys.argv[1])
        last[r["node_id"]] = int(at)
print(gaps)' "$2"
}
# ids: prints the log_ids of records, except those of pubsub's own alerts.
ids() { grep -o '"log_id": *"[^"]*"' | grep -v -e _missed_ -e _recovered_ | sed 's/.*: *//' | sort; }
found() { distlog search --limit -1 "$@" 2>"$TMP/search.err" | grep -c '^{'; }

# --- the state before
admin make 3 nodes processed_logs alerts slow slow_processed slow_alerts many many_processed many_alerts
old routed | put processed_logs
old raised | put alerts
{ old routed | sed 's/.*/{"index": {}}\n&/'; } >bulk
curl -sS -H 'Content-Type: application/x-ndjson' --data-binary @bulk \
    "$DISTLOG_STORE_ELASTICSEARCH_URLS/$INDEX/_bulk?refresh=true" >bulk.out
is "$(documents)" "$(old routed | wc -l)" "log_storage has stored what pub_sub_model wrote"
like "$(es GET "/$INDEX/_mapping")" '"message_type":\{"type":"text","fields":\{"keyword"' \
    "into an index with a dynamic mapping"
kcat -b "$TEST_KAFKA" -G log_storage -X auto.offset.reset=earliest -e -q processed_logs >read 2>/dev/null
is "$(ids <read)" "$(old routed | ids)" "its group is at the end of its topic"

# --- pubsub: reads what is there, then follows
# routes TOPIC…: routes everything with one pubsub; appends what it prints to the file told.
routes() {
    run timeout 60 distlog pubsub --no-follow "$@"
    cat out >>told
}
old registrations | put nodes
printf '{"node_id": "node_01", "message_type": \n' | put nodes
routes
is "$status" 0 "pubsub reads messages without a key"
like "$err" 'stopped: read 4, routed 3, alerts 0, dead letters 1, unregistered 0' \
    "three nodes register, and an incomplete record is a dead letter"
run distlog nodes
is "$(awk '/node_/ { print $NF }' <<<"$out" | sort | xargs)" "node_01 node_02 node_03" "nodes shows them"
old service 1 | put nodes
is "$(spread nodes)" 3 "their records are on three partitions"
routes
like "$err" "stopped: read $(old service 1 | wc -l), .*, dead letters 0, unregistered 0" \
    "a single pubsub knows each node on every partition"
is "$(grep -Ec 'records of node node_0[123] arrive on several partitions of nodes, .*Key records by node_id' <<<"$err")" \
    1 "it logs once that the records should have a key"
start pubsub distlog pubsub
wait_for 30 has pubsub.err '→'
old service 21 | put nodes
echo '{"log_id": "odd", "node_id": "node_02", "log_level": "WARN", "message": "odd", "message_type": "LOG", "response_time_ms": "fast"}' |
    put nodes
logs=$(count nodes '"LOG"') before=$(old routed | grep -c '"LOG"')
wait_for 60 counts processed_logs '"LOG"' $((before + logs))
ok $? "a pubsub that follows routes new records"
missed=$(($(gaps nodes 7000) + 3))
wait_for 60 counts alerts HEARTBEAT_MISSED $missed
ok $? "it reports each node that falls silent after that"
old errors | put nodes
logs=$((logs + 3))
wait_for 60 counts processed_logs '"status":"DOWN"' 3
ok $? "an ERROR ends each registration"
stop pubsub
cat pubsub.out >>told
is "$status:$(grep -c 'missed its heartbeat!' told):$(count alerts HEARTBEAT_MISSED)" \
    "0:$missed:$missed" "the alerts are those that follow from the times of the records"
run distlog nodes
is "$(grep -c node_ <<<"$out")" 0 "no node is known any more"
is "$(count processed_logs '"LOG"')" $((before + logs)) "each log is in processed_logs once"
is "$(values processed_logs | ids | uniq -d)" "" "none twice"
is "$(count processed_logs HEARTBEAT\")" "$(count nodes HEARTBEAT\")" "each heartbeat is"
warns=$(count nodes '"WARN"')
is "$(count alerts '"(WARN|ERROR)"')" $(($(old raised | wc -l) + warns + 3)) \
    "each warning and error is in alerts"
is "$(values processed_logs | grep \
    -Fc "$(printf 'node_01\t%s' "$(old service 21 | sed -n '1s/\([:,]\) /\1/gp')")")" 1 \
    "a record is unchanged but for white space, and has its node_id as key"

# --- alert
run timeout 60 distlog alert --from-start --no-follow
is "$status:$(grep -c '^WARN: ' <<<"$out"):$(grep -c '^ERROR: ' <<<"$out"):$(grep \
    -c 'missed' <<<"$out")" "0:$((3 + warns)):6:$missed" \
    "alert prints all of them, including those of the old tools"

# --- store, with the group of the tool that it replaces
new=$(($(values processed_logs | wc -l) - $(old routed | wc -l)))
run timeout 60 distlog store --no-follow --quiet --group log_storage
is "$status" 0 "store continues in the old index"
like "$err" "stopped: stored $((new - 1)), already there 0, dead letters 1" \
    "after what log_storage has stored, with all later records"
is "$(documents)" $(($(old routed | wc -l) + new - 1)) "each record has a document"
is "$(distlog search --limit -1 2>/dev/null | ids | uniq -d)" "" "none twice"
run distlog deadletter list
is "$status:$(cut -f 1,5 <<<"$out" | grep \
    -Ec '^nodes.dlq-[012]-0.expected |^processed_logs.dlq-[012]-0.*response_time_ms')" 0:2 \
    "deadletter lists the incomplete record, and the one that does not fit the mapping"
is "$(wc -l <<<"$out")" 2 "and nothing else"

# --- search and delete: counts of old and new documents
is "$(found error)" 6 "search by level"
is "$(found heartbeat):$(found registration)" "$(count nodes HEARTBEAT\"):12" "by type"
is "$(found --node node_02)" \
    "$(values processed_logs | grep '"node_id": *"node_02"' | grep -vc '"odd"')" "by node"
is "$(found --text 'sample node_03')" \
    "$(values processed_logs | grep -c 'Sample log message from node_03')" "by words"
is "$(found --service 'Order Service' --level info)" \
    "$(values processed_logs | grep '"Order Service"' | grep -c '"INFO"')" "by service"
left=$(documents)
for filter in '--level warn' '--node node_03 --type LOG' ''; do
    going=$(found $filter)
    run distlog delete --yes $filter
    like "$out" "^Deleted documents: .*\"deleted\":$going," \
        "delete $filter deletes the $going documents that match"
    is "$(documents)" $((left -= going)) "and no other"
done
is "$left" 0 "no document is left"

# --- pubsub with the group of the tool that it replaces
old registrations | put nodes
kcat -b "$TEST_KAFKA" -G pub_sub_model -X auto.offset.reset=earliest -e -q nodes >read 2>/dev/null
is "$(wc -l <read)" "$(count nodes .)" "the group of pub_sub_model is at the end of its topic"
old registrations | put nodes 0
old service 41 | put nodes 0
routes nodes slow_processed slow_alerts --group pub_sub_model
like "$err" "stopped: read $(cat <(old registrations) <(old service 41) |
    wc -l), .*, dead letters 0, unregistered 0" "pubsub continues there, once the nodes register again"

# --- a node's heartbeats come on each partition in turn, while pubsub is down
start pubsub distlog pubsub slow slow_processed slow_alerts --group slow --heartbeat-timeout 2s
wait_for 30 has pubsub.err '→'
old registrations | sed -n 1p | put slow 0
wait_for 30 counts slow_processed '"node_01".*"status":"UP"' 1
touch beating
for ((i = 0; 1; i++)); do
    [ -e beating ] || break # also when this script ends
    sleep 0.7 # the rate: 2.1 s on each partition
    old service 0 | sed -n 2p | put slow $((i % 3))
done &
at_least() { [ "$(count "$1" "$2")" -ge "$3" ]; }
wait_for 30 at_least slow_processed '"node_01".*HEARTBEAT"' \
    $(($(old service 41 | grep -c 'node_01.*HEARTBEAT"') + 4))
stop pubsub
read=$(sed -n 's/.*stopped: read \([0-9]*\).*/\1/p' pubsub.err)
wait_for 60 at_least slow . $((read + 12))
rm beating
wait $!
alarms=$(count slow_alerts HEARTBEAT_MISSED)
routes slow slow_processed slow_alerts --group slow --heartbeat-timeout 2s
like "$err" "stopped: read $(($(count slow .) - read)), " \
    "a pubsub that was down reads them one partition after the other"
[ "$(count slow_alerts HEARTBEAT_MISSED)" -le $((alarms + $(gaps slow 2000))) ]
ok $? "it reports no gap that is none across all partitions"

# --- several pubsubs: a record without a key may reach one with which its node has not registered
for p in one two; do
    start $p distlog pubsub many many_processed many_alerts --group many --unregistered dead_letter
    wait_for 30 has $p.err '→'
done
wait_for 30 members many 2
old registrations | put many 0
wait_for 30 counts many_processed '"status":"UP"' 3
ok $? "the nodes register with one of two pubsubs"
old service 1 | put many
written=$(old service 1 | wc -l)
all_handled() { [ $(($(count many_processed '"(LOG|HEARTBEAT)"') + $(count many.dlq .))) -eq "$written" ]; }
wait_for 60 all_handled
ok $? "each record is routed, or a dead letter"
stop one
stop two
dead=$(count many.dlq 'the node is not registered')
note "$written records, of which $dead came to the other"
[ "$dead" -gt 0 ] && [ "$dead" -lt "$written" ]
ok $? "records that reached the other pubsub are dead letters"
is "$(grep -c 'node node_0[123] is not registered: records of such nodes become dead letters (pubsub.unregistered). A node must first send a REGISTRATION with the key of its other records, its node_id' <(cat one.err two.err))" \
    1 "it logs that once, with the remedy"
run distlog deadletter retry many
is "$status:$out" "0:Retried dead letters: $dead" "the dead letters are sent again"
routes many many_processed many_alerts --group many
like "$err" 'dead letters 0, unregistered 0' "a single pubsub routes them"
is "$(values many_processed | ids)" "$(old service 1 | ids)" "nothing is lost or stored twice"
done_testing
