"""load: the nodes of a round, each a thread that posts numbered records strictly in order, one request
at a time, and repeats a request with the same bytes until it has its 200. Owns sent.jsonl, where every
attempt is written down with what came of it, and when, on the bus's clock. The seed decides what a node
says and how long it pauses.
SPDX-License-Identifier: Apache-2.0"""
import contextlib
import datetime
import http.client
import json
import random
import threading
import time
import uuid

JSON, NDJSON = "application/json", "application/x-ndjson"
MOST_OF_ONE_POST = 6


def text_of(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


class Load:
    """N nodes that post to address. end() makes them say goodbye; cut() makes them give up."""

    def __init__(self, seed, count, address, path, timeout):
        self.address, self.timeout = address, timeout
        self.ending, self.given_up = threading.Event(), threading.Event()
        self.file, self.lock = open(path, "w", encoding="utf-8"), threading.Lock()
        self.accepted = 0
        self.slept_least_s = self.slept_most_s = 0  # by how much the bus's clock is ahead of ours
        self.nodes = [Node(self, f"{seed}:{i}", f"node_{i:02}", i) for i in range(count)]

    @contextlib.contextmanager
    def sleeping(self, seconds):
        """While the clocks of the daemons are moved ahead: what is posted meanwhile may have been given
        a time from before or from after."""
        self.slept_most_s += seconds
        yield
        self.slept_least_s += seconds

    def earliest_ms(self):
        return int((time.time() + self.slept_least_s) * 1000)

    def latest_ms(self):
        return int((time.time() + self.slept_most_s) * 1000)

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
    """One node. Every fourth is silent at times, every fourth leaves and returns, every seventh dies."""

    def __init__(self, load, seed, name, number):
        super().__init__(name=name, daemon=True)
        self.load, self.rng = load, random.Random(seed)
        self.sleepy, self.restless = number % 4 == 1, number % 4 == 2
        self.life = self.rng.randint(40, 200) if number % 7 == 3 else None  # in steps
        self.service = self.rng.choice(["Payment", "Order", "Sérvice"])
        self.number = self.posts = 0
        self.died, self.connection = False, None

    # --- records

    def record(self, kind, **more):
        fields = {"node_id": self.name, "message_type": kind, **more}
        if kind == "LOG":
            fields = {"log_id": f"{self.name}_{uuid.UUID(int=self.rng.getrandbits(128), version=4)}", **fields}
        fields["timestamp"] = self.stamp()
        fields["n"] = self.number
        self.number += 1
        text = text_of(fields)
        return text[:-1] + ',"x":1.50}' if self.rng.random() < 0.1 else text

    def stamp(self):
        """Most know no zone. The others' clock is wrong by up to a minute; it is their document's all the same."""
        if self.rng.random() < 0.9:
            return time.strftime("%Y-%m-%d %H:%M:%S")
        when = time.time() + self.rng.uniform(-60, 60)
        zone = datetime.timezone(datetime.timedelta(minutes=self.rng.choice([0, 330, -210])))
        return datetime.datetime.fromtimestamp(when, zone).isoformat(timespec="milliseconds")

    def registration(self):
        return self.record("REGISTRATION", service_name=self.service)

    def beat(self, status="UP"):
        return self.record("HEARTBEAT", status=status)

    def log(self, level):
        more = {"log_level": level, "message": f"“no. {self.number}” of {self.name}"}
        if level == "WARN":
            more.update(response_time_ms=self.rng.randint(100, 1000), threshold_limit_ms=self.rng.randint(300, 800))
        if level == "ERROR":
            more["error_details"] = {"error_code": self.rng.randint(20, 100), "error_message": "a \"fault\"\n"}
        return self.record("LOG", service_name=self.service, **more)

    def bad(self):
        """A record of nobody: collect takes it, and pubsub can do nothing with it."""
        return self.log("INFO").replace(f'"node_id":"{self.name}",', "", 1)

    def refused(self):
        """Elasticsearch can't have it: see real.py. To pubsub it is as any."""
        return self.log("INFO")[:-1] + ',"alert":{"x":1}}'

    # --- what it does

    def run(self):
        self.post([self.registration()])
        while not self.load.ending.is_set():
            self.step()
            if self.life is not None:
                self.life -= 1
                if self.life <= 0:
                    self.died = True
                    break
        if not self.died:
            self.post([self.beat("DOWN")])
        if self.connection:
            self.connection.close()

    def step(self):
        pick = self.rng.random()
        if self.sleepy and pick < 0.025:
            # Around the timeout, so that gaps close just before it, within the grace, and after it.
            self.silence(self.rng.choice([0.8, 1.05, 1.2, 1.6, 2.2]) * self.load.timeout)
        elif self.restless and pick < 0.02:
            self.post([self.beat("DOWN")])
            self.stray()
            self.post([self.registration()])
        elif pick < 0.02:
            self.post([self.log("INFO"), self.log("ERROR")])
            self.stray()
            self.post([self.registration()])
        elif pick < 0.03:
            self.post([self.registration()])
        elif pick < 0.33:
            self.post([self.beat()])
        elif pick < 0.34:
            self.post([self.bad()])
        elif pick < 0.345:
            self.post([self.refused()])
        elif pick < 0.90:
            self.post([self.log("WARN" if self.rng.random() < 0.15 else "INFO")])
        else:
            count = self.rng.randint(2, MOST_OF_ONE_POST)
            some = [self.beat() if i == 0 else self.log("INFO") for i in range(count)]
            for other in (self.bad, self.refused):
                if self.rng.random() < 0.05:
                    some.insert(self.rng.randint(0, len(some)), other())
            self.post(some)
        self.load.ending.wait(self.rng.uniform(0.05, 0.25))

    def silence(self, seconds):
        """No proof of life for that long; now and then a record that proves nothing."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.load.ending.is_set():
            if self.rng.random() < 0.2:
                self.post([self.log("INFO")])
            self.load.ending.wait(min(0.3, max(0.0, until - time.monotonic())))
        self.post([self.beat()])

    def stray(self):
        """What it says while nobody knows it is dropped."""
        self.load.ending.wait(self.rng.uniform(0.0, 0.5))
        if self.rng.random() < 0.5:
            self.post([self.log("INFO")])

    # --- posting

    def post(self, records):
        kind = NDJSON if len(records) > 1 and self.rng.random() < 0.5 else JSON
        text = records[0] if len(records) == 1 else "\n".join(records) if kind == NDJSON else "[" + ",".join(records) + "]"
        n, attempt = self.posts, 0
        self.posts += 1
        while not self.load.given_up.is_set():
            began = self.load.earliest_ms()
            connected, status = self.ask(text.encode(), kind)
            self.load.write(node=self.name, n=n, attempt=attempt, status=status, connected=connected, time=began,
                            answered=self.load.latest_ms(), records=records)
            if status == 200:
                return
            attempt += 1
            self.load.given_up.wait(self.rng.uniform(0.05, 0.3))

    def ask(self, body, kind):
        """Whether anything was sent, and the status, or None if the connection broke before there was one."""
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection(*self.load.address, timeout=10)
                self.connection.auto_open = False  # else request() would connect again, unseen
            if not self.connection.sock:
                self.connection.connect()
        except OSError:
            self.connection = None
            return False, None
        try:
            self.connection.request("POST", "/log.input", body, {"Content-Type": kind})
            answer = self.connection.getresponse()
            answer.read()
            return True, answer.status
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            return True, None
