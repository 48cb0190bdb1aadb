"""model: what pubsub has to make of its input, derived from the rules of distlog(7): slow, obvious,
and without any code of the product. SPDX-License-Identifier: Apache-2.0"""
import collections
import datetime
import json

from dump import at, compact, record_of, text_of
from messages import alert_message

# How far the embedded bus's clock may be off the load's: it was set from two readings, and a busy
# machine may have paused between them. Less than the grace, so that it excuses no alert.
SKEW_MS = 500

# A record that pubsub must have put for a record of the input: the input's time and partition, when
# the log had it at the latest (in ms), and whether it belongs in alerts too.
Expected = collections.namedtuple("Expected", "text key time partition reached alert")
# A HEARTBEAT_MISSED: when it is due (in ms), and the first and last place that it may have among
# the records of its node.
Missed = collections.namedtuple("Missed", "node partition due first last")


class Node:
    """A registered node."""

    def __init__(self, service, last_seen, place):
        self.service = service
        self.last_seen = last_seen  # its last heartbeat or registration, in ms
        self.place = place  # how many records of the output came before that one


class Pubsub:
    """Walks through the input and notes for each node what must be in processed, in order; a MISSED
    apart, for it is due when the time of its partition has passed, in the midst of other records.
    reached(record): when the log had that record at the latest, in ms."""

    def __init__(self, settings, processed, reached, problems):
        self.timeout, self.grace = settings["heartbeat_timeout"], settings["grace"]
        self.exact, self.settled = settings.get("exact", False), settings.get("settled", True)
        self.skew = settings.get("skew", SKEW_MS)  # of the clock that stamps what pubsub puts
        self.rfc3339 = settings.get("format", "local") == "rfc3339"
        self.reached, self.problems = reached, problems
        self.reported = {log_id_of(record): text_of(record) for record in processed}
        self.nodes = {}
        self.homes = {}  # the partition on which each node was first seen
        self.processed = collections.defaultdict(list)  # node: [Expected]
        self.missed = {}  # text: Missed
        self.dead = []  # bad records

    # --- what it writes

    def clock(self, ms):
        if not self.rfc3339:
            return datetime.datetime.fromtimestamp(ms // 1000).strftime("%Y-%m-%d %H:%M:%S")
        time = datetime.datetime.fromtimestamp(ms // 1000).astimezone()
        offset = time.strftime("%z")
        zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
        return time.strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}{zone}"

    def put(self, name, text, record, alert=False, key=None):
        self.processed[name].append(Expected(text, key or name.encode(), record.time,
                                             record.partition, self.reached(record), alert))

    def put_liveness_event(self, name, service, record, status):
        self.put(name, json_text({"message_type": "REGISTRATION", "node_id": name,
                             "service_name": service, "timestamp": self.clock(record.time),
                             "status": status}), record)

    def alert(self, name, ms, what, service):
        kind = f"HEARTBEAT_{what.upper()}"
        return json_text({"log_id": f"{name}_{what}_{ms}", "node_id": name, "log_level": "ALERT",
                     "message": alert_message(kind, name), "message_type": "ALERT", "alert": kind,
                     "last_heartbeat": self.clock(self.nodes[name].last_seen),
                     "service_name": service, "timestamp": self.clock(ms)})

    # --- silence

    def miss(self, name, *renamed):
        """Expects a MISSED for the open gap. renamed: the service of the record that ends the gap,
        if the MISSED may have been written after it."""
        node = self.nodes[name]
        texts = [self.alert(name, node.last_seen + self.timeout, "missed", service)
                 for service in (node.service, *renamed)]
        was_renamed = self.reported.get(json.loads(texts[0])["log_id"]) == texts[-1]
        self.missed[texts[-1] if was_renamed else texts[0]] = Missed(
            name, self.homes[name], node.last_seen + self.timeout + self.grace, node.place,
            len(self.processed[name]))

    def was_reported(self, name):
        """Whether there is a MISSED of the open gap in the output."""
        return f"{name}_missed_{self.nodes[name].last_seen + self.timeout}" in self.reported

    def end_gap(self, name, record, is_error, service):
        """At a heartbeat, a registration or an ERROR of a node, with the service that it now names:
        expects alerts if the time since the last heartbeat was too long."""
        node = self.nodes[name]
        limit = self.timeout + self.grace
        gap = record.time - node.last_seen
        exceeds_timeout = not is_error and gap > self.timeout
        must = gap > limit or (self.exact and exceeds_timeout)
        may = must or exceeds_timeout or self.reached(record) > node.last_seen + limit
        if not must and not (may and self.was_reported(name)):
            return
        self.miss(name, *([service] if gap <= limit else []))
        if not is_error:
            text = self.alert(name, record.time, "recovered", service)
            self.put(name, text, record, alert=True)

    # --- the input

    def read(self, record):
        fields = record_of(record.value)
        if fields is None:
            self.dead.append(record)
            return
        name, kind = fields["node_id"], fields["message_type"]
        if self.homes.setdefault(name, record.partition) != record.partition:
            self.problems.add("a node is on several partitions of the input", at(record))
        service = fields.get("service_name")
        service = service if isinstance(service, str) else None
        if name in self.nodes:
            self.read_known(name, record, fields, service)
        elif kind == "REGISTRATION":
            self.put_liveness_event(name, service, record, "UP")
            self.nodes[name] = Node(service, record.time, len(self.processed[name]))

    def read_known(self, name, record, fields, service):
        """A record of a registered node."""
        node, kind, level = self.nodes[name], fields["message_type"], fields.get("log_level")
        is_error, is_warning = (kind == "LOG" and level == wanted for wanted in ("ERROR", "WARN"))
        if kind != "REGISTRATION":
            service = node.service
        is_heartbeat = kind in ("REGISTRATION", "HEARTBEAT") and record.time > node.last_seen
        if is_heartbeat or is_error:
            self.end_gap(name, record, is_error, service)
        node.service = service
        self.put(name, compact(record.value.decode()), record, is_error or is_warning, record.key)
        if is_heartbeat:
            node.last_seen, node.place = record.time, len(self.processed[name])
        if is_error or (kind == "HEARTBEAT" and fields.get("status") == "DOWN"):
            self.put_liveness_event(name, node.service, record, "DOWN")
            del self.nodes[name]

    def end(self):
        for name in self.nodes:
            if self.settled or self.was_reported(name):
                self.miss(name)


def log_id_of(record):
    fields = record_of(record.value)
    return fields and fields.get("log_id")


def json_text(fields):
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
