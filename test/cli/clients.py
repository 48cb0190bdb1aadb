#!/usr/bin/env python3
"""clients: awkward HTTP clients for the tests of collect. Each prints how it went, in one line.

    clients.py trickle-head PORT        a request line, one byte at a time
    clients.py trickle-field PORT       the same for a header field
    clients.py trickle-body PORT        the same for a body
    clients.py crowd PORT [TEXT]        1,000 connections that send TEXT and stay open; a POST
    clients.py flood-KIND PORT COUNT    connections that never complete a request or a handshake
    clients.py gone PORT                a POST whose client closes the connection at once
    clients.py idle PORT                a POST, then silence until the connection is closed
    clients.py slow PORT                a POST that is completed when a line comes on standard input

SPDX-License-Identifier: Apache-2.0"""
import http.client
import socket
import sys
import time

HEAD = b"POST /log.input HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CROWD = 1000
# How each kind of flood begins. silent, hello: of a TLS handshake, nothing or an endless message.
FLOODS = {
    "head": b"POST /log.inp", "body": HEAD + b"Content-Length: 100000\r\n\r\n",
    "large": HEAD + b"Content-Length: 1000000\r\n\r\n{" + b" " * 900000,
    "silent": b"", "hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}


def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(20)
    return s


def wait_for_close(s):
    """Reads until the server closes the connection."""
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass


def trickle(port, start):
    """Sends start, then one byte at a time until the server closes the connection."""
    s = connect(port)
    s.sendall(start)
    s.settimeout(0.1)
    for _ in range(300):
        try:
            s.sendall(b"a")
            if not s.recv(4096):
                return "cut"
        except socket.timeout:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return "cut"
    return "still open"


def crowd(port, text=""):
    """The status of a POST while 1,000 connections are open that have sent only text."""
    connections = []
    for _ in range(CROWD):
        connections.append(connect(port))
        connections[-1].sendall(text.encode())
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.request("POST", "/log.input", b"{}", {"Content-Type": "application/json"})
    status = client.getresponse().status
    for s in connections:
        s.close()
    return status


def flood(port, kind, count):
    """Many connections on which a request or a TLS handshake gets one byte per second, or nothing,
    until the server has closed all of them."""
    connections = []
    for _ in range(count):
        connections.append(connect(port))
        connections[-1].settimeout(5)
        send(connections[-1], FLOODS[kind])
    print("there", flush=True)
    is_open = is_silent_open if kind == "silent" else lambda s: send(s, b"a")
    while connections:
        connections = [s for s in connections if is_open(s)]
        time.sleep(1)
    return "cut"


def send(s, data):
    """False: the server has closed the connection."""
    try:
        s.sendall(data)
        return True
    except socket.timeout:
        return True  # the server does not read, as it may
    except OSError:
        return False


def is_silent_open(s):
    """False: the server has closed the connection."""
    try:
        return bool(s.recv(4096, socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except OSError:
        return False


def gone(port):
    """Posts and closes the connection before there can be an answer."""
    s = connect(port)
    s.sendall(HEAD + b"Content-Length: 15\r\n\r\n" + b'{"node_id":"g"}')
    s.close()
    return "gone"


def idle(port):
    """Posts once, then waits until the connection is closed."""
    s = connect(port)
    s.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
    if not s.recv(4096).startswith(b"HTTP/1.1 200"):
        return "?"
    wait_for_close(s)
    return "closed"


def slow(port):
    """Begins a request, reports it, and completes it when a line comes on standard input."""
    s = connect(port)
    s.sendall(HEAD + b"Content-Length: 2\r\n\r\n{")
    print("begun", flush=True)
    sys.stdin.readline()
    s.sendall(b"}")
    return s.recv(4096).split(b"\r\n")[0].decode()


def main():
    what, port, *more = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    if what.startswith("flood-"):
        return flood(port, what[len("flood-"):], int(more[0]))
    trickles = {"trickle-head": b"POST /log.input HT", "trickle-field": HEAD,
                "trickle-body": HEAD + b"Content-Length: 1000\r\n\r\n"}
    if what in trickles:
        return trickle(port, trickles[what])
    return {"crowd": crowd, "gone": gone, "idle": idle, "slow": slow}[what](port, *more)


if __name__ == "__main__":
    print(main())
