#!/bin/bash
# Secrets: one word is the value of every secret setting, and nothing that distlog prints, shows or leaves
# behind contains it, whatever goes wrong.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
CANARY=c4n4ry

# All secret settings: those that have a _file twin in distlog.yaml, and maps that may contain secrets.
keys=$(awk '/^ *#/ || NF == 0 { next }
    { n = match($0, /[^ ]/) - 1; for (d in path) if (d >= n) delete path[d]; split($1, k, ":"); path[n] = k[1] "."
      if (k[1] ~ /_file$/) { s = ""; for (d = 0; d < n; d += 2) s = s path[d]; sub(/_file$/, "", k[1]); print s k[1] } }' \
    "$TOP/distlog.yaml")
is "$(sort <<<"$keys" | xargs)" \
    "collect.auth.password collect.auth.token node.password node.token store.elasticsearch.api_key store.elasticsearch.password" \
    "the secrets are known from distlog.yaml" # add new secrets here and below
kafka="bus.kafka.properties=sasl.password=$CANARY,sasl.username=eve,sasl.mechanism=PLAIN,security.protocol=SASL_PLAINTEXT,ssl.key.password=$CANARY"
overrides=(-o "$kafka" -o collect.auth.user=eve -o node.user=eve)
environment=("DISTLOG_BUS_KAFKA_PROPERTIES=${kafka#*=}" DISTLOG_COLLECT_AUTH_USER=eve)
for key in $keys; do
    overrides+=(-o "$key=$CANARY")
    name=DISTLOG_${key^^}
    environment+=("${name//./_}=$CANARY")
done

# said: everything that was printed so far, in one file.
said() {
    cat "$TMP"/*.out "$TMP"/*.err "$TMP"/seen 2>/dev/null
}
# try NAME COMMAND…: runs it with the secrets on the command line, and in the environment; keeps its output.
try() {
    local name=$1
    shift
    timeout 20 distlog "$1" "${overrides[@]}" "${@:2}" >"$TMP/$name-1.out" 2>"$TMP/$name-1.err" </dev/null
    env "${environment[@]}" timeout 20 distlog "$@" >"$TMP/$name-2.out" 2>"$TMP/$name-2.err" </dev/null
    status=$?
}

# Commands that print settings
try config config
is "$(grep -c '\*\*\*\*\*\*' "$TMP/config-1.out")" 7 "config prints stars for each secret"
try origin config --origin
try help help config

# Invalid settings
for bad in "bus.kafka.properties=$CANARY" "bus.kafka.properties=sasl.password=a,$CANARY" \
    "collect.auth.token=$CANARY"$'\n' \
    "node.url=http://eve:$CANARY@localhost/" "node.url=eve:$CANARY@localhost" \
    "store.elasticsearch.urls=http://a,https://eve:$CANARY@b:x"; do
    distlog config -o "$bad" >"$TMP/bad.out" 2>>"$TMP/bad.err"
    is $? 2 "rejected: ${bad%%=*}"
done
printf 'node:\n  url: http://eve:%s@h/\n' $CANARY >"$TMP/login.yaml"
run distlog config -c "$TMP/login.yaml"
like "$err" "login.yaml:2: node.url: '\*+' is not a URL without user name and password" \
    "a URL with a password: the message says where, and what to do"
try pair collect --listen 127.0.0.1:0 -o collect.auth.user=
like "$(cat "$TMP/pair-1.err")" 'only one is set; set both or neither' "a password without a user"

# Engines that can't be reached, and one that rejects the secrets
dead=127.0.0.1:$(free_port)
away=(-o bus.type=kafka -o "bus.kafka.brokers=$dead" -o store.type=elasticsearch \
    -o "store.elasticsearch.urls=http://$dead")
for command in pubsub store alert; do
    start "$command" distlog $command "${away[@]}" "${overrides[@]}"
done
start collect distlog collect --listen 127.0.0.1:0 "${away[@]}" "${overrides[@]}"
for command in pubsub store alert collect; do
    wait_for 20 has "$TMP/$command.err" '; (retrying|answering 503 until it recovers)$'
    ok $? "$command waits for an unreachable engine"
done
# What ps shows by now
for pid in "${pids[@]}"; do
    tr '\0' ' ' <"/proc/$pid/cmdline"
    cat "/proc/$pid/comm"
done >"$TMP/seen"
like "$(cat "$TMP/seen")" 'collect.auth.password=\*+ ' \
    "secrets of the command line are overwritten in it"
unlike "$(cat "$TMP/seen")" "$CANARY" "… all of them"
kill "${pids[@]}" # all at once, because they wait for an unreachable broker
for command in pubsub store alert collect; do await $command; done
try search search ERROR "${away[@]}"
is "$status" 1 "search: an unreachable engine"
try delete delete --yes "${away[@]}"
try nodes nodes "${away[@]}"
try node node --count 1 --for 1s --url "http://$dead/"
cat >"$TMP/refuse.py" <<'END'
import http.server, sys
class Refuse(http.server.BaseHTTPRequestHandler):
    def do(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(sys.argv[1], "a") as seen:
            print(self.path, self.headers.get("Authorization"), file=seen)
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"error":"no"}')
    do_GET = do_POST = do_PUT = do
server = http.server.HTTPServer(("127.0.0.1", 0), Refuse)
print(server.server_port, flush=True)
server.serve_forever()
END
start refuse python3 "$TMP/refuse.py" "$TMP/authorization"
wait_for 10 has "$TMP/refuse.out" '[0-9]'
url=http://127.0.0.1:$(cat "$TMP/refuse.out")
try denied search ERROR -o store.type=elasticsearch -o "store.elasticsearch.urls=$url"
like "$(cat "$TMP/denied-1.err")" 'HTTP 401: user and password, or the API key, were rejected' \
    "search: a wrong password"
is "$(sort -u "$TMP/authorization")" "/ ApiKey $CANARY" "… the API key was sent to that server"
distlog search ERROR -o store.type=elasticsearch -o "store.elasticsearch.urls=$url" \
    -o store.elasticsearch.user=eve \
    -o "store.elasticsearch.password=$CANARY" >"$TMP/basic.out" 2>"$TMP/basic.err"
is "$(tail -n 1 "$TMP/authorization")" "/ Basic $(printf 'eve:%s' $CANARY | base64)" \
    "… or user and password"
distlog node --count 1 --for 1s --url "$url/t" -o "node.token=$CANARY" >"$TMP/bearer.out" 2>"$TMP/bearer.err"
is "$(tail -n 1 "$TMP/authorization")" "/t Bearer $CANARY" "… or the token of a node"
try refused node --count 1 --for 1s --url "$url"
like "$(cat "$TMP/refused-1.err")" '401' "node: a wrong password"
stop refuse

# Clients of collect with a wrong and a right password; and up, whose children get the secrets, too
start good distlog collect --listen 127.0.0.1:0 "${overrides[@]}"
wait_for 10 has "$TMP/good.err" 'http://127.0.0.1:[0-9]+'
url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+' "$TMP/good.err")
curl -s -u "eve:$CANARY-2" -d '{}' "$url/log.input" >"$TMP/curl.out"
like "$(cat "$TMP/curl.out")" '^401 ' "collect rejects a wrong password"
is "$(curl -s -o /dev/null -w '%{http_code}' -u "eve:$CANARY" -H 'Content-Type: application/json' \
    -d '{}' "$url/log.input")" 200 \
    "it accepts the right one, which was overwritten only in the output of ps"
stop good
start up distlog up -o collect.listen=127.0.0.1:0 "${overrides[@]}"
wait_for 20 has "$TMP/up.err" 'ready: post'
url=$(grep -Eo -m 1 'ready: post records to http://127.0.0.1:[0-9]+' "$TMP/up.err" | grep -o 'http.*')
is "$(curl -s -o /dev/null -w '%{http_code}' -u "eve:$CANARY" -H 'Content-Type: application/json' \
    -d '{}' "$url/log.input")" 200 \
    "up passes the secrets on to its children"
children=$(ps -o args= --ppid "${pids[up]}")
like "$children" 'collect.auth.password=\*+ ' "… which overwrite them, too"
unlike "$children" "$CANARY" "… all of them"
stop up

unlike "$(said)" "$CANARY" "no output contains the secret"
unlike "$(said)" "$(printf 'eve:%s' $CANARY | base64)" "nor in base64"

# Core dumps. Skipped where the machine writes none.
cat >"$TMP/core.py" <<'END'
import os, resource, signal, subprocess, sys
os.chdir(sys.argv[1])
try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
except ValueError:
    pass
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
child.stdout.readline()
child.send_signal(signal.SIGQUIT)
print("core" if os.WCOREDUMP(os.waitpid(child.pid, 0)[1]) else "none")
END
core() { python3 "$TMP/core.py" "$TMP" distlog collect --listen 127.0.0.1:0 "$@"; }
if [ "$(core)" = core ]; then
    is "$(core "${overrides[@]}")" none "a process with a secret on its command line dumps no core"
    is "$(export "${environment[@]}"; core)" none "… nor one with a secret in its environment"
    printf '%s\n' $CANARY >"$TMP/secret"
    is "$(core -o collect.auth.token_file="$TMP/secret")" none "… nor in a file"
    printf 'collect: {auth: {token: %s}}\n' $CANARY >"$TMP/secret.yaml"
    is "$(core -c "$TMP/secret.yaml")" none "… nor in its settings"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2>/dev/null
    is "$(core -o collect.tls.cert="$TMP/cert.pem" -o collect.tls.key="$TMP/key.pem")" none \
        "… nor one with a private key"
else
    skip 'this machine makes no cores' 'no core from '{options,environment,file,settings,key}
fi
done_testing
