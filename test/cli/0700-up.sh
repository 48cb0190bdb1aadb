#!/bin/bash
# up: the whole flow as child processes: the demo, a crash, a port in use, shutdown from front to back.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# found: prints how many documents there are, of any kind.
found() {
    for what in REGISTRATION HEARTBEAT INFO WARN ERROR ALERT; do
        distlog search $what --limit 100000 2>/dev/null
    done | grep -c '^{'
}
# total NAME LABEL: prints a number of up's summary.
total() { sed -n "s/.*$2 \([0-9]*\).*/\1/p" <<<"$(tail -n 1 "$TMP/$1.out")"; }
# child NAME COMMAND: prints the process id of a child of up.
child() { ps --ppid "${pids[$1]}" -o pid=,args= | awk -v c="$2" '$3 == c { print $1; exit }'; }
# at_least N FILE PATTERN: whether so many lines match.
at_least() { [ "$(lines "$2" "$3")" -ge "$1" ]; }
# gone PID…
gone() { ! ps -p "$(tr ' ' , <<<"$*")" >/dev/null; }
# posted NAME: prints the URL that up names for records.
posted() { sed -n 's/.*post records to \([^,]*\),.*/\1/p' "$TMP/$1.err" | tail -n 1; }

# apart NAME: gives what follows a folder, topics and groups of its own.
apart() {
    export DISTLOG_DATA=$TMP/$1-data DISTLOG_COLLECT_ROUTES=log.input=$1 DISTLOG_TOPICS_INPUT=$1
    export DISTLOG_TOPICS_PROCESSED=$1-processed DISTLOG_TOPICS_ALERTS=$1-alerts
    export DISTLOG_PUBSUB_GROUP=$1-pubsub DISTLOG_STORE_GROUP=$1-store
}

# The demo runs alongside the other cases.
apart demo
start demo distlog up --demo --for 21s -o collect.listen=127.0.0.1:0

# A stage that crashes
apart crash
start up distlog up -o collect.listen=127.0.0.1:0 -o collect.auth.token=s3cret
wait_for 20 has up.err 'ready: post records to http://127.0.0.1:[0-9]+/log.input, find them with'
ok $? "up logs the URL for records"
like "$(ps --ppid "${pids[up]}" -o pgid= | sort -u | wc -l)" '^4$' \
    "four children, each in a process group of its own"
run distlog node --url "$(posted up)" --count 1
is $status 1 "the children have the settings of -o: no token, no record"
export DISTLOG_NODE_TOKEN=s3cret
run distlog node --url "$(posted up)" --interval 5ms --count 20 --weights INFO=1
is $status 0 "with the token records are accepted"
wait_for 20 has up.out '^store   \| Log stored successfully: node_01, node_01_'
ok $? "each line begins with the name of its stage"
old=$(child up pubsub)
kill -KILL "$old"
wait_for 20 has up.err 'pubsub was killed by signal 9; restarting in [0-9]+ ms'
ok $? "a crash is logged"
run distlog node --url "$(posted up)" --interval 5ms --count 20 --weights WARN=1 --name order
wait_for 20 at_least 20 up.out '^alert   \| WARN: node_02, node_02_'
ok $? "the new pubsub takes over"
children=$(ps --ppid "${pids[up]}" -o pid= | xargs)
stop up
is $status 0 "SIGTERM: exit 0"
like "$(tail -n 1 up.out)" \
    '^accepted 4[4-9], refused [0-9]+, routed [0-9]+, alerts [0-9]+, stored [0-9]+, dead letters 0$' \
    "the summary"
is "$(total up stored)" "$(found)" "the stored records are what search finds"
is "$(total up alerts)" 20 "the alerts of the new pubsub are counted"
like "$(cat up.err)" 'totals are incomplete: no final counters from pubsub' \
    "the missing counts of the killed pubsub are reported"
is "$(grep -oE '^(collect|pubsub|store) +\| stopped' up.err | tr -s ' |\n' ' ')" \
    "collect stopped pubsub stopped store stopped " "they stop front to back"
ok "$(gone "$children"; echo $?)" "no child is left"
unlike "$(cat up.out)" $'\033' "no colours without a terminal"

# SIGINT drains the flow
apart drain
start up distlog up -o collect.listen=127.0.0.1:0
wait_for 20 has up.err 'ready: '
run distlog node --url "$(posted up)" --nodes 40 --heartbeat 20ms --interval 10ms --count 10 --weights INFO=1
accepted=$(grep -o 'posted [0-9]*' <<<"$err")
stop up INT
is "$status" 0 "SIGINT: exit 0"
is "posted $(total up accepted)" "$accepted" "everything that was posted was accepted"
is "$(total up routed)" $(($(total up accepted) + 40)) "and routed, with a DOWN event for each node"
is "$(total up stored) $(found)" "$(total up routed) $(total up routed)" "and stored"

# up is killed
start up distlog up -o collect.listen=127.0.0.1:0
wait_for 20 has up.err 'ready: '
children=$(ps --ppid "${pids[up]}" -o pid= | xargs)
stop up KILL
wait_for 20 gone "$children"
ok $? "the children end with up"

# What can't work
port=$(free_port)
start taken python3 -c "import socket, time
s = socket.socket(); s.bind(('127.0.0.1', $port)); s.listen(); print('here', flush=True); time.sleep(600)"
wait_for 20 has taken.out here
run distlog up -o collect.listen=127.0.0.1:"$port"
is $status 1 "a port in use: exit 1"
like "$err" "up: collect failed to start 3 times in a row: .*$port" "the message says why"
run distlog up -o collect.listen=nonsense
is $status 2 "a child with exit code 2 ends up with exit code 2"
like "$err" "up: collect is misconfigured: .*nonsense" "the message says why"

await demo
is $status 0 "the demo ends by itself with exit 0"
apart demo
like "$(cat demo.out)" '^payment \| \{"node_id":"node_01","message_type":"REGISTRATION"' \
    "the demo's nodes register"
like "$(cat demo.out)" '^service \| \{"node_id":"node_03","message_type":"HEARTBEAT"' \
    "they send heartbeats"
like "$(cat demo.out)" '^alert   \| (WARN|ERROR): node_0[123], node_0[123]_[0-9a-f-]{36}' \
    "they raise alerts"
like "$(cat demo.out)" '^alert   \| ALERT: Node node_02 missed its heartbeat!' "one falls silent"
like "$(cat demo.out)" '^alert   \| ALERT: Node node_02 is back' "it comes back"
is "$(total demo stored)" "$(found)" "the demo's documents are found"
done_testing
