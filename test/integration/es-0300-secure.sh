#!/bin/bash
# TLS, passwords and API keys of Elasticsearch: errors name the setting; changes at runtime are waited
# for; several hosts; daily indices; versions.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
ES_EXTRA='resource.reload.interval.high: 1s' own_es start es-secure
on_es "$TEST_ES_SECURE"
cp "$TEST_TLS/ca.crt" "$TMP/ca.crt"
printf %s "$TEST_ES_PASSWORD" >"$TMP/password"
export DISTLOG_STORE_ELASTICSEARCH_CA=$TMP/ca.crt DISTLOG_STORE_ELASTICSEARCH_PASSWORD_FILE=$TMP/password

put() { printf 'processed_logs\tk\t%s\n' "$@" | "$BUS" put; }
outage_lines() { lines "$TMP/store.err" "; retrying$|recovered: store .*\(outage [0-9.]+ s\)$"; }

put '{"log_id":"a","node_id":"n","log_level":"INFO"}'
run distlog store --no-follow
is "$status:$out" "0:Log stored successfully: n, a, INFO" "TLS and a password from a file"
like "$err" "processed_logs → $STORE$" "the first line names the host"
unlike "$err$out" "$TEST_ES_PASSWORD" "and not the password"

run env -u DISTLOG_STORE_ELASTICSEARCH_CA distlog search
is "$status" 1 "an unknown certificate authority is an error"
like "$err" "^distlog search: $TEST_ES_SECURE: .*certificate.* \(set store.elasticsearch.ca to the CA that signed it\)$" \
    "the message names the setting"
run distlog search -o store.elasticsearch.ca="$TMP/none.crt"
like "$status:$err" "^1:distlog search: store.elasticsearch.ca: .*none.crt: No such file" \
    "a missing CA file is an error that names the setting"
run env -u DISTLOG_STORE_ELASTICSEARCH_PASSWORD_FILE DISTLOG_STORE_ELASTICSEARCH_PASSWORD=wrong distlog search
like "$status:$err" "^1:distlog search: $TEST_ES_SECURE: can't get its version: HTTP 401: .* rejected \(check store.elasticsearch.user and password, or api_key\)$" \
    "a wrong password is an error that names the settings"
run distlog search -o store.elasticsearch.urls="${TEST_ES_SECURE/https/http}"
is "$status" 1 "http to an https port is an error"
like "$err" "^distlog search: http://.* \(check store.elasticsearch.urls\)$" "the message names the setting"

# API keys of least privilege.
key() { # NAME CLUSTER-RIGHTS INDEX-RIGHTS
    es POST /_security/api_key \
        '{"name":"'"$1"'","role_descriptors":{"r":{"cluster":['"$2"'],"index":[{"names":["'"$INDEX"'*"],"privileges":['"$3"']}]}}}' |
        
        sed -n 's/.*"encoded":"\([^"]*\)".*/\1/p'
}
with_key() {
    env -u DISTLOG_STORE_ELASTICSEARCH_PASSWORD_FILE DISTLOG_STORE_ELASTICSEARCH_API_KEY="$1" "${@:2}"
}
writer=$(key writer '"monitor","manage_index_templates"' '"create_doc","create_index","view_index_metadata"')
reader=$(key reader '"monitor"' '"read","view_index_metadata"')
put '{"log_id":"b","node_id":"n","log_level":"INFO"}'
run with_key "$writer" distlog store --no-follow
is "$status:$out" "0:Log stored successfully: n, b, INFO" "store works with an API key that may only write"
humble=$(key humble '' '"create_doc","create_index","view_index_metadata"')
run with_key "$humble" distlog store --no-follow
is "$status:$(lines err manage_index_templates)" 1:1 \
    "store does not work with a key that may not install the template"
like "$err" "^distlog store: grant manage_index_templates, or install the template by hand and set store.elasticsearch.template: false: $TEST_ES_SECURE: can't install the index template: HTTP 403" \
    "one line says what to do"
run with_key "$humble" distlog store --no-follow -o store.elasticsearch.template=false
is "$status:$out" 0: "following it helps"
run with_key "$writer" distlog search
like "$err" "can't search: HTTP 403: .*\(grant the user or API key of store.elasticsearch this privilege\)$" \
    "this key may not search, and the message says so"
is "$(documents)" 2 "two documents"
run with_key "$reader" distlog search
is "$status:$(wc -l <<<"$out")" "0:3" "search works with an API key that may only read"
run with_key "$reader" distlog delete
like "$status:${err##*$'\n'}" \
    "^1:distlog delete: $TEST_ES_SECURE: can't delete: action \[indices:data/write/delete/byquery\] is unauthorized for API key" \
    "this key may not delete"
is "$(documents)" 2 "nothing was deleted"

# A deletion needs cluster privileges, too: to follow it, and to cancel it.
fill() { # N: stores that many documents to delete
    awk -v n="$1" 'BEGIN { for (; i < n; i++) printf "processed_logs\tk\t{\"log_id\":\"gone %d\",\"node_id\":\"n\",\"log_level\":\"GONE\"}\n", i }' |
        "$BUS" put
    distlog store --no-follow --quiet 2>/dev/null
}
are() { [ "$(documents)" = "$1" ]; }
of_index='"read","view_index_metadata","delete","maintenance"'
deleter=$(key deleter '"monitor","cancel_task"' "$of_index")
watcher=$(key watcher '"monitor"' "$of_index")
blind=$(key blind '' "$of_index")
fill 2
run with_key "$deleter" distlog delete --level gone
like "$status:$out" '^0:Deleted documents: .*"deleted":2,.*"failures":\[\]' \
    "delete works with an API key with the right privileges"
fill 3
run with_key "$blind" distlog delete --level gone
like "$status:${err##*$'\n'}" \
    "^1:distlog delete: the deletion continues in the engine, .* grant the cluster privileges monitor and cancel_task\): $TEST_ES_SECURE: .*HTTP 403.*cluster:monitor/task/get" \
    "with a key that may not monitor the deletion, a message says so"
wait_for 30 are 2
ok $? "the deletion continues"
port=$(free_port)
start proxy python3 "$TOP/test/lib/proxy.py" "$port" "$TEST_ES_SECURE" wire rule
wait_for 10 curl -s "http://127.0.0.1:$port"
fill 3000
echo slow 40 >rule # 25 s from one thousand to the next
start delete env -u DISTLOG_STORE_ELASTICSEARCH_PASSWORD_FILE DISTLOG_STORE_ELASTICSEARCH_API_KEY="$watcher" \
    DISTLOG_STORE_ELASTICSEARCH_URLS="http://127.0.0.1:$port" distlog delete --level gone
of_it() { es GET '/_tasks?detailed&actions=*byquery' | grep -q '"deleted":1000,'; }
wait_for 60 of_it
stop delete
like "$status:$(tail -n 1 delete.err)" \
    "^1:distlog delete: the deletion continues in the engine, .* cancel_task\): .*HTTP 403.*cluster:admin/tasks/cancel" \
    "with a key that may not cancel the deletion, a message says so"
of_it
ok $? "the deletion continues"
es POST '/_tasks/_cancel?actions=*byquery&wait_for_completion=true' >/dev/null
stop proxy
run with_key "$deleter" distlog delete --level gone
is "$status:$(documents)" 0:2 "the rest is deleted"

# A password that changes: store retries until the file has the new one.
start store distlog store
wait_for 20 has "$TMP/store.err" "→ store"
es POST /_security/user/elastic/_password '{"password":"another-secret"}' >/dev/null
put '{"log_id":"c","node_id":"n","log_level":"INFO"}'
wait_for 20 has "$TMP/store.err" "can't store: HTTP 401: .*; retrying$"
ok $? "a password that was changed is logged"
TEST_ES_PASSWORD=another-secret
printf '%s\n' "$TEST_ES_PASSWORD" >"$TMP/password"
wait_for 20 has "$TMP/store.out" "n, c, INFO"
ok $? "store continues when the file has the new password"
stop store
is "$status:$(outage_lines)" 0:2 "the outage has one line for its beginning and one for its end"

# A certificate that is replaced by one of another authority.
mkdir "$TMP/new" && (cd "$TMP/new" && {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.crt -subj /CN=new-ca \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
    openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server
    echo subjectAltName=IP:127.0.0.1,DNS:localhost >ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out server.crt
} 2>/dev/null)
config=$TEST_SERVERS_RUN/es-secure/config
cat "$TMP/new/server.key" >"$config/server.key" && cat "$TMP/new/server.crt" >"$config/server.crt"
renewed() {
    openssl s_client -connect "${TEST_ES_SECURE#https://}" </dev/null 2>/dev/null |
        grep -q 'issuer=CN = new-ca'
}
wait_for 60 renewed
put '{"log_id":"d","node_id":"n","log_level":"INFO"}'
start store distlog store
wait_for 20 has "$TMP/store.err" \
    "$TEST_ES_SECURE: .*certificate.* \(set store.elasticsearch.ca .*; retrying"
ok $? "a certificate of another authority is logged"
cat "$TMP/new/ca.crt" >"$TMP/ca.crt"
wait_for 20 has "$TMP/store.out" "n, d, INFO"
ok $? "store continues when the CA file has the new authority"
stop store
is "$status:$(outage_lines)" 0:2 "the outage has one line for its beginning and one for its end"
es() {
    curl -sS --max-time 30 --cacert "$TMP/ca.crt" -u "elastic:$TEST_ES_PASSWORD" -X "$1" \
        -H 'Content-Type: application/json' "$TEST_ES_SECURE$2" ${3+-d "$3"}
}

# Several hosts: one that is down, one that goes down under load, and one that never answers.
port=$(free_port)
start proxy python3 "$TOP/test/lib/proxy.py" "$port" "${TEST_ES_SECURE#https://}"
wait_for 10 has proxy.out .
export DISTLOG_STORE_ELASTICSEARCH_URLS=https://127.0.0.1:$(free_port),https://127.0.0.1:$port,$TEST_ES_SECURE
awk 'BEGIN { for (i = 0; i < 10000; i++) printf "processed_logs\tk\t{\"log_id\":\"e%d\",\"node_id\":\"k\",\"log_level\":\"INFO\"}\n", i }' |
    "$BUS" put
start store distlog store
wait_for 20 has "$TMP/store.out" "k, e"
stop proxy KILL
all() { [ "$(documents)" = 10004 ]; }
wait_for 60 all
ok $? "the next host takes the documents if one is down or goes down"
stop store
is "$status:$(documents)" 0:10004 "nothing is lost or stored twice"
export DISTLOG_STORE_ELASTICSEARCH_URLS=$TEST_ES_SECURE
port=$(free_port)
start mute python3 -c 'import signal, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
signal.pause()' "$port"
wait_for 10 bash -c ": </dev/tcp/127.0.0.1/$port"
run distlog search a -o store.elasticsearch.urls="https://127.0.0.1:$port,$TEST_ES_SECURE"
is "$status:$out" "0:Search results for a:" \
    "the next host is asked if one accepts connections and never answers"
stop mute

# Daily indices, by the time of the document.
printf 'days\tk\t%s\n' '{"log_id":"x","node_id":"n","log_level":"DAY","timestamp":"2026-11-20T23:59:59.999Z"}' \
    '{"log_id":"y","node_id":"n","log_level":"DAY","timestamp":"2026-11-21T01:00:00+01:00"}' | "$BUS" put
export DISTLOG_STORE_INDEX=$INDEX-%Y.%m.%d
run distlog store --no-follow days
like "$err" "stored 2," "store with a date pattern as index"
is "$(es GET "/_cat/indices/$INDEX-*?h=index&s=index" | xargs)" "$INDEX-2026.11.20 $INDEX-2026.11.21" \
    "an index per day, in UTC"
like "$(es GET "/$INDEX-2026.11.21/_mapping")" \
    '"dynamic":"false".*"node_id":\{"type":"keyword","ignore_above":8191\}' \
    "the indices have the mapping of the template"
is "$(distlog search day 2>/dev/null | sed -n 's/.*"log_id":"\([^"]*\)".*/\1/p' | xargs)" "y x" \
    "search finds documents of all of them"
run distlog delete
like "$out" '"deleted":2,' "delete deletes documents of all of them"
run distlog search -o store.index='Logs*'
like "$status:$err" "^2:distlog search: -o: store.index: 'Logs\*' is not a name" \
    "an invalid index name is a usage error"

# An unsupported version.
old=$(free_port)
start old python3 -c 'import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{\"version\":{\"number\":\"7.17.28\"}}")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()' "$old"
wait_for 10 curl -fs "http://127.0.0.1:$old/"
run distlog store --no-follow -o store.elasticsearch.urls="http://127.0.0.1:$old"
is "$status" 1 "an old version is an error"
like "$err" "^distlog store: http://127.0.0.1:$old: found Elasticsearch 7.17.28, but distlog needs Elasticsearch 8 or OpenSearch 2$" \
    "the message names the version"
done_testing
