#!/usr/bin/env bash
# Settings that others may change: a ./distlog.yaml of theirs ends a command before it is read, and no file of
# theirs makes distlog load code. Root needs two users for it; anybody can have a file that is open to all.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
ALICE=40001 BOB=40002 # no accounts: only the numbers count
mkdir -m 755 trap && cd trap || exit 1

# owned OWNER MODE FILE…: as root; else only the mode.
owned() {
    [ "$EUID" -ne 0 ] || chown -h "$1:$1" "${@:3}"
    chmod "$2" "${@:3}"
}
# refused WHY CURE WHAT: the last command was refused because of that.
refused() {
    is "$status:$out:$err" "2::distlog $command: ./distlog.yaml: refused because $1; use -c ./distlog.yaml to read it anyway, or $2" "$3"
}
# config_says WHY CURE WHAT; config_reads WHAT
config_says() {
    command=config
    run distlog config --check
    refused "$@"
}
config_reads() {
    run distlog config --check
    is "$status:$out:$err" "0::" "$1"
}

# A library that shows when it was loaded, and a server that keeps what it is sent.
cat >"$TMP/evil.c" <<C
#include <stdio.h>
__attribute__((constructor)) static void begin(void) { fclose(fopen("$TMP/loaded", "w")); }
int conf_init(void *conf, void **opaque, char *err, unsigned long n) { (void)conf, (void)opaque, (void)err, (void)n; return 0; }
C
${CC:-cc} -shared -fPIC -o "$TMP/evil.so" "$TMP/evil.c"
code=bus.kafka.properties=plugin.library.paths=$TMP/evil.so
port=$(free_port)
start server python3 -c '
import http.server, sys
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.headers.get("Authorization"), flush=True)
        self.send_error(500)
    do_POST = do_GET
    log_message = lambda *_: None
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()' "$port"
wait_for 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
export DISTLOG_STORE_ELASTICSEARCH_USER=u DISTLOG_STORE_ELASTICSEARCH_PASSWORD=hush

# ---- what lies in the current folder
cat >distlog.yaml <<Y
bus: {type: kafka, kafka: {brokers: "127.0.0.1:1", properties: {plugin.library.paths: $TMP/evil.so}}}
store: {type: elasticsearch, elasticsearch: {urls: ["http://127.0.0.1:$port"]}}
Y
owned 0 666 distlog.yaml
for command in nodes 'search x' 'store --no-follow' collect pubsub alert delete 'deadletter list' up node 'config --check'; do
    run distlog $command
    command=${command%% *}
    refused "it is writable by everyone, mode 0666" "run chmod go-w distlog.yaml" "$command does not read a file that is open to all"
done
if [ "$EUID" -eq 0 ]; then
    owned $ALICE 600 distlog.yaml
    command=nodes
    run distlog nodes
    refused "it is owned by uid $ALICE" "take ownership of distlog.yaml with chown" "nor root one of another user"
    owned 0 644 distlog.yaml
    owned $ALICE 755 .
    config_says "its folder . is owned by uid $ALICE" "copy it to a folder of your own" "nor one in another user's folder"
    owned $ALICE 1755 .
    config_says "its folder . is owned by uid $ALICE" "copy it to a folder of your own" "even if that is sticky"
    owned 0 755 .
    chgrp $BOB distlog.yaml && chmod 664 distlog.yaml
    config_says "it is writable by gid $BOB, mode 0664" "run chmod go-w distlog.yaml" "nor one that a group may write"
    owned 0 755 distlog.yaml
else
    skip "only root has more than one user" "another user's file" "another user's folder" "a sticky one" "a group"
fi
[ ! -e "$TMP/loaded" ]
ok $? "no code was loaded"
is "$(cat "$TMP/server.out")" "" "no password was sent"
for words in help 'help nodes' 'nodes --help' --version; do
    run distlog $words
    is "$status:$err" "0:" "distlog $words needs no settings"
done
DISTLOG_CONFIG='' run distlog config --check
is "$status:$err" 0: "nor is it in the way if no file is to be read"

# ---- who may change it
echo 'topics: {input: here}' >distlog.yaml
owned 0 644 distlog.yaml
config_reads "one's own file is read"
chmod 757 .
config_says "its folder . is writable by everyone, mode 0757" "run chmod go-w ." "not if others may replace it"
chmod 1777 .
config_reads "in a sticky folder they may not"
chmod 755 .
mkdir -m 755 open && mv distlog.yaml open/real.yaml && ln -s open/real.yaml distlog.yaml
config_reads "a link is followed"
chmod 777 open
config_says "its folder ./open is writable by everyone, mode 0777" "run chmod go-w ./open" "but not into a folder that is open to all"
chmod 755 open
chmod 666 open/real.yaml
config_says "it is writable by everyone, mode 0666" "run chmod go-w ./open/real.yaml" "nor to a file that is"
chmod 644 open/real.yaml
if [ "$EUID" -eq 0 ]; then
    owned $ALICE 644 open/real.yaml
    config_says "it is owned by uid $ALICE" "take ownership of ./open/real.yaml with chown" "nor to another user's file"
    owned 0 644 open/real.yaml
    chown -h $ALICE distlog.yaml
    config_says "its link is owned by uid $ALICE" "take ownership of distlog.yaml with chown" "nor is another user's link followed"
    rm distlog.yaml && mkfifo distlog.yaml && owned $ALICE 644 distlog.yaml
    run timeout 20 distlog config --check
    is "$status" 2 "another user's FIFO keeps nobody waiting"

    # Another user than root: the file in a home with the umask 002.
    cp "$DISTLOG" "$TMP/other" && chmod 711 "$TMP" && chmod 755 "$TMP/other" .
    rm distlog.yaml && echo 'topics: {input: here}' >distlog.yaml
    as_alice() { setpriv --reuid $ALICE --regid $ALICE --clear-groups "$TMP/other" config --check; }
    owned $ALICE 664 distlog.yaml
    owned $ALICE 775 .
    run as_alice
    is "$status:$err" 0: "a private group may write the file and its folder"
    owned 0 644 distlog.yaml
    owned 0 755 .
    run as_alice
    is "$status:$err" 0: "root's file is read"
    owned $BOB 644 distlog.yaml
    run as_alice
    like "$status:$err" "^2:.*it is owned by uid $BOB;" "a third user's is not"
else
    skip "only root has more than one user" "another user's target" "another user's link" "another user's FIFO" \
        "a private group" "root's file" "a third user's"
fi

# ---- what was named is read, but loads no code
rm distlog.yaml && echo 'topics: {input: here}' >distlog.yaml
owned 0 666 distlog.yaml
like "$(setting topics.input -c ./distlog.yaml)" '^here' "the cure that is named works"
like "$(DISTLOG_CONFIG=distlog.yaml setting topics.input)" '^here' "so does \$DISTLOG_CONFIG"
like "$(setting topics.input -c <(echo 'topics: {input: pipe}'))" '^pipe' "a pipe may be a file"
# no_code YAML ITEM: refused from a file that is open to all, wherever it was named.
no_code() {
    echo "bus: {type: kafka, kafka: {properties: $1}}" >distlog.yaml
    run distlog nodes -c distlog.yaml
    is "$status:$out:$err" "2::distlog nodes: distlog.yaml:1: bus.kafka.properties: $2 can run code, which is refused from this file because it is writable by everyone, mode 0666; run chmod go-w distlog.yaml, or set it with -o or in the environment" "$2 is refused"
    DISTLOG_CONFIG=distlog.yaml run distlog config --check
    is "$status" 2 "… from \$DISTLOG_CONFIG too"
}
no_code "{plugin.library.paths: $TMP/evil.so}" plugin.library.paths
no_code "'client.id=a,plugin.library.paths=$TMP/evil.so'" plugin.library.paths
NAME=library.paths no_code "{'plugin.\${NAME}': $TMP/evil.so}" plugin.library.paths
no_code "{ssl.engine.location: $TMP/evil.so}" ssl.engine.location
no_code "{ssl.providers: $TMP/evil.so}" ssl.providers
no_code "{sasl.kerberos.kinit.cmd: touch $TMP/loaded}" sasl.kerberos.kinit.cmd
no_code "{sasl.kerberos.principal: a; touch $TMP/loaded}" sasl.kerberos.principal
mkdir -p "$XDG_CONFIG_HOME/distlog" && mv distlog.yaml "$XDG_CONFIG_HOME/distlog"
run distlog config --check
is "$status" 2 "… and from the user's configuration folder"
mv "$XDG_CONFIG_HOME/distlog/distlog.yaml" .
[ ! -e "$TMP/loaded" ]
ok $? "and none of it ran"
chmod 644 distlog.yaml
config_reads "one's own file may set it"

# What was guarded against can happen, so this would have been seen.
run timeout 20 distlog nodes -c '' -o bus.type=kafka -o bus.kafka.brokers=127.0.0.1:1 -o "$code"
[ -e "$TMP/loaded" ]
ok $? "the command line is the caller's own: its code is loaded"
echo "store: {type: elasticsearch, elasticsearch: {urls: ['http://127.0.0.1:$port']}}" >distlog.yaml
run timeout 20 distlog search x -c ./distlog.yaml
is "$(head -n 1 "$TMP/server.out")" "Basic $(printf u:hush | base64)" "and a file that was named gets its password"
done_testing
