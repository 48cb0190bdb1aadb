#!/bin/bash
# Names: what becomes part of a URL, a file or a topic is validated before anything is opened, wherever it
# comes from.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

long=$(head -c 201 /dev/zero | tr '\0' a)
for bad in 'a/b' '../x' 'a b' 'a?b=c' 'a%2fb' $'a\tb' 'a"b' "a'b" 'a;b' 'ä' '.' '..' '' "$long"; do
    for setting in topics.input topics.processed topics.alerts pubsub.group; do
        distlog config -o "$setting=$bad" >"$TMP/out" 2>"$TMP/err"
        code=$?
        [ $code -eq 2 ] && grep -q "^distlog config: -o: $setting: .* is not " "$TMP/err"
        ok $? "$setting: '${bad:0:20}' is rejected"
    done
    [ -z "$bad" ] && continue
    for command in "pubsub in out" store alert "deadletter list"; do
        timeout 10 distlog $command "$bad" >"$TMP/out" 2>"$TMP/err"
        code=$?
        [ $code -eq 2 ] && grep -q "^distlog ${command%% *}: '.*' is not a valid topic name" "$TMP/err"
        ok $? "$command: the topic '${bad:0:20}' is rejected"
    done
    distlog config -o "collect.routes=log.input=$bad" >"$TMP/out" 2>"$TMP/err"
    is $? 2 "collect.routes: '${bad:0:20}' is rejected"
done
for bad in 'logs/_search' 'Logs' 'logs*' 'logs,other' '_all' '-logs' '.logs' '+logs' 'a b' 'logs?q=1' \
    'logs#' 'logs%' 'logs-%q' '../x' '' "$long"; do
    for type in local elasticsearch; do
        timeout 10 distlog search -o "store.index=$bad" -o store.type=$type >"$TMP/out" 2>"$TMP/err"
        code=$?
        [ $code -eq 2 ] && grep \
            -q "^distlog search: -o: store.index: .* is not a name (lower case letters" "$TMP/err"
        ok $? "store.index on $type: '${bad:0:20}' is rejected"
    done
done
is "$(ls -A "$DISTLOG_DATA" 2>/dev/null)" "" "nothing was created"
good=(-o topics.input=a.B_1-c -o store.index=logs-%Y.%m.%d -o collect.routes=x/y=t)
is "$(setting topics.input "${good[@]}") $(setting store.index "${good[@]}")" "a.B_1-c logs-%Y.%m.%d" \
    "valid names are used as they are"
printf 'topics:\n  input: a/b\n' >"$TMP/bad.yaml"
run distlog config -c "$TMP/bad.yaml"
like "$err" "bad.yaml:2: topics.input: 'a/b' is not a name \(letters, digits, '\.', '_', '-', at most 200\)" \
    "the message names file, line and key, and what is expected"
done_testing
