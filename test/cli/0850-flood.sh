#!/bin/bash
# A flood: 1,000 connections that send one byte per second, or none, in a request head, a body or a TLS
# handshake; large bodies that never end; and bodies that grow when they are decoded. Meanwhile other
# clients are served, memory and open files are bounded, and each connection is closed in time.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

CROWD=1000
# flood KIND SETTINGS…: starts collect with these settings, and $CROWD clients of that kind.
flood() {
    local kind=$1
    shift
    start collect distlog collect --listen 127.0.0.1:0 "$@"
    wait_for 10 has "$TMP/collect.err" 'https?://127.0.0.1:[0-9]+' || ok 1 "collect starts"
    url=$(grep -Eo -m 1 'https?://127.0.0.1:[0-9]+' "$TMP/collect.err")
    start flood python3 "$HERE/clients.py" "flood-$kind" "${url##*:}" $CROWD
    wait_for 60 has "$TMP/flood.out" '^there'
    ok $? "$kind: $CROWD clients are connected"
}
post() {
    curl -s -k -m 20 -o "$TMP/body" -w '%{http_code}' -H 'Content-Type: application/json' \
        -d '{"node_id":"n"}' "$url/log.input"
}
files() { ls "/proc/${pids[collect]}/fd" | wc -l; }
bounded() { # MB DESCRIPTION
    local kb
    kb=$(memory_kb collect VmHWM)
    if sanitized; then skip "its memory is the sanitizer's too" "$2"; else
        [ "$kb" -lt $(($1 * 1024)) ]
        ok $? "$2: at most $1 MB ($((kb / 1024)))"
    fi
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2>/dev/null
# silent, hello: of a TLS handshake, nothing or an endless first message.
for kind in head body silent hello; do
    case $kind in
    head | body) tls=() ;;
    *) tls=(-o collect.tls.cert="$TMP/cert.pem" -o collect.tls.key="$TMP/key.pem") ;;
    esac
    flood $kind "${tls[@]}" -o collect.max_connections=$CROWD -o collect.request_timeout=5s
    codes=$(for _ in 1 2 3 4 5; do post; echo; done | xargs)
    is "$codes" "200 200 200 200 200" "$kind: other clients are served"
    [ "$(files)" -le $((CROWD + 128)) ]
    ok $? "$kind: open files are bounded ($(files))"
    bounded 64 "$kind: and so is memory"
    # A byte now and then does not keep a connection open: it is closed when the time of its request is
    # over.
    cut() { [ "$(files)" -lt 60 ]; }
    wait_for 60 cut
    ok $? "$kind: each connection is closed in time"
    is "$(post)" 200 "$kind: collect continues"
    stop flood
    stop collect
    is "$status" 0 "$kind: SIGTERM: exit 0"
done

# A body that gzip has packed a thousandfold, when it is inflated, converted and parsed.
cat >body.py <<'P'
import gzip, sys
n = 32 << 20
many = {"controls": lambda: b"\x81\xa1a\xdb" + (n - 8).to_bytes(4, "big") + b"\x01" * (n - 8),
        "quotes": lambda: b"\x81\xa1a\xdb" + (n - 8).to_bytes(4, "big") + b'"' * (n - 8),
        "words": lambda: b"\x81\xa1a\xdd" + (n - 8).to_bytes(4, "big") + b"\xc2" * (n - 8),
        "maps": lambda: b"\x80" * n,
        "object": lambda: b"json={" + b'"\\n":1 ,' * (n // 8 - 3) + b'"a":1}',
        "array": lambda: b"json=[" + (b"{" + b'"\\n":1 ,' * 80 + b'"a":1},') * 49000 + b"{}]",
        "spaces": lambda: b"json=[" + b"{ }," * 49999 + b"{}]"}[sys.argv[1]]
sys.stdout.buffer.write(gzip.compress(many(), 1))
P
mb=32 records=50000
# one KIND TYPE STATUS REASON MB: checks the answer to such a body, and that memory is bounded.
one() {
    start collect distlog collect --listen 127.0.0.1:0 -o collect.max_body=${mb}MB \
        -o collect.max_inflated=${mb}MB -o collect.max_records=$records
    wait_for 10 has "$TMP/collect.err" 'http://127.0.0.1:[0-9]+'
    url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+' "$TMP/collect.err")
    python3 body.py "$1" | curl -s -m 120 -w '%{http_code}\n' -H "Content-Type: application/$2" \
        -H 'Content-Encoding: gzip' --data-binary @- "$url/log.input" >"$TMP/body"
    is "$(tail -n 1 "$TMP/body")" "$3" "$1: $3"
    like "$(cat "$TMP/body")" "$4" "$1: the body says why"
    bounded "$5" "$1: memory is bounded"
    is "$(post)" 200 "$1: collect continues"
    stop collect
}
as_json='larger as JSON than collect.max_inflated allows'
for kind in controls quotes words maps; do one $kind msgpack 413 "$as_json" $((64 + 2 * mb)); done
most=$((64 + 7 * mb + records * 320 / 1000000)) # as distlog(7) has it
one object x-www-form-urlencoded 413 'exceeds bus.max_record \([0-9]+ bytes\)' $most
for kind in array spaces; do one $kind x-www-form-urlencoded 200 '' $most; done

# Bodies of almost 1 MB each would be 1 GB together.
flood large -o collect.max_connections=$CROWD -o collect.max_buffered=64MB -o collect.request_timeout=30s
bounded 220 "large: max_buffered bounds what all bodies together take"
is "$(curl -s -m 20 "$url/healthz")" ok "large: collect answers"
stop flood
served() { [ "$(post)" = 200 ]; }
wait_for 20 served
ok $? "large: other clients are served once the flood is over"
stop collect
unlike "$(cat "$TMP"/*.err)" 'Sanitizer|runtime error|Traceback' "no sanitizer reported anything"
done_testing
