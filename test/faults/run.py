#!/usr/bin/env python3
"""run: the fault harness, `make check-faults`. Runs rounds of load and faults on the embedded
engines and on a real Kafka and Elasticsearch, each judged by the oracle. Prints TAP, then a line as
test/run does. From the environment:

    DISTLOG=…             the program under test; BUILD=… its build folder, with interpose.so
    FAULTS_ON="local"     the engines
    FAULTS_SEED=N         repeats a run: the same load and the same schedule
    FAULTS_ROUNDS=N       more or fewer rounds on each engine
    FAULTS_ROUND=N        only that round
    FAULTS_REQUIRED="a,b" that round with these faults, which the rounds before it did not inject
    FAULTS_ONLY=3,17,20   only these faults of it, by their number in its schedule; "none": none
    FAULTS_SHRINK=N       seconds to spend on finding the shortest failing schedule (on Kafka each
                          attempt takes minutes; one that has begun is finished); 0: none
    FAULTS_KEEP=FOLDER    where the dumps of failing rounds are kept (default: BUILD/faults)

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
# For each engine: rounds; faults per round; seconds of load, and to drain; rounds at a time; the
# faults that a run of so many rounds has to inject; extra short rounds for required faults that
# were not injected; seconds for shrinking.
SHAPES = {
    "local": dict(rounds=8, faults=28, seconds=55, drain_s=120, at_a_time=2, enough=180, extra=2,
                  shrink_s=240),
    "kafka": dict(rounds=2, faults=68, seconds=170, drain_s=240, at_a_time=1, enough=90, extra=2,
                  shrink_s=1800)}
COUNTS = ["accepted", "input", "repeated", "processed", "alerts", "documents", "lost", "duplicated"]
TAIL_S = 6  # of load after the last fault of a shortened schedule
REQUIRED_S = 15  # of load for each fault of an extra round
SHOWN = 12  # problems of a round
ERROR_LINES = 6  # of a round that crashed


def setting(name, default):
    return os.environ.get(name) or default


class Harness:
    def __init__(self):
        self.seed = setting("FAULTS_SEED", str(random.SystemRandom().randint(1, 999_999)))
        self.only = os.environ.get("FAULTS_ONLY")
        self.round = int(setting("FAULTS_ROUND", "0"))
        self.required = [name for name in setting("FAULTS_REQUIRED", "").split(",") if name]
        self.rounds = int(setting("FAULTS_ROUNDS", "0"))
        self.build = os.path.abspath(setting("BUILD", "build/release"))
        self.distlog = os.path.abspath(setting("DISTLOG", self.build + "/distlog"))
        self.keep = os.path.abspath(setting("FAULTS_KEEP", self.build + "/faults"))
        self.shrink_s = os.environ.get("FAULTS_SHRINK")
        self.mounts = "FAULTS_MOUNTS" in os.environ
        self.folder = tempfile.mkdtemp(prefix="distlog-faults.")
        self.lock, self.serial, self.running = threading.Lock(), 0, set()
        self.passed, self.failed, self.skipped, self.place = 0, 0, 0, None

    # --- TAP

    def ok(self, passed, text, notes=()):
        with self.lock:
            self.passed, self.failed = self.passed + passed, self.failed + (not passed)
            print("" if passed else "not ", f"ok {self.tests()} - {text}", sep="")
            for note in notes:
                print("# " + note)
            sys.stdout.flush()

    def skip(self, text, why):
        with self.lock:
            self.skipped += 1
            print(f"ok {self.tests()} - {text} # SKIP {why}", flush=True)

    def tests(self):
        return self.passed + self.failed + self.skipped

    # --- one round

    def plan(self, engine, number, required=()):
        """required: the faults of an extra round, by their names."""
        shape = SHAPES[engine]
        count, seconds, faults_s = shape["faults"], shape["seconds"], shape["seconds"]
        if required:
            count, seconds = len(required), min(seconds, (1 + len(required)) * REQUIRED_S)
            faults_s = seconds - REQUIRED_S
        small_disk = self.mounts and engine == "local" and number % 2 == 0
        without = () if small_disk else ("full",)
        faults = schedule.make(engine, self.seed, number, count, faults_s, without, required)
        if self.only:
            numbers = [] if self.only == "none" else [int(i) for i in self.only.split(",")]
            faults = [fault for fault in faults if fault["i"] in numbers]
        return {"engine": engine, "number": number, "seed": f"{self.seed}-{engine}-{number}",
                "seconds": seconds, "required": required, "drain_s": shape["drain_s"],
                "distlog": self.distlog, "faults": faults, "small_disk": small_disk,
                "servers": self.place, "interposer": f"{self.build}/test/faults/interpose.so"}

    def execute(self, plan):
        """Runs a round in a process of its own; returns its result, and the folder of its dump."""
        with self.lock:
            self.serial += 1
            folder = f"{self.folder}/{self.serial}"
        os.makedirs(folder)
        with open(folder + "/plan.json", "w", encoding="utf-8") as file:
            json.dump({**plan, "folder": folder, "execution": os.path.basename(folder)}, file)
        with open(folder + "/stderr", "wb") as errors:
            process = subprocess.Popen(
                [sys.executable, f"{HERE}/round.py", folder + "/plan.json"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
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
            problems = crash_report(folder + "/stderr")
            return {"problems": problems, "faults": {}, "counts": {}}, folder

    def run_round(self, engine, number, required=()):
        """A round and its TAP line; returns its plan and its result."""
        plan = self.plan(engine, number, required)
        began = time.monotonic()
        result, folder = self.execute(plan)
        seconds = time.monotonic() - began
        kinds = counted(result["faults"]) or "no fault"
        notes = [f"{kinds}; {shown_counts(result['counts'])}; {seconds:.0f} s"]
        problems = result["problems"]
        if problems:
            kept = self.keep_dump(plan, folder)
            notes += problems[:SHOWN]
            if len(problems) > SHOWN:
                notes.append(f"… and {len(problems) - SHOWN} more")
            notes += [f"dump: {kept}", "repeat: " + self.command(plan, plan["faults"])]
        shutil.rmtree(folder, ignore_errors=True)
        total = sum(result["faults"].values())
        self.ok(not problems, f"{engine} round {number}: {total} faults", notes)
        return plan, result

    def keep_dump(self, plan, folder):
        kept = f"{self.keep}/{plan['seed']}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        if plan["engine"] == "kafka":
            for log in glob.glob(f"{self.folder}/servers/*/*.log"):
                shutil.copy(log, kept)
        return kept

    def command(self, plan, faults):
        """What repeats a round with these faults."""
        engine, required = plan["engine"], plan["required"]
        words = [f"make check-faults FAULTS_ON={engine} FAULTS_SEED={self.seed}",
                 f"FAULTS_ROUND={plan['number']}"]
        if required:
            words.append(f"FAULTS_REQUIRED='{','.join(required)}'")
        if len(faults) < (len(required) or SHAPES[engine]["faults"]):
            only = ",".join(str(fault["i"]) for fault in faults) or "none"
            words.append(f"FAULTS_ONLY={only}")
        return " ".join(words)

    # --- all rounds of an engine

    def run_engine(self, engine):
        shape = SHAPES[engine]
        numbers = range(1, (self.rounds or shape["rounds"]) + 1)
        if self.round:
            numbers = [self.round]
        with concurrent.futures.ThreadPoolExecutor(shape["at_a_time"]) as pool:
            rounds = list(pool.map(lambda n: self.run_round(engine, n, self.required), numbers))
        is_whole = len(numbers) >= shape["rounds"] and not self.only and not self.required
        if is_whole:
            for extra in range(shape["extra"]):
                missing = self.missing(engine, rounds)
                if missing:
                    number = len(numbers) + 1 + extra
                    rounds.append(self.run_round(engine, number, missing))
        self.report(engine, rounds, is_whole)
        if engine == "local" and not self.mounts:
            self.skip("local: a full disk", "this machine allows no mounts")
        failing = [plan for plan, result in rounds if result["problems"]]
        seconds = float(self.shrink_s or shape["shrink_s"])
        if failing and seconds > 0:
            self.shrink(min(failing, key=lambda plan: len(plan["faults"])), seconds)

    def report(self, engine, rounds, is_whole):
        """The TAP line of an engine: whether there were enough faults."""
        kinds, counts = collections.Counter(), collections.Counter()
        for _, result in rounds:
            kinds.update(result["faults"])
            counts.update(result["counts"])
        missing = self.missing(engine, rounds) if is_whole else []
        enough = SHAPES[engine]["enough"] if is_whole else 0
        notes = [counted(kinds), shown_counts(counts)]
        notes += ["never injected: " + name for name in missing]
        self.ok(sum(kinds.values()) >= enough and not missing,
                f"{engine}: {sum(kinds.values())} faults in {len(rounds)} rounds", notes)

    @staticmethod
    def missing(engine, rounds):
        """The required faults that these rounds did not inject."""
        return [name for name in schedule.required(engine)
                if not any(result["faults"].get(name) for _, result in rounds)]

    def guarded(self, engine):
        """Reports an exception in an engine's thread, which would go unnoticed."""
        try:
            self.run_engine(engine)
        except Exception:  # pylint: disable=broad-except
            lines = traceback.format_exc().splitlines()
            self.ok(False, f"{engine}: the harness crashed", lines)

    # --- the shortest failing schedule

    def shrink(self, plan, seconds):
        """Delta debugging: omits ever smaller parts of the schedule as long as the rest fails."""
        end = time.monotonic() + seconds
        faults = [] if self.fails(plan, []) else self.reduce(plan, end)
        with self.lock:
            print(f"# the shortest failing schedule found ({len(faults)} of"
                  f" {len(plan['faults'])} faults):")
            for fault in faults:
                print("#   " + json.dumps(fault))
            if time.monotonic() >= end:
                print(f"# {seconds:.0f} s were not enough to try everything: continue with"
                      f" FAULTS_SHRINK={4 * seconds:.0f}")
            print("# repeat: " + self.command(plan, faults), flush=True)
        return faults

    def reduce(self, plan, end):
        faults, parts = plan["faults"], 2
        while len(faults) > 1 and parts <= len(faults) and time.monotonic() < end:
            size = -(-len(faults) // parts)
            chunks = [faults[i:i + size] for i in range(0, len(faults), size)]
            complements = []
            if parts > 2:
                complements = [[f for f in faults if f not in chunk] for chunk in chunks]
            smaller = self.first_failing(plan, chunks + complements, end)
            if smaller is None:
                parts *= 2
            else:
                faults, parts = smaller, max(2, min(parts - 1, len(smaller)))
        return faults

    def fails(self, plan, faults):
        seconds = max([fault["t"] for fault in faults], default=10) + TAIL_S
        shorter = {**plan, "faults": faults, "seconds": min(plan["seconds"], seconds)}
        result, folder = self.execute(shorter)
        shutil.rmtree(folder, ignore_errors=True)
        return bool(result["problems"])

    def first_failing(self, plan, candidates, end):
        at_a_time = SHAPES[plan["engine"]]["at_a_time"]
        with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
            for i in range(0, len(candidates), at_a_time):
                if time.monotonic() >= end:
                    return None
                some = candidates[i:i + at_a_time]
                failed = pool.map(lambda faults: self.fails(plan, faults), some)
                for faults, has_failed in zip(some, failed):
                    if has_failed:
                        return faults
        return None

    # --- the run

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
        print(f"1..{self.tests()}")
        if self.failed:
            print(f"# FAULTS_SEED={self.seed}")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0

    def start_servers(self):
        self.place = make_place(self.folder + "/servers", free_port)
        os.chmod(self.folder, 0o755)
        for name in ("kafka", "es"):
            server = Server(name, self.place["folder"], {"KAFKA_EXTRA": self.place["extra"]})
            if server.script("start").wait() != 0:
                sys.exit(f"{name} did not start")

    def close(self):
        for process in list(self.running):
            process.terminate()
        for process in list(self.running):
            process.wait()
        for name in ("kafka", "es") if self.place else ():
            Server(name, self.place["folder"], {}).script("wipe").wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def counted(kinds):
    return ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))


def shown_counts(counts):
    return ", ".join(f"{name} {counts[name]}" for name in COUNTS if name in counts)


def crash_report(path):
    """The problems of a round that ended without a result."""
    with open(path, encoding="utf-8", errors="replace") as errors:
        lines = errors.read().splitlines()[-ERROR_LINES:]
    return ["the round crashed: " + line for line in lines] or ["the round did not end in time"]


def own_namespace():
    """Restarts this program where it may mount a small disk, if the machine allows it."""
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
