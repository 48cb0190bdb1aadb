"""world: what runs in a round: the engine, the daemons on it, the proxies between them and the
load; and what is written down at the end. Owns the round's folder. Used by one thread, the round's.
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
from dump import is_unstorable, record_of
from local import Local
from messages import alert_line
from real import Real

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from load import Load  # noqa: E402
from proxy import Proxy  # noqa: E402

NODES = 20
TIMEOUT_MS, GRACE_MS = 3000, 1000
DAEMONS = [("collect", "collect"), ("pubsub-1", "pubsub"), ("pubsub-2", "pubsub"),
           ("store-1", "store"), ("store-2", "store"), ("alert", "alert")]
DISK = "48m"
AFTERMATH_S = 6.0  # how long after an outage a daemon may still give up because of it


def free_port(count=1):
    """The first of count free ports in a row, below the range of client ports, so that none is
    taken while its daemon is down."""
    while True:
        port = random.SystemRandom().randint(10000, 20000)
        try:
            for i in range(count):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port + i))
            return port
        except OSError:
            continue


class World:
    """The processes of one round, on one engine."""

    def __init__(self, plan):
        self.folder, self.seed = plan["folder"], plan["seed"]
        self.dump, self.data = self.folder + "/dump", self.folder + "/data"
        self.interposer, self.rng = plan["interposer"], random.Random(f"{self.seed}:targets")
        self.clock, self.slept = self.folder + "/clock", self.folder + "/slept"
        self.clock_s = self.slept_s = 0
        self.outage_until = 0.0  # until when a daemon may give up because an engine is down
        os.makedirs(self.dump)
        os.makedirs(self.data)
        if plan["small_disk"]:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.data],
                           check=True)
        self.engine = Real(plan) if plan["engine"] == "kafka" else Local(self.data)
        self.port = free_port()
        self.proxies = self.make_proxies()
        self.daemons = self.make_daemons(plan["distlog"])
        self.load = Load(self.seed, NODES, ("127.0.0.1", self.proxies["collect"].port),
                         self.dump + "/sent.jsonl", TIMEOUT_MS / 1000)

    def make_proxies(self):
        """Their ports are not client ports: refuse() frees a port, and heal() takes it again."""
        upstreams = {**self.engine.upstreams, "collect": (f"127.0.0.1:{self.port}", 0)}
        return {name: Proxy(upstream, port or free_port())
                for name, (upstream, port) in upstreams.items()}

    def make_daemons(self, distlog):
        topics = self.engine.topics
        operands = {"pubsub": [topics["input"], topics["processed"], topics["alerts"]],
                    "store": [topics["processed"]], "alert": [topics["alerts"]], "collect": []}
        return {name: Daemon(name, [distlog, role, *operands[role]], self.env_of(role), self.dump)
                for name, role in DAEMONS}

    def env_of(self, role):
        """None of the user's settings; the interposer, which does nothing until a fault is
        armed."""
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("DISTLOG_", "FAULTS_"))}
        env.update(
            HOME=self.folder, XDG_CONFIG_HOME=f"{self.folder}/config", LC_ALL="C.UTF-8", TZ="UTC",
            DISTLOG_COLLECT_LISTEN=f"127.0.0.1:{self.port}", DISTLOG_COLLECT_REQUEST_TIMEOUT="6s",
            DISTLOG_COLLECT_ROUTES=f"log.input={self.engine.topics['input']}",
            DISTLOG_PUBSUB_HEARTBEAT_TIMEOUT=f"{TIMEOUT_MS}ms",
            DISTLOG_PUBSUB_HEARTBEAT_GRACE=f"{GRACE_MS}ms", LD_PRELOAD=self.interposer)
        if self.engine.shares_clock or role == "pubsub":
            env.update(FAULTS_CLOCK=self.clock, FAULTS_SLEPT=self.slept)
        env.update(self.engine.env(self.proxies))
        return env

    def tick(self):
        if self.engine.shares_lock and any(d.paused for d in self.daemons.values()):
            self.expect_outage(AFTERMATH_S)
        for daemon in self.daemons.values():
            daemon.tick(outage=time.monotonic() < self.outage_until)

    def expect_outage(self, seconds):
        self.outage_until = max(self.outage_until, time.monotonic() + seconds)

    def answers(self):
        """Whether collect accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def group_of(self, daemon):
        """All daemons that do the same work, including this one."""
        return [d for d in self.daemons.values() if d.argv == daemon.argv]

    def target(self, role):
        """A daemon of that role: mostly one that is active, sometimes any."""
        candidates = [d for d in self.daemons.values() if d.argv[1] == role]
        active = [d for d in candidates if d.alive and not d.standing_by()]
        if active and self.rng.random() < 0.8:
            candidates = active
        return self.rng.choice(candidates)

    # --- progress

    def drained(self):
        """Whether everything that was accepted has been routed, stored and printed. False, too,
        while that can't be seen: a server that has just started doesn't answer every request."""
        try:
            is_quiet = self.engine.up() and not any(d.paused for d in self.daemons.values())
            return is_quiet and self.arrived()
        except (OSError, http.client.HTTPException, sqlite3.Error, subprocess.TimeoutExpired):
            return False

    def arrived(self):
        processed = self.engine.topic(self.engine.topics["processed"])
        unstorable = [value for *_, value in processed
                      if is_unstorable(value, self.engine.unstorable_key)]
        if not self.nodes_ended(processed) or not self.dead_letters_arrived(unstorable):
            return False
        ids = {json.loads(value).get("log_id") or (partition, offset)
               for partition, offset, *_, value in processed if value not in unstorable}
        return self.engine.count_documents() >= len(ids) and self.printed()

    def nodes_ended(self, processed):
        """Whether the last record of each node but for logs, which may arrive after an alert, is
        that of its end."""
        last = {}
        for *_, value in processed:
            record = json.loads(value)
            if record["message_type"] != "LOG":
                last[record["node_id"]] = record
        for node in self.load.nodes:
            end = last.get(node.name, {})
            if node.died and end.get("alert") != "HEARTBEAT_MISSED":
                return False
            if not node.died and end.get("status") != "DOWN":
                return False
        return True

    def dead_letters_arrived(self, unstorable):
        names = self.engine.topics
        bad = [value for *_, value in self.engine.topic(names["input"]) if record_of(value) is None]
        expected = {"input": len(bad), "processed": len(unstorable)}
        return all(len(self.engine.topic(names[part] + ".dlq")) >= count
                   for part, count in expected.items())

    def printed(self):
        """Whether alert has printed every line."""
        alerts = self.engine.topic(self.engine.topics["alerts"])
        expected = collections.Counter(alert_line(json.loads(value)) for *_, value in alerts)
        printed = collections.Counter()
        for life in range(self.daemons["alert"].life + 1):
            path = f"{self.dump}/alert.{life:03}.out"
            with open(path, encoding="utf-8", errors="replace") as out:
                printed.update(out.read().splitlines())
        return not expected - printed

    # --- the end

    def write_down(self, **settings):
        """Writes the dump for the oracle, once the daemons have ended; returns the counts of what
        is in it."""
        names, counts = self.engine.topics, {"accepted": self.load.accepted}
        for topic in [*names.values(), names["input"] + ".dlq", names["processed"] + ".dlq"]:
            records = sorted(self.engine.topic(topic), key=lambda record: record[:2])
            self.write_lines(f"topic-{topic}.jsonl", (dump_line(topic, *r) for r in records))
            counts.update({part: len(records) for part, name in names.items() if name == topic})
            if topic == names["input"]:
                counts["repeated"] = len(records) - len({record[4] for record in records})
        documents = self.engine.documents()
        counts["documents"] = len(documents)
        self.write_lines("index.jsonl", ({"_id": id_, "_source": s} for id_, s in documents))
        exits = (end for daemon in self.daemons.values() for end in daemon.exits)
        self.write_lines("exits.jsonl", exits)
        self.write_lines("settings.json", [{
            "engine": self.engine.name, "seed": self.seed, "heartbeat_timeout": TIMEOUT_MS,
            "grace": GRACE_MS, "topics": names, "partitions": self.engine.partitions,
            "unstorable_key": self.engine.unstorable_key, **settings}])
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


def dump_line(topic, partition, offset, timestamp, key, value):
    line = {"topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp,
            "key": key.decode("utf-8", "replace") if key is not None else None}
    try:
        line["value"] = value.decode() if value is not None else None
    except UnicodeDecodeError:
        line["value_base64"] = base64.b64encode(value).decode()
    return line
