"""daemons: the processes under test: started, signalled, and started again whenever they end. Owns
them and their output files, NAME.LIFE.out and .err. All calls come from the thread that made them, for a
daemon dies with it. SPDX-License-Identifier: Apache-2.0"""
import ctypes
import os
import signal
import subprocess
import time

RESTART_S = 0.05
_libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon:
    """One daemon through all its lives."""

    def __init__(self, name, argv, env, folder):
        self.name, self.argv, self.env, self.folder = name, argv, env, folder
        self.life, self.process, self.exits = -1, None, []
        self.next_env = {}  # of the next life only: faults that are armed in it
        self.start_at, self.stopped_for_good, self.paused = 0.0, False, False
        self.began, self.sent, self.armed = 0.0, [], {}

    @property
    def alive(self):
        return self.process is not None

    @property
    def stem(self):
        return f"{self.folder}/{self.name}.{self.life:03}"

    def start(self):
        self.life += 1
        self.armed, self.next_env, self.sent, self.paused = self.next_env, {}, [], False
        with open(self.stem + ".out", "wb") as out, open(self.stem + ".err", "wb") as err:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            env={**self.env, **self.armed}, preexec_fn=_die_with_parent)
        self.began = time.monotonic()

    def tick(self, trouble=False):
        """Notices that it ended, and starts it again."""
        now = time.monotonic()
        if self.process and self.process.poll() is not None:
            self.exits.append({"name": self.name, "life": self.life, "code": self.process.returncode,
                               "by": list(self.sent), "faults": dict(self.armed), "seconds": round(now - self.began, 3),
                               "trouble": trouble, "said": self.last_words()})
            self.process = None
            self.start_at = now + RESTART_S
        if not self.process and not self.stopped_for_good and now >= self.start_at:
            self.start()

    def last_words(self):
        with open(self.stem + ".err", "rb") as err:
            lines = err.read().decode("utf-8", "replace").splitlines()
        return lines[-1] if lines else ""

    def standing_by(self):
        """Whether it has said that another reader of its group is active."""
        with open(self.stem + ".err", "rb") as err:
            text = err.read()
        return text.rfind(b": standing by") > text.rfind(b": active now")

    def send(self, what):
        self.sent.append(signal.Signals(what).name)
        os.kill(self.process.pid, what)

    def pause(self):
        self.paused = True
        self.send(signal.SIGSTOP)

    def go_on(self, life):
        """Wakes it, if it is still in the life that was paused."""
        if self.alive and self.paused and self.life == life:
            self.paused = False
            self.send(signal.SIGCONT)

    def leave(self):
        self.stopped_for_good = True
        if self.alive:
            self.send(signal.SIGTERM)

    def kill(self):
        """The end of everything: no trace is kept of it."""
        self.stopped_for_good = True
        if self.alive:
            self.process.kill()
            self.process.wait()
            self.process = None
