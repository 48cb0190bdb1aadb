#!/bin/bash
# alert: prints a line for each alert, from now on, from the start, or from where its group stopped.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

put() { printf 'alerts\tn\t%s\n' "$@" | "$BUS" put; }

put '{"log_id":"node_01_1","node_id":"node_01","log_level":"ERROR","message_type":"LOG"}' \
    '{"log_id":"node_02_missed_5","node_id":"node_02","log_level":"ALERT","message":"m","message_type":"ALERT","alert":"HEARTBEAT_MISSED"}' \
    '{"log_id":"node_02_recovered_9","node_id":"node_02","log_level":"ALERT","message":"m","message_type":"ALERT","alert":"HEARTBEAT_RECOVERED"}' \
    '{"log_id":"x","node_id":"\u001b[2J","log_level":"WARN","message_type":"LOG"}' \
    'nonsense' \
    '{"log_id":"last","log_level":"WARN","alert":"HEARTBEAT_MISSED"}'
run distlog alert --from-start --no-follow
is "$status" 0 "--no-follow ends by itself"
is "$out" 'ERROR: node_01, node_01_1
ALERT: Node node_02 missed its heartbeat!
ALERT: Node node_02 is back
WARN: \x1b[2J, x
WARN: , last' "a line for each, control characters escaped"
like "$err" "^distlog alert: $PLACE, alerts" "the first line names the bus and the topic"
like "$err" "skipped alerts-0 offset 4, which is not an alert: " "a record that is not an alert is reported"

if local_bus; then
HOME="$TMP/home" DISTLOG_DATA='' XDG_DATA_HOME='' bash -c 'umask 077; distlog alert --no-follow' 2>/dev/null
is "$(cd "$TMP/home" && stat -c %a .local .local/share .local/share/distlog | xargs)" "700 700 770" \
    "only the group can read the data folder; the folders above it are as usual"
DISTLOG_DATA=/proc/none run distlog alert --no-follow
is "$status" 1 "a data folder that can't be created is an error"
like "$err" "^distlog alert: /proc/none: cannot create the folder: .* \(choose another one with DISTLOG_DATA or bus.local.path\)" \
    "the message says what to change"
fi

run distlog alert --no-follow
is "$out" "" "without a group it begins with new alerts"

run distlog alert --no-follow --group pager
is "$(wc -l <<<"$out")" 5 "a new group begins with the first alert"
run distlog alert --no-follow --group pager
is "$out" "" "it continues where it stopped"
put '{"log_id":"new","node_id":"n","log_level":"WARN"}'
distlog alert --no-follow --group pager >/dev/full 2>"$TMP/err"
is "$?" 1 "alerts that can't be printed are a failure"
like "$(cat "$TMP/err")" "cannot write standard output" "the message says so"
run distlog alert --no-follow --group pager
is "$out" "WARN: n, new" "they are printed by the next run"

start one distlog alert
start two distlog alert
wait_for 10 has "$TMP/one.err" "alerts$" && wait_for 10 has "$TMP/two.err" "alerts$"
put '{"log_id":"live","node_id":"n","log_level":"ERROR"}'
wait_for 10 has "$TMP/one.out" "ERROR: n, live" && wait_for 10 has "$TMP/two.out" "ERROR: n, live"
ok $? "every reader without a group prints every alert"
stop one
is "$status" 0 "SIGTERM: exit 0"
stop two INT
is "$status" 0 "SIGINT: exit 0"

printf 'mine\tn\t{"log_id":"m","node_id":"n","log_level":"WARN"}\n' | "$BUS" put
run distlog alert mine --from-start --no-follow
is "$out" "WARN: n, m" "another topic can be named"
done_testing
