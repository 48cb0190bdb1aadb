#!/usr/bin/env python3
"""proxy: a TCP proxy that does to connections what bad networks do. As a class, for a driver in the
same process:

    with Proxy("127.0.0.1:9200") as proxy:     # listens on 127.0.0.1, proxy.port
        proxy.cut()                             # resets what is open; new connections are served
        proxy.refuse()                          # and refuses new ones
        proxy.hold()                            # takes new connections and passes nothing on, nor what is open
        proxy.delay(200)                        # each piece of data waits 200 ms, each way
        proxy.throttle(1000)                    # bytes a second, each way and connection
        proxy.half_close("client")              # ends that direction of what is open; or "server"
        proxy.heal()                            # as in the beginning; what was held goes on

and as a command that reads these from standard input, a line each (`delay 200`):

    proxy.py PORT HOST:PORT                     # PORT 0: any free one; prints the one it has

Owns its sockets and one thread a direction. Any thread may call.
SPDX-License-Identifier: Apache-2.0"""
import ctypes
import socket
import sys
import threading

PIECE = 64 * 1024
LIBC = ctypes.CDLL(None)
COMMANDS = ["cut", "refuse", "hold", "delay", "throttle", "half_close", "heal"]


class Proxy:
    def __init__(self, upstream, port=0):
        host, _, at = upstream.rpartition(":")
        self.upstream = (host, int(at))
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.ends = {}  # what is open: client to server, or to None as long as there is no server
        self.closed = False
        self._calm()
        self.port = port
        self._listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def close(self):
        with self.changed:
            self.closed = True
            self._calm()
            self._stop_listening()
            self.changed.notify_all()
        self.cut()

    # --- what can be ordered

    def cut(self):
        with self.changed:
            ends, self.ends = self.ends, {}
            self.changed.notify_all()
        for end in [*ends, *ends.values()]:
            _reset(end)

    def refuse(self):
        with self.changed:
            self._stop_listening()
        self.cut()

    def hold(self):
        self._set(held=True)

    def delay(self, ms):
        self._set(delay_s=float(ms) / 1000)

    def throttle(self, bytes_a_second):
        self._set(rate=float(bytes_a_second))

    def half_close(self, to="client"):
        with self.lock:
            ends = [client if to == "client" else server for client, server in self.ends.items() if server]
        for end in ends:
            _shut(end, socket.SHUT_WR)

    def heal(self):
        with self.changed:
            self._calm()
            if not self.listener and not self.closed:
                self._listen()
            self.changed.notify_all()

    # --- how it is done

    def _calm(self):
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
            _shut(self.listener, socket.SHUT_RDWR)  # wakes accept
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
            self.ends[client] = None
            self.changed.wait_for(lambda: not self.held or client not in self.ends)
        try:
            if refused:
                raise OSError
            with socket.create_connection(self.upstream, timeout=10) as server:
                server.settimeout(None)
                with self.lock:
                    if client not in self.ends:
                        raise OSError
                    self.ends[client] = server
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join()
        except OSError:
            _reset(client)
        with self.lock:
            self.ends.pop(client, None)
        client.close()

    def _pump(self, source, sink):
        """Until the source ends; its end is passed on, its failure resets the other side."""
        try:
            while True:
                piece = source.recv(int(min(PIECE, max(1, self.rate / 10))) if self.rate else PIECE)
                with self.changed:
                    pause = self.delay_s + (len(piece) / self.rate if self.rate else 0)
                    if pause:  # a change ends the pause
                        self.changed.wait(pause)
                    self.changed.wait_for(lambda: not self.held)
                if not piece:
                    break
                sink.sendall(piece)
            _shut(sink, socket.SHUT_WR)
        except OSError:
            _reset(source)
            _reset(sink)


def _shut(end, how):
    try:
        end.shutdown(how)
    except OSError:
        pass


def _reset(end):
    """Closes with RST at once, also where a thread waits to write: connect to no address, as connect(2)
    has it. The pump that has the socket closes it."""
    if end and end.fileno() >= 0:
        LIBC.connect(end.fileno(), bytes(16), 16)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: proxy.py PORT HOST:PORT")
    with Proxy(sys.argv[2], int(sys.argv[1])) as proxy:
        print(proxy.port, flush=True)
        for line in sys.stdin:
            name, *arguments = line.replace("-", "_").split() or [""]
            if name not in COMMANDS:
                print(f"proxy.py: {line.strip()}: expected one of {', '.join(COMMANDS)}", file=sys.stderr)
                continue
            getattr(proxy, name)(*arguments)
            print("done", flush=True)


if __name__ == "__main__":
    main()
