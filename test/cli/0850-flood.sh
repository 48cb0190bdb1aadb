#!/bin/bash
# A flood: 1,000 connections that send a byte now and then, in the head or in the body, or large bodies that
# never end. Others are served meanwhile, memory and open files stay bounded, and it is over in time.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

CROWD=1000
# flood KIND SETTINGS…: collect with these, and $CROWD clients of that kind.
flood() {
    local kind=$1
    shift
    start collect distlog collect --listen 127.0.0.1:0 "$@"
    wait_for 10 has "$TMP/collect.err" 'http://127.0.0.1:[0-9]+' || ok 1 "collect starts"
    url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+' "$TMP/collect.err")
    start flood python3 "$HERE/clients.py" "flood-$kind" "${url##*:}" $CROWD
    wait_for 60 has "$TMP/flood.out" '^there'
    ok $? "$kind: $CROWD clients are there"
}
post() { curl -s -m 20 -o "$TMP/body" -w '%{http_code}' -H 'Content-Type: application/json' -d '{"node_id":"n"}' "$url/log.input"; }
files() { ls "/proc/${pids[collect]}/fd" | wc -l; }
peak_kb() { awk '/^VmHWM/ { print $2 }' "/proc/${pids[collect]}/status"; }
# The sanitizers' shadow and quarantine are no measure.
case $(nm "$DISTLOG" 2>/dev/null) in *__asan_init*) sanitized=1 ;; *) sanitized= ;; esac
bounded() { # MB DESCRIPTION
    local kb
    kb=$(peak_kb)
    if [ -n "$sanitized" ]; then echo "ok $((tests += 1)) - $2 # SKIP not under a sanitizer"; else
        [ "$kb" -lt $(($1 * 1024)) ]
        ok $? "$2: at most $1 MB ($((kb / 1024)))"
    fi
}

for kind in head body; do
    flood $kind -o collect.max_connections=$CROWD -o collect.request_timeout=5s
    codes=$(for _ in 1 2 3 4 5; do post; echo; done | xargs)
    is "$codes" "200 200 200 200 200" "$kind: others are served"
    [ "$(files)" -le $((CROWD + 128)) ]
    ok $? "$kind: open files are bounded ($(files))"
    bounded 64 "$kind: and so is memory"
    # A byte now and then does not keep a connection: they are gone when their request's time is over.
    cut() { [ "$(files)" -lt 60 ]; }
    wait_for 60 cut
    ok $? "$kind: each is cut when its time is over"
    is "$(post)" 200 "$kind: and collect goes on"
    stop flood
    stop collect
    is "$status" 0 "$kind: TERM ends it with 0"
done

# Bodies of 1 MB less a byte each would be 1 GB.
flood large -o collect.max_connections=$CROWD -o collect.max_buffered=64MB -o collect.request_timeout=30s
bounded 220 "large: max_buffered bounds what all bodies together take"
is "$(curl -s -m 20 "$url/healthz")" ok "large: collect answers"
stop flood
served() { [ "$(post)" = 200 ]; }
wait_for 20 served
ok $? "large: when they are gone, others are served"
stop collect
unlike "$(cat "$TMP"/*.err)" 'Sanitizer|runtime error|Traceback' "no sanitizer has a word to say"
done_testing
