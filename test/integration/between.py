#!/usr/bin/env python3
"""between.py PORT TARGET LOG RULE: an HTTP relay that stands between distlog and a real Elasticsearch.

Every request is passed on and its answer is passed back as it came, but for bulk requests as long as there
is a file RULE (TARGET may speak TLS; its certificate is not looked at): its first word says what happens to them, the second when, `before` the server has seen the
request or `after` it has done it.
    503 before      a number: that status in place of the server's answer
    cut after       the connection ends without an answer
    cut midway      or with half of one
    hang after      no answer for 3 s
    hold before     passed on, half a second late
    limit 100000    413 for those that are longer than so many bytes, unpacked
    slow 100        nothing to them, but deletions are asked to take no more than so many documents a second
LOG gets a line a request: connection, requests under way, method, path, Content-Encoding, Accept-Encoding,
bytes of the body as sent and unpacked, rule, status, bytes of the answer.
"""
# SPDX-License-Identifier: Apache-2.0
import gzip, http.client, http.server, itertools, os, socket, ssl, sys, threading, time
from urllib.parse import urlsplit

port, target, log, rule_file = int(sys.argv[1]), urlsplit(sys.argv[2]), open(sys.argv[3], "a", 1), sys.argv[4]
lock, under_way, connections = threading.Lock(), 0, itertools.count()


def rule_of(path):
    try:
        rule = open(rule_file).read().split()
    except FileNotFoundError:
        rule = []
    applies = "_delete_by_query" in path if rule[:1] == ["slow"] else path.startswith("/_bulk")
    return rule if rule and applies else ["pass", "before"]


class Relay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.number = next(connections)

    def log_message(self, *_):
        pass

    def ask(self, body, more=""):
        if target.scheme == "https":
            there = http.client.HTTPSConnection(target.hostname, target.port, context=ssl._create_unverified_context())
        else:
            there = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        there.request(self.command, self.path + more, body, {k: v for k, v in self.headers.items() if k.lower() != "host"})
        answer = there.getresponse()
        text = answer.read()
        there.close()
        return answer.status, answer.getheaders(), text

    def reply(self, status, headers, text, limit=None):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text if limit is None else text[:limit])

    def act(self, what, when, body):
        """Does what the rule says; returns status and size of the answer."""
        more = ""
        if what == "hold":
            time.sleep(0.5)
            what = "pass"
        elif what == "slow":
            more = "&requests_per_second=" + when
            what = "pass"
        if what != "pass" and when == "before":
            answer = 0, [], b""
        else:
            answer = self.ask(body, more)
        if what == "pass":
            self.reply(*answer)
            return answer[0], len(answer[2])
        if what.isdigit():
            self.reply(int(what), [("Content-Type", "text/plain")], b"the relay's own answer\n")
            return int(what), 0
        if what == "hang":
            time.sleep(3)
        elif when == "midway":
            self.reply(*answer, limit=len(answer[2]) // 2)
            self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return 0, 0

    def do(self):
        global under_way
        with lock:
            under_way += 1
            now = under_way
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        coding = self.headers.get("Content-Encoding", "-")
        plain = len(gzip.decompress(body)) if coding == "gzip" else len(body)
        what, when = rule_of(self.path)
        if what == "limit":
            what, when = ("413" if plain > int(when) else "pass"), "before"
        status = size = 0
        try:
            status, size = self.act(what, when, body)
        except OSError:
            self.close_connection = True
        finally:
            with lock:
                under_way -= 1
            print(self.number, now, self.command, self.path, coding, self.headers.get("Accept-Encoding", "-").replace(" ", ""),
                  len(body), plain, what + "-" + when, status, size, file=log)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do


http.server.ThreadingHTTPServer.request_queue_size = 64
http.server.ThreadingHTTPServer(("127.0.0.1", port), Relay).serve_forever()
