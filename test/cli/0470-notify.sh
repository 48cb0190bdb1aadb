#!/bin/bash
# notify: what pubsub, store and alert report to a service manager (sd_notify(3)): that they have
# started, also while an engine is away, what they do, and with which totals they end.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# manager NAME: listens for what NAME reports; a line in $TMP/NAME.reports for each message, whose own
# line breaks are '|' there. Leaves the socket in $NOTIFY_SOCKET.
manager() {
    rm -f "$TMP/$1.sock"
    start "manager-$1" env -u LD_PRELOAD python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "w") as out:
    while True:
        print(s.recv(8192).decode().replace("\n", "|"), file=out, flush=True)' "$TMP/$1.sock" "$TMP/$1.reports"
    wait_for 10 test -S "$TMP/$1.sock"
    export NOTIFY_SOCKET=$TMP/$1.sock
}
reports() { cat "$TMP/$1.reports"; } # NAME
record() { printf 'nodes\tn\t{"node_id":"n","message_type":"%s","log_level":"INFO","log_id":"%s"}\n' "$1" "$2"; }

{ record REGISTRATION 1 && record LOG 2 && printf 'nodes\tn\tnonsense\n'; } | "$BUS" put

manager pubsub
run distlog pubsub --no-follow
wait_for 10 has "$TMP/pubsub.reports" STOPPING
is "$(reports pubsub)" 'READY=1|STATUS=nodes → processed_logs, alerts
STOPPING=1|X_DISTLOG_TOTALS=read=3 routed=2 alerts=0 dead_letters=1 unregistered=0' "pubsub reports its start, its topics, its end and its totals"
like "$err" "stopped: read 3, routed 2, alerts 0, dead letters 1, unregistered 0$" "the log has the same totals"

manager store
run distlog store --no-follow
wait_for 10 has "$TMP/store.reports" STOPPING
is "$(reports store)" "READY=1|STATUS=processed_logs → store local $DISTLOG_DATA/store.db, index logs
STOPPING=1|X_DISTLOG_TOTALS=stored=2 already_there=0 dead_letters=0" "store reports the same of itself"

manager alert
start alert env WATCHDOG_USEC=200000 "$DISTLOG" alert
wait_for 10 has "$TMP/alert.reports" READY
ok $? "alert has started"
wait_for 10 has "$TMP/alert.reports" WATCHDOG=1
ok $? "it shows that it is alive"
stop alert
wait_for 10 has "$TMP/alert.reports" STOPPING
like "$(reports alert)" '^STOPPING=1$' "its end has no totals"

# An engine that is away.
port=$(free_port)
manager away
start away env WATCHDOG_USEC=200000 "$DISTLOG" store -o store.type=elasticsearch -o "store.elasticsearch.urls=http://127.0.0.1:$port"
wait_for 20 has "$TMP/away.reports" READY=1
like "$(reports away)" "^READY=1\|STATUS=waiting: .*127.0.0.1:$port" "a daemon that waits for its engine has started, and says what it waits for"
wait_for 10 has "$TMP/away.reports" WATCHDOG=1
ok $? "it is alive while it waits"
stop away
is "$status" 0 "it leaves when it is asked to"
wait_for 10 has "$TMP/away.reports" STOPPING
like "$(reports away)" '^STOPPING=1\|X_DISTLOG_TOTALS=stored=0 already_there=0 dead_letters=0$' "with its totals"

done_testing
