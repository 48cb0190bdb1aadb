#!/bin/bash
# What the daemons report to the service manager, which a small program plays here.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
INTERVAL_S=4 # between two signs of life; an idle daemon's turn takes up to 1 s of it

# manage NAME COMMAND…: starts it as a unit of Type=notify with WatchdogSec; its reports come to NAME.notes.
manage() {
    local name=$1
    shift
    rm -f "$name.notes" "$name.socket"
    start "$name-manager" python3 "$HERE/notify_listener.py" "$TMP/$name.socket" "$TMP/$name.notes"
    wait_for 20 test -S "$name.socket"
    start "$name" env NOTIFY_SOCKET="$TMP/$name.socket" WATCHDOG_USEC=${INTERVAL_S}000000 "$@"
}
# reported NAME PATTERN: a variable of that form.
reported() { has "$TMP/$1.notes" "^[0-9]+ [0-9.]+ $2\$"; }
# value NAME VARIABLE: as it was last reported.
value() { sed -n "s/^[0-9]* [0-9.]* $2=//p" "$TMP/$1.notes" | tail -n 1; }
# signs NAME N: were there as many signs of life?
signs() { [ "$(lines "$TMP/$1.notes" ' WATCHDOG=1$')" -ge "$2" ]; }
# longest_gap NAME: between two signs of life, in seconds.
longest_gap() {
    awk '$3 == "WATCHDOG=1" { if (last && $2 - last > longest) longest = $2 - last; last = $2 }
        END { print longest + 0 }' "$TMP/$1.notes"
}
# enough_alerts; enough_stored: has what was posted gone all the way?
enough_alerts() { [ "$(lines alert.out '^WARN: node_01')" -eq 3 ]; }
enough_stored() { [ "$(lines store.out '^Log stored successfully')" -eq 6 ]; }
# same_message NAME PATTERN PATTERN: are both in one message?
same_message() {
    [ "$(grep -E " $2\$" "$TMP/$1.notes" | cut -d' ' -f1)" = "$(grep -E " $3\$" "$TMP/$1.notes" | cut -d' ' -f1 | tail -n 1)" ]
}

manage collect distlog collect --listen 127.0.0.1:0
manage pubsub distlog pubsub
manage store distlog store
manage alert distlog alert
for daemon in collect pubsub store alert; do
    wait_for 20 reported $daemon READY=1
    ok $? "$daemon reports that it is ready"
    wait_for 20 reported $daemon 'STATUS=.+'
    ok $? "$daemon reports its status"
done
like "$(value collect X_DISTLOG_URL)" '^http://127\.0\.0\.1:[0-9]+$' "collect reports where it listens"
is "$(value collect X_DISTLOG_ROUTE)" log.input "and a tag that it takes"
is "$(value collect STATUS)" "accepting records at $(value collect X_DISTLOG_URL)" "its status says so"

run distlog node --url "$(value collect X_DISTLOG_URL)/log.input" --count 3 --interval 10ms --weights WARN=1
is $status 0 "records are posted there"
wait_for 20 reported collect 'X_DISTLOG_TOTALS=accepted=5 refused=0'
ok $? "a running collect reports its totals"
wait_for 20 enough_alerts
for daemon in collect pubsub store alert; do
    wait_for 40 signs $daemon 3
    gap=$(longest_gap $daemon)
    ok "$(awk -v gap="$gap" -v most=$INTERVAL_S 'BEGIN { print !(gap > 0 && gap < most) }')" \
        "$daemon gives signs of life in time"
done

wait_for 20 enough_stored
for daemon in collect pubsub store alert; do
    stop $daemon
    is $status 0 "$daemon stops"
    wait_for 20 reported $daemon STOPPING=1
    ok $? "$daemon reports that it stops"
done
is "$(value collect X_DISTLOG_TOTALS)" "accepted=5 refused=0" "collect's final totals"
like "$(value pubsub X_DISTLOG_TOTALS)" "^read=5 routed=6 alerts=3 dead_letters=0" "pubsub's"
like "$(value store X_DISTLOG_TOTALS)" "^stored=6 already_there=0 dead_letters=0" "store's"
for daemon in collect pubsub store; do
    ok "$(same_message $daemon STOPPING=1 'X_DISTLOG_TOTALS=.*'; echo $?)" \
        "$daemon's final totals come with the report that it stops"
done

# A bus that is away
manage away distlog collect --listen 127.0.0.1:0 -o bus.type=kafka -o bus.kafka.brokers=127.0.0.1:"$(free_port)"
wait_for 60 reported away READY=1
ok $? "collect is ready while its bus is away"
wait_for 20 reported away 'STATUS=waiting: .*127\.0\.0\.1:[0-9]+.*'
ok $? "and reports what it waits for"
run curl -s -o answer -w '%{http_code}' "$(value away X_DISTLOG_URL)/healthz"
is "$out" 503 "for it answers"
stop away

# A store that is away
manage away distlog store -o store.type=elasticsearch -o store.elasticsearch.urls=http://127.0.0.1:"$(free_port)"
wait_for 20 reported away READY=1
ok $? "store is ready while Elasticsearch is away"
wait_for 20 reported away 'STATUS=waiting: .*127\.0\.0\.1:[0-9]+.*'
ok $? "and reports what it waits for"
stop away
is $status 0 "it stops all the same"

# A store that answers late: each bulk request takes longer than the time between two signs of life
cat >late.py <<'PY'
import http.server, json, re, time
class Late(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer({"version": {"number": "8.19.0"}} if self.path == "/" else {})
    def do_PUT(self):
        self.body()
        self.answer({"acknowledged": True})
    def do_POST(self):
        n = self.body().count(b'"create"')
        time.sleep(10 if "_bulk" in self.path else 0)
        self.answer({"items": [{"create": {"status": 201}}] * n})
    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))
    def answer(self, what):
        text = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    log_message = lambda *_: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late)
print(server.server_port, flush=True)
server.serve_forever()
PY
start late python3 late.py
wait_for 20 has late.out '[0-9]'
export DISTLOG_DATA=$TMP/late-data
printf 'processed_logs\tk\t{"node_id":"n","message_type":"LOG","log_level":"INFO","log_id":"n_1"}\n' | "$BUS" put
manage late-store distlog store -o store.type=elasticsearch -o store.elasticsearch.urls=http://127.0.0.1:"$(cat late.out)"
wait_for 40 has late-store.out 'stored successfully'
ok $? "a document is stored after 10 s"
gap=$(longest_gap late-store)
ok "$(awk -v gap="$gap" -v most=$INTERVAL_S 'BEGIN { print !(gap > 0 && gap < most) }')" \
    "store gives signs of life while it waits for the answer"
stop late-store
stop late
export DISTLOG_DATA=$TMP/data

# Why it can't run
manage wrong distlog collect --listen nonsense
await wrong
is $status 2 "a setting that can't work: exit code 2"
wait_for 20 reported wrong 'X_DISTLOG_REASON=collect.listen: .*nonsense.*'
ok $? "with the reason"
manage wrong distlog collect -o collect.max_body=x
await wrong
wait_for 20 reported wrong 'X_DISTLOG_REASON=.*collect.max_body.*'
ok $? "also where the settings can't be read"
unlike "$(cat wrong.notes)" READY=1 "and never ready"

# Somebody else's watchdog
export WATCHDOG_PID=1
manage other distlog alert
unset WATCHDOG_PID
wait_for 20 reported other READY=1
stop other
unlike "$(cat other.notes)" WATCHDOG=1 "a watchdog that is meant for another process gets nothing"
done_testing
