"""world: what runs in a round: the engine, the daemons on it, the load that is put on them, and what is
written down of them at the end. Owns the round's folder. One thread, that of the round.
SPDX-License-Identifier: Apache-2.0"""
import base64
import collections
import http.client
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time

from daemons import Daemon
from local import Local
from oracle import is_refused, record_of
from real import Real

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from load import Load  # noqa: E402
from proxy import Proxy  # noqa: E402

NODES = 20
TIMEOUT_MS, GRACE_MS = 3000, 1000
DAEMONS = [("collect", "collect"), ("pubsub-1", "pubsub"), ("pubsub-2", "pubsub"), ("store-1", "store"),
           ("store-2", "store"), ("alert", "alert")]
DISK = "48m"
AFTERMATH_S = 6.0  # of an engine's trouble: so long a daemon tries before it leaves


def free_port(neighbours=1):
    """Below the range of ports that clients are given, so that nobody takes it while its daemon is down."""
    while True:
        port = random.SystemRandom().randint(10000, 20000)
        try:
            for i in range(neighbours):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port + i))
            return port
        except OSError:
            continue


class World:
    """One round's processes, on one engine."""

    def __init__(self, plan):
        self.folder, self.seed = plan["folder"], plan["seed"]
        self.dump, self.data = self.folder + "/dump", self.folder + "/data"
        self.interposer, self.rng = plan["interposer"], random.Random(f"{self.seed}:targets")
        self.clock, self.slept = self.folder + "/clock", self.folder + "/slept"
        self.clock_s = self.slept_s = 0
        self.trouble_until = 0.0  # until when a daemon may leave because its engine is in trouble
        os.makedirs(self.dump)
        os.makedirs(self.data)
        if plan["small_disk"]:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.data], check=True)
        self.engine = Real(plan) if plan["engine"] == "kafka" else Local(self.data)
        self.port = free_port()
        # Not of the range of clients' ports: refuse() gives a port back, and heal() takes it again.
        self.proxies = {name: Proxy(upstream, port or free_port()) for name, (upstream, port) in
                        {**self.engine.upstreams, "collect": (f"127.0.0.1:{self.port}", 0)}.items()}
        topics = self.engine.topics
        argv = {"pubsub": [topics["input"], topics["processed"], topics["alerts"]], "store": [topics["processed"]],
                "alert": [topics["alerts"]], "collect": []}
        self.daemons = {name: Daemon(name, [plan["distlog"], role, *argv[role]], self.env_of(role), self.dump)
                        for name, role in DAEMONS}
        self.roles = {role for _, role in DAEMONS}
        self.load = Load(self.seed, NODES, ("127.0.0.1", self.proxies["collect"].port), self.dump + "/sent.jsonl",
                         TIMEOUT_MS / 1000)

    def env_of(self, role):
        """Nothing of the user's settings; the interposer does nothing until it is told to."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("DISTLOG_", "FAULTS_"))}
        env.update(HOME=self.folder, XDG_CONFIG_HOME=f"{self.folder}/config", LC_ALL="C.UTF-8", TZ="UTC",
                   DISTLOG_COLLECT_LISTEN=f"127.0.0.1:{self.port}", DISTLOG_COLLECT_REQUEST_TIMEOUT="6s",
                   DISTLOG_COLLECT_ROUTES=f"log.input={self.engine.topics['input']}",
                   DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=f"{TIMEOUT_MS}ms", DISTLOG_PUBSUB_HEARTBEAT_GRACE=f"{GRACE_MS}ms",
                   LD_PRELOAD=self.interposer)
        if self.engine.shares_clock or role == "pubsub":
            env.update(FAULTS_CLOCK=self.clock, FAULTS_SLEPT=self.slept)
        env.update(self.engine.env(self.proxies))
        return env

    def tick(self):
        if self.engine.shares_lock and any(daemon.paused for daemon in self.daemons.values()):
            self.trouble_for(AFTERMATH_S)
        for daemon in self.daemons.values():
            daemon.tick(trouble=time.monotonic() < self.trouble_until)

    def trouble_for(self, seconds):
        self.trouble_until = max(self.trouble_until, time.monotonic() + seconds)

    def answers(self):
        """Whether collect does."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def group_of(self, daemon):
        """All that do the same work, that one too."""
        return [d for d in self.daemons.values() if d.argv == daemon.argv]

    def target(self, role):
        """A daemon of that role: one that works, where another stands by; or, seldom, any."""
        fitting = [d for d in self.daemons.values() if d.argv[1] == role]
        working = [d for d in fitting if d.alive and not d.standing_by()]
        return self.rng.choice(working if working and self.rng.random() < 0.8 else fitting)

    # --- how far it has come

    def drained(self):
        """True once everything that was accepted has been routed, stored and printed. Not yet, where that
        can't be seen: a server that has just come back doesn't answer everything."""
        try:
            return self.engine.up() and not any(d.paused for d in self.daemons.values()) and self.arrived()
        except (OSError, http.client.HTTPException, sqlite3.Error, subprocess.TimeoutExpired):
            return False

    def arrived(self):
        names = self.engine.topics
        processed = self.engine.topic(names["processed"])
        last = {}
        for *_, value in processed:
            record = json.loads(value)
            if record["message_type"] != "LOG": # what was on its way may arrive behind the alarm
                last[record["node_id"]] = record
        for node in self.load.nodes:
            end = last.get(node.name, {})
            if (end.get("alert") != "HEARTBEAT_MISSED") if node.died else (end.get("status") != "DOWN"):
                return False
        bad = [value for *_, value in self.engine.topic(names["input"]) if record_of(value) is None]
        refused = [value for *_, value in processed if is_refused(value, self.engine.refuses)]
        if any(len(self.engine.topic(names[part] + ".dlq")) < len(dead) for part, dead in
               (("input", bad), ("processed", refused))):
            return False
        ids = {json.loads(value).get("log_id") or (partition, offset) for partition, offset, *_, value in processed
               if value not in refused}
        return self.engine.count_documents() >= len(ids) and self.printed()

    def printed(self):
        wanted = collections.Counter(line_of(json.loads(value)) for *_, value in
                                     self.engine.topic(self.engine.topics["alerts"]))
        got = collections.Counter()
        for life in range(self.daemons["alert"].life + 1):
            with open(f"{self.dump}/alert.{life:03}.out", encoding="utf-8", errors="replace") as out:
                got.update(out.read().splitlines())
        return not wanted - got

    # --- the end

    def write_down(self, **settings):
        """The dump, for the oracle, and the counts of what is in it. The daemons have ended."""
        names, counts = self.engine.topics, {"accepted": self.load.accepted}
        for topic in [*names.values(), names["input"] + ".dlq", names["processed"] + ".dlq"]:
            records = sorted(self.engine.topic(topic), key=lambda record: record[:2])
            self.write_lines(f"topic-{topic}.jsonl", (line_in_dump(topic, *record) for record in records))
            counts.update({part: len(records) for part, name in names.items() if name == topic})
            if topic == names["input"]:
                counts["repeated"] = len(records) - len({record[4] for record in records})
        documents = self.engine.documents()
        counts["documents"] = len(documents)
        self.write_lines("index.jsonl", ({"_id": name, "_source": source} for name, source in documents))
        self.write_lines("exits.jsonl", (end for daemon in self.daemons.values() for end in daemon.exits))
        self.write_lines("settings.json", [{
            "engine": self.engine.name, "seed": self.seed, "heartbeat_timeout": TIMEOUT_MS, "grace": GRACE_MS,
            "topics": names, "partitions": self.engine.partitions, "refuses": self.engine.refuses, **settings}])
        return counts

    def write_lines(self, name, objects):
        with open(f"{self.dump}/{name}", "w", encoding="utf-8") as out:
            for item in objects:
                out.write(json.dumps(item) + "\n")

    def close(self):
        self.load.cut()
        for daemon in self.daemons.values():
            daemon.kill()
        self.load.close()
        self.engine.close()
        for proxy in self.proxies.values():
            proxy.close()
        if os.path.ismount(self.data):
            subprocess.run(["umount", "-l", self.data], check=True)


def line_of(record):
    """What alert prints of it."""
    if record.get("alert") == "HEARTBEAT_MISSED":
        return f"ALERT: Node {record['node_id']} missed its heartbeat!"
    if record.get("alert") == "HEARTBEAT_RECOVERED":
        return f"ALERT: Node {record['node_id']} is back"
    return f"{record['log_level']}: {record['node_id']}, {record['log_id']}"


def line_in_dump(topic, partition, offset, timestamp, key, value):
    line = {"topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp,
            "key": key.decode("utf-8", "replace") if key is not None else None}
    try:
        line["value"] = value.decode() if value is not None else None
    except UnicodeDecodeError:
        line["value_base64"] = base64.b64encode(value).decode()
    return line
