"""daemons: the processes under test: starts them, sends them signals, and restarts them whenever
they end. Owns them and their output files, NAME.LIFE.out and .err. All calls come from the thread
that created them, for a daemon dies with that thread. SPDX-License-Identifier: Apache-2.0"""
import collections
import os
import signal
import subprocess
import time

from messages import ACTIVE, STANDING_BY

RESTART_S = 0.05
LINES_KEPT = 40  # of the log, with each end


class Daemon:
    """One daemon through all its lives."""

    def __init__(self, name, argv, env, folder):
        self.name, self.argv, self.env, self.folder = name, argv, env, folder
        self.life, self.process, self.exits = -1, None, []
        self.armed_lives = collections.deque()  # faults of future lives: (environment, stall_s)
        self.start_at, self.stopped_for_good = 0.0, False
        self.began, self.signals, self.armed, self.stall_s = 0.0, [], {}, None
        self.wake_at = None  # when it is resumed, while it is paused
        self.term_at = None  # when it got SIGTERM, or resumed with one pending

    @property
    def alive(self):
        return self.process is not None

    @property
    def paused(self):
        return self.wake_at is not None

    @property
    def stem(self):
        return f"{self.folder}/{self.name}.{self.life:03}"

    def arm(self, env, stall_s=None, first=False):
        """Queues a life with a fault: its environment, and for how long a stall lasts."""
        self.armed_lives.insert(0 if first else len(self.armed_lives), (env, stall_s))

    def point_pending(self):
        """Whether it has yet to reach the point that is armed in this life."""
        return self.alive and "FAULTS_POINT" in self.armed and "stall" not in self.signals

    def start(self):
        self.life += 1
        self.armed, self.stall_s = self.armed_lives.popleft() if self.armed_lives else ({}, None)
        self.signals, self.wake_at, self.term_at = [], None, None
        # setpriv, because our own code between fork and exec can hang in a threaded process.
        with open(self.stem + ".out", "wb") as out, open(self.stem + ".err", "wb") as err:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.argv], stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, env={**self.env, **self.armed})
        self.began = time.monotonic()

    def tick(self, outage=False):
        """Resumes it in time; notices that it stopped itself, or ended, and restarts it. outage:
        one of its engines is down."""
        now = time.monotonic()
        if self.process and self.process.poll() is not None:
            self.end(now, outage)
        elif self.process and self.stall_s is not None and not self.paused and self.is_stopped():
            self.signals.append("stall")
            self.wake_at = now + (0 if self.stopped_for_good else self.stall_s)
        if self.process and self.paused and now >= self.wake_at:
            self.wake()
        if not self.process and not self.stopped_for_good and now >= self.start_at:
            self.start()

    def end(self, now, outage):
        lines, was_paused = self.lines(), self.paused
        reached_point = self.process.returncode == -signal.SIGKILL and "SIGKILL" not in self.signals
        if self.point_pending() and not reached_point:
            self.arm(self.armed, self.stall_s)  # something else ended it first: try a later life
        shutdown_s = None
        if self.term_at is not None and not was_paused:  # killed while paused, it was not slow
            shutdown_s = round(now - self.term_at, 3)
        self.exits.append({
            "name": self.name, "life": self.life, "code": self.process.returncode,
            "signals": list(self.signals), "faults": dict(self.armed), "hits": self.hits(),
            "seconds": round(now - self.began, 3), "outage": outage, "shutdown_s": shutdown_s,
            "lines": lines[-LINES_KEPT:]})
        self.process = self.wake_at = None
        self.start_at = now + RESTART_S

    def hits(self):
        """How many calls have failed as armed."""
        path = self.armed.get("FAULTS_HITS")
        return os.path.getsize(path) if path and os.path.exists(path) else 0

    def lines(self):
        """What it has logged in this life."""
        return self.log().decode("utf-8", "replace").splitlines()

    def log(self):
        with open(self.stem + ".err", "rb") as err:
            return err.read()

    def standing_by(self):
        """Whether another reader of its group is active, according to its log."""
        log = self.log()
        return log.rfind(STANDING_BY) > log.rfind(ACTIVE)

    def is_stopped(self):
        try:
            with open(f"/proc/{self.process.pid}/stat", "rb") as stat:
                return stat.read().rpartition(b")")[2].split()[0] == b"T"
        except OSError:
            return False

    def send(self, number):
        self.signals.append(signal.Signals(number).name)
        if number == signal.SIGTERM and self.term_at is None:
            self.term_at = time.monotonic()
        os.kill(self.process.pid, number)

    def pause(self, seconds):
        self.wake_at = max(self.wake_at or 0, time.monotonic() + seconds)
        self.send(signal.SIGSTOP)

    def wake(self):
        self.wake_at = None
        if self.term_at is not None:  # it got its SIGTERM while it was paused
            self.term_at = time.monotonic()
        self.send(signal.SIGCONT)

    def stop(self):
        """Asks it to end, for good."""
        self.stopped_for_good = True
        if self.alive:
            self.send(signal.SIGTERM)
            if self.paused:
                self.wake()

    def kill(self):
        """Ends it at once, for good, and records nothing."""
        self.stopped_for_good = True
        if self.alive:
            self.process.kill()
            self.process.wait()
            self.process = None
