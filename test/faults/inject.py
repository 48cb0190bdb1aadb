"""inject: how each kind of fault of a schedule is done to a world, and how it is undone. Counts the
faults that really happened. Owns the control files of the interposer. All calls come from the
round's thread. SPDX-License-Identifier: Apache-2.0"""
import collections
import errno
import os
import signal
import time

from world import AFTERMATH_S

TRIES_S = 5.0      # how long a fault waits for its target to be up
SERVER_S = 40.0    # the same for a server, which takes longer to come back
RECOVERY_S = 40.0  # what a server may take to start
HAND_OVER_S = 0.7  # what the daemon takes to start that is to be the next owner of its group
DAEMON_FAULTS = {"kill", "term", "stop", "point", "stall", "io", "malloc"}


class Injector:
    """at(when, what, *args) schedules a call; a fault that ends is undone by such a call."""

    def __init__(self, world, at):
        self.world, self.at = world, at
        self.done = collections.Counter()
        self.serial = 0
        self.net_faults = collections.Counter()  # proxy: its faults that are not over

    def inject(self, fault, until):
        """Does the fault as soon as its target is up; gives up at until (a bit later for a
        server)."""
        daemon = server = None
        if fault["kind"] in DAEMON_FAULTS:
            daemon = self.world.target(fault["target"])
        if fault["kind"] == "server":
            server = self.world.engine.servers[fault["target"]]
        if (daemon and not daemon.alive) or (server and not server.up()):
            if time.monotonic() < until + (SERVER_S if server else 0):
                self.at(time.monotonic() + 0.05, self.inject, fault, until)
            return
        getattr(self, "do_" + fault["kind"])(fault, daemon or server)

    def later(self, seconds, what, *args):
        self.at(time.monotonic() + seconds, what, *args)

    # --- processes

    def do_kill(self, _, daemon):
        daemon.send(signal.SIGKILL)
        self.done["kill"] += 1

    def do_term(self, _, daemon):
        daemon.send(signal.SIGTERM)
        self.done["term"] += 1

    def do_stop(self, fault, daemon):
        daemon.pause(fault["seconds"])
        self.done["stop"] += 1

    # --- the interposer: what a daemon suffers in its next life

    def arm(self, daemon, env, stall_s=None, now=False):
        """Arms a fault for a future life of daemon, or of the standby of its group, which then
        becomes the active one. Unless now is set, a point that is armed already, here and in the
        other members of the group, is waited for first."""
        others = [d for d in self.world.group_of(daemon) if d is not daemon]
        standbys = [d for d in others if d.alive and d.standing_by()]
        free = []
        if daemon.point_pending():
            free = [d for d in others if d.alive and not d.point_pending()]
        victim = [*standbys, *free, daemon][0]
        victim.arm(env, stall_s, first=now)
        if now or not victim.point_pending():
            # With Kafka, the partitions of a killed member are idle until its session ends.
            is_killed = self.world.engine.shares_lock or victim.paused
            victim.send(signal.SIGKILL if is_killed else signal.SIGTERM)
        if standbys:
            self.later(HAND_OVER_S, self.hand_over, daemon, daemon.life)

    def hand_over(self, daemon, life):
        if daemon.alive and daemon.life == life:
            daemon.send(signal.SIGTERM)

    def do_point(self, fault, daemon):
        self.arm(daemon, {"FAULTS_POINT": fault["point"]})

    def do_stall(self, fault, daemon):
        self.arm(daemon, {"FAULTS_POINT": fault["point"]}, fault["seconds"])

    def do_malloc(self, fault, daemon):
        self.serial += 1
        env = {"FAULTS_MALLOC": fault["malloc"],
               "FAULTS_HITS": f"{self.world.folder}/hits.{self.serial}"}
        self.arm(daemon, env, now=True)

    def do_io(self, fault, daemon):
        self.serial += 1
        control = f"{self.world.folder}/control.{self.serial}"
        write_in_place(control, "0")
        env = {"FAULTS_IO": fault["io"], "FAULTS_CONTROL": control,
               "FAULTS_SEED": str(self.serial),
               "FAULTS_HITS": f"{self.world.folder}/hits.{self.serial}"}
        self.arm(daemon, env, now=True)
        begin_s = HAND_OVER_S + fault["after"]
        self.later(begin_s, write_in_place, control, "1")
        self.later(begin_s + fault["seconds"], write_in_place, control, "0")

    def count_ends(self, exits):
        """Counts the armed faults that really happened."""
        for end in exits:
            name = end["faults"].get("FAULTS_POINT", "").split(":")[0]
            if "stall" in end["signals"]:
                self.done[f"stall {name}"] += 1
            elif name and end["code"] == -signal.SIGKILL and "SIGKILL" not in end["signals"]:
                self.done[f"point {end['name'].split('-')[0]} {name}"] += 1
            if end["hits"]:
                self.done["io" if "FAULTS_IO" in end["faults"] else "malloc"] += 1

    # --- the machine

    def do_clock(self, fault, _):
        self.world.clock_s += fault["step"]
        write_in_place(self.world.clock, str(self.world.clock_s))
        self.done["clock"] += 1

    def reset_clock(self):
        """While pubsub's clock is behind the bus's, silence is reported that much later: too late
        for a round."""
        self.world.clock_s = 0
        write_in_place(self.world.clock, "0")

    def do_sleep(self, fault, _):
        self.world.slept_s += fault["step"]
        for daemon in self.world.daemons.values():
            daemon.signals.append("sleep")
        with self.world.load.sleeping(fault["step"]):
            write_in_place(self.world.slept, str(self.world.slept_s))
        self.done["sleep"] += 1

    def do_full(self, fault, _):
        path = self.world.data + "/fill"
        try:
            with open(path, "ab", buffering=0) as fill:
                for size in (65536, 4096, 512):
                    while fill.write(bytes(size)) == size:
                        pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        self.world.expect_outage(fault["seconds"] + AFTERMATH_S)
        self.later(fault["seconds"], remove_if_present, path)
        self.done["full"] += 1

    # --- the servers

    def do_server(self, fault, server):
        server.send(getattr(signal, fault["signal"]))
        self.world.expect_outage(fault["seconds"] + RECOVERY_S)
        self.later(fault["seconds"], self.bring_back, server, fault)
        self.done[f"{fault['target']} {fault['signal'][3:].lower()}"] += 1

    def bring_back(self, server, fault):
        if fault["signal"] == "SIGSTOP":
            server.send(signal.SIGCONT)
        elif not server.start():
            self.later(0.2, self.bring_back, server, fault)  # it has not ended yet

    # --- the network

    def do_net(self, fault, _):
        proxy = self.world.proxies[fault["target"]]
        getattr(proxy, fault["how"])(*fault.get("args", []))
        if fault["target"] != "collect":  # only collect's clients notice its proxy
            self.world.expect_outage(fault.get("seconds", 0) + AFTERMATH_S)
        if "seconds" in fault:
            self.net_faults[proxy] += 1
            self.later(fault["seconds"], self.heal, proxy)
        side = fault["args"] if fault["how"] == "half_close" else []
        self.done[" ".join(["net", fault["how"], *side])] += 1

    def heal(self, proxy):
        """Overlapping faults of one proxy end with the last of them."""
        self.net_faults[proxy] -= 1
        if not self.net_faults[proxy]:
            proxy.heal()


def write_in_place(path, text):
    """The interposer has the file open and reads it at each call."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.pwrite(fd, text.ljust(12).encode(), 0)
    os.close(fd)


def remove_if_present(path):
    if os.path.exists(path):
        os.remove(path)
