#!/bin/bash
# up: a stage whose engine is away, one that hangs, and one that fails at its start.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# child NAME COMMAND: the process id of a child of up.
child() { ps --ppid "${pids[$1]}" -o pid=,args= | awk -v c="$2" '$3 == c { print $1; exit }'; }
# replaced NAME COMMAND PID: runs it again, as another process?
replaced() { [ -n "$(child "$1" "$2")" ] && [ "$(child "$1" "$2")" != "$3" ]; }
# posted NAME: where up says that records go.
posted() { sed -n 's/.*post records to \([^,]*\),.*/\1/p' "$TMP/$1.err" | tail -n 1; }
# alerts NAME N ID: have as many alerts of that node been printed?
alerts() { [ "$(lines "$TMP/$1.out" "^alert +\| WARN: $3,")" -eq "$2" ]; }
# stages NAME: how many children up has.
stages() { ps --ppid "${pids[$1]}" -o pid= | wc -l; }
post() { run distlog node --url "$(posted up)" --interval 5ms --count 5 --weights WARN=1 "$@"; }

# A store that is away
away=127.0.0.1:$(free_port)
start up distlog up -o collect.listen=127.0.0.1:0 -o store.type=elasticsearch \
    -o store.elasticsearch.urls=http://"$away"
wait_for 20 has up.err 'ready: post records to http://127.0.0.1:[0-9]+/log.input, find them with'
ok $? "up is ready while the store's engine is away"
like "$(cat up.err)" "^store +\| .*$away.*; retrying" "store says what it waits for"
post
is $status 0 "collect takes records"
wait_for 20 alerts up 5 node_01
ok $? "pubsub routes them, and alert prints them"
is "$(stages up)" 4 "all four stages run"
unlike "$(cat up.err)" 'restarting in' "none of them was restarted"
stop up
is $status 0 "TERM: exit 0"
like "$(tail -n 1 up.out)" '^accepted 7, refused 0, routed [78], alerts 5, stored 0, dead letters 0$' "what each has counted"
unlike "$(cat up.err)" 'totals are incomplete' "of all stages"

# A store that takes connections and never answers
export DISTLOG_DATA=$TMP/mute-data
start mute python3 -c 'import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
taken = []
while True:
    taken.append(listener.accept())'
wait_for 20 has mute.out '[0-9]'
start up distlog up -o collect.listen=127.0.0.1:0 -o up.watchdog=4s -o store.type=elasticsearch \
    -o store.elasticsearch.urls=http://127.0.0.1:"$(cat mute.out)"
wait_for 20 has up.err 'ready: '
ok $? "a store that is not ready yet does not hold up the others for long"
post --name order
wait_for 20 alerts up 5 node_02
ok $? "which work meanwhile"
unlike "$(cat up.err)" 'has not responded' "and is not killed for its engine's silence"
stop up
stop mute

# A stage that hangs
export DISTLOG_DATA=$TMP/hang-data
start up distlog up -o collect.listen=127.0.0.1:0 -o up.watchdog=5s
wait_for 20 has up.err 'ready: '
old=$(child up pubsub)
kill -STOP "$old"
wait_for 30 has up.err 'up: pubsub has not responded for 5[0-9]* ms \(up.watchdog\); killing it'
ok $? "a stage without a sign of life is killed"
wait_for 20 has up.err 'up: pubsub was killed by signal 9; restarting in [0-9]+ ms'
wait_for 20 replaced up pubsub "$old"
ok $? "and started again"
post --name order
wait_for 20 alerts up 5 node_02
ok $? "the new one works"
is "$(lines up.err 'has not responded')" 1 "the others were left alone"
stop up
is $status 0 "TERM: exit 0"

# up itself is suspended, as with Ctrl-Z, while a stage waits for it to take its output
export DISTLOG_DATA=$TMP/suspended-data
start up distlog up -o collect.listen=127.0.0.1:0 -o up.watchdog=4s
wait_for 20 has up.err 'ready: '
store=$(child up store) url=$(posted up)
kill -STOP "${pids[up]}"
run distlog node --quiet --url "$url" --interval 1ms --count 3000 --weights INFO=1
is $status 0 "records are posted meanwhile"
# waits PID: is it in a write to a pipe that is full?
waits() { grep -q '^1 0x[12] ' "/proc/$1/syscall"; }
wait_for 20 waits "$store"
ok $? "store waits for up to take its lines"
end=$((SECONDS + 10)) # longer than up.watchdog
longer() { [ "$SECONDS" -ge "$end" ]; }
wait_for 20 longer
kill -CONT "${pids[up]}"
all_stored() { [ "$(lines up.out '^store +\| Log stored')" -ge 3000 ]; }
wait_for 40 all_stored
ok $? "it goes on when up does"
unlike "$(cat up.err)" 'no sign of life' "and is not killed for what up did not do"
stop up
is $status 0 "TERM: exit 0"

# A stage that fails at its start
export DISTLOG_DATA=$TMP/foreign-data
mkdir "$DISTLOG_DATA" && echo "nothing of distlog's" >"$DISTLOG_DATA/store.db"
run distlog up -o collect.listen=127.0.0.1:0
is $status 1 "a store.db that is something else: exit 1"
like "$err" 'up: store failed to start 3 times in a row: .*store\.db' "with the stage's own reason"
unlike "$err" 'times in a row: stopped' "which is not the last line of its log"
export DISTLOG_DATA=$TMP/data
run distlog up -o collect.listen=127.0.0.1:0 -o pubsub.forget_after=1s
is $status 2 "a setting that can't work: exit 2"
like "$err" 'up: pubsub is misconfigured: pubsub.forget_after: expected' "with the stage's own reason"

# The notification socket takes reports of the stage alone (of alert's: it has no totals that would replace these)
start up distlog up -o collect.listen=127.0.0.1:0
wait_for 20 has up.err 'ready: '
socket=$(tr '\0' '\n' <"/proc/$(child up alert)/environ" | sed -n 's/^NOTIFY_SOCKET=@//p')
python3 - "$socket" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"X_DISTLOG_TOTALS=routed=999999", "\0" + sys.argv[1])
PY
is $? 0 "another process sends a report of its own"
stop up
like "$(tail -n 1 up.out)" 'routed 0,' "it is not taken for the stage's"
done_testing
