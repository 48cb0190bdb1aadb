#!/usr/bin/env python3
"""load: the load generator of the tests: the records of simulated nodes, and clients that post
them. As a module, Load runs nodes that post to collect and writes down every attempt (test/faults).
As a command:

    load.py portions SEED ROUNDS FOLDER
        Writes portions of records to FOLDER, as lines for `bus put`, and prints what to do with
        them, one step per line: put FILE, sleep SECONDS, KILL, TERM, start. The seed decides both.
    load.py numbered PORT PREFIX NODES
        Registers NODES nodes and posts their logs, one record at a time, with the ids PREFIX0,
        PREFIX1, …; with NODES 0 all are of one node, PREFIX, which is not registered. Prints each
        id once it has its 200. An id that has another answer, or none, may or may not be stored,
        and is not used again. Ends after 200 s, or when there is a file `enough`.
    load.py flood PORT ENOUGH REFUSALS [PID…]
        Posts 500 records of 300 bytes at a time over four connections, as fast as they are
        answered, until ENOUGH records are accepted or REFUSALS requests in a row had a 503. Prints
        how many records were accepted, how many requests were refused, and the status of refusals
        other than a 503 with Retry-After. Writes the ids of accepted records to `accepted`, and the
        most private memory (kB) of each process, in the order given, to `most`.

Owns the files that it writes and the threads of its nodes.
SPDX-License-Identifier: Apache-2.0"""
import collections
import contextlib
import datetime
import http.client
import json
import os
import random
import sys
import threading
import time
import uuid

JSON, NDJSON = "application/json", "application/x-ndjson"
POST_MAX = 6  # records of one POST of a node

# What an answer says. sent: False if no connection was made; status: None without an answer.
Reply = collections.namedtuple("Reply", "sent status retry_after")


# --- records


def compact_json(fields):
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


class Records:
    """Composes the records of one node, as text. varied: keys in random order, with and without
    white space and escapes."""

    def __init__(self, rng, node, service, varied=False):
        self.rng, self.node, self.service, self.varied = rng, node, service, varied
        self.number = 0

    def record(self, kind, **more):
        return self.spell(self.fields(kind, **more))

    def fields(self, kind, **more):
        fields = {"node_id": self.node, "message_type": kind, **more,
                  "timestamp": self.timestamp(), "n": self.number}
        self.number += 1
        return fields

    def spell(self, fields):
        text = compact_json(fields)
        if self.varied:
            members = list(fields.items())
            self.rng.shuffle(members)
            text = json.dumps(dict(members), ensure_ascii=self.rng.random() < 0.5)
            if self.rng.random() < 0.5:
                text = text.replace(", ", ",").replace(": ", ":")
        # A number whose spelling has to be kept.
        return text[:-1] + ',"x":1.50}' if self.rng.random() < 0.1 else text

    def timestamp(self):
        """Most have no zone. The clocks of the others are wrong by up to a minute; their time is
        that of their document nevertheless."""
        if self.rng.random() < 0.9:
            return time.strftime("%Y-%m-%d %H:%M:%S")
        seconds = time.time() + self.rng.uniform(-60, 60)
        zone = datetime.timezone(datetime.timedelta(minutes=self.rng.choice([0, 330, -210])))
        return datetime.datetime.fromtimestamp(seconds, zone).isoformat(timespec="milliseconds")

    def registration(self, service=None):
        return self.record("REGISTRATION", service_name=service or self.service)

    def heartbeat(self, status="UP"):
        return self.record("HEARTBEAT", status=status)

    def log(self, level):
        return self.spell(self.log_fields(level))

    def log_fields(self, level):
        log_id = uuid.UUID(int=self.rng.getrandbits(128), version=4)
        more = {"log_level": level, "message": f"“no. {self.number}” of {self.node}"}
        if level == "WARN":
            more.update(response_time_ms=self.rng.randint(100, 1000),
                        threshold_limit_ms=self.rng.randint(300, 800))
        if level == "ERROR":
            more["error_details"] = {"error_code": self.rng.randint(20, 100),
                                     "error_message": "a \"fault\"\n"}
        return {"log_id": f"{self.node}_{log_id}",
                **self.fields("LOG", service_name=self.service, **more)}

    def without_node(self):
        """A record that collect accepts and pubsub can only make a dead letter."""
        fields = self.log_fields("INFO")
        del fields["node_id"]
        return self.spell(fields)

    def unstorable(self):
        """A record that Elasticsearch rejects (see real.py), and that is like any other to
        pubsub."""
        return self.spell({**self.log_fields("INFO"), "alert": {"x": 1}})


# --- portions for `bus put`


NODES = ["a", "b", "node_03", 'q"uote', "über", "e\\scape", "g", "h"]
STRANGER = "stranger"  # never registers
LEVELS = ["INFO", "INFO", "INFO", "WARN", "WARN", "DEBUG"]
JUNK = [
    b"{bad", b"", b"[]", b"null", b'"\xff"', b'{"node_id":"a"}', b'{"message_type":"LOG"}',
    b'{"node_id":7,"message_type":"LOG"}', b'{"node_id":"","message_type":"HEARTBEAT"}',
    b'{"node_id":"a","message_type":"HEARTBEAT","node_id":"b"}',
    b'{"":1,"node_id":"a","message_type":"LOG"}', b'{"node_id":"a","message_type":"HEARTBEAT"} x']


class Portions:
    """Random traffic of a few nodes, in portions. Some nodes fall silent for a while."""

    def __init__(self, seed, folder):
        self.rng, self.folder = random.Random(seed), folder
        self.nodes = {name: Records(self.rng, name, "pay", varied=True)
                      for name in [*NODES, STRANGER]}
        self.silent = dict.fromkeys(NODES, 0)  # rounds without a heartbeat or registration left

    def write(self, number):
        """One portion, to a file of that name."""
        lines = [line for name in NODES for line in self.lines_of(name, first=number == 0)]
        lines.append((STRANGER, self.nodes[STRANGER].heartbeat()))
        lines += [self.rng.choice(lines) for _ in range(self.rng.randint(0, 2))]
        if self.rng.random() < 0.7:
            self.rng.shuffle(lines)
        with open(f"{self.folder}/{number}", "wb") as out:
            for name, text in lines:
                key = self.rng.choice([name, ""])
                out.write(f"in\t{key}\t{text}\n".encode())
                if self.rng.random() < 0.05:
                    out.write(b"in\t\t" + self.rng.choice(JUNK) + b"\n")

    def lines_of(self, name, first):
        """(node, record) pairs of one node in one portion."""
        node = self.nodes[name]
        if self.silent[name]:
            self.silent[name] -= 1
            speaks = self.rng.random() < 0.2
            return [(name, node.log(self.rng.choice([*LEVELS, "ERROR"])))] if speaks else []
        records = []
        if first or self.rng.random() < 0.15:
            records.append(node.registration())
        records += [self.any_record(node) for _ in range(self.rng.randint(0, 4))]
        if self.rng.random() < 0.08:
            self.silent[name] = self.rng.randint(1, 12)
        return [(name, record) for record in records]

    def any_record(self, node):
        pick = self.rng.random()
        if pick < 0.55:
            return node.heartbeat()
        if pick < 0.85:
            return node.log(self.rng.choice(LEVELS))
        if pick < 0.93:
            return node.registration(self.rng.choice(["pay", "ordér", 5]))
        if pick < 0.95:
            return node.record(self.rng.choice(["ALERT", "OTHER"]), log_level="ERROR")
        return node.log("ERROR") if pick < 0.975 else node.heartbeat("DOWN")

    def steps(self, number):
        """What to do with a portion: put it, sometimes while pubsub is down."""
        steps = [f"put {number}"]
        if self.rng.random() < 0.3:
            pause = [f"sleep {self.rng.uniform(0.0, 0.6):.2f}"] if self.rng.random() < 0.4 else []
            steps = [self.rng.choice(["KILL", "KILL", "TERM"]), *pause, *steps, "start"]
        return [*steps, f"sleep {self.rng.uniform(0.0, 0.25):.2f}"]


def portions(seed, rounds, folder):
    traffic = Portions(int(seed), folder)
    for number in range(int(rounds)):
        traffic.write(number)
        print("\n".join(traffic.steps(number)))


# --- posting


class Client:
    """Posts to collect over one connection, which is reopened after a failure."""

    def __init__(self, host, port, timeout_s=20):
        self.address, self.timeout_s, self.connection = (host, int(port)), timeout_s, None

    def post(self, body, content_type=JSON):
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection(*self.address, timeout=self.timeout_s)
                self.connection.auto_open = False  # otherwise request() reconnects unnoticed
            if not self.connection.sock:
                self.connection.connect()
        except OSError:
            self.connection = None
            return Reply(False, None, None)
        try:
            self.connection.request("POST", "/log.input", body, {"Content-Type": content_type})
            answer = self.connection.getresponse()
            answer.read()
            return Reply(True, answer.status, answer.getheader("Retry-After"))
        except (OSError, http.client.HTTPException):
            self.close()
            return Reply(True, None, None)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def numbered(port, prefix, nodes):
    nodes = int(nodes)
    client, number, registered, end = Client("127.0.0.1", port), 0, 0, time.monotonic() + 200
    while time.monotonic() < end and not os.path.exists("enough"):
        is_registration = registered < nodes
        node = f"n{registered if is_registration else number % nodes}" if nodes else prefix
        record = {"log_id": f"{prefix}{number}", "node_id": node, "log_level": "INFO",
                  "message_type": "REGISTRATION" if is_registration else "LOG"}
        reply = client.post(compact_json(record).encode())
        if reply.status == 200:
            print(record["log_id"], flush=True)
            registered += is_registration
        elif not reply.sent:
            time.sleep(0.05)  # nothing listens
        number += 1


class Flood:
    """Four clients at full speed."""
    BATCH, CLIENTS, NODES = 500, 4, 50

    def __init__(self, port, enough, refusals, pids):
        self.port, self.enough, self.refusals = port, enough, refusals
        self.lock, self.accepted, self.serial = threading.Lock(), [], 0
        self.refused, self.refused_in_a_row, self.unexpected = 0, 0, []
        self.memory_kb = dict.fromkeys(pids, 0)

    def run(self):
        """Posts until there is enough of it; False: the nodes could not be registered."""
        first = [{"node_id": f"n{n}", "message_type": "REGISTRATION", "service_name": "Pay"}
                 for n in range(self.NODES)]
        if Client("127.0.0.1", self.port, 60).post(compact_json(first).encode()).status != 200:
            return False
        threads = [threading.Thread(target=self.work) for _ in range(self.CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return True

    def work(self):
        client = Client("127.0.0.1", self.port, 60)
        while True:
            with self.lock:
                if len(self.accepted) >= self.enough or self.refused_in_a_row >= self.refusals:
                    return
                records = [self.record(n) for n in range(self.serial, self.serial + self.BATCH)]
                self.serial += self.BATCH
            reply = client.post(json.dumps(records).encode())
            with self.lock:
                self.measure()
                self.count(reply, records)

    def record(self, n):
        node = f"n{n % self.NODES}"
        return {"log_id": f"{node}_{n}", "node_id": node, "message_type": "LOG",
                "log_level": "INFO" if n % 3 else "WARN", "message": "m" * 160,
                "service_name": "Pay", "timestamp": "2026-01-01 00:00:00"}

    def measure(self):
        for pid, most in self.memory_kb.items():
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                now = [int(line.split()[1]) for line in status if line.startswith("RssAnon")]
            self.memory_kb[pid] = max([most, *now])

    def count(self, reply, records):
        self.refused_in_a_row = self.refused_in_a_row + 1 if reply.status == 503 else 0
        if reply.status == 200:
            self.accepted.extend(record["log_id"] for record in records)
            return
        self.refused += 1
        if reply.status != 503 or not reply.retry_after:
            self.unexpected.append(reply.status)


def flood(port, enough, refusals, *pids):
    clients = Flood(port, int(enough), int(refusals), pids)
    if not clients.run():
        sys.exit("load.py: the registrations were not accepted")
    with open("accepted", "w", encoding="ascii") as out:
        out.writelines(f"{log_id}\n" for log_id in sorted(clients.accepted))
    with open("most", "w", encoding="ascii") as out:
        out.writelines(f"{clients.memory_kb[pid]}\n" for pid in pids)
    print(len(clients.accepted), clients.refused, *clients.unexpected)


# --- nodes that post, each in a thread


class Load:
    """count nodes that post to address, (host, port), and sent.jsonl at path, where each attempt is
    written down with its outcome and its time on the bus's clock. timeout_s is pubsub's heartbeat
    timeout. end() lets the nodes post their last record; cut() makes them give up."""

    def __init__(self, seed, count, address, path, timeout_s):
        self.address, self.timeout_s = address, timeout_s
        self.ending, self.given_up = threading.Event(), threading.Event()
        self.file, self.lock = open(path, "w", encoding="utf-8"), threading.Lock()
        self.accepted = 0
        self.slept_min_s = self.slept_max_s = 0  # by how much the bus's clock is ahead of ours
        self.nodes = [Node(self, f"{seed}:{i}", f"node_{i:02}", i) for i in range(count)]

    @contextlib.contextmanager
    def sleeping(self, seconds):
        """While the clocks of the daemons are moved ahead: a record posted meanwhile may have a
        time from before or from after."""
        self.slept_max_s += seconds
        yield
        self.slept_min_s += seconds

    def earliest_ms(self):
        return int((time.time() + self.slept_min_s) * 1000)

    def latest_ms(self):
        return int((time.time() + self.slept_max_s) * 1000)

    def start(self):
        for node in self.nodes:
            node.start()

    def end(self):
        self.ending.set()

    def cut(self):
        self.given_up.set()
        self.ending.set()

    def over(self):
        return not any(node.is_alive() for node in self.nodes)

    def close(self):
        self.cut()
        for node in self.nodes:
            if node.ident:
                node.join()
        self.file.close()

    def write(self, **attempt):
        with self.lock:
            self.file.write(json.dumps(attempt, ensure_ascii=False) + "\n")
            if attempt["status"] == 200:
                self.accepted += len(attempt["records"])


class Node(threading.Thread):
    """Posts numbered records strictly in order, one request at a time, and repeats a request with
    the same bytes until it has its 200. The seed decides what it posts and how long it pauses.
    Every fourth node is silent at times, every fourth leaves and returns, every seventh dies."""

    def __init__(self, load, seed, name, number):
        super().__init__(name=name, daemon=True)
        self.load, self.rng = load, random.Random(seed)
        self.falls_silent, self.leaves = number % 4 == 1, number % 4 == 2
        self.steps_left = self.rng.randint(40, 200) if number % 7 == 3 else None
        service = self.rng.choice(["Payment", "Order", "Sérvice"])
        self.records = Records(self.rng, name, service)
        self.client = Client(*load.address, timeout_s=10)
        self.posts, self.died = 0, False

    def run(self):
        self.post(self.records.registration())
        while not self.load.ending.is_set() and not self.died:
            self.step()
            if self.steps_left is not None:
                self.steps_left -= 1
                self.died = self.steps_left <= 0
        if not self.died:
            self.post(self.records.heartbeat("DOWN"))
        self.client.close()

    def step(self):
        pick, make = self.rng.random(), self.records
        if self.falls_silent and pick < 0.025:
            # Around the timeout, so that gaps end just before it, within the grace, and after it.
            factor = self.rng.choice([0.8, 1.05, 1.2, 1.6, 2.2])
            self.stay_silent(factor * self.load.timeout_s)
        elif self.leaves and pick < 0.02:
            self.post(make.heartbeat("DOWN"))
            self.register_again()
        elif pick < 0.02:
            self.post(make.log("INFO"), make.log("ERROR"))
            self.register_again()
        elif pick < 0.03:
            self.post(make.registration())
        elif pick < 0.33:
            self.post(make.heartbeat())
        elif pick < 0.34:
            self.post(make.without_node())
        elif pick < 0.345:
            self.post(make.unstorable())
        elif pick < 0.90:
            self.post(make.log("WARN" if self.rng.random() < 0.15 else "INFO"))
        else:
            self.post(*self.several())
        self.load.ending.wait(self.rng.uniform(0.05, 0.25))

    def several(self):
        """The records of one POST, some of them bad."""
        make = self.records
        records = [make.heartbeat()]
        records += [make.log("INFO") for _ in range(self.rng.randint(1, POST_MAX - 1))]
        for bad in (make.without_node, make.unstorable):
            if self.rng.random() < 0.05:
                records.insert(self.rng.randint(0, len(records)), bad())
        return records

    def stay_silent(self, seconds):
        """No heartbeat for that long; now and then a log, which does not count as one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.load.ending.is_set():
            if self.rng.random() < 0.2:
                self.post(self.records.log("INFO"))
            self.load.ending.wait(min(0.3, max(0.0, until - time.monotonic())))
        self.post(self.records.heartbeat())

    def register_again(self):
        """After a while, in which records are dropped because the node is not registered."""
        self.load.ending.wait(self.rng.uniform(0.0, 0.5))
        if self.rng.random() < 0.5:
            self.post(self.records.log("INFO"))
        self.post(self.records.registration())

    def post(self, *records):
        content_type = NDJSON if len(records) > 1 and self.rng.random() < 0.5 else JSON
        body = records[0]
        if content_type == NDJSON:
            body = "\n".join(records)
        elif len(records) > 1:
            body = "[" + ",".join(records) + "]"
        n, attempt = self.posts, 0
        self.posts += 1
        while not self.load.given_up.is_set():
            began_ms = self.load.earliest_ms()
            reply = self.client.post(body.encode(), content_type)
            self.load.write(node=self.name, n=n, attempt=attempt, status=reply.status,
                            connected=reply.sent, time=began_ms, answered=self.load.latest_ms(),
                            records=records)
            if reply.status == 200:
                return
            attempt += 1
            self.load.given_up.wait(self.rng.uniform(0.05, 0.3))


COMMANDS = {"portions": portions, "numbered": numbered, "flood": flood}

if __name__ == "__main__":
    if len(sys.argv) < 5 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: load.py {' | '.join(COMMANDS)} ARGUMENT…")
    COMMANDS[sys.argv[1]](*sys.argv[2:])
