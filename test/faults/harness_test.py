#!/usr/bin/env python3
"""harness_test: what the fault harness works out by itself, without a daemon: the schedule, the search for a
shorter one, the judgement of an end, the proxy. TAP on standard output.
SPDX-License-Identifier: Apache-2.0"""
import collections
import contextlib
import io
import os
import shutil
import socket
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run  # noqa: E402
import schedule  # noqa: E402
from judge import judge  # noqa: E402
from proxy import Proxy  # noqa: E402
from real import Real  # noqa: E402

tests = failures = 0


def ok(well, text):
    global tests, failures
    tests, failures = tests + 1, failures + (not well)
    print("" if well else "not ", f"ok {tests} - {text}", sep="")


# --- the schedule


def schedules(engine, seed):
    shape = run.SHAPES[engine]
    return [schedule.make(engine, seed, number, shape["faults"], shape["seconds"])
            for number in range(1, shape["rounds"] + 1)]


def card(fault):
    name = fault.get("point", "").split(":")[0]
    return {"point": f"point {fault.get('target')} {name}", "stall": f"stall {name}",
            "server": f"{fault.get('target')} {fault.get('signal', '')[3:].lower()}"}.get(fault["kind"])


for engine in run.SHAPES:
    all_there, as_many, early = True, True, True
    for seed in range(50):
        rounds = schedules(engine, str(seed))
        dealt = collections.Counter(card(fault) for faults in rounds for fault in faults)
        all_there &= all(dealt[name] == (2 if engine == "local" else 1) for name in schedule.musts(engine))
        as_many &= all(len(faults) == run.SHAPES[engine]["faults"] for faults in rounds)
        early &= all(not card(fault) for faults in rounds for fault in faults[-4:])
    ok(all_there, f"{engine}: a run has each named point, each stall and each server's each signal")
    ok(as_many and early, f"{engine}: as many faults as asked for, and none of these among the last")
    ok(schedules(engine, "7") == schedules(engine, "7") != schedules(engine, "8"), f"{engine}: a seed is a schedule")


# --- the search for a shorter one


class Fake(run.Harness):
    """Whose rounds fail where the guilty are in the schedule."""

    def __init__(self, guilty, seconds=0.0):
        super().__init__()
        self.guilty, self.plays, self.seconds = set(guilty), [], seconds

    def play(self, plan):
        self.plays.append(plan)
        failed = self.guilty <= {fault["i"] for fault in plan["faults"]}
        return {"problems": ["lost"] if failed else [], "faults": {}, "counts": {}}, tempfile.mkdtemp(dir=self.folder)

    def one(self, engine, number, must=()):
        """Each of its musts happens, but for those that never do, and those that did not in the first rounds."""
        names = must or schedule.dealt(engine, self.seed, number)
        late = number <= run.SHAPES[engine]["rounds"]
        self.plays.append(number)
        faults = {name: 20 for name in names if name not in self.never and not (late and name in self.late)}
        return {"faults": []}, {"problems": [], "faults": faults, "counts": {}}

    def all_of(self, engine, never=(), late=()):
        self.never, self.late = never, late
        with contextlib.redirect_stdout(io.StringIO()):
            self.engine(engine)
        shutil.rmtree(self.folder)
        return self.failed, len(self.plays)

    def found(self, engine, seconds):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            faults = self.shrink(self.plan(engine, 1), seconds)
        shutil.rmtree(self.folder)
        return {fault["i"] for fault in faults}, said.getvalue()


for engine, guilty in [("local", {3, 17}), ("local", {20}), ("kafka", {0, 31, 67}), ("local", set())]:
    harness = Fake(guilty)
    found, said = harness.found(engine, 30)
    ok(found == guilty, f"{engine}: {len(guilty)} of {run.SHAPES[engine]['faults']} are found in {len(harness.plays)} trials")
ok("FAULTS_ONLY=none" in said, "that none is needed is said")
found, said = Fake({3, 17}).found("local", 0)
ok(len(found) == run.SHAPES["local"]["faults"] and "FAULTS_SHRINK=" in said, "no time to look: all, and what to set is said")


one_of = {"local": "point alert sqlite-fsync-after", "kafka": "stall offsets-after"}
for engine, shape in run.SHAPES.items():
    usual = shape["rounds"]
    ok(Fake(()).all_of(engine) == (0, usual), f"{engine}: all that must happen has happened")
    ok(Fake(()).all_of(engine, late=[one_of[engine]]) == (0, usual + 1), f"{engine}: or happens in one round more")
    must = [one_of[engine]] * 2
    harness = Fake(())
    plan = harness.plan(engine, usual + 1, must)
    shutil.rmtree(harness.folder)
    ok([card(fault) for fault in plan["faults"]] == must and plan["seconds"] < shape["seconds"], f"{engine}: a short one")
    ok(Fake(()).all_of(engine, never=[one_of[engine]]) == (1, usual + shape["more"]), f"{engine}: or the run has failed")


def names(play):
    place = {"kafka": 1, "es": 2, "proxy": 3, "folder": "/", "extra": ""}
    real = Real({"seed": "7-kafka-1", "play": play, "servers": place})
    env = real.env({"kafka": place_of(1), "es": place_of(2)})
    return {*real.topics.values(), real.index, *(value for name, value in env.items() if name.endswith("_GROUP"))}


def place_of(port):
    return type("Place", (), {"port": port})


ok(len(names("1")) == 7 and not names("1") & names("2"), "Kafka: no trial finds topics, groups or documents of another")
harness = Fake(set())
harness.engine = lambda engine: 1 / 0
with contextlib.redirect_stdout(io.StringIO()) as out:
    harness.guarded("local")
shutil.rmtree(harness.folder)
ok(harness.failed == 1 and "ZeroDivisionError" in out.getvalue(), "an exception in an engine's thread is a failure, and said")


# --- how a daemon may end


def end(code, *by, said=("stopped",), faults=None, hits=0, trouble=False, leaving_s=None):
    return {"code": code, "by": list(by), "lines": list(said), "said": " | ".join(said), "faults": faults or {}, "hits": hits, "trouble": trouble,
            "leaving_s": leaving_s}


POINT, IO, MALLOC = {"FAULTS_POINT": "commit-before:1"}, {"FAULTS_IO": "EIO:*:bus.db:1"}, {"FAULTS_MALLOC": "1/50:1"}
DEAD, LEAVING = ["it runs", "distlog: out of memory"], ["leaving: no answer", "stopped"]
for well, what, text in [
    (True, end(0, "SIGTERM", leaving_s=3), "told to leave"),
    (False, end(0), "left by itself"),
    (False, end(0, "SIGTERM", leaving_s=30), "told to leave, and in no hurry"),
    (True, end(-9, "SIGKILL"), "killed"),
    (True, end(-9, faults=POINT), "killed at a point"),
    (False, end(-9), "killed by nobody"),
    (False, end(-11, faults=MALLOC, hits=1), "a crash"),
    (False, end(1), "exit code 1 for nothing"),
    (False, end(1, trouble=True), "exit code 1 in trouble, and not told to leave"),
    (True, end(1, "SIGTERM", trouble=True), "told to leave in trouble"),
    (True, end(1, "SIGTERM", said=LEAVING), "told to leave, and without an answer"),
    (False, end(1, said=LEAVING), "leaving without having been told to"),
    (True, end(1, "SIGSTOP", "SIGCONT", "SIGTERM"), "overtaken while it was paused"),
    (True, end(1, "stall", "SIGTERM"), "overtaken in mid-turn"),
    (True, end(1, "sleep", "SIGTERM"), "overtaken because the machine slept"),
    (False, end(1, "SIGTERM"), "told to leave, and exit code 1 for nothing"),
    (False, end(1, said=[], trouble=True), "exit code 1 without a word"),
    (True, end(1, faults=IO, hits=1, said=["bus.db: disk I/O error"]), "its disk failed"),
    (False, end(1, faults=IO, said=["bus.db: disk I/O error"]), "its disk did not fail"),
    (False, end(1, faults=IO, hits=1, said=["bus.db: the file is damaged"]), "its disk failed, and it says another thing"),
    (True, end(1, faults=MALLOC, hits=1, said=DEAD), "out of memory"),
    (False, end(1, faults=MALLOC, hits=1, said=[*DEAD, "stopped"]), "out of memory, and something behind it"),
    (False, end(1, faults=MALLOC, hits=1, said=[*DEAD, DEAD[1]]), "out of memory twice"),
    (False, end(1, said=DEAD), "out of memory when there was some"),
    (False, end(1, faults=MALLOC, hits=1), "no memory, and it does not say so"),
    (False, end(139), "an unknown exit code"),
]:
    ok((judge(what) is None) == well, f"{'fine' if well else 'a problem'}: {text}")


# --- the proxy


def pair(proxy, server):
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    other, _ = server.accept()
    other.settimeout(10)
    client.sendall(b"x")
    return client, other, other.recv(1)


with socket.create_server(("127.0.0.1", 0)) as server, Proxy(f"127.0.0.1:{server.getsockname()[1]}") as proxy:
    client, other, got = pair(proxy, server)
    proxy.half_close("server")
    ended = other.recv(1)
    other.sendall(b"y")
    ok((got, ended, client.recv(1)) == (b"x", b"", b"y"), "half_close server: it reads the end, and its client still reads")
    client, other, _ = pair(proxy, server)
    proxy.half_close("client")
    ended = client.recv(1)
    client.sendall(b"y")
    ok((ended, other.recv(1)) == (b"", b"y"), "half_close client: the other way round")

print(f"1..{tests}")
sys.exit(1 if failures else 0)
