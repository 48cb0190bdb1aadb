#!/bin/bash
# alert: a line for each alert; from now on, from the start, or where a group left off.
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
like "$err" "^distlog alert: $PLACE, alerts" "the first line names engine and topic"
like "$err" "alerts-0 offset 4 is not an alert: " "what is none is named"

if local_bus; then
HOME="$TMP/home" DISTLOG_DATA='' XDG_DATA_HOME='' bash -c 'umask 077; distlog alert --no-follow' 2>/dev/null
is "$(cd "$TMP/home" && stat -c %a .local .local/share .local/share/distlog | xargs)" "700 700 770" "the data folder is the group's, those above it are not"
DISTLOG_DATA=/proc/none run distlog alert --no-follow
is "$status" 1 "a data folder that can't be made"
like "$err" "^distlog alert: /proc/none: can't make the folder: .* \(choose another place with DISTLOG_DATA or bus.local.path\)" "is named, with the cure"
fi

run distlog alert --no-follow
is "$out" "" "without a group it begins now"

run distlog alert --no-follow --group pager
is "$(wc -l <<<"$out")" 5 "a new group begins at the first"
run distlog alert --no-follow --group pager
is "$out" "" "and goes on where it left off"
put '{"log_id":"new","node_id":"n","log_level":"WARN"}'
distlog alert --no-follow --group pager >/dev/full 2>"$TMP/err"
is "$?" 1 "alerts that can't be printed are a failure"
like "$(cat "$TMP/err")" "standard output can't be written" "which is named"
run distlog alert --no-follow --group pager
is "$out" "WARN: n, new" "and come again"

start one distlog alert
start two distlog alert
wait_for 10 has "$TMP/one.err" "alerts$" && wait_for 10 has "$TMP/two.err" "alerts$"
put '{"log_id":"live","node_id":"n","log_level":"ERROR"}'
wait_for 10 has "$TMP/one.out" "ERROR: n, live" && wait_for 10 has "$TMP/two.out" "ERROR: n, live"
ok $? "every reader without a group sees every alert"
stop one
is "$status" 0 "TERM ends it"
stop two INT
is "$status" 0 "and so does INT"

printf 'mine\tn\t{"log_id":"m","node_id":"n","log_level":"WARN"}\n' | "$BUS" put
run distlog alert mine --from-start --no-follow
is "$out" "WARN: n, m" "another topic"
done_testing
