"""daemons: the processes under test: started, signalled, and started again whenever they end. Owns
them and their output files, NAME.LIFE.out and .err. All calls come from the thread that made them, for a
daemon dies with it. SPDX-License-Identifier: Apache-2.0"""
import collections
import os
import signal
import subprocess
import time

RESTART_S = 0.05
LAST_LINES = 40  # of what it said, kept with its end


class Daemon:
    """One daemon through all its lives."""

    def __init__(self, name, argv, env, folder):
        self.name, self.argv, self.env, self.folder = name, argv, env, folder
        self.life, self.process, self.exits = -1, None, []
        self.orders = collections.deque()  # what is armed, each for a life of its own
        self.start_at, self.stopped_for_good = 0.0, False
        self.began, self.sent, self.armed, self.stall_s = 0.0, [], {}, None
        self.wake_at = self.told_at = None  # when it goes on, while it is paused; since when it should be leaving

    @property
    def alive(self):
        return self.process is not None

    @property
    def paused(self):
        return self.wake_at is not None

    @property
    def stem(self):
        return f"{self.folder}/{self.name}.{self.life:03}"

    def order(self, env, stall_s=None, first=False):
        """The environment of a life to come, in which a fault is armed; for how long it stops if that is it."""
        self.orders.insert(0 if first else len(self.orders), (env, stall_s))

    def on_its_way(self):
        """Whether it will yet come to the point that is armed in this life."""
        return self.alive and "FAULTS_POINT" in self.armed and "stall" not in self.sent

    def start(self):
        self.life += 1
        self.armed, self.stall_s = self.orders.popleft() if self.orders else ({}, None)
        self.sent, self.wake_at, self.told_at = [], None, None
        # setpriv, for code of ours between fork and exec can hang in a process that has threads.
        with open(self.stem + ".out", "wb") as out, open(self.stem + ".err", "wb") as err:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.argv], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err, env={**self.env, **self.armed})
        self.began = time.monotonic()

    def tick(self, trouble=False):
        """Wakes it in time; notices that it stopped itself, or ended, and starts it again."""
        now = time.monotonic()
        if self.process and self.process.poll() is not None:
            self.end(now, trouble)
        elif self.process and self.stall_s is not None and not self.paused and self.is_stopped():
            self.sent.append("stall")
            self.wake_at = now + (0 if self.stopped_for_good else self.stall_s)
        if self.process and self.paused and now >= self.wake_at:
            self.wake()
        if not self.process and not self.stopped_for_good and now >= self.start_at:
            self.start()

    def end(self, now, trouble):
        said, asleep = self.lines(), self.paused  # killed in its sleep: it never heard that it should leave
        met = self.process.returncode == -signal.SIGKILL and "SIGKILL" not in self.sent
        if self.on_its_way() and not met:  # something else came before it: in a later life, then
            self.order(self.armed, self.stall_s)
        self.exits.append({"name": self.name, "life": self.life, "code": self.process.returncode,
                           "by": list(self.sent), "faults": dict(self.armed), "hits": self.hits(),
                           "seconds": round(now - self.began, 3), "trouble": trouble,
                           "leaving_s": None if self.told_at is None or asleep else round(now - self.told_at, 3),
                           "said": " | ".join(said[-3:]), "lines": said[-LAST_LINES:]})
        self.process = self.wake_at = None
        self.start_at = now + RESTART_S

    def hits(self):
        """How many calls have failed as armed."""
        path = self.armed.get("FAULTS_HITS")
        return os.path.getsize(path) if path and os.path.exists(path) else 0

    def lines(self):
        """What it said."""
        with open(self.stem + ".err", "rb") as err:
            return err.read().decode("utf-8", "replace").splitlines()

    def standing_by(self):
        """Whether it has said that another reader of its group is active."""
        with open(self.stem + ".err", "rb") as err:
            text = err.read()
        return text.rfind(b": standing by") > text.rfind(b": active now")

    def is_stopped(self):
        try:
            with open(f"/proc/{self.process.pid}/stat", "rb") as stat:
                return stat.read().rpartition(b")")[2].split()[0] == b"T"
        except OSError:
            return False

    def send(self, what):
        self.sent.append(signal.Signals(what).name)
        if what == signal.SIGTERM and self.told_at is None:
            self.told_at = time.monotonic()
        os.kill(self.process.pid, what)

    def pause(self, seconds):
        self.wake_at = max(self.wake_at or 0, time.monotonic() + seconds)
        self.send(signal.SIGSTOP)

    def wake(self):
        self.wake_at = None
        if self.told_at is not None:  # while it was asleep
            self.told_at = time.monotonic()
        self.send(signal.SIGCONT)

    def leave(self):
        self.stopped_for_good = True
        if self.alive:
            self.send(signal.SIGTERM)
            if self.paused:
                self.wake()

    def kill(self):
        """The end of everything: no trace is kept of it."""
        self.stopped_for_good = True
        if self.alive:
            self.process.kill()
            self.process.wait()
            self.process = None
