#!/usr/bin/env python3
"""run: the fault harness, `make check-faults`. Rounds of load and faults on the embedded engines and on
real Kafka + Elasticsearch, each judged by the oracle; TAP, then a line as test/run ends with. From the
environment:

    DISTLOG=…             the program under test; BUILD=… its build folder, where interpose.so is
    FAULTS_ON="local"     the engines
    FAULTS_SEED=N         repeats a run: the same load and the same schedule
    FAULTS_ROUNDS=N       more or fewer rounds on each engine
    FAULTS_ROUND=N        only that one
    FAULTS_MUST="a,b"     that round, with these faults: what an earlier one should have brought
    FAULTS_ONLY=3,17,20   only those faults of it (their numbers in its schedule; "none": none)
    FAULTS_SHRINK=N       seconds that looking for the shortest failing schedule may take (a trial on Kafka
                          takes minutes; what is under way is ended); 0: don't
    FAULTS_KEEP=FOLDER    where what was written down of failing rounds is kept (default: BUILD/faults)

SPDX-License-Identifier: Apache-2.0"""
import collections
import concurrent.futures
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import schedule
from real import Server, make_place
from world import free_port

HERE = os.path.dirname(os.path.abspath(__file__))
# Of each engine: rounds, faults a round, seconds of load, seconds to drain, rounds at a time, the faults that
# a run as long as this has to bring, how many short rounds more there may be for what has to happen and did
# not, and the seconds for shrinking.
SHAPES = {"local": dict(rounds=8, faults=28, seconds=55, drain_s=120, at_a_time=2, enough=180, more=2, shrink_s=240),
          "kafka": dict(rounds=2, faults=68, seconds=170, drain_s=240, at_a_time=1, enough=90, more=2, shrink_s=1800)}
COUNTS = ["accepted", "input", "repeated", "processed", "alerts", "documents", "lost", "doubled"]
TAIL_S = 6  # of load after the last fault of a shortened schedule
EACH_S = 15  # of load for each fault of a round of musts
SHOWN = 12  # problems of a round


def setting(name, default):
    return os.environ.get(name) or default


class Harness:
    def __init__(self):
        self.seed = setting("FAULTS_SEED", str(random.SystemRandom().randint(1, 999_999)))
        self.only = os.environ.get("FAULTS_ONLY")
        self.round = int(setting("FAULTS_ROUND", "0"))
        self.must = [name for name in setting("FAULTS_MUST", "").split(",") if name]
        self.rounds = int(setting("FAULTS_ROUNDS", "0"))
        self.build = os.path.abspath(setting("BUILD", "build/release"))
        self.distlog = os.path.abspath(setting("DISTLOG", self.build + "/distlog"))
        self.keep = os.path.abspath(setting("FAULTS_KEEP", self.build + "/faults"))
        self.shrink_s = os.environ.get("FAULTS_SHRINK")
        self.mounts = "FAULTS_MOUNTS" in os.environ
        self.folder = tempfile.mkdtemp(prefix="distlog-faults.")
        self.lock, self.serial, self.running = threading.Lock(), 0, set()
        self.passed, self.failed, self.skipped, self.place = 0, 0, 0, None

    # --- what is said

    def ok(self, well, text, notes=()):
        with self.lock:
            self.passed, self.failed = self.passed + well, self.failed + (not well)
            print("" if well else "not ", f"ok {self.all()} - {text}", sep="")
            for note in notes:
                print("# " + note)
            sys.stdout.flush()

    def skip(self, text, why):
        with self.lock:
            self.skipped += 1
            print(f"ok {self.all()} - {text} # SKIP {why}", flush=True)

    def all(self):
        return self.passed + self.failed + self.skipped

    # --- one round

    def plan(self, engine, number, must=()):
        shape = SHAPES[engine]
        count, seconds = shape["faults"], shape["seconds"]
        if must:
            count, seconds = len(must), min(seconds, (1 + len(must)) * EACH_S)
        seed = f"{self.seed}-{engine}-{number}"
        small_disk = self.mounts and engine == "local" and number % 2 == 0
        faults = schedule.make(engine, self.seed, number, count, seconds - EACH_S if must else seconds,
                               () if small_disk else ("full",), must)
        if self.only:
            faults = pick(faults, [] if self.only == "none" else [int(i) for i in self.only.split(",")])
        return {"engine": engine, "number": number, "seed": seed, "seconds": seconds, "must": must,
                "drain_s": shape["drain_s"], "distlog": self.distlog, "faults": faults, "small_disk": small_disk, "servers": self.place,
                "interposer": f"{self.build}/test/faults/interpose.so"}

    def play(self, plan):
        """Runs a round in a process of its own; its result, and the folder with what it wrote down."""
        with self.lock:
            self.serial += 1
            folder = f"{self.folder}/{self.serial}"
        os.makedirs(folder)
        with open(folder + "/plan.json", "w", encoding="utf-8") as file:
            json.dump({**plan, "folder": folder, "play": os.path.basename(folder)}, file)
        with open(folder + "/said", "wb") as said:
            process = subprocess.Popen([sys.executable, f"{HERE}/round.py", folder + "/plan.json"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        with self.lock:
            self.running.add(process)
        try:
            out, _ = process.communicate(timeout=plan["seconds"] + plan["drain_s"] + 120)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        with self.lock:
            self.running.discard(process)
        try:
            return json.loads(out.decode()), folder
        except ValueError:
            with open(folder + "/said", encoding="utf-8", errors="replace") as said:
                return {"problems": ["the round broke off: " + line for line in said.read().splitlines()[-6:]]
                        or ["the round did not end"], "faults": {}, "counts": {}}, folder

    def one(self, engine, number, must=()):
        """A round and its TAP line. Its result."""
        plan = self.plan(engine, number, must)
        began = time.monotonic()
        result, folder = self.play(plan)
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(result["faults"].items()))
        counts = ", ".join(f"{name} {result['counts'][name]}" for name in COUNTS if name in result["counts"])
        notes = [f"{kinds or 'no fault'}; {counts}; {time.monotonic() - began:.0f} s"]
        if result["problems"]:
            kept = f"{self.keep}/{plan['seed']}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept)
            for log in glob.glob(f"{self.folder}/servers/*/*.log") if engine == "kafka" else ():
                shutil.copy(log, kept)
            notes += result["problems"][:SHOWN]
            notes += [f"… and {len(result['problems']) - SHOWN} more"] if len(result["problems"]) > SHOWN else []
            notes += [f"what was written down: {kept}", "again: " + self.command(plan, plan["faults"])]
        shutil.rmtree(folder, ignore_errors=True)
        self.ok(not result["problems"], f"{engine} round {number}: {sum(result['faults'].values())} faults", notes)
        return plan, result

    def command(self, plan, faults):
        must = plan["must"]
        only = ",".join(str(fault["i"]) for fault in faults) or "none"
        return (f"make check-faults FAULTS_ON={plan['engine']} FAULTS_SEED={self.seed} FAULTS_ROUND={plan['number']}"
                + (f" FAULTS_MUST='{','.join(must)}'" if must else "")
                + (f" FAULTS_ONLY={only}" if len(faults) < (len(must) or SHAPES[plan["engine"]]["faults"]) else ""))

    # --- all of them

    def engine(self, engine):
        shape = SHAPES[engine]
        rounds = [self.round] if self.round else range(1, (self.rounds or shape["rounds"]) + 1)
        with concurrent.futures.ThreadPoolExecutor(shape["at_a_time"]) as pool:
            played = list(pool.map(lambda number: self.one(engine, number, self.must), rounds))
        whole = len(rounds) >= shape["rounds"] and not self.only and not self.must
        for more in range(shape["more"] if whole else 0):
            missing = self.missing(engine, played)
            if missing:
                played.append(self.one(engine, len(rounds) + 1 + more, missing))
        kinds, counts = collections.Counter(), collections.Counter()
        for _, result in played:
            kinds.update(result["faults"])
            counts.update(result["counts"])
        notes = [", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())),
                 ", ".join(f"{name} {counts[name]}" for name in COUNTS if name in counts)]
        missing = self.missing(engine, played) if whole else []
        notes += ["never happened: " + name for name in missing]
        self.ok(sum(kinds.values()) >= (shape["enough"] if whole else 0) and not missing,
                f"{engine}: {sum(kinds.values())} faults in {len(played)} rounds", notes)
        if engine == "local" and not self.mounts:
            self.skip("local: a full disk", "nothing can be mounted here")
        failing = [plan for plan, result in played if result["problems"]]
        seconds = float(self.shrink_s or shape["shrink_s"])
        if failing and seconds > 0:
            self.shrink(min(failing, key=lambda plan: len(plan["faults"])), seconds)

    @staticmethod
    def missing(engine, played):
        """What a run must bring and these rounds did not."""
        return [name for name in schedule.musts(engine) if not any(result["faults"].get(name) for _, result in played)]

    def guarded(self, engine):
        """What happens in a thread is seen by nobody else."""
        try:
            self.engine(engine)
        except Exception:  # pylint: disable=broad-except
            self.ok(False, f"{engine}: the harness broke off", traceback.format_exc().splitlines())

    def shrink(self, plan, seconds):
        """Delta debugging: leaves out ever smaller parts of the schedule as long as the rest fails too."""
        end = time.monotonic() + seconds
        faults, parts = plan["faults"], 2
        if not self.fails(plan, []):
            while len(faults) > 1 and parts <= len(faults) and time.monotonic() < end:
                size = -(-len(faults) // parts)
                chunks = [faults[i:i + size] for i in range(0, len(faults), size)]
                smaller = self.first_failing(plan, chunks + [
                    [fault for fault in faults if fault not in chunk] for chunk in chunks if parts > 2], end)
                if smaller is None:
                    parts *= 2
                else:
                    faults, parts = smaller, max(2, min(parts - 1, len(smaller)))
        else:
            faults = []
        with self.lock:
            print(f"# the shortest schedule found that fails ({len(faults)} of {len(plan['faults'])} faults):")
            for fault in faults:
                print("#   " + json.dumps(fault))
            if time.monotonic() >= end:
                print(f"# {seconds:.0f} s were not enough to try all: FAULTS_SHRINK={4 * seconds:.0f} would go on")
            print("# again: " + self.command(plan, faults), flush=True)
        return faults

    def fails(self, plan, faults):
        seconds = max([fault["t"] for fault in faults], default=10) + TAIL_S
        result, folder = self.play({**plan, "faults": faults, "seconds": min(plan["seconds"], seconds)})
        shutil.rmtree(folder, ignore_errors=True)
        return bool(result["problems"])

    def first_failing(self, plan, candidates, end):
        at_a_time = SHAPES[plan["engine"]]["at_a_time"]
        with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
            for i in range(0, len(candidates), at_a_time):
                if time.monotonic() >= end:
                    return None
                some = candidates[i:i + at_a_time]
                for faults, failed in zip(some, pool.map(lambda faults: self.fails(plan, faults), some)):
                    if failed:
                        return faults
        return None

    def run(self):
        engines = setting("FAULTS_ON", " ".join(SHAPES)).split()
        print(f"# FAULTS_SEED={self.seed}", flush=True)
        if "kafka" in engines:
            self.start_servers()
        threads = [threading.Thread(target=self.guarded, args=(engine,)) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"1..{self.all()}")
        if self.failed:
            print(f"# FAULTS_SEED={self.seed}")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0

    def start_servers(self):
        self.place = make_place(self.folder + "/servers", free_port)
        os.chmod(self.folder, 0o755)
        for name in ("kafka", "es"):
            if Server(name, self.place["folder"], {"KAFKA_EXTRA": self.place["extra"]}).script("start").wait() != 0:
                sys.exit(f"{name} did not start")

    def close(self):
        for process in list(self.running):
            process.terminate()
        for process in list(self.running):
            process.wait()
        for name in ("kafka", "es") if self.place else ():
            Server(name, self.place["folder"], {}).script("wipe").wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def pick(faults, numbers):
    return [fault for fault in faults if fault["i"] in numbers]


def own_namespace():
    """Starts this program again where it may mount a small disk, if the machine lets it."""
    if "FAULTS_MOUNTS" in os.environ:
        return
    for options in ("-m", "-rm"):
        probe = ["unshare", options, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            os.environ["FAULTS_MOUNTS"] = "1"
            os.execvp("unshare", ["unshare", options, sys.executable, *sys.argv])


def main():
    own_namespace()
    harness = Harness()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (harness.close(), os._exit(1)))
    try:
        return harness.run()
    finally:
        harness.close()


if __name__ == "__main__":
    sys.exit(main())
