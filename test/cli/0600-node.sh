#!/bin/bash
# node with a collector of the test's own, which records what it gets and answers as the test asks.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# Answers with the status in the file `answer`: "503 2" (with Retry-After: 2), "400 has WARN" (only for
# bodies that contain WARN, else 200). Writes one line per request to `posts`: status, client port,
# Authorization,
# body, content type, path.
cat >collector.py <<'PY'
import http.server, json, os, sys, threading
lock = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        words = open("answer").read().split()
        status = int(words[0])
        if len(words) > 2 and words[2] not in body:
            status = 200
        text = b"" if status == 200 else b"%d Title\nthe test says no\n" % status
        with lock, open("posts", "a") as f:
            json.dump([status, self.client_address[1], self.headers.get("Authorization"),
                       json.loads(body), self.headers["Content-Type"], self.path], f)
            f.write("\n")
        self.send_response(status)
        if status == 503 and len(words) > 1:
            self.send_header("Retry-After", words[1])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
open("listening", "w").close()
server.serve_forever()
PY
# taken: prints every record that was answered with 200, one per line, as node writes it.
taken() {
    python3 -c '
import json
for line in open("posts"):
    status, _, _, body, _, _ = json.loads(line)
    for record in body if isinstance(body, list) else [body]:
        if status == 200:
            print(json.dumps(record, separators=(",", ":"), ensure_ascii=False))'
}
# kinds: prints R for a registration, U D for heartbeats, I W E for logs, in the order of acceptance.
kinds() {
    taken | sed -E 's/.*"REGISTRATION".*/R/; s/.*"status":"([UD]).*/\1/; s/.*"log_level":"(.).*/\1/' |
        tr -d '\n'
}
# per_node: prints one line per node: its id and its kinds, in the order of acceptance.
per_node() {
    python3 -c '
import json
nodes = {}
for line in open("posts"):
    status, _, _, body, _, _ = json.loads(line)
    for r in body if isinstance(body, list) else [body]:
        kind = r.get("log_level") or r.get("status") or "R"
        if status == 200:
            nodes[r["node_id"]] = nodes.get(r["node_id"], "") + kind[0]
for node, kinds in nodes.items():
    print(node, kinds)'
}
# at_least N FILE PATTERN: whether so many lines match.
at_least() { [ "$(lines "$2" "$3")" -ge "$1" ]; }
port=$(free_port)
export DISTLOG_NODE_URL=http://127.0.0.1:$port/log.input
answer() { echo "$*" >answer.new && mv answer.new answer; }
listen() {
    rm -f listening
    : >posts
    start collector python3 collector.py "$port"
    wait_for 20 test -e listening
}
fresh() { : >posts; answer 200; }
answer 200
listen

run distlog node --name order --count 5 --interval 10ms --weights INFO=1
is $status 0 "a node that has posted its logs exits with 0"
is "$(kinds)" RIIIIID "it registers, logs, and reports DOWN"
is "$out" "$(taken)" "it prints each record as it was posted"
like "$out" '^\{"node_id":"node_02","message_type":"REGISTRATION","service_name":"Order","timestamp":"[-0-9]{10} [:0-9]{8}"\}' \
    "the registration of a preset"
like "$err" "posted 7, refused 0, dropped 0, undelivered 0" "the last line counts the records"
is "$(python3 -c 'import json; print(len({json.loads(l)[1] for l in open("posts")}))')" 1 \
    "one connection serves all of it"
is "$(python3 -c 'import json; print({tuple(json.loads(l)[4:]) for l in open("posts")})')" \
    "{('application/json', '/log.input')}" "as JSON, to the path of the URL"

fresh
run distlog node --name billing --weights ERROR=1 --interval 10ms --quiet
is "$status $out" "0 " "--quiet prints nothing"
is "$(kinds)" RE "the first ERROR ends a node, without a DOWN"
like "$(taken)" '"log_id":"node_billing_[0-9a-f-]{36}","node_id":"node_billing",.*"error_details":\{"error_code":[0-9]+,"error_message":"[^"]+"\},"service_name":"billing"' \
    "a service with a name of its own"

fresh
run distlog node --weights ERROR=1 --interval 10ms --count 3 --keep-going
is "$(kinds)" RERERE "--keep-going registers again"

fresh
ln -s "$DISTLOG" bin/node3
run node3 --count 2 --interval 10ms --seed 7 --weights INFO=1,WARN=1
first=$(grep -o '"log_id":"[^"]*"' out)
run node3 --count 2 --interval 10ms --seed 7 --weights INFO=1,WARN=1
is "$(grep -o '"log_id":"[^"]*"' out)" "$first" "a seed repeats itself, ids included"
like "$first" node_03_ "node3 is the third preset"

fresh
DISTLOG_NODE_TOKEN=s3cret run distlog node --count 1 --interval 10ms -o node.weights=INFO=1
is "$(python3 -c 'import json; print({json.loads(l)[2] for l in open("posts")})')" \
    "{'Bearer s3cret'}" "a bearer token"
fresh
DISTLOG_NODE_PASSWORD=pw run distlog node --count 1 --interval 10ms -o node.user=u --weights INFO=1
is "$(python3 -c 'import json; print({json.loads(l)[2] for l in open("posts")})')" \
    "{'Basic dTpwdw=='}" "basic authentication"

# 503, and back
fresh
answer 503 1
start node distlog node --interval 5ms --heartbeat 20ms --weights INFO=8,WARN=2 --keep-going
wait_for 20 has node.err "cannot deliver to http:.*: HTTP 503 the test says no; queueing records and retrying"
ok $? "a 503 is logged"
wait_for 20 at_least 2 posts '^\[503'
answer 200
wait_for 20 has node.err "recovered: http:.* \(outage [0-9.]+ s\); [0-9]+ records queued"
ok $? "the recovery is logged"
stop node
is $status 0 "SIGTERM: exit 0"
is "$(lines node.err 'cannot deliver to http')" 1 "the outage is logged once"
is "$(cat node.out)" "$(taken)" "nothing is lost, nothing is posted twice, all is in order"
is "$(kinds | grep -cE '^R.*D$')" 1 "the registration comes first, the DOWN last"
ok "$(grep -q '^\[200, [^[]*\[' posts; echo $?)" "a backlog is posted as an array"

# An outage, and a full queue
stop collector
answer 200
start node distlog node --interval 1ms --heartbeat 50ms --weights INFO=1 --queue 200
wait_for 20 has node.err "cannot deliver to http:.*; queueing records and retrying"
ok $? "a refused connection is logged"
wait_for 30 has node.err "the queue of node_01 is full with 19[89] undelivered records: dropping new ones .raise node.queue"
ok $? "a full queue is logged"
listen
wait_for 20 has node.err "recovered: http:.* \(outage [0-9.]+ s\)"
stop node
is $status 0 "exit 0"
like "$(cat node.err)" "dropped [1-9]" "dropped records are counted"
is "$(kinds | grep -cE '^RI.*D$')" 1 "the registration and the DOWN were kept"
is "posted $(taken | wc -l)," "$(grep -o 'posted [0-9]*,' node.err)" \
    "the number of posted records is right"

stop collector
start node distlog node --nodes 30 --interval 1ms --weights INFO=1,ERROR=1 --keep-going --queue 200
wait_for 30 has node.err "dropping new ones"
listen
wait_for 20 has node.err "recovered: http:.* \(outage [0-9.]+ s\)"
stop node
is "$(per_node | grep -cvE ' R([IUR]|ER)*D$')" 0 "whatever is dropped, a registration follows each ERROR"

# Some records are rejected
fresh
answer 503
start node distlog node --interval 5ms --weights INFO=9,WARN=1 --quiet
wait_for 20 has posts '^\[503, .*WARN'
ok $? "a backlog with a WARN is posted"
answer 400 has WARN
wait_for 20 has node.err 'dropped a record that http:.* refused: HTTP 400 the test says no: \{"log_id'
ok $? "a rejected record is logged with the reason"
stop node
is $status 0 "the node continues"
is "$(kinds | grep -cE '^R[IU]+D$')" 1 "all other records were accepted"
like "$(cat node.err)" "refused [1-9][0-9]*, dropped 0, undelivered 0" "the rejected ones are counted"

for code in 401 403 404; do
    answer $code
    run distlog node
    is $status 1 "$code: exit code 1"
    like "$err" "HTTP $code the test says no" "$code is logged"
done
stop collector

start node distlog node --interval 10ms
wait_for 20 has node.err "cannot deliver to http:.*; queueing records and retrying"
stop node
is $status 1 "SIGTERM while the collector is down: exit 1"
like "$(cat node.err)" "undelivered [1-9]" "undelivered records are counted"

fresh
listen
run distlog node --nodes 300 --heartbeat 300ms --interval 100ms --count 3 --weights INFO=1
is "$status $out" "0 " "300 nodes"
like "$err" "posted (1[89]|2[0-9])[0-9]{2}, refused 0, dropped 0, undelivered 0" \
    "all records were delivered"
is "$(per_node | grep -cE ' RU*IU*IU*IU*D$')" 300 "those of each node in order"
is "$(python3 -c 'import json; print(len({json.loads(l)[1] for l in open("posts")}) <= 32)')" True \
    "over at most node.parallel connections"

run distlog node --weights INFO=x
is $status 2 "invalid weights are rejected"
like "$err" 'node.weights: INFO: "x" is not a number' "the message names the setting"
run distlog node --url ftp://localhost/
is $status 2 "only http and https URLs are accepted"
like "$err" "expected http" "the message says so"
run distlog node --id "$(printf 'a\377')"
is $status 2 "an id that is not UTF-8 is rejected"
run distlog node --ca /does/not/exist.pem --url https://localhost:1/
is $status 2 "a missing certificate file is an error"
done_testing
