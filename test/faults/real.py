"""real: Kafka and Elasticsearch as the harness sees them: two servers of its own, which may be
stopped and killed, and what they hold, read with foreign clients: kcat, with read_committed, and
plain HTTP.
SPDX-License-Identifier: Apache-2.0"""
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = os.path.join(HERE, "..", "integration", "servers")
PAGE = 5000
# A listener for the proxy, beside those of test/integration/servers.
KAFKA_SETTINGS = {
    "listeners": "PLAINTEXT://127.0.0.1:{0},CONTROLLER://127.0.0.1:{1},"
                 "SASL_SSL://127.0.0.1:{2},PROXIED://127.0.0.1:{3}",
    "advertised.listeners": "PLAINTEXT://127.0.0.1:{0},SASL_SSL://127.0.0.1:{2},"
                            "PROXIED://127.0.0.1:{proxy}",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
                                      "SASL_SSL:SASL_SSL,PROXIED:PLAINTEXT"}


class Server:
    """One server, with its data in folder/NAME and its port in folder/NAME.port."""

    def __init__(self, name, folder, extra):
        self.name, self.folder, self.extra = name, folder, extra
        self.starting, self.paused = None, False

    def script(self, command):
        """Starts test/integration/servers with that command."""
        return subprocess.Popen(
            [SERVERS, command, self.name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={**os.environ, **self.extra, "TEST_SERVERS_RUN": self.folder})

    def pid(self):
        """The process, or None if it is not running."""
        try:
            with open(f"{self.folder}/{self.name}/pid", encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return pid if f"{self.folder}/{self.name}".encode() in file.read() else None
        except (OSError, ValueError):
            return None

    def send(self, number):
        self.paused = number == signal.SIGSTOP
        os.kill(self.pid(), number)

    def start(self):
        """Starts it in the background. False: the old process has not ended yet."""
        if self.pid() is None:
            self.starting = self.script("start")
            return True
        return False

    def up(self):
        if self.starting and self.starting.poll() is not None:
            self.starting = None
        return not self.starting and not self.paused and self.pid() is not None


class Real:
    """The bus and the store on servers that all rounds of a run share. Topics, groups and index are
    those of one execution of a round, so that a repetition does not find what it left."""
    name = "kafka"
    partitions = 3
    shares_clock = False  # the daemons' clocks are not the broker's
    unstorable_key = "alert"  # mapped as a keyword: a record with an object there can't be stored
    shares_lock = False
    poll_s = 2.0          # between two checks of what has arrived

    def __init__(self, plan):
        place = plan["servers"]
        suffix = f"-{plan['seed']}-{plan['execution']}"
        self.index = "logs" + suffix
        self.topics = {"input": "nodes" + suffix, "processed": "processed" + suffix,
                       "alerts": "alerts" + suffix}
        self.broker, self.es = f"127.0.0.1:{place['kafka']}", f"http://127.0.0.1:{place['es']}"
        self.servers = {"kafka": Server("kafka", place["folder"], {"KAFKA_EXTRA": place["extra"]}),
                        "es": Server("es", place["folder"], {})}
        self.upstreams = {"kafka": (f"127.0.0.1:{place['kafka'] + 3}", place["proxy"]),
                          "es": (f"127.0.0.1:{place['es']}", 0)}
        self.group = "g" + suffix

    def env(self, proxies):
        return {"DISTLOG_BUS_TYPE": "kafka",
                "DISTLOG_BUS_KAFKA_BROKERS": f"127.0.0.1:{proxies['kafka'].port}",
                "DISTLOG_STORE_TYPE": "elasticsearch", "DISTLOG_STORE_INDEX": self.index,
                "DISTLOG_STORE_ELASTICSEARCH_URLS": f"http://127.0.0.1:{proxies['es'].port}",
                "DISTLOG_STORE_ELASTICSEARCH_TIMEOUT": "20s",
                "DISTLOG_STORE_GROUP": "store-" + self.group,
                "DISTLOG_PUBSUB_GROUP": "pubsub-" + self.group,
                "DISTLOG_ALERT_GROUP": "alert-" + self.group}

    def up(self):
        return all(server.up() for server in self.servers.values())

    def topic(self, name):
        """Its records: (partition, offset, timestamp, key, value); the last two are bytes or
        None."""
        read = subprocess.run(
            ["kcat", "-C", "-b", self.broker, "-t", name, "-o", "beginning", "-e", "-q", "-X",
             "isolation.level=read_committed", "-f", "%p %o %T %K %S\n%k%s\n"],
            capture_output=True, timeout=60, check=False)
        if read.returncode != 0 and b"nknown topic" in read.stderr:
            return []
        if read.returncode != 0:
            raise OSError(f"kcat {name}: {read.stderr.decode(errors='replace').strip()}")
        return list(records_in(read.stdout))

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.es + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def refresh(self):
        """Makes new documents visible. False: there is no index yet."""
        try:
            self.ask("POST", f"/{self.index}/_refresh")
            return True
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False

    def count_documents(self):
        return self.ask("GET", f"/{self.index}/_count")["count"] if self.refresh() else 0

    def documents(self):
        """(id, source) of each."""
        if not self.refresh():
            return []
        first = {"size": PAGE, "sort": ["_doc"]}
        page = self.ask("POST", f"/{self.index}/_search?scroll=1m", first)
        found = []
        while page["hits"]["hits"]:
            found += [(hit["_id"], hit["_source"]) for hit in page["hits"]["hits"]]
            following = {"scroll": "1m", "scroll_id": page["_scroll_id"]}
            page = self.ask("POST", "/_search/scroll", following)
        return found

    def close(self):
        """Deletes the index and its template, so that the server stays small."""
        for path in (f"/{self.index}", f"/_index_template/distlog-{self.index}"):
            try:
                self.ask("DELETE", path)
            except OSError:
                pass


def records_in(text):
    """Parses the output of kcat: numbers and lengths on a line, -1 for null, then the bytes."""
    at = 0
    while at < len(text):
        end = text.index(b"\n", at)
        partition, offset, timestamp, key_n, value_n = map(int, text[at:end].split())
        at = end + 1
        key = text[at:at + key_n] if key_n >= 0 else None
        at += max(0, key_n)
        value = text[at:at + value_n] if value_n >= 0 else None
        at += max(0, value_n)
        yield partition, offset, timestamp, key, value
        at += 1


def make_place(folder, free_port):
    """Where a run's servers will be: their ports, and the broker's settings for the proxy."""
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    place = {"folder": folder, "kafka": free_port(4), "es": free_port(2), "proxy": free_port(1)}
    for name in ("kafka", "es"):
        with open(f"{folder}/{name}.port", "w", encoding="ascii") as file:
            file.write(f"{place[name]}\n")
    settings = "\n".join(f"{name}={value}" for name, value in KAFKA_SETTINGS.items())
    place["extra"] = settings.format(*(place["kafka"] + i for i in range(4)), proxy=place["proxy"])
    return place
