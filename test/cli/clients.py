"""Awkward HTTP clients for the tests of collect. Each prints one line that says how it went.
SPDX-License-Identifier: Apache-2.0"""
import http.client
import socket
import sys
import time

HEAD = b"POST /log.input HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(20)
    return s


def ends(s):
    """Reads until the other side closes."""
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def trickle(port, start):
    """Sends start, then a byte at a time, until it is cut."""
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


def crowd(port, words=""):
    """Opens 1,000 connections that say nothing, or part of a head; then one that posts."""
    many = []
    for _ in range(1000):
        many.append(connect(port))
        many[-1].sendall(words.encode())
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request("POST", "/log.input", b"{}", {"Content-Type": "application/json"})
    status = c.getresponse().status
    for s in many:
        s.close()
    return status


def flood(port, kind, count):
    """Many clients, each with a request or a TLS handshake under way that gets a byte a second, or nothing at
    all, until all of them were cut."""
    start = {"head": b"POST /log.inp", "body": HEAD + b"Content-Length: 100000\r\n\r\n",
             "large": HEAD + b"Content-Length: 1000000\r\n\r\n{" + b" " * 900000,
             "silent": b"", "hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}[kind]
    drip = b"" if kind == "silent" else b"a"
    many = []
    for _ in range(count):
        many.append(connect(port))
        many[-1].settimeout(5)
        send(many[-1], start)
    print("there", flush=True)
    while many:
        many = [s for s in many if (send(s, drip) if drip else not over(s))]
        time.sleep(1)
    return "cut"


def send(s, words):
    """False: the other side has closed it."""
    try:
        s.sendall(words)
        return True
    except socket.timeout:
        return True  # it is not read: that is the server's right
    except OSError:
        return False


def over(s):
    """True: the other side has closed it."""
    try:
        return not s.recv(4096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def gone(port):
    """Posts and is gone before there can be an answer."""
    s = connect(port)
    s.sendall(HEAD + b"Content-Length: 15\r\n\r\n" + b'{"node_id":"g"}')
    s.close()
    return "gone"


def idle(port):
    """One request, then silence, until the connection is closed."""
    s = connect(port)
    s.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
    return "closed" if s.recv(4096).startswith(b"HTTP/1.1 200") and ends(s) else "?"


def slow(port):
    """Begins a request, says so, and ends it when a line comes on standard input."""
    s = connect(port)
    s.sendall(HEAD + b"Content-Length: 2\r\n\r\n{")
    print("begun", flush=True)
    sys.stdin.readline()
    s.sendall(b"}")
    return s.recv(4096).split(b"\r\n")[0].decode()


what, port = sys.argv[1], int(sys.argv[2])
if what == "trickle-head":
    print(trickle(port, b"POST /log.input HT"))
elif what == "trickle-field":
    print(trickle(port, HEAD))
elif what.startswith("flood-"):
    print(flood(port, what[6:], int(sys.argv[3])))
elif what == "trickle-body":
    print(trickle(port, HEAD + b"Content-Length: 1000\r\n\r\n"))
else:
    print({"crowd": crowd, "gone": gone, "idle": idle, "slow": slow}[what](port, *sys.argv[3:]))
