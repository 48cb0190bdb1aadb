"""What collect answers to one HTTP request after the other, over raw sockets: what Fluentd's in_http
answers, and 400 where that would lose records in silence. One TAP line a case.
Usage: in_http.py PORT DATABASE FIRST_TEST_NUMBER LIBMICROHTTPD_VERSION. Needs collect at its defaults but
max_body=1MB.
SPDX-License-Identifier: Apache-2.0"""
import gzip
import json
import re
import socket
import sqlite3
import sys
import urllib.parse
import zlib

PORT, DATABASE, number = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
LIMIT = 1 << 20
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MSGPACK, NDJSON = "application/msgpack", "application/x-ndjson"
# libmicrohttpd 1.0 (1.0.1 is the newest at the time of writing) counts the line feed behind a chunk's extension
# to the chunk. It then has to refuse the request, because it has lost its place in the bytes.
MAY_REFUSE_EXTENSIONS = sys.argv[4].startswith("1.0.")
failed = False


def case(good, name, *notes):
    global number, failed
    number += 1
    failed |= not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    for line in notes if not good else ():
        print(f"# {line!r}"[:600])


class Answer:
    def __init__(self, head, body, closes):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.version = lines[0].split()[0]
        self.fields = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
        self.body, self.closes = body, closes

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body} closes={self.closes}"


class Client:
    """One connection. Keeps what comes after an answer, to read pipelined answers one by one."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT))
        self.socket.settimeout(20)
        self.rest = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has refused already: see the answer
        return self

    def more(self):
        got = self.socket.recv(65536)
        self.rest += got
        return bool(got)

    def answer(self, head_only=False):
        while b"\r\n\r\n" not in self.rest:
            if not self.more():
                raise AssertionError(f"closed after {self.rest!r}")
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        a = Answer(head, b"", False)
        n = 0 if head_only or a.status == 100 else int(a.fields.get("content-length", 0))
        while len(self.rest) < n and self.more():
            pass
        a.body, self.rest = self.rest[:n], self.rest[n:]
        a.closes = a.fields.get("connection", "").lower() == "close"
        return a

    def closed(self):
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        return True


def request(body=b"", kind=JSON, path="/log.input", method="POST", version="1.1", fields=(),
            length=True):
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost"]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    if length:
        lines.append(f"Content-Length: {len(body)}")
    lines += fields
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def post(*args, **named):
    return Client().send(request(*args, **named)).answer()


database = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)


def table():
    row = database.execute("SELECT id FROM topic WHERE name = 'nodes'").fetchone()
    return f"t{row[0]}" if row else None


def stored():
    return database.execute(f"SELECT count(*) FROM {table()}").fetchone()[0] if table() else 0


def newest():
    row = database.execute(f"SELECT value FROM {table()} ORDER BY offset DESC LIMIT 1").fetchone()
    return bytes(row[0]) if isinstance(row[0], bytes) else row[0].encode()


def taken(name, records, *args, **named):
    """Checks for a 200, exactly as in_http answers, and so many new records."""
    before = stored()
    a = post(*args, **named)
    good = (a.status == 200 and a.body == b"" and a.fields["content-type"] == "text/plain"
            and a.fields["connection"] == "Keep-Alive" and a.fields["content-length"] == "0")
    more = stored() - before
    case(good and more == records, name, a, f"{more} records, not {records}")


def refused(name, status, *args, says="", **named):
    """Checks for that status, the reason in the body, and no new records."""
    before = stored()
    a = post(*args, **named)
    text = a.body.decode()
    good = (a.status == status and re.match(rf"{status} [A-Za-z -]+\n.+\n$", text)
            and re.search(says, text) and stored() == before)
    case(good, name, a)


def raw(name, status, data, closes=True):
    """Checks the answer to these bytes, and that the connection is closed after it."""
    c = Client().send(data)
    a = c.answer()
    case(a.status == status and (not closes or c.closed()), name, a)


record = {"node_id": "n1", "message_type": "LOG"}
one = json.dumps(record).encode()
deep = lambda n: b'{"node_id":"n","a":' + b"[" * (n - 1) + b"]" * (n - 1) + b"}"

# JSON
taken("a JSON object", 1, one)
taken("an empty object", 1, b"{}")
taken("an array of objects", 3, b"[" + b",".join([one] * 3) + b"]")
taken("an empty array", 0, b"[]")
for bad in (b"5", b'"a"', b"null", b"[]"):
    refused(f"an array with {bad.decode()} inside: none taken", 400, b"[{}," + bad + b",{}]")
for bad in (b"5", b'"text"', b"null", b"true"):
    refused(f"{bad.decode()} instead of an object", 400, bad)
for name, bad in (
    ("malformed", b'{"a":}'), ("truncated", b'{"a":1'), ("trailing garbage", b'{"a":1} x'),
    ("two objects without an array", b"{}{}"), ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("NaN", b'{"a":NaN}'), ("a comment", b"{/*c*/}"), ("a bad escape", b'{"a":"\\x"}'),
    ("a lone surrogate", b'{"a":"\\ud800"}'), ("a control character", b'{"a":"\n"}'),
    ("a NUL byte", b'{"a":1}\0'), ("a trailing comma", b'{"a":1,}'),
):
    refused(f"JSON with {name}: 400 with the position", 400, bad, says=r"byte \d+|line \d+|\d+")
refused("an empty body", 400, b"")
refused("a blank body", 400, b" \r\n\t ")
refused("invalid UTF-8", 400, b'{"a":"\xff"}')
taken("64 levels", 1, deep(64))
refused("65 levels", 400, deep(65), says="deep|64")
refused("100,000 levels", 400, b"[" * 100000, says="")
taken("a field named time stays", 1, b'{"node_id":"n1","time":1500000000}')
row = newest()
case(row == b'{"node_id":"n1","time":1500000000}', "records pass byte for byte", row)

# Content-Type
for kind in ("text/html", None, "text/plain"):
    refused(f"Content-Type {kind}", 400, one, kind=kind, says="json")
for kind in ("application/json; charset=utf-8", "Application/JSON", "application/jsonl"):
    taken(f"Content-Type {kind}", 1, one, kind=kind)
taken("application/ndjson", 1, one, kind="application/ndjson")
taken("application/x-msgpack", 1, b"\x81\xa1a\x01", kind="application/x-msgpack")

# NDJSON
taken("NDJSON with LF", 2, one + b"\n" + one + b"\n", kind=NDJSON)
taken("NDJSON with CRLF and blank lines", 2, one + b"\r\n\r\n" + one, kind=NDJSON)
refused("NDJSON with a bad line: none taken, the line is named", 400, one + b"\nx\n" + one,
        kind=NDJSON, says="line 2")

# Forms
quoted = urllib.parse.quote_plus(one).encode()
taken("a form with json=", 1, b"json=" + quoted, kind=FORM)
taken("a form with a + for a space", 1, b"json=%7B%22a%22:+1%7D", kind=FORM)
taken("a form with ndjson=", 2, b"ndjson=" + quoted + b"%0A" + quoted, kind=FORM)
before = stored()
a = post(b"json=%7B%22a%22:1%7D&json=%7B%22a%22:2%7D", kind=FORM)
row = newest()
case(a.status == 200 and stored() == before + 1 and row == b'{"a":2}',
     "a form's last duplicate wins", a, row)
refused("a form with msgpack=", 400, b"msgpack=%81%A1a%01", kind=FORM)
refused("a form without either", 400, b"a=b", kind=FORM)
refused("an empty form", 400, b"", kind=FORM)
refused("a form with raw non-ASCII bytes", 400, 'json={"a":"ü"}'.encode(), kind=FORM)
refused("a form with %zz", 400, b"json=%zz", kind=FORM)
refused("multipart", 400, b"--x\r\n\r\n{}\r\n--x--\r\n", kind="multipart/form-data; boundary=x")
refused("json= in the query and no body", 400, b"", path="/log.input?json=%7B%7D")

# MessagePack
taken("a msgpack map", 1, b"\x81\xa1a\x01", kind=MSGPACK)
taken("an array of msgpack maps", 2, b"\x92\x81\xa1a\x01\x80", kind=MSGPACK)
taken("msgpack maps one after the other", 3, b"\x80\x80\x80", kind=MSGPACK)
for name, bad in (("an extension", b"\x81\xa1a\xd4\x05\x00"), ("truncated", b"\x82\xa1a\x01"),
                  ("an array of 4,294,967,295", b"\xdd\xff\xff\xff\xff"),
                  ("a string of 4 GB", b"\x81\xa1a\xdb\xff\xff\xff\xff"),
                  ("100,000 levels", b"\x91" * 100000), ("a number", b"\x05"), ("nothing", b""),
                  ("text that is not UTF-8", b"\x81\xa1a\xa1\xff")):
    refused(f"msgpack: {name}", 400, bad, kind=MSGPACK)
    taken(f"… and the next request is unharmed ({name})", 1, b"\x80", kind=MSGPACK)

# The query and the path
for value in ("1500000000", "1500000000.25"):
    taken(f"?time={value}", 1, one, path=f"/log.input?time={value}")
refused("?time=yesterday", 400, one, path="/log.input?time=yesterday")
for path in ("/log.input", "/log/input", "/log/input/", "/"):
    taken(f"path {path}", 1, one, path=path)
refused("a tag without a route: the known ones are named", 404, one,
        path="/other", says="log.input")

# Methods
taken("PUT", 1, one, method="PUT")
for method in ("PATCH", "DELETE", "GET"):
    a = post(b"", method=method, kind=None)
    case(a.status == 405 and "POST" in a.fields["allow"], f"{method}: 405 with Allow", a)
a = Client().send(request(method="HEAD", kind=None, length=False)).answer(head_only=True)
case(a.status == 405 and "POST" in a.fields["allow"], "HEAD: 405 with Allow", a)
for path, text in (("/", b"distlog"), ("/healthz", b"ok")):
    a = post(b"", method="GET", path=path, kind=None)
    case(a.status == 200 and text in a.body, f"GET {path}", a)
refused("OPTIONS without CORS", 403, b"", method="OPTIONS", kind=None)

# Content-Encoding
for coding, squeeze in (("gzip", gzip.compress), ("deflate", zlib.compress),
                        ("x-gzip", gzip.compress), ("GZIP", gzip.compress)):
    taken(coding, 1, squeeze(one), fields=[f"Content-Encoding: {coding}"])
taken("gzip of two members", 1, gzip.compress(one[:9]) + gzip.compress(one[9:]),
      fields=["Content-Encoding: gzip"])
refused("damaged gzip", 400, b"\x1f\x8bnonsense", fields=["Content-Encoding: gzip"])
refused("truncated gzip", 400, gzip.compress(one)[:-6], fields=["Content-Encoding: gzip"])
for coding in ("zstd", "br", "gzip, gzip"):
    refused(f"Content-Encoding {coding}", 415, one, fields=[f"Content-Encoding: {coding}"])
refused("a gzip bomb", 413, gzip.compress(b" " * (100 << 20), 9),
        fields=["Content-Encoding: gzip"])

# Sizes
padded = lambda n: one[:-1] + b" " * (n - len(one)) + b"}"
taken("a body at the limit", 1, padded(LIMIT))
a = post(padded(LIMIT + 1))
case(a.status == 413 and b"Too large" in a.body and a.closes, "one byte more, declared: 413", a)
head = request(kind=JSON, length=False, fields=["Transfer-Encoding: chunked"])
c = Client().send(head + chunked(padded(LIMIT)[:LIMIT // 2], padded(LIMIT)[LIMIT // 2:]))
case(c.answer().status == 200, "a body at the limit, chunked")
c = Client().send(head + chunked(padded(LIMIT), b" "))
a = c.answer()
case(a.status == 413 and a.closes and c.closed(), "one byte more, chunked: 413, closes", a)
big = b'{"node_id":"n","a":"%s"}' % (b"x" * (LIMIT - 40))
taken("a record just below max_record", 1, big)
c = Client().send(request(fields=["X-Many: " + "h" * 80000]))
a = c.answer()
case(a.status in (413, 431), "80 kB in one header field", a)
c = Client().send(request(fields=[f"X-{i}: y" for i in range(20000)]))
a = c.answer()
case(a.status in (413, 431), "20,000 header fields", a)

# Expect
c = Client().send(request(fields=["Expect: 100-continue", f"Content-Length: {len(one)}"],
                          length=False))
first = c.answer()
second = c.send(one).answer()
case((first.status, second.status) == (100, 200), "Expect: 100-continue", first, second)
c = Client().send(request(length=False, fields=["Expect: 100-continue",
                                                f"Content-Length: {LIMIT + 1}"]))
case(c.answer().status == 413, "Expect: 100-continue with too much declared: 413 at once")
raw("another Expect: 417", 417, request(one, fields=["Expect: magic"]))

# Chunks and pipelines
def in_segments(*pieces):
    c = Client().send(request(length=False, fields=["Transfer-Encoding: chunked"]))
    for piece in pieces:
        c.send(piece)
    return c, c.answer()


c, a = in_segments(b"5", b"\r\n", one[:5], b"\r\n%x" % len(one[5:]), b"\r\n" + one[5:],
                   b"\r\n0\r\nX-Trailer: t", b"railer\r\n\r\n")
case(a.status == 200, "chunks and trailers in several segments", a)
before = stored()
c, a = in_segments(b"5;name=", b'"v"\r\n', one[:5], b"\r\n%x" % len(one[5:]), b"\r\n" + one[5:],
                   b"\r\n0\r\nX-Trailer: t", b"railer\r\n\r\n")
refuses = MAY_REFUSE_EXTENSIONS and a.status == 400
case(a.status == 200 or (refuses and c.closed() and stored() == before),
     "chunks with extensions and trailers in several segments", a)
before = stored()
c, a = in_segments(b"%x\r\n%s\r\n" % (len(one), one), b"0;name\r\n", request(one))
case(a.status == 400 and c.closed() and stored() == before,
     "a request in the trailers after an extension: 400, closes, nothing taken", a)
c = Client()
got = [c.send(request(one)).answer().status for _ in range(2)]
case(got == [200, 200], "two requests on one connection", got)
before = stored()
c = Client().send(request(one) * 200)
got = [c.answer().status for _ in range(200)]
case(got == [200] * 200 and stored() == before + 200, "200 pipelined requests", got)
c = Client().send(request(b"[5]") + request(one, path="/other") + request(one))
got = [c.answer().status for _ in range(3)]
case(got == [400, 404, 200], "refusals keep the connection", got)

# Versions and connections
c = Client().send(request(one, fields=["Connection: close"]))
a = c.answer()
case(a.status == 200 and a.closes and c.closed(), "Connection: close", a)
c = Client().send(request(one, version="1.0"))
case(c.answer().status == 200 and c.closed(), "HTTP/1.0 closes")
c = Client().send(request(one, version="1.0", fields=["Connection: keep-alive"]))
a = c.answer()
b = c.send(request(one, version="1.0")).answer()
case((a.status, b.status) == (200, 200) and not a.closes, "HTTP/1.0 with keep-alive", a, b)
raw("no Host", 400, b"POST /log.input HTTP/1.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}")
raw("two Hosts", 400, request(one, fields=["Host: other"]))
raw("an invalid request line", 400, b"POST /log.input\r\n\r\n")
raw("a line without a colon", 400, request(one, fields=["nonsense"]))
raw("a broken chunk", 400, request(length=False, fields=["Transfer-Encoding: chunked"])
    + b"zz\r\n{}\r\n0\r\n\r\n")

# Where a message ends: no request that two servers could understand differently
for name, fields, body in (
    ("Content-Length twice", ["Content-Length: 2", "Content-Length: 2"], b"{}"),
    ("two different Content-Lengths", ["Content-Length: 2", "Content-Length: 40"], b"{}"),
    ("a list of Content-Lengths", ["Content-Length: 2, 2"], b"{}"),
    ("a negative Content-Length", ["Content-Length: -2"], b"{}"),
    ("a signed Content-Length", ["Content-Length: +2"], b"{}"),
    ("Content-Length with chunked", ["Content-Length: 2", "Transfer-Encoding: chunked"],
     chunked(b"{}")),
    ("a space before the colon", ["Content-Length : 2"], b"{}"),
    ("gzip, chunked", ["Transfer-Encoding: gzip, chunked"], chunked(b"{}")),
    ("Transfer-Encoding twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
     chunked(b"{}")),
    ("a folded Transfer-Encoding", ["Transfer-Encoding:\r\n chunked"], chunked(b"{}")),
    ("a folded Host beside another", ["Host:\tx\r\n chunked", "Content-Length: 2"], b"{}"),
    ("a folded Content-Length", ["Content-Length: 2\r\n 0"], b"{}"),
    ("a name that a fold makes Content-Length", ["Content-: 2\r\n Length"], b"{}"),
    ("a name that a fold makes Transfer-Encoding", ["Transfer-: chunked\r\n\tEncoding"],
     chunked(b"{}")),
    ("a folded Transfer-Encoding in another field", ["X: a\r\n Transfer-Encoding: chunked"],
     chunked(b"{}")),
    ("a carriage return in a value", ["X: a\rContent-Length: 2"], b"{}"),
    ("Transfer-Encoding identity", ["Transfer-Encoding: identity", "Content-Length: 2"], b"{}"),
    ("Transfer-Encoding xchunked", ["Transfer-Encoding: xchunked"], chunked(b"{}")),
    ("Transfer-Encoding chunked in quotes", ['Transfer-Encoding: "chunked"'], chunked(b"{}")),
    ("Transfer-Encoding with a tab before its end", ["Transfer-Encoding: chunked\t, identity"],
     chunked(b"{}")),
    ("a hexadecimal Content-Length", ["Content-Length: 0x2"], b"{}"),
    ("an empty Content-Length", ["Content-Length:"], b"{}"),
    ("a NUL byte in a name", ["Content-Length\0: 2"], b"{}"),
    ("a control character in a name", ["Content-Length\x01: 2"], b"{}"),
    ("an underscore that some read as a dash",
     ["Content_Length: 2", "Transfer-Encoding: chunked", "Content-Length: 2"], chunked(b"{}")),
):
    before = stored()
    raw(f"{name}: 400, closes", 400, request(length=False, fields=fields) + body
        + request(one))
    case(stored() == before, f"… and what follows is not read ({name})")
raw("chunked in HTTP/1.0: 400, closes", 400,
    request(length=False, version="1.0", fields=["Transfer-Encoding: chunked"]) + chunked(b"{}"))

raw("a Content-Length of 2 to the 64th and 2: 413, closes", 413,
    request(length=False, fields=["Content-Length: 18446744073709551618"]) + b"{}" + request(one))

# Invalid chunk sizes
for size in (b"0x2", b"+2", b"-2", b"10000000000000002", b"2 3", b"", b"g", b"2\0"):
    before = stored()
    c = Client().send(request(length=False, fields=["Transfer-Encoding: chunked"])
                      + size + b"\r\n{}\r\n0\r\n\r\n" + request(one))
    a = c.answer()
    case(a.status in (400, 413) and c.closed() and stored() == before,
         f"a chunk size of {size!r}: refused, closes", a)

print(f"# cases end at {number}")
sys.exit(failed)
