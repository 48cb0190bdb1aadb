#!/usr/bin/env python3
"""harness_test: the parts of the fault harness that need no daemon: the schedule, the search for a
shorter one, the judgement of an end, the proxy. TAP on standard output.
SPDX-License-Identifier: Apache-2.0"""
import collections
import contextlib
import gzip
import http.client
import http.server
import io
import os
import shutil
import socket
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import run  # noqa: E402
import schedule  # noqa: E402
from judge import judge  # noqa: E402
from proxy import HttpProxy, Proxy  # noqa: E402
from real import Real  # noqa: E402

tests = failures = 0


def ok(passed, text):
    global tests, failures
    tests, failures = tests + 1, failures + (not passed)
    print("" if passed else "not ", f"ok {tests} - {text}", sep="")


# --- the schedule


def schedules(engine, seed):
    shape = run.SHAPES[engine]
    return [schedule.make(engine, seed, number, shape["faults"], shape["seconds"])
            for number in range(1, shape["rounds"] + 1)]


def required_name(fault):
    """The name of a fault if it can be a required one, else None."""
    name = fault.get("point", "").split(":")[0]
    return {"point": f"point {fault.get('target')} {name}", "stall": f"stall {name}",
            "server": f"{fault.get('target')} {fault.get('signal', '')[3:].lower()}",
            }.get(fault["kind"])


def test_schedules(engine):
    all_dealt = counts_right = none_late = True
    per_run = 2 if engine == "local" else 1
    for seed in range(50):
        rounds = schedules(engine, str(seed))
        dealt = collections.Counter(required_name(fault) for faults in rounds for fault in faults)
        all_dealt &= all(dealt[name] == per_run for name in schedule.required(engine))
        counts_right &= all(len(faults) == run.SHAPES[engine]["faults"] for faults in rounds)
        none_late &= all(not required_name(fault) for faults in rounds for fault in faults[-4:])
    ok(all_dealt, f"{engine}: a run has every point, every stall and every signal to a server")
    ok(counts_right and none_late,
       f"{engine}: a schedule has the number of faults asked for, and no required ones at its end")
    ok(schedules(engine, "7") == schedules(engine, "7") != schedules(engine, "8"),
       f"{engine}: the seed determines the schedule")


for engine_name in run.SHAPES:
    test_schedules(engine_name)


# --- the search for a shorter one


class Fake(run.Harness):
    """A harness whose rounds are not run; they fail if the guilty faults are in the schedule."""

    def __init__(self, guilty=()):
        super().__init__()
        self.guilty, self.executed, self.never, self.late = set(guilty), [], (), ()

    def execute(self, plan):
        self.executed.append(plan)
        failed = self.guilty <= {fault["i"] for fault in plan["faults"]}
        result = {"problems": ["lost"] if failed else [], "faults": {}, "counts": {}}
        return result, tempfile.mkdtemp(dir=self.folder)

    def run_round(self, engine, number, required=()):
        """Injects every required fault but those in never, and those in late not in the usual
        rounds."""
        names = required or schedule.dealt(engine, self.seed, number)
        is_usual = number <= run.SHAPES[engine]["rounds"]
        self.executed.append(number)
        faults = {name: 20 for name in names
                  if name not in self.never and not (is_usual and name in self.late)}
        return {"faults": []}, {"problems": [], "faults": faults, "counts": {}}

    def run_all(self, engine, never=(), late=()):
        """(failed tests, rounds)"""
        self.never, self.late = never, late
        with contextlib.redirect_stdout(io.StringIO()):
            self.run_engine(engine)
        shutil.rmtree(self.folder)
        return self.failed, len(self.executed)

    def find(self, engine, seconds):
        """The numbers of the faults found, and the output."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            faults = self.shrink(self.plan(engine, 1), seconds)
        shutil.rmtree(self.folder)
        return {fault["i"] for fault in faults}, out.getvalue()


def test_shrinking():
    out = ""
    for engine, guilty in [("local", {3, 17}), ("local", {20}), ("kafka", {0, 31, 67}),
                           ("local", set())]:
        harness = Fake(guilty)
        found, out = harness.find(engine, 30)
        total = run.SHAPES[engine]["faults"]
        ok(found == guilty,
           f"{engine}: {len(guilty)} guilty of {total} found in {len(harness.executed)} attempts")
    ok("FAULTS_ONLY=none" in out, "a round that fails without any fault is reported as such")
    found, out = Fake({3, 17}).find("local", 0)
    ok(len(found) == run.SHAPES["local"]["faults"] and "FAULTS_SHRINK=" in out,
       "without time to search, the whole schedule is printed, and how to get more time")


ONE_REQUIRED = {"local": "point alert sqlite-fsync-after", "kafka": "stall offsets-after"}


def test_required(engine):
    usual, name = run.SHAPES[engine]["rounds"], ONE_REQUIRED[engine]
    ok(Fake().run_all(engine) == (0, usual),
       f"{engine}: no extra round if every required fault was injected")
    ok(Fake().run_all(engine, late=[name]) == (0, usual + 1),
       f"{engine}: an extra round for one that was not")
    harness = Fake()
    plan = harness.plan(engine, usual + 1, [name] * 2)
    shutil.rmtree(harness.folder)
    ok([required_name(fault) for fault in plan["faults"]] == [name] * 2
       and plan["seconds"] < run.SHAPES[engine]["seconds"],
       f"{engine}: an extra round is short and has only the required faults")
    ok(Fake().run_all(engine, never=[name]) == (1, usual + run.SHAPES[engine]["extra"]),
       f"{engine}: a run fails if a required fault is never injected")


def names_of(execution):
    """The names of topics, groups and index of one execution of a round."""
    place = {"kafka": 1, "es": 2, "proxy": 3, "folder": "/", "extra": ""}
    real = Real({"seed": "7-kafka-1", "execution": execution, "servers": place})
    proxy = collections.namedtuple("Proxy", "port")
    env = real.env({"kafka": proxy(1), "es": proxy(2)})
    groups = (value for name, value in env.items() if name.endswith("_GROUP"))
    return {*real.topics.values(), real.index, *groups}


def test_exception():
    harness = Fake()
    harness.run_engine = lambda engine: 1 / 0
    with contextlib.redirect_stdout(io.StringIO()) as out:
        harness.guarded("local")
    shutil.rmtree(harness.folder)
    ok(harness.failed == 1 and "ZeroDivisionError" in out.getvalue(),
       "an exception in an engine's thread is reported as a failure")


test_shrinking()
for engine_name in run.SHAPES:
    test_required(engine_name)
ok(len(names_of("1")) == 7 and not names_of("1") & names_of("2"),
   "Kafka: no execution of a round uses topics, groups or documents of another")
test_exception()


# --- how a daemon may end


def end(code, *signals, lines=("stopped",), faults=None, hits=0, outage=False, shutdown_s=None):
    return {"code": code, "signals": list(signals), "lines": list(lines), "faults": faults or {},
            "hits": hits, "outage": outage, "shutdown_s": shutdown_s}


POINT, MALLOC = {"FAULTS_POINT": "commit-before:1"}, {"FAULTS_MALLOC": "1/50:1"}
IO = {"FAULTS_IO": "EIO:*:bus.db:1"}
NO_MEMORY, LEAVING = ["it runs", "distlog: out of memory"], ["giving up: no answer", "stopped"]
DISK_ERROR, DAMAGED = ["bus.db: disk I/O error"], ["bus.db: the file is damaged"]
for is_fine, an_end, description in [
    (True, end(0, "SIGTERM", shutdown_s=3), "exit code 0 after SIGTERM"),
    (False, end(0), "exit code 0 without SIGTERM"),
    (False, end(0, "SIGTERM", shutdown_s=30), "exit code 0 long after SIGTERM"),
    (True, end(-9, "SIGKILL"), "killed by the harness"),
    (True, end(-9, faults=POINT), "killed at an armed point"),
    (False, end(-9), "killed, but not by the harness"),
    (False, end(-11, faults=MALLOC, hits=1), "a crash"),
    (True, end(-15, "SIGTERM", lines=[]), "SIGTERM before there was a handler"),
    (False, end(-15, "SIGTERM"), "SIGTERM killed it although it had started"),
    (True, end(143, "SIGTERM", "SIGTERM"), "a second SIGTERM"),
    (False, end(143, "SIGTERM"), "the exit code of a second SIGTERM after the first"),
    (False, end(1), "exit code 1 without a cause"),
    (False, end(1, outage=True), "exit code 1 in an outage, without SIGTERM"),
    (True, end(1, "SIGTERM", outage=True), "exit code 1 in an outage, after SIGTERM"),
    (True, end(1, "SIGTERM", lines=LEAVING), "exit code 1 after SIGTERM, without an answer"),
    (False, end(1, lines=LEAVING), "exit code 1 without an answer, without SIGTERM"),
    (True, end(1, "SIGSTOP", "SIGCONT", "SIGTERM"), "fenced after a pause"),
    (True, end(1, "stall", "SIGTERM"), "fenced in the middle of a transaction"),
    (True, end(1, "sleep", "SIGTERM"), "fenced because the machine slept"),
    (False, end(1, "SIGTERM"), "exit code 1 after SIGTERM without a cause"),
    (False, end(1, lines=[], outage=True), "exit code 1 without a message"),
    (True, end(1, faults=IO, hits=1, lines=DISK_ERROR), "a disk error that was injected"),
    (False, end(1, faults=IO, lines=DISK_ERROR), "a disk error that was not injected"),
    (False, end(1, faults=IO, hits=1, lines=DAMAGED), "an injected disk error, misreported"),
    (True, end(1, faults=MALLOC, hits=1, lines=NO_MEMORY), "out of memory"),
    (False, end(1, faults=MALLOC, hits=1, lines=[*NO_MEMORY, "stopped"]),
     "out of memory, and another message after it"),
    (False, end(1, faults=MALLOC, hits=1, lines=[*NO_MEMORY, NO_MEMORY[1]]),
     "out of memory, reported twice"),
    (False, end(1, lines=NO_MEMORY), "out of memory although no allocation failed"),
    (False, end(1, faults=MALLOC, hits=1), "a failed allocation that is not reported"),
    (False, end(139), "an unknown exit code"),
]:
    ok((judge(an_end) is None) == is_fine, f"{'fine' if is_fine else 'a problem'}: {description}")


# --- the proxy: connections


def connect(proxy, server):
    """Both ends of a connection, and the first byte from the client."""
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    accepted, _ = server.accept()
    accepted.settimeout(10)
    client.sendall(b"x")
    return client, accepted, accepted.recv(1)


def is_reset(call):
    try:
        return not call()
    except ConnectionError:
        return True


def is_held(client, accepted):
    """Whether a byte that the client sends does not arrive, for a while."""
    client.sendall(b"h")
    accepted.settimeout(0.2)
    try:
        return not accepted.recv(1)
    except socket.timeout:
        return True
    finally:
        accepted.settimeout(10)


def test_proxy(server, proxy):
    client, accepted, first = connect(proxy, server)
    proxy.half_close("server")
    ended = accepted.recv(1)
    accepted.sendall(b"y")
    ok((first, ended, client.recv(1)) == (b"x", b"", b"y"),
       "half_close server: the server reads the end, and the client still receives")
    client, accepted, _ = connect(proxy, server)
    proxy.half_close("client")
    ended = client.recv(1)
    client.sendall(b"y")
    ok((ended, accepted.recv(1)) == (b"", b"y"),
       "half_close client: the client reads the end, and the server still receives")
    client, accepted, _ = connect(proxy, server)
    proxy.hold()
    held = is_held(client, accepted)
    proxy.heal()
    ok(held and accepted.recv(1) == b"h", "hold: nothing is passed on until heal")
    proxy.cut()
    ok(is_reset(lambda: client.recv(1)) and connect(proxy, server)[2] == b"x",
       "cut: open connections are reset, and new ones are served")
    proxy.refuse()
    refused = is_reset(lambda: socket.create_connection(("127.0.0.1", proxy.port), timeout=10))
    proxy.heal()
    ok(refused and connect(proxy, server)[2] == b"x", "refuse: no connection until heal")


with socket.create_server(("127.0.0.1", 0)) as listener, \
        Proxy(f"127.0.0.1:{listener.getsockname()[1]}") as tcp_proxy:
    test_proxy(listener, tcp_proxy)


# --- the proxy: requests


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the path; notes each request that it has seen."""
    protocol_version = "HTTP/1.1"
    seen = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_):
        pass


class RuleTester:
    """A proxy to Echo; asks by it with one rule after another."""

    def __init__(self, proxy):
        self.proxy = proxy

    def ask(self, rule, path="/_bulk", body=b""):
        """(status or None, body, the paths that the server has seen)"""
        with open(self.proxy.rule_path, "w", encoding="ascii") as file:
            file.write(rule)
        Echo.seen.clear()
        client = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=10)
        try:
            client.request("POST", path, gzip.compress(body), {"Content-Encoding": "gzip"})
            answer = client.getresponse()
            return answer.status, answer.read(), list(Echo.seen)
        except http.client.IncompleteRead as error:
            return answer.status, error.partial, list(Echo.seen)
        except (OSError, http.client.HTTPException):
            return None, b"", list(Echo.seen)
        finally:
            client.close()


def test_rules(proxy):
    ask = RuleTester(proxy).ask
    answered = (200, b"/_bulk", ["/_bulk"])
    ok(ask("") == answered, "no rule: a request passes")
    ok(ask("503 before", "/other") == (200, b"/other", ["/other"]), "a rule is for bulk requests")
    ok(ask("503 before")[::2] == (503, []), "503 before: the server does not see the request")
    ok(ask("503 after")[::2] == (503, ["/_bulk"]), "503 after: the server sees it")
    ok(ask("cut before") == (None, b"", []), "cut before: the same without an answer")
    ok(ask("cut after") == (None, b"", ["/_bulk"]), "cut after: no answer, but the server sees it")
    ok(ask("cut midway") == (200, b"/_b", ["/_bulk"]), "cut midway: half of the answer")
    ok(ask("hold before") == answered, "hold before: the request passes in the end")
    ok(ask("limit 10", body=b"x" * 10) == answered, "limit: a body of that size passes")
    ok(ask("limit 10", body=b"x" * 11)[::2] == (413, []), "limit: a larger one does not")
    path = "/logs/_delete_by_query?a=b"
    throttled = [path + "&requests_per_second=40"]
    ok(ask("slow 40", path)[2] == throttled, "slow: deletions are throttled")
    ok(ask("slow 40") == answered, "slow: bulk requests pass")
    lines = proxy.log.getvalue().splitlines()
    ok([line.split()[8:10] for line in lines[2:4]] == [["503-before", "503"], ["503-after", "503"]]
       and all(len(line.split()) == 11 for line in lines), "each request is a line of the log")


echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=echo.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as scratch, \
        HttpProxy(f"http://127.0.0.1:{echo.server_port}", io.StringIO(), scratch + "/rule") as web:
    test_rules(web)

print(f"1..{tests}")
sys.exit(1 if failures else 0)
