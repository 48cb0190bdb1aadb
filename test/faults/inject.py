"""inject: how each kind of fault of a schedule is done to a world, and how it is undone. Counts those that
really happened. Owns the control files of the interposer. All calls come from the round's thread.
SPDX-License-Identifier: Apache-2.0"""
import collections
import errno
import os
import signal
import time

from world import AFTERMATH_S

TRIES_S = 5.0      # how long a fault waits for its target to be up
SERVER_S = 40.0    # the same, where the target is a server, which takes its time to come back
BACK_S = 40.0      # what a server may take to start
HAND_OVER_S = 0.7  # what the daemon takes to start that is to be the next owner of its group
OF_DAEMONS = {"kill", "term", "stop", "point", "stall", "io", "malloc"}


class Injector:
    """at(when, what, *args) puts off; whatever is to be undone is undone by an event of its own."""

    def __init__(self, world, at):
        self.world, self.at = world, at
        self.done = collections.Counter()
        self.serial = 0
        self.bad_net = collections.Counter()  # of each proxy: faults that are not over

    def inject(self, fault, until):
        daemon = self.world.target(fault["target"]) if fault["kind"] in OF_DAEMONS else None
        server = self.world.engine.servers[fault["target"]] if fault["kind"] == "server" else None
        if (daemon and not daemon.alive) or (server and not server.up()):
            if time.monotonic() < until + (SERVER_S if server else 0):
                self.at(time.monotonic() + 0.05, self.inject, fault, until)
            return
        getattr(self, "do_" + fault["kind"])(fault, daemon or server)

    def later(self, seconds, what, *args):
        self.at(time.monotonic() + seconds, what, *args)

    # --- processes

    def do_kill(self, fault, daemon):
        daemon.send(signal.SIGKILL)
        self.done["kill"] += 1

    def do_term(self, fault, daemon):
        daemon.send(signal.SIGTERM)
        self.done["term"] += 1

    def do_stop(self, fault, daemon):
        daemon.pause(fault["seconds"])
        self.done["stop"] += 1

    # --- the interposer: what a daemon is to suffer in its next life

    def arm(self, daemon, env, stall_s=None, now=False):
        """A life of that one, or of the one that stands by: which then becomes the active one. Unless it must be
        the next life, it waits until a point has come that is armed already, here and in its like."""
        others = [d for d in self.world.group_of(daemon) if d is not daemon]
        idle = [d for d in others if d.alive and d.standing_by()]
        free = [d for d in others if d.alive and not d.on_its_way()] if daemon.on_its_way() else []
        victim = [*idle, *free, daemon][0]
        victim.order(env, stall_s, first=now)
        if now or not victim.on_its_way():
            # In a group of Kafka's the partitions of who is killed wait for its session's end.
            victim.send(signal.SIGKILL if self.world.engine.shares_lock or victim.paused else signal.SIGTERM)
        if idle:
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
        self.arm(daemon, {"FAULTS_MALLOC": fault["malloc"], "FAULTS_HITS": f"{self.world.folder}/hits.{self.serial}"},
                 now=True)

    def do_io(self, fault, daemon):
        self.serial += 1
        control = f"{self.world.folder}/control.{self.serial}"
        write_in_place(control, "0")
        self.arm(daemon, {"FAULTS_IO": fault["io"], "FAULTS_CONTROL": control, "FAULTS_SEED": str(self.serial),
                          "FAULTS_HITS": f"{self.world.folder}/hits.{self.serial}"}, now=True)
        self.later(HAND_OVER_S + fault["after"], write_in_place, control, "1")
        self.later(HAND_OVER_S + fault["after"] + fault["seconds"], write_in_place, control, "0")

    def count_ends(self, exits):
        """What was armed, as far as it has happened."""
        for end in exits:
            name = end["faults"].get("FAULTS_POINT", "").split(":")[0]
            if "stall" in end["by"]:
                self.done[f"stall {name}"] += 1
            elif name and end["code"] == -signal.SIGKILL and "SIGKILL" not in end["by"]:
                self.done[f"point {end['name'].split('-')[0]} {name}"] += 1
            if end["hits"]:
                self.done["io" if "FAULTS_IO" in end["faults"] else "malloc"] += 1

    # --- the machine

    def do_clock(self, fault, _):
        self.world.clock_s += fault["step"]
        write_in_place(self.world.clock, str(self.world.clock_s))
        self.done["clock"] += 1

    def set_clock_right(self):
        """Where pubsub's clock is behind the log, silence is told that much later: too late for a round."""
        self.world.clock_s = 0
        write_in_place(self.world.clock, "0")

    def do_sleep(self, fault, _):
        self.world.slept_s += fault["step"]
        for daemon in self.world.daemons.values():
            daemon.sent.append("sleep")
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
        self.world.trouble_for(fault["seconds"] + AFTERMATH_S)
        self.later(fault["seconds"], lambda: os.path.exists(path) and os.remove(path))
        self.done["full"] += 1

    # --- the servers

    def do_server(self, fault, server):
        server.send(getattr(signal, fault["signal"]))
        self.world.trouble_for(fault["seconds"] + BACK_S)
        self.later(fault["seconds"], self.bring_back, server, fault)
        self.done[f"{fault['target']} {fault['signal'][3:].lower()}"] += 1

    def bring_back(self, server, fault):
        if fault["signal"] == "SIGSTOP":
            server.send(signal.SIGCONT)
        elif not server.start():
            self.later(0.2, self.bring_back, server, fault)  # it has not left yet

    # --- the network

    def do_net(self, fault, _):
        proxy = self.world.proxies[fault["target"]]
        getattr(proxy, fault["how"])(*fault.get("args", []))
        if fault["target"] != "collect":  # it is for collect that the bus and the store are in trouble
            self.world.trouble_for(fault.get("seconds", 0) + AFTERMATH_S)
        if "seconds" in fault:
            self.bad_net[proxy] += 1
            self.later(fault["seconds"], self.heal, proxy)
        self.done[" ".join(["net", fault["how"], *fault["args"][:fault["how"] == "half_close"]])] += 1

    def heal(self, proxy):
        """Faults of one proxy that overlap end with the last of them."""
        self.bad_net[proxy] -= 1
        if not self.bad_net[proxy]:
            proxy.heal()


def write_in_place(path, text):
    """The interposer has it open: it reads what is there at each call."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.pwrite(fd, text.ljust(12).encode(), 0)
    os.close(fd)
