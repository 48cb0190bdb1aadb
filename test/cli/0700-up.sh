#!/bin/bash
# up: the whole flow as children: the demo, a crash, a taken port, stopping front to back.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# found: how many documents there are, whatever they are.
found() {
    for what in REGISTRATION HEARTBEAT INFO WARN ERROR ALERT; do
        distlog search $what --limit 100000 2>/dev/null
    done | grep -c '^{'
}
# total NAME LABEL: a number of up's summary.
total() { sed -n "s/.*$2 \([0-9]*\).*/\1/p" <<<"$(tail -n 1 "$TMP/$1.out")"; }
# child NAME COMMAND: the process id of a child of up.
child() { ps --ppid "${pids[$1]}" -o pid=,args= | awk -v c="$2" '$3 == c { print $1; exit }'; }
# at_least N FILE PATTERN: so many lines.
at_least() { [ "$(lines "$2" "$3")" -ge "$1" ]; }
# gone PID…
gone() { ! ps -p "$(tr ' ' , <<<"$*")" >/dev/null; }
# posted NAME: where up says that records go.
posted() { sed -n 's/.*post records to \([^,]*\),.*/\1/p' "$TMP/$1.err" | tail -n 1; }

# apart NAME: what follows has a folder, topics and groups of its own.
apart() {
    export DISTLOG_DATA=$TMP/$1-data DISTLOG_COLLECT_ROUTES=log.input=$1 DISTLOG_TOPICS_INPUT=$1
    export DISTLOG_TOPICS_PROCESSED=$1-processed DISTLOG_TOPICS_ALERTS=$1-alerts
    export DISTLOG_PUBSUB_GROUP=$1-pubsub DISTLOG_STORE_GROUP=$1-store
}

# The demo runs beside the other cases.
apart demo
start demo distlog up --demo --for 21s -o collect.listen=127.0.0.1:0

# A stage that crashes
apart crash
start up distlog up -o collect.listen=127.0.0.1:0 -o collect.auth.token=s3cret
wait_for 20 has up.err 'ready: post records to http://127.0.0.1:[0-9]+/log.input'
ok $? "up says where to post"
like "$(ps --ppid "${pids[up]}" -o pgid= | sort -u | wc -l)" '^4$' "four children, each a group"
run distlog node --url "$(posted up)" --count 1
is $status 1 "the children have what -o says: no token, no record"
export DISTLOG_NODE_TOKEN=s3cret
run distlog node --url "$(posted up)" --interval 5ms --count 20 --weights INFO=1
is $status 0 "with it the records are taken"
wait_for 20 has up.out '^store   \| Log stored successfully: node_01, node_01_'
ok $? "lines stand behind the name of their stage"
old=$(child up pubsub)
kill -KILL "$old"
wait_for 20 has up.err 'pubsub was killed by signal 9; starting it again in'
ok $? "a crash is said"
run distlog node --url "$(posted up)" --interval 5ms --count 20 --weights WARN=1 --name order
wait_for 20 at_least 20 up.out '^alert   \| WARN: node_02, node_02_'
ok $? "the new pubsub takes over"
children=$(ps --ppid "${pids[up]}" -o pid= | xargs)
stop up
is $status 0 "TERM: exit 0"
like "$(tail -n 1 up.out)" '^accepted 4[4-9], refused [0-9]+, routed [0-9]+, alerts [0-9]+, stored [0-9]+, dead letters 0$' \
    "the summary"
is "$(total up stored)" "$(found)" "stored is what search finds"
is "$(total up alerts)" 20 "the new pubsub's alerts are counted"
like "$(cat up.err)" 'counts are missing, because these left without them: pubsub' \
    "what the killed one had counted is missing, and up says so"
is "$(grep -oE '^(collect|pubsub|store) +\| stopped' up.err | tr -s ' |\n' ' ')" \
    "collect stopped pubsub stopped store stopped " "they stop front to back"
ok "$(gone "$children"; echo $?)" "no child is left"
unlike "$(cat up.out)" $'\033' "no colours where no terminal is"

# INT drains
apart drain
start up distlog up -o collect.listen=127.0.0.1:0
wait_for 20 has up.err 'ready: '
run distlog node --url "$(posted up)" --nodes 40 --heartbeat 20ms --interval 10ms --count 10 --weights INFO=1
accepted=$(grep -o 'posted [0-9]*' <<<"$err")
stop up INT
is "$status" 0 "INT: exit 0"
is "posted $(total up accepted)" "$accepted" "all that was posted was accepted"
is "$(total up routed)" $(($(total up accepted) + 40)) "and routed, with a DOWN for each node"
is "$(total up stored) $(found)" "$(total up routed) $(total up routed)" "and stored"

# up dies
start up distlog up -o collect.listen=127.0.0.1:0
wait_for 20 has up.err 'ready: '
children=$(ps --ppid "${pids[up]}" -o pid= | xargs)
stop up KILL
wait_for 20 gone "$children"
ok $? "the children end with up"

# What cannot work
port=$(free_port)
start taken python3 -c "import socket, time
s = socket.socket(); s.bind(('127.0.0.1', $port)); s.listen(); print('here', flush=True); time.sleep(600)"
wait_for 20 has taken.out here
run distlog up -o collect.listen=127.0.0.1:"$port"
is $status 1 "a taken port: exit 1"
like "$err" "up: collect failed 3 times at its start: .*$port" "and the reason"
run distlog up -o collect.listen=nonsense
is $status 2 "a child that ends with 2 ends them all with 2"
like "$err" "up: collect cannot run like this: .*nonsense" "and the reason"

await demo
is $status 0 "the demo ends by itself with exit 0"
apart demo
like "$(cat demo.out)" '^payment \| \{"node_id":"node_01","message_type":"REGISTRATION"' "nodes register"
like "$(cat demo.out)" '^service \| \{"node_id":"node_03","message_type":"HEARTBEAT"' "send heartbeats"
like "$(cat demo.out)" '^alert   \| (WARN|ERROR): node_0[123], node_0[123]_[0-9a-f-]{36}' "raise alerts"
like "$(cat demo.out)" '^alert   \| ALERT: Node node_02 missed its heartbeat!' "one falls silent"
like "$(cat demo.out)" '^alert   \| ALERT: Node node_02 is back' "and comes back"
is "$(total demo stored)" "$(found)" "the demo's documents are found"
done_testing
