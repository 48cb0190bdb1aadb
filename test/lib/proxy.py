#!/usr/bin/env python3
"""proxy: stands between distlog and a server, and does to their connections what bad networks and
failing servers do. Proxy passes bytes and fails connections:

    with Proxy("127.0.0.1:9200") as proxy:  # listens on 127.0.0.1, at proxy.port
        proxy.cut()                         # resets open connections; new ones are served
        proxy.refuse()                      # resets open connections and refuses new ones
        proxy.hold()                        # accepts connections and passes nothing on
        proxy.delay(200)                    # delays each piece of data by 200 ms, each way
        proxy.throttle(1000)                # bytes per second, each way and connection
        proxy.half_close("client")          # ends one direction of open connections; or "server"
        proxy.heal()                        # as at the start; what was held is passed on

HttpProxy passes requests on instead, each over a connection of its own, to an http or https server
(whose certificate is not verified), and fails bulk requests as a rule asks. The rule is read from a
file at each request; without the file every request passes. Its first word says what happens, its
second when: `before` the server has seen the request, or `after` it has processed it.

    503 before      any number: that status instead of the server's answer
    cut after       the connection ends without an answer
    cut midway      the connection ends after half of the answer
    hang after      no answer for 3 s, or until the client gives up, then the connection ends
    hold before     the request is passed on half a second late
    limit 100000    413 for bodies of more than so many bytes once they are decompressed
    slow 100        bulk requests pass; deletions are throttled to so many documents per second

It writes one line per request to a log: connection number, requests in progress, method, path,
Content-Encoding, Accept-Encoding, size of the body as sent and decompressed, rule, status, size of
the answer.

As a command it serves until it is killed; PORT 0 is any free port, and the port is printed:

    proxy.py PORT HOST:PORT
    proxy.py PORT URL LOG RULE

A proxy owns its sockets, one thread per direction of a connection (one per connection with HTTP),
and the thread that accepts. Any thread may call.
SPDX-License-Identifier: Apache-2.0"""
import contextlib
import ctypes
import gzip
import http.client
import http.server
import itertools
import select
import socket
import ssl
import sys
import threading
import time
import urllib.parse

PIECE = 64 * 1024  # bytes read at a time
HANG_S, HOLD_S = 3.0, 0.5
ANSWER_S = 60.0  # how long an HTTP server may take to answer
LIBC = ctypes.CDLL(None)
PASS = ["pass", "before"]
HOP_BY_HOP = ("transfer-encoding", "content-length", "connection")


class Proxy:
    """A TCP proxy to upstream, "HOST:PORT"."""

    def __init__(self, upstream, port=0):
        host, _, upstream_port = upstream.rpartition(":")
        self.upstream = (host, int(upstream_port))
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.connections = {}  # client socket: server socket, None while there is no server
        self.closed = False
        self._reset_faults()
        self.port = port
        self._listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        with self.changed:
            self.closed = True
            self._reset_faults()
            self._stop_listening()
            self.changed.notify_all()
        self.cut()

    # --- faults

    def cut(self):
        with self.changed:
            connections, self.connections = self.connections, {}
            self.changed.notify_all()
        for end in [*connections, *connections.values()]:
            reset(end)

    def refuse(self):
        with self.changed:
            self._stop_listening()
        self.cut()

    def hold(self):
        self._set(held=True)

    def delay(self, delay_ms):
        self._set(delay_s=float(delay_ms) / 1000)

    def throttle(self, bytes_per_second):
        self._set(rate=float(bytes_per_second))

    def half_close(self, side="client"):
        """No more data reaches that side; it may still send."""
        with self.lock:
            ends = [client if side == "client" else server
                    for client, server in self.connections.items() if server]
        for end in ends:
            shut_down(end, socket.SHUT_WR)

    def heal(self):
        with self.changed:
            self._reset_faults()
            if not self.listener and not self.closed:
                self._listen()
            self.changed.notify_all()

    # --- how they are done

    def _reset_faults(self):
        self.held, self.delay_s, self.rate = False, 0.0, 0.0

    def _set(self, **values):
        with self.changed:
            self.__dict__.update(values)
            self.changed.notify_all()

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self.listener = listener

    def _stop_listening(self):
        if self.listener:
            shut_down(self.listener, socket.SHUT_RDWR)  # wakes accept()
            self.listener.close()
            self.listener = None
            self.changed.notify_all()

    def _accept(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.listener or self.closed)
                listener = self.listener
            if not listener:
                return
            try:
                client, _ = listener.accept()
            except OSError:
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with self.changed:
            refused = not self.listener
            self.connections[client] = None
            self.changed.wait_for(lambda: not self.held or client not in self.connections)
        try:
            if refused:
                raise OSError
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass_on(client)
        except OSError:
            reset(client)
        with self.lock:
            self.connections.pop(client, None)
        client.close()

    def _pass_on(self, client):
        """Serves one connection until it ends."""
        with socket.create_connection(self.upstream, timeout=10) as server:
            server.settimeout(None)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                if client not in self.connections:
                    raise OSError
                self.connections[client] = server
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()

    def _pump(self, source, sink):
        """Copies until the source ends. Its end is passed on; its failure resets both sides."""
        try:
            while True:
                piece = source.recv(self._piece_size())
                self._pause(len(piece))
                if not piece:
                    break
                sink.sendall(piece)
            shut_down(sink, socket.SHUT_WR)
        except OSError:
            reset(source)
            reset(sink)

    def _piece_size(self):
        rate = self.rate
        return int(min(PIECE, max(1, rate / 10))) if rate else PIECE

    def _pause(self, count):
        """Waits as long as the faults ask for count bytes."""
        with self.changed:
            pause_s = self.delay_s
            if self.rate:
                pause_s += count / self.rate
            if pause_s:
                self.changed.wait(pause_s)  # a change of the faults ends the pause
            self.changed.wait_for(lambda: not self.held)


class HttpProxy(Proxy):
    """A proxy to an HTTP server that understands requests. Faults of connections apply as well,
    but for delay, throttle and half_close."""

    def __init__(self, url, log, rule, port=0):
        self.target, self.log, self.rule_path = urllib.parse.urlsplit(url), log, rule
        self.numbers, self.in_progress = itertools.count(), 0
        super().__init__(self.target.netloc, port)

    def _pass_on(self, client):
        RequestHandler(client, client.getpeername(), self)

    def rule_for(self, path):
        try:
            with open(self.rule_path, encoding="ascii") as file:
                rule = file.read().split()
        except FileNotFoundError:
            return PASS
        is_slow = rule[:1] == ["slow"]
        applies = "_delete_by_query" in path if is_slow else path.startswith("/_bulk")
        return rule if rule and applies else PASS

    @contextlib.contextmanager
    def counted(self):
        """While a request is in progress; yields how many are."""
        with self.lock:
            self.in_progress += 1
            count = self.in_progress
        try:
            yield count
        finally:
            with self.lock:
                self.in_progress -= 1

    def ask(self, method, path, body, headers):
        """The server's answer: status, headers, body."""
        if self.target.scheme == "https":
            server = http.client.HTTPSConnection(
                self.target.hostname, self.target.port, timeout=ANSWER_S,
                context=ssl._create_unverified_context())  # pylint: disable=protected-access
        else:
            server = http.client.HTTPConnection(self.target.hostname, self.target.port,
                                                timeout=ANSWER_S)
        with contextlib.closing(server):
            server.request(method, path, body, headers)
            answer = server.getresponse()
            return answer.status, answer.getheaders(), answer.read()


class RequestHandler(http.server.BaseHTTPRequestHandler):
    """The requests of one connection; self.server is the HttpProxy."""
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.number = next(self.server.numbers)

    def log_message(self, *_):
        pass

    def handle_request(self):
        with self.server.counted() as in_progress:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            coding = self.headers.get("Content-Encoding", "-")
            plain_size = len(gzip.decompress(body)) if coding == "gzip" else len(body)
            what, when = self.server.rule_for(self.path)
            if what == "limit":
                what, when = ("413" if plain_size > int(when) else "pass"), "before"
            status = size = 0
            try:
                status, size = self.apply(what, when, body)
            except (OSError, http.client.HTTPException):
                self.close_connection = True
        accepted = self.headers.get("Accept-Encoding", "-").replace(" ", "")
        print(self.number, in_progress, self.command, self.path, coding, accepted, len(body),
              plain_size, f"{what}-{when}", status, size, file=self.server.log, flush=True)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_request

    def apply(self, what, when, body):
        """Does what the rule asks; returns the status and the size of the answer, 0 for none."""
        path = self.path
        if what == "hold":
            time.sleep(HOLD_S)
            what = "pass"
        elif what == "slow":
            path += "&requests_per_second=" + when
            what = "pass"
        answer = 0, [], b""
        if what == "pass" or when != "before":
            answer = self.server.ask(self.command, path, body, self.headers_to_pass_on())
        if what == "pass":
            self.reply(*answer)
            return answer[0], len(answer[2])
        if what.isdigit():
            self.reply(int(what), [("Content-Type", "text/plain")], b"the proxy's own answer\n")
            return int(what), 0
        if what == "hang":
            select.select([self.connection], [], [], HANG_S)  # or until the client gives up
        elif when == "midway":
            self.reply(*answer, limit=len(answer[2]) // 2)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return 0, 0

    def headers_to_pass_on(self):
        return {name: value for name, value in self.headers.items() if name.lower() != "host"}

    def reply(self, status, headers, body, limit=None):
        """limit: sends only that many bytes of the body, though all are announced."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:limit])


def shut_down(end, how):
    try:
        end.shutdown(how)
    except OSError:
        pass


def reset(end):
    """Closes with RST at once, even while a thread blocks in a write: connect(2) to AF_UNSPEC does
    that. The thread that serves the socket closes its descriptor."""
    if end and end.fileno() >= 0:
        LIBC.connect(end.fileno(), bytes(16), 16)


def main():
    if len(sys.argv) == 3:
        proxy = Proxy(sys.argv[2], int(sys.argv[1]))
    elif len(sys.argv) == 5:
        log = open(sys.argv[3], "a", encoding="utf-8")  # pylint: disable=consider-using-with
        proxy = HttpProxy(sys.argv[2], log, sys.argv[4], int(sys.argv[1]))
    else:
        sys.exit("usage: proxy.py PORT HOST:PORT | PORT URL LOG RULE")
    with proxy:
        print(proxy.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
