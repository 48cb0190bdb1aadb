#!/bin/bash
# Control characters: what a node or a foreign client sends never moves the cursor of a terminal and never
# begins a line of its own, wherever it is printed.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# Escape, CSI as U+009B, DEL, bell, backspace, carriage return, line feed, NUL, and a window title.
evil=$'e\e[31mv\u009b2Ji\x7fl\a\b\r'
json='e\u001b[31mv\u009b2Ji\u007fl\u0007\b\r\n\u0000\u001b]0;x'
# clean FILE…: whether there is nothing but text and line feeds in it.
clean() {
    python3 - "$@" <<'END'
import sys, unicodedata
bad = [(name, line) for name in sys.argv[1:] for line in open(name, encoding="utf-8", newline="\n")
       if any(unicodedata.category(c) == "Cc" for c in line.rstrip("\n"))]
print(*bad)
sys.exit(bool(bad))
END
}
# printed NAME PATTERN: checks that $TMP/out and $TMP/err are clean, and that a line matches.
printed() {
    got=$(clean "$TMP/out" "$TMP/err")
    is "$got" "" "$1: no control character"
    like "$(cat "$TMP/out" "$TMP/err")" "$2" "… but its escaped form"
}

put() { printf '%s\t\t%s\n' "$@" | "$BUS" put; }
put nodes "{\"node_id\":\"$json\",\"message_type\":\"REGISTRATION\",\"service_name\":\"$json\"}" \
    nodes "{\"node_id\":\"$json\",\"message_type\":\"LOG\",\"log_level\":\"WARN\",\"log_id\":\"$json\",\"message\":\"$json\"}" \
    nodes "{\"node_id\":\"$json\",\"message_type\":\"LOG\",\"log_level\":\"$json\",\"log_id\":\"1$json\",\"message\":\"raw $(printf '\u009b\x7f')\"}" \
    nodes "{\"node_id\":\"$json\"}" nodes "{\"a\":\"$json\",\"a\":1}" nodes "$evil"
run distlog pubsub --no-follow
printed "pubsub, dead letters" 'dead letters 3'
run distlog nodes
printed "nodes, a table" 'e\\x1b\[31mv\\xc2\\x9b2Ji\\x7fl\\x07\\x08\\x0d\\n\\x00'
run distlog nodes --format json
printed "nodes, JSON" '"node_id":"e\\u001b\[31mv\\u009b2Ji\\u007fl'
run distlog alert --from-start --no-follow
printed "alert" '^WARN: e\\x1b.*, e\\x1b'
put processed_logs "$evil" processed_logs "{\"log_id\":\"$json\",\"log_id\":1}"
run distlog store --no-follow
printed "store" '^Log stored successfully: e\\x1b.*\\x00.*, e\\x1b'
like "$out" '^Error storing log: ' "… the error lines, too"
run distlog search
printed "search" '"message":"raw \\u009b\\u007f"'
run distlog search --format raw
printed "search, raw" '"_id":"e\\u001b'
run distlog search "$evil"
printed "search for such a text" 'Search results for e\\x1b\[31mv\\xc2\\x9b2Ji\\x7fl'
run distlog search --since "$evil"
printed "a time that is none" "not one line of printable UTF-8"

# On the command line and in the settings
run distlog "$evil"
printed "a command that is none" "e\\\\x1b"
run distlog pubsub "--$evil"
printed "a flag that is none" "e\\\\x1b"
run distlog store "$evil"
printed "a topic that is none" "e\\\\x1b"
run distlog config -o "$evil=1"
printed "a setting that is none" "e\\\\x1b"
run distlog config -c "$evil"
printed "a file that is not there" "e\\\\x1b"
printf '"%s": 1\n' "$json" >"$TMP/evil.yaml"
run distlog config -c "$TMP/evil.yaml"
printed "a key in the settings" 'evil.yaml:1'

# What foreign clients send to collect, and how collect answers
start collect distlog collect --listen 127.0.0.1:0
wait_for 10 has "$TMP/collect.err" 'http://127.0.0.1:[0-9]+'
url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+' "$TMP/collect.err")
run python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"POST /a\xc2\x9b\x1b[31m\x7f HTTP/1.1\r\nHost: x\r\n\r\n")
sys.stdout.buffer.write(s.recv(9999).split(b"\r\n\r\n", 1)[1])' "${url##*:}"
printed "a tag without a route" "no route for tag 'a.xc2.x9b.x1b"
run curl -s -H 'Content-Type: application/json' --data-binary $'{"a":"\e[31m"}' "$url/log.input"
printed "a bad body" '^400 Bad Request'
stop collect

# A hostile server instead of Elasticsearch
cat >"$TMP/es.py" <<'END'
import http.server, json
EVIL = "e\u001b[31mv\u009b2Ji\u007fl\u0007"
class Es(http.server.BaseHTTPRequestHandler):
    def do(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = 200, {}
        if self.path == "/":
            body = {"version": {"number": "8.19.0"}}
        elif "_search" in self.path:
            body = {"hits": {"hits": [{"_index": "logs", "_id": EVIL, "_source": {"a": EVIL}, "sort": [1]}]}}
        elif "_count" in self.path:
            body = {EVIL: EVIL, "count": 1}
        elif "_delete_by_query" in self.path:
            body = {"task": "t:1"}
        elif "_tasks" in self.path:
            body = {"completed": True, "response": {"deleted": 1, "failures": [EVIL]}}
        elif self.path == "/evil":
            status, body = 400, {"error": {"type": EVIL, "reason": EVIL}}
        else:
            body = {"logs": {"mappings": {}}}
        text = json.dumps(body, ensure_ascii=False, indent=1).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *args):
        pass
    do_GET = do_POST = do_PUT = do_DELETE = do
server = http.server.HTTPServer(("127.0.0.1", 0), Es)
print(server.server_port, flush=True)
server.serve_forever()
END
# JSON allows DEL and C1 raw
sed -i 's/"a": EVIL/"a": EVIL.replace("\\u001b", "").replace("\\u0007", "")/' "$TMP/es.py"
start es python3 "$TMP/es.py"
wait_for 10 has "$TMP/es.out" '[0-9]'
export DISTLOG_STORE_TYPE=elasticsearch DISTLOG_STORE_ELASTICSEARCH_URLS=http://127.0.0.1:$(cat "$TMP/es.out")
run distlog search --format raw
printed "search, a server that means ill" '"_id":"e\\u001b\[31mv\\u009b2Ji\\u007fl'
run distlog delete --yes --dry-run
printed "delete --dry-run, the same" '"count": ?1'
run distlog delete --yes
printed "delete, the same" '"deleted": ?1'
is "$(wc -l <"$TMP/out")" 1 "… its answer is one line"
run distlog search --node x -o store.index=evil
printed "its error" 'HTTP 400: e\\x1b'
done_testing
