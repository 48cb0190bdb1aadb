#!/usr/bin/env bash
# servers: what `servers` starts runs alone in its folder, keeps its place and data over a restart, and after
# stop and wipe there is no process and no file of it left. es-secure is es with other settings.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
servers() { run "$TOP/test/integration/servers" "$@"; }
# alive: which processes have to do with this script's servers, as their command line or folder says.
alive() {
    for process in /proc/[0-9]*; do
        ! { tr '\0' ' ' <"$process/cmdline"; readlink "$process/cwd"; } 2>/dev/null | grep -qF "$TEST_SERVERS_RUN" || echo "${process#/proc/}"
    done
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
all=(kafka es opensearch)
mkdir "$DISTLOG_DATA" # beside their folder: not theirs

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
    pids[$name]=${pid[$name]} # not left behind if this script ends here
    like "$out" "^$name: ready on 127.0.0.1:${port[$name]}, pid ${pid[$name]}$" "$name says where"
    answers "${port[$name]}"
    ok $? "and answers there"
done
servers start kafka
is "$status:$out" "0:kafka: already running, pid ${pid[kafka]}" "a second start leaves it alone"

# What was written is there again after a restart, at the same place.
eval "$("$TOP/test/integration/servers" env)"
admin make 1 topic && echo kept | kcat -P -b "$TEST_KAFKA" -t topic
curl -fsS -X PUT -H 'Content-Type: application/json' "$TEST_ES/kept/_doc/1?refresh=true" -d '{"kept":true}' >put.out
ok $? "something is written"
servers restart kafka es
is "$status:$(cat "$TEST_SERVERS_RUN"/{kafka,es}.port | xargs)" "0:${port[kafka]} ${port[es]}" "a restart is at the same ports"
for name in kafka es; do
    [ "${pid[$name]}" != "$(cat "$TEST_SERVERS_RUN/$name/pid")" ] && ! kill -0 "${pid[$name]}" 2>/dev/null
    ok $? "of another $name"
    pid[$name]=$(cat "$TEST_SERVERS_RUN/$name/pid") pids[$name]=${pid[$name]}
done
is "$(values topic | cut -f 2)" kept "Kafka has its record"
like "$(curl -sS "$TEST_ES/kept/_doc/1")" '"kept":true' "Elasticsearch its document"

servers stop "${all[@]}"
is "$status:$out" "0:kafka: stopped
es: stopped
opensearch: stopped" "they stop"
unset "pids[kafka]" "pids[es]" "pids[opensearch]"
is "$(alive | xargs)" "" "stopped: no process is left"
for name in "${all[@]}"; do
    [ -z "$(find /tmp -maxdepth 2 -path "/tmp/hsperfdata_*/${pid[$name]}" 2>/dev/null)" ]
    ok $? "stopped: $name has put away what Java keeps elsewhere"
done
[ -d "$TEST_SERVERS_RUN/kafka/data" ] && [ -d "$TEST_SERVERS_RUN/es/data" ]
ok $? "stopped: their data are there"
servers start kafka
pids[kafka]=$(cat "$TEST_SERVERS_RUN/kafka/pid")
is "$(values topic | cut -f 2)" kept "and there again at the next start"
servers wipe
is "$status" 0 "all are wiped, the one that runs too"
unset "pids[kafka]"
is "$(alive | xargs)" "" "wiped: no process is left"
is "$(cd "$TEST_SERVERS_RUN" && find . -mindepth 1)" "./lock" "wiped: no file is left but the lock"

for command in start stop restart wipe; do
    servers $command ../data
    is "$status:$err" "1:servers: no server is called '../data' (kafka es es-secure opensearch)" "$command: a server of another name is refused"
done
servers begin
is "$status" 2 "another command is wrong usage"
is "$(cd "$TEST_SERVERS_RUN" && find . -mindepth 1 | xargs):$(ls -d "$DISTLOG_DATA")" "./lock:$DISTLOG_DATA" "and neither leaves or takes a file"
done_testing
