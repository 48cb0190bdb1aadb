#!/bin/bash
# node against a collector of the test's own, which writes down what it gets and answers as told.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# Answers with the status in the file `answer`: "503 2" (and a Retry-After), "400 has WARN" (only
# what contains WARN, else 200). One line a request in `posts`: status, client port, auth, body.
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
# taken: every record that was answered with 200, one a line, as node writes it.
taken() {
    python3 -c '
import json
for line in open("posts"):
    status, _, _, body, _, _ = json.loads(line)
    for record in body if isinstance(body, list) else [body]:
        if status == 200:
            print(json.dumps(record, separators=(",", ":"), ensure_ascii=False))'
}
# kinds: R registration, U D heartbeats, I W E logs, in the order in which they were taken.
kinds() {
    taken | sed -E 's/.*"REGISTRATION".*/R/; s/.*"status":"([UD]).*/\1/; s/.*"log_level":"(.).*/\1/' |
        tr -d '\n'
}
# per_node: a line a node: its id and its kinds, in the order in which they were taken.
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
# at_least N FILE PATTERN: so many lines.
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
is $status 0 "a node that has ended after its logs exits with 0"
is "$(kinds)" RIIIIID "it registers, logs, and says goodbye"
is "$out" "$(taken)" "it prints each record as it was posted"
like "$out" '^\{"node_id":"node_02","message_type":"REGISTRATION","service_name":"Order","timestamp":"[-0-9]{10} [:0-9]{8}"\}' \
    "the registration of a preset"
like "$err" "posted 7, refused 0, dropped 0, undelivered 0" "it says what it did"
is "$(python3 -c 'import json; print(len({json.loads(l)[1] for l in open("posts")}))')" 1 \
    "all of it over one connection"
is "$(python3 -c 'import json; print({tuple(json.loads(l)[4:]) for l in open("posts")})')" \
    "{('application/json', '/log.input')}" "as JSON, to the path of the URL"

fresh
run distlog node --name billing --weights ERROR=1 --interval 10ms --quiet
is "$status $out" "0 " "--quiet prints nothing"
is "$(kinds)" RE "the first ERROR ends a node, without a goodbye"
like "$(taken)" '"log_id":"node_billing_[0-9a-f-]{36}","node_id":"node_billing",.*"error_details":\{"error_code":[0-9]+,"error_message":"[^"]+"\},"service_name":"billing"' \
    "a service of one's own"

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
wait_for 20 has node.err "does not take records: HTTP 503 the test says no; keeping"
ok $? "a 503 is said"
wait_for 20 at_least 2 posts '^\[503'
answer 200
wait_for 20 has node.err "takes records again, after"
ok $? "and that it is over"
stop node
is $status 0 "TERM: exit 0"
is "$(lines node.err 'does not take')" 1 "trouble is said once"
is "$(cat node.out)" "$(taken)" "nothing is lost, nothing twice, all in order"
is "$(kinds | grep -cE '^R.*D$')" 1 "the registration comes first, the goodbye last"
ok "$(grep -q '^\[200, [^[]*\[' posts; echo $?)" "a backlog goes as an array"

# away, and the bound
stop collector
answer 200
start node distlog node --interval 1ms --heartbeat 50ms --weights INFO=1 --queue 200
wait_for 20 has node.err "does not take records: .*; keeping"
ok $? "a refused connection is said"
wait_for 30 has node.err "node_01 has 19[89] undelivered records .node.queue.: dropping new ones"
ok $? "the bound is said"
listen
wait_for 20 has node.err "takes records again"
stop node
is $status 0 "it ends cleanly"
like "$(cat node.err)" "dropped [1-9]" "what was dropped is counted"
is "$(kinds | grep -cE '^RI.*D$')" 1 "the registration and the goodbye were kept"
is "posted $(taken | wc -l)," "$(grep -o 'posted [0-9]*,' node.err)" "and it knows what it posted"

stop collector
start node distlog node --nodes 30 --interval 1ms --weights INFO=1,ERROR=1 --keep-going --queue 200
wait_for 30 has node.err "dropping new ones"
listen
wait_for 20 has node.err "takes records again"
stop node
is "$(per_node | grep -cvE ' R([IUR]|ER)*D$')" 0 "whatever is dropped, a registration follows each ERROR"

# some records are refused
fresh
answer 503
start node distlog node --interval 5ms --weights INFO=9,WARN=1 --quiet
wait_for 20 has posts '^\[503, .*WARN'
ok $? "a backlog with a WARN is tried"
answer 400 has WARN
wait_for 20 has node.err 'refuses a record: HTTP 400 the test says no: \{"log_id'
ok $? "a refused record is said, with the reason"
stop node
is $status 0 "and the node goes on"
is "$(kinds | grep -cE '^R[IU]+D$')" 1 "all others were taken"
like "$(cat node.err)" "refused [1-9][0-9]*, dropped 0, undelivered 0" "the refused ones are counted"

for code in 401 403 404; do
    answer $code
    run distlog node
    is $status 1 "$code ends it with exit code 1"
    like "$err" "HTTP $code the test says no" "$code is said"
done
stop collector

start node distlog node --interval 10ms
wait_for 20 has node.err "does not take records"
stop node
is $status 1 "TERM while the collector is away: exit 1"
like "$(cat node.err)" "undelivered [1-9]" "it says what was not delivered"

fresh
listen
run distlog node --nodes 300 --heartbeat 300ms --interval 100ms --count 3 --weights INFO=1
is "$status $out" "0 " "300 nodes"
like "$err" "posted (1[89]|2[0-9])[0-9]{2}, refused 0, dropped 0, undelivered 0" "all was delivered"
is "$(per_node | grep -cE ' RU*IU*IU*IU*D$')" 300 "each in order"
is "$(python3 -c 'import json; print(len({json.loads(l)[1] for l in open("posts")}) <= 32)')" True \
    "over at most node.parallel connections"

run distlog node --weights INFO=x
is $status 2 "weights are checked"
like "$err" 'node.weights: INFO: "x" is not a number' "and the error says which"
run distlog node --url ftp://localhost/
is $status 2 "only http and https"
like "$err" "expected http" "and the error says so"
run distlog node --id "$(printf 'a\377')"
is $status 2 "an id that is not UTF-8"
run distlog node --ca /does/not/exist.pem --url https://localhost:1/
is $status 2 "a certificate file that is not there"
done_testing
