#!/bin/bash
# collect: settings, TLS, credentials, CORS, health, limits, and what a 200 guarantees.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# up NAME OPTIONS…: starts collect on a free port; $port, $url.
up() {
    local name=$1
    shift
    start "$name" distlog collect --listen 127.0.0.1:0 "$@"
    wait_for 10 has "$TMP/$name.err" 'https?://127.0.0.1:[0-9]+' || ok 1 "$name: collect starts"
    url=$(grep -Eo -m 1 'https?://127.0.0.1:[0-9]+' "$TMP/$name.err")
    port=${url##*:}
}
# code CURL-ARGUMENTS…: prints the status; head and body are in $TMP/head and $TMP/body.
code() { curl -s -o "$TMP/body" -D "$TMP/head" -w '%{http_code}' "$@"; }
json=(-H 'Content-Type: application/json' -d '{"node_id":"n1","message_type":"HEARTBEAT"}')
numbers() { "$BUS" get nodes | grep -o '"log_id":"n[0-9]*"' | cut -d'"' -f4; }

# Settings
run distlog collect --listen nonsense
is "$status" 2 "an invalid listen address: exit 2"
like "$err" 'collect.listen: .*HOST:PORT' "… the message says what is expected"
run distlog collect --listen 127.0.0.1:0 -o collect.tls.cert=/nowhere
is "$status" 2 "a certificate without a key: exit 2"
like "$err" 'collect.tls.cert and collect.tls.key' "… the message names both settings"
run distlog collect --listen 127.0.0.1:0 -o collect.tls.cert=/nowhere -o collect.tls.key=/nowhere
is "$status" 2 "a missing certificate file: exit 2"
like "$err" 'collect.tls.cert: cannot read /nowhere: No such file' "… the message names the setting"
echo rubbish >"$TMP/rubbish"
run distlog collect --listen 127.0.0.1:0 -o collect.tls.cert="$TMP/rubbish" -o collect.tls.key="$TMP/rubbish"
is "$status" 2 "an invalid certificate: exit 2"
like "$err" 'collect.tls' "… the message names the setting"
run distlog collect --listen 127.0.0.1:0 -o collect.auth.user=u
is "$status" 2 "a user without a password: exit 2"

# The first line, health, a route, an address in use
up plain -o collect.routes=log.input=nodes,other=second
like "$(cat "$TMP/plain.err")" \
    "^distlog collect: $PLACE, http://127.0.0.1:$port, log.input → nodes, other → second" \
    "the first line names the bus, the address and the routes"
is "$(code "$url/healthz")" 200 "healthz answers 200"
is "$(code "${json[@]}" "$url/other")" 200 "a second route accepts records"
is "$("$BUS" get second)" $'n1\t{"node_id":"n1","message_type":"HEARTBEAT"}' \
    "… its records go to its topic, keyed by node_id"
run distlog collect --listen "127.0.0.1:$port"
is "$status" 1 "an address in use: exit 1"
like "$err" "collect.listen: cannot listen on 127.0.0.1:$port: Address already in use" \
    "… the message says why"
pages=$(memory_kb plain RssAnon)
note "RssAnon after a few requests: $pages kB"
# A request in progress at SIGTERM is answered.
mkfifo "$TMP/go"
exec 7<>"$TMP/go"
python3 "$HERE/clients.py" slow "$port" <"$TMP/go" >"$TMP/slow.txt" &
slow=$!
wait_for 10 has "$TMP/slow.txt" begun
kill "${pids[plain]}"
wait_for 10 bash -c "! curl -s -o /dev/null $url/healthz"
echo go >&7
wait "$slow"
like "$(cat "$TMP/slow.txt")" '200 OK' "a request in progress at SIGTERM is answered"
await plain
is "$status" 0 "SIGTERM: exit 0"
like "$(cat "$TMP/plain.err")" 'stopped: accepted [23] records' "the last line counts the records"
unlike "$(cat "$TMP/plain.err")" 'is reachable' "no warning when it listens on loopback only"

# Beyond loopback
start open distlog collect --listen '*:0'
wait_for 10 has "$TMP/open.err" 'is reachable from other machines: .*collect.auth.*collect.tls'
ok $? "a warning when it listens on every address without TLS and authentication"
stop open

# Credentials
up auth -o collect.auth.user=eve -o collect.auth.password=apple -o collect.auth.token=sesame
is "$(code "${json[@]}" "$url/log.input")" 401 "no credentials: 401"
like "$(cat "$TMP/head")" '^WWW-Authenticate: Basic realm="distlog"' "… with a challenge"
is "$(code -u eve:apple "${json[@]}" "$url/log.input")" 200 "user and password are accepted"
is "$(code -u eve:appl "${json[@]}" "$url/log.input")" 401 "a shorter password is rejected"
is "$(code -u eve:apple1 "${json[@]}" "$url/log.input")" 401 "a longer password is rejected"
is "$(code -H 'Authorization: bearer sesame' "${json[@]}" "$url/log.input")" 200 \
    "a bearer token is accepted"
is "$(code -H 'Authorization: Bearer Sesame' "${json[@]}" "$url/log.input")" 401 \
    "a wrong token is rejected"
is "$(code -H 'Authorization: Bearer ' "${json[@]}" "$url/log.input")" 401 "an empty token is rejected"
is "$(code -H 'Authorization: Digest x' "${json[@]}" "$url/log.input")" 401 "another scheme is rejected"
is "$(code "$url/healthz")" 200 "healthz needs no credentials"
stop auth

# CORS
up closed
is "$(code -H 'Origin: https://a.example' "${json[@]}" "$url/log.input")" 403 \
    "no origin is allowed: no web page may post, not even without a preflight"
stop closed
up cors -o collect.cors_allow_origins=https://a.example,https://b.example
preflight=(-X OPTIONS -H 'Access-Control-Request-Method: POST' \
    -H 'Access-Control-Request-Headers: content-type')
is "$(code -H 'Origin: https://b.example' "${json[@]}" "$url/log.input")" 200 \
    "an allowed origin may post"
like "$(cat "$TMP/head")" '^Access-Control-Allow-Origin: https://b.example' "… it is echoed"
is "$(code -H 'Origin: https://c.example' "${json[@]}" "$url/log.input")" 403 \
    "another origin may not post"
is "$(code "${json[@]}" "$url/log.input")" 200 "a request without an origin may post"
is "$(code -H 'Origin: https://a.example' "${preflight[@]}" "$url/log.input")" 200 \
    "a preflight is answered"
like "$(cat "$TMP/head")" '^Access-Control-Allow-Methods: POST' "… it names the method"
like "$(cat "$TMP/head")" '^Access-Control-Allow-Headers: content-type' "… it names the headers"
is "$(code -H 'Origin: https://c.example' "${preflight[@]}" "$url/log.input")" 403 \
    "a preflight of another origin is rejected"
stop cors
up anyone -o 'collect.cors_allow_origins=*'
code -H 'Origin: https://c.example' "${json[@]}" "$url/log.input" >/dev/null
like "$(cat "$TMP/head")" '^Access-Control-Allow-Origin: \*' "any origin may post if the setting says so"
stop anyone

# TLS
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2>/dev/null
up tls -o collect.tls.cert="$TMP/cert.pem" -o collect.tls.key="$TMP/key.pem"
like "$url" '^https://' "with a certificate the first line shows an https URL"
is "$(code --cacert "$TMP/cert.pem" "${json[@]}" "$url/log.input")" 200 "a record over TLS"
head -c 3000000 /dev/zero | tr '\0' ' ' >"$TMP/large"
echo '{}' >>"$TMP/large"
is "$(code --cacert "$TMP/cert.pem" -H 'Content-Type: application/json' --data-binary \
    "@$TMP/large" "$url/log.input")" 200 \
    "a large body over TLS"
is "$(code "${json[@]}" "http://127.0.0.1:$port/log.input")" 000 \
    "plain HTTP to the TLS port gets no answer"
stop tls
is "$status" 0 "SIGTERM: exit 0 with TLS"

# Timeouts and connection limits
up times -o collect.request_timeout=500ms -o collect.keepalive_timeout=400ms -o collect.max_connections=50
for where in head field body; do
    is "$(python3 "$HERE/clients.py" "trickle-$where" "$port")" cut \
        "a client that sends the $where byte by byte is cut off"
done
is "$(python3 "$HERE/clients.py" idle "$port")" closed "an idle connection is closed"
stop times
up crowd -o collect.max_connections=50 -o collect.keepalive_timeout=1h -o collect.request_timeout=1h
is "$(python3 "$HERE/clients.py" crowd "$port")" 200 "1,000 silent connections don't keep a client out"
is "$(python3 "$HERE/clients.py" crowd "$port" $'POST /log.input HTTP/1.1\r\nHost: x\r\n')" 200 \
    "… nor do 1,000 that never complete their head"
stop crowd

# Clients that disconnect while the bus is blocked; then a bus file that disappears
rm -rf "$DISTLOG_DATA"
up held
is "$(code "${json[@]}" "$url/log.input")" 200 "a bus that works"
hold_bus
for _ in 1 2 3; do python3 "$HERE/clients.py" gone "$port" >/dev/null; done
let_bus_go
is "$(code "${json[@]}" "$url/log.input")" 200 \
    "clients that disconnect while the bus is blocked do no harm"
three() { [ "$("$BUS" get nodes | grep -c '"node_id":"g"')" = 3 ]; }
wait_for 10 three
ok $? "… and each of their records is stored once"
if local_bus; then
rm -f "$DISTLOG_DATA"/bus.db*
is "$(code "${json[@]}" "$url/log.input")" 503 "a bus file that was deleted: 503"
like "$(cat "$TMP/body")" 'was deleted or replaced' "… the body says why"
like "$(cat "$TMP/head")" '^Retry-After: 1' "… and when to retry"
taken() { [ "$(code "${json[@]}" "$url/log.input")" = 200 ]; }
wait_for 10 taken
ok $? "… 200 once the file has been recreated"
is "$(code "$url/healthz")" 200 "… and healthz answers 200"
is "$(lines "$TMP/held.err" 'answering 503 until it recovers')" 1 "… the outage was logged once"
is "$(lines "$TMP/held.err" 'recovered: bus local .*bus.db \(outage [0-9.]+ s\)')" 1 "… and so was the recovery"
fi
stop held
is "$status" 0 "SIGTERM: exit 0 after an outage"

# A full bus. The limits of Kafka's are those of its brokers.
if local_bus; then
rm -rf "$DISTLOG_DATA"
up full -o bus.local.max_size=16MB
head -c 900000 /dev/zero | tr '\0' x | sed 's/.*/{"node_id":"n","a":"&"}/' >"$TMP/record"
post_until_full() {
    [ "$(code -H 'Content-Type: application/json' --data-binary "@$TMP/record" "$url/log.input")" = 503 ]
}
wait_for 20 post_until_full
ok $? "a full bus: 503"
like "$(cat "$TMP/head")" '^Retry-After: ' "… with Retry-After"
like "$(cat "$TMP/body")" 'max_size' "… the body names the limit"
is "$(code "$url/healthz")" 503 "… healthz answers 503"
like "$(cat "$TMP/full.err")" 'max_size.*answering 503' "… the log names the limit"
stop full
is "$status" 0 "SIGTERM: exit 0 with a full bus"
fi

# Acknowledged records survive kill -9.
rm -rf "$DISTLOG_DATA"
up killed
start number python3 "$TOP/test/lib/load.py" numbered "$port" n 0
fifty() { [ "$(wc -l <"$TMP/number.out")" -ge 50 ]; }
wait_for 20 fifty
stop killed KILL
touch enough
await number
numbers >"$TMP/there"
is "$(comm -23 <(sort "$TMP/number.out") <(sort "$TMP/there"))" "" \
    "kill -9: each of $(wc -l <"$TMP/number.out") acknowledged records is there"
up again
is "$(code "${json[@]}" "$url/log.input")" 200 "… and collect can be started again"
stop again
for file in "$TMP"/*.err; do cat "$file"; done >"$TMP/all"
unlike "$(cat "$TMP/all")" 'Sanitizer|runtime error' "no sanitizer reported anything"
done_testing
