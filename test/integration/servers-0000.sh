#!/usr/bin/env bash
# servers: the servers that it starts use only their folder, keep their ports and data over a restart, and
# leave no process and no file after stop and wipe. es-secure is es with other settings.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
servers() { run "$TOP/test/integration/servers" "$@"; }
# alive: prints which processes belong to this script's servers, by their command line or folder.
alive() {
    for process in /proc/[0-9]*; do
        ! { tr '\0' ' ' <"$process/cmdline"; readlink "$process/cwd"; } 2>/dev/null |
            grep -qF "$TEST_SERVERS_RUN" || echo "${process#/proc/}"
    done
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
all=(kafka es opensearch)
mkdir "$DISTLOG_DATA" # beside their folder, not in it

servers status "${all[@]}"
is "$status:$out" "0:kafka: not running
es: not running
opensearch: not running" "nothing runs at first"
servers stop "${all[@]}"
is "$status:$out" "0:kafka: not running
es: not running
opensearch: not running" "and to stop it is no error"
servers start "${all[@]}"
is "$status" 0 "three servers start"
declare -A port=() pid=()
for name in "${all[@]}"; do
    port[$name]=$(cat "$TEST_SERVERS_RUN/$name.port")
    pid[$name]=$(cat "$TEST_SERVERS_RUN/$name/pid")
    pids[$name]=${pid[$name]} # so that none is left if this script ends here
    like "$out" "^$name: ready on 127.0.0.1:${port[$name]}, pid ${pid[$name]}$" "$name prints its address"
    answers "${port[$name]}"
    ok $? "$name answers there"
done
servers start kafka
is "$status:$out" "0:kafka: already running, pid ${pid[kafka]}" "a second start changes nothing"

# Data are there again after a restart, at the same address.
eval "$("$TOP/test/integration/servers" env)"
admin make 1 topic && echo kept | kcat -P -b "$TEST_KAFKA" -t topic
curl -fsS -X PUT -H 'Content-Type: application/json' "$TEST_ES/kept/_doc/1?refresh=true" \
    -d '{"kept":true}' >put.out
ok $? "records are written"
servers restart kafka es
is "$status:$(cat "$TEST_SERVERS_RUN"/{kafka,es}.port | xargs)" "0:${port[kafka]} ${port[es]}" \
    "a restart keeps the ports"
for name in kafka es; do
    [ "${pid[$name]}" != "$(cat "$TEST_SERVERS_RUN/$name/pid")" ] && ! kill -0 "${pid[$name]}" 2>/dev/null
    ok $? "$name is another process"
    pid[$name]=$(cat "$TEST_SERVERS_RUN/$name/pid") pids[$name]=${pid[$name]}
done
is "$(values topic | cut -f 2)" kept "Kafka has its record"
like "$(curl -sS "$TEST_ES/kept/_doc/1")" '"kept":true' "Elasticsearch has its document"

servers stop "${all[@]}"
is "$status:$out" "0:kafka: stopped
es: stopped
opensearch: stopped" "they stop"
unset "pids[kafka]" "pids[es]" "pids[opensearch]"
is "$(alive | xargs)" "" "stopped: no process is left"
for name in "${all[@]}"; do
    [ -z "$(find /tmp -maxdepth 2 -path "/tmp/hsperfdata_*/${pid[$name]}" 2>/dev/null)" ]
    ok $? "stopped: $name has removed Java's temporary files"
done
[ -d "$TEST_SERVERS_RUN/kafka/data" ] && [ -d "$TEST_SERVERS_RUN/es/data" ]
ok $? "stopped: the data are there"
servers start kafka
pids[kafka]=$(cat "$TEST_SERVERS_RUN/kafka/pid")
is "$(values topic | cut -f 2)" kept "the data are there after the next start"
servers wipe
is "$status" 0 "all are wiped, including the running one"
unset "pids[kafka]"
is "$(alive | xargs)" "" "wiped: no process is left"
is "$(cd "$TEST_SERVERS_RUN" && find . -mindepth 1)" "./lock" "wiped: no file is left but the lock"

for command in start stop restart wipe; do
    servers $command ../data
    is "$status:$err" "1:servers: no server is called '../data' (kafka es es-secure opensearch)" \
        "$command: an unknown server is an error"
done
servers begin
is "$status" 2 "an unknown command is a usage error"
is "$(cd "$TEST_SERVERS_RUN" && find . -mindepth 1 | xargs):$(ls -d "$DISTLOG_DATA")" \
    "./lock:$DISTLOG_DATA" "neither changes any file"
done_testing
