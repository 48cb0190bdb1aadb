#!/usr/bin/env python3
"""oracle: whether what a run left behind is what the input topic and the answers to the nodes ask for:
slow, obvious, and of no kin to the C code. `oracle.py FOLDER` prints each problem and exits 1, or what it
has compared; examine(FOLDER) returns both. In the folder, each line of the .jsonl files an object:

settings.json    engine "local" or "kafka"; heartbeat_timeout and grace in ms; topics {input, processed,
                 alerts}; and, if it is not so by default: format "local" (of the timestamps that pubsub
                 writes, in the zone of this process) or "rfc3339"; partitions: of each topic, to hold the
                 keys against; settled true: at the end all nodes had been silent for longer than timeout
                 and grace, and pubsub had the time to say so; exact false: true asks MISSED + RECOVERED
                 also for a gap between timeout and timeout + grace, where both and neither are right;
                 ordered true: false where pubsub's clock was wrong when it started, which may delay a
                 MISSED; refuses null: the key with which a record can't be stored if an object is its
                 value
sent.jsonl       each attempt to POST: node, n (which POST of that node, counting up), attempt, status (null:
                 no answer), connected true: false where nothing was sent, time (ms on the bus's clock, when it
                 began), answered (when it ended), records (their texts)
topic-NAME.jsonl topic, partition, offset, timestamp, key, value or value_base64; a missing topic is empty;
                 in place of it topic-NAME.tsv, as `bus get -t` prints it
index.jsonl      _id and _source of each document, @timestamp within as text or in ms; with the engine "local"
                 in the order in which they came
alert.NNN.out    what alert printed, a file each of its lives

Without sent.jsonl, index.jsonl or alert.000.out what they are for is not asked.
SPDX-License-Identifier: Apache-2.0"""
import base64
import collections
import datetime
import decimal
import glob
import json
import os
import re
import sys

MANY = 8  # problems of a kind that are told one by one
# By how much the embedded bus's clock may be beside the load's: it was set from two readings of clocks, and a
# busy machine may have paused between them. Less than grace, so that it excuses no alert.
SKEW_MS = 500
ZONED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ID_MAX = 512  # bytes of a log_id that can be a document's _id

Record = collections.namedtuple("Record", "topic partition offset time key value")
# A record that pubsub must have put for one of the input: that one's time and partition, when the log had
# it at the latest, and whether it belongs in alerts too.
Made = collections.namedtuple("Made", "text key time partition reached alert")
# A HEARTBEAT_MISSED: when it is due, and the first and last place it may have among its node's records.
Missed = collections.namedtuple("Missed", "node partition due first last")


# --- reading the folder


def lines(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return [line for line in file.read().split(b"\n") if line]


def topic(folder, name):
    """Its records, by partition and offset; key and value are bytes, or None."""
    records = []
    for line in lines(folder, f"topic-{name}.jsonl") or []:
        row = json.loads(line)
        value = base64.b64decode(row["value_base64"]) if "value_base64" in row else as_bytes(row["value"])
        records.append(Record(name, row["partition"], row["offset"], row["timestamp"], as_bytes(row["key"]), value))
    for line in lines(folder, f"topic-{name}.tsv") or []:
        *place, key, value = line.split(b"\t", 4)
        records.append(Record(name, *map(int, place), key or None, value))
    return sorted(records, key=lambda record: (record.partition, record.offset))


def as_bytes(text):
    return None if text is None else text.encode()


# --- records


def compact(text):
    """Without white space between tokens."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda match: match[1] or "", text, flags=re.S)


def no_twins(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def no_constant(name):
    raise ValueError(name)


def record_of(value):
    """The record as a dict, or None for a bad one."""
    try:
        record = json.loads((value or b"").decode(), object_pairs_hook=no_twins, parse_constant=no_constant)
    except ValueError:
        return None
    if not isinstance(record, dict) or "" in record:
        return None
    node, kind = record.get("node_id"), record.get("message_type")
    return record if isinstance(node, str) and node and isinstance(kind, str) else None


def in_order(text):
    """A value that is equal to another only with the same keys in the same order."""
    return json.loads(text, object_pairs_hook=lambda pairs: ["object", *pairs], parse_float=decimal.Decimal)


def murmur2(key):
    """The hash by which Kafka's clients choose a partition."""
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
    hashed = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        word = int.from_bytes(key[i:i + 4], "little") * mix & mask
        word = (word ^ word >> 24) * mix & mask
        hashed = (hashed * mix & mask) ^ word
    if key[whole:]:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * mix & mask
    hashed = (hashed ^ hashed >> 13) * mix & mask
    return (hashed ^ hashed >> 15) & 0x7FFFFFFF


def log_id_of(record):
    made = record_of(record.value)
    return made and made.get("log_id")


def short(text):
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return text if len(text) <= 300 else text[:297] + "..."


# --- the problems


class Problems:
    def __init__(self):
        self.texts, self.count, self.told = [], collections.Counter(), collections.Counter()

    def add(self, kind, text, n=1):
        """n: how many records the text is of."""
        self.count[kind] += n
        self.told[kind] += 1
        if self.told[kind] <= MANY:
            self.texts.append(f"{kind}: {text}")

    def all(self):
        more = [f"{kind}: and {n - MANY} more, of {self.count[kind]} records" for kind, n in self.told.items() if n > MANY]
        return self.texts + more

    def how_many(self, *kinds):
        """Records with a problem whose kind has one of these words."""
        return sum(n for kind, n in self.count.items() if any(word in kind for word in kinds))


# --- from the nodes to the input


class Sent:
    """What was posted, by the record's text as it must be in the input."""

    def __init__(self, rows):
        self.attempts = collections.defaultdict(list)  # text: rows
        self.place = {}  # text: (node, n, which of the POST)
        for row in sorted(rows, key=lambda row: (row["node"], row["n"], row["attempt"])):
            for i, text in enumerate(row["records"]):
                text = compact(text).encode()
                self.attempts[text].append(row)
                self.place.setdefault(text, (row["node"], row["n"], i))

    def acknowledged(self, text):
        return any(row["status"] == 200 for row in self.attempts.get(text, []))

    def reached(self, record):
        """When the record had reached the log at the latest, as far as an answer tells."""
        for row in self.attempts.get(record.value, []):
            if row["status"] == 200 and between(row, record.time):
                return row.get("answered", record.time) + SKEW_MS
        return float("inf")


def between(row, time):
    """Whether it is of this attempt: between its POST and the answer."""
    return row["time"] - SKEW_MS <= time <= row.get("answered", float("inf")) + SKEW_MS


def refused(row):
    return not row.get("connected", True) or (
        row["status"] is not None and row["status"] != 200 and row["status"] < 500)


def check_input(sent, records, problems):
    found = collections.Counter(record.value for record in records)
    timely = {record.value for record in records if sent.reached(record) < float("inf")}
    for text, rows in sent.attempts.items():
        node, n, _ = sent.place[text]
        where = f"POST {n} of {node}: {short(text)}"
        if sent.acknowledged(text) and not found[text]:
            problems.add("an acknowledged record is lost", where)
        elif sent.acknowledged(text) and text not in timely:
            # Of either clock. Were it let pass, nobody could say any more which alert came too early.
            problems.add("a record's time is not between its POST and the answer", where)
        could = sum(not refused(row) for row in rows)
        if not could and found[text]:
            problems.add("a refused record is in the input", where, found[text])
        elif found[text] > could:
            problems.add("a record is in the input more often than it was posted",
                         f"{where}: {found[text]} times, {could} attempts", found[text] - could)
    seen, latest = set(), {}
    for record in records:
        if record.value not in sent.place:
            problems.add("a record in the input was never sent", at(record))
        elif record.value not in seen and sent.acknowledged(record.value) and record_of(record.value):
            place = sent.place[record.value]
            if latest.get(place[0], place) > place:
                problems.add("the input is out of order", f"{at(record)} stands behind POST {latest[place[0]][1]}")
            latest[place[0]] = max(place, latest.get(place[0], place))
        seen.add(record.value)


def at(record):
    return f"{record.topic}/{record.partition} offset {record.offset}: {short(record.value)}"


def check_keys(records, partitions, problems):
    """Records keyed by node_id, each key's in the partition that it belongs to."""
    for record in records:
        made = record_of(record.value)
        if made and record.key not in (None, made["node_id"].encode()):
            problems.add("a record has another key than its node_id", f"{at(record)}: {short(record.key)}")
        if partitions and record.key and murmur2(record.key) % partitions != record.partition:
            problems.add("a record is in another partition than its key's", at(record))


# --- what pubsub makes of the input


class Pubsub:
    """Walks through the input as distlog(7) says, and notes for each node what must be in processed, in
    order; a MISSED apart, for it comes when the partition's time has passed, among others of the node."""

    def __init__(self, settings, processed, reached, problems):
        self.timeout, self.grace = settings["heartbeat_timeout"], settings["grace"]
        self.exact, self.settled = settings.get("exact", False), settings.get("settled", True)
        self.skew = settings.get("skew", SKEW_MS)  # of the clock that stamps what pubsub puts
        self.rfc3339 = settings.get("format", "local") == "rfc3339"
        self.reached = reached
        self.told = {log_id_of(record): text_of(record) for record in processed}
        self.nodes = {}
        self.homes = {}  # the partition on which each node was first seen
        self.processed = collections.defaultdict(list)  # node: [Made]
        self.missed = {}  # text: its node, partition and deadline, and between which of its node's it stands
        self.dead = []
        self.problems = problems

    def clock(self, ms):
        if not self.rfc3339:
            return datetime.datetime.fromtimestamp(ms // 1000).strftime("%Y-%m-%d %H:%M:%S")
        when = datetime.datetime.fromtimestamp(ms // 1000).astimezone()
        zone = when.strftime("%z")
        return when.strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}" + (
            "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:5]}")

    def put(self, name, text, record, alert=False, key=None):
        self.processed[name].append(Made(text, key or name.encode(), record.time, record.partition,
                                         self.reached(record), alert))

    def registry_event(self, name, service, record, status):
        self.put(name, dump({"message_type": "REGISTRATION", "node_id": name, "service_name": service,
                             "timestamp": self.clock(record.time), "status": status}), record)

    def alert(self, name, when, what, service):
        says = {"missed": "missed its heartbeat!", "recovered": "is back"}[what]
        return dump({"log_id": f"{name}_{what}_{when}", "node_id": name, "log_level": "ALERT",
                     "message": f"Node {name} {says}", "message_type": "ALERT", "alert": f"HEARTBEAT_{what.upper()}",
                     "last_heartbeat": self.clock(self.nodes[name]["last"]), "service_name": service,
                     "timestamp": self.clock(when)})

    def miss(self, name, *renamed):
        """The gap that is open counts as missed. renamed: what the node calls itself as it comes back, if it may
        have been found by that."""
        node = self.nodes[name]
        texts = [self.alert(name, node["last"] + self.timeout, "missed", service)
                 for service in (node["service"], *renamed)]
        text = texts[-1] if self.told.get(json.loads(texts[0])["log_id"]) == texts[-1] else texts[0]
        self.missed[text] = Missed(name, self.homes[name], node["last"] + self.timeout + self.grace,
                                   node["place"], len(self.processed[name]))

    def said(self, name):
        return f"{name}_missed_{self.nodes[name]['last'] + self.timeout}" in self.told

    def end_gap(self, name, record, error, service):
        """A proof of life, or an ERROR: is the time since the last proof a gap to tell? service: what the node
        calls itself now."""
        node = self.nodes[name]
        due = node["last"] + self.timeout + self.grace
        gap = record.time - node["last"]
        must = gap > self.timeout + self.grace or (self.exact and not error and gap > self.timeout)
        may = must or self.reached(record) > due or (not error and gap > self.timeout)
        if not must and not (may and self.said(name)):
            return
        self.miss(name, *([service] if gap <= self.timeout + self.grace else []))
        if not error:
            self.put(name, self.alert(name, record.time, "recovered", service), record, alert=True)

    def read(self, record):
        made = record_of(record.value)
        if made is None:
            self.dead.append(record)
            return
        name, kind = made["node_id"], made["message_type"]
        if self.homes.setdefault(name, record.partition) != record.partition:
            self.problems.add("a node is on several partitions of the input", at(record))
        service = made.get("service_name")
        service = service if isinstance(service, str) else None
        node = self.nodes.get(name)
        if node is None:
            if kind == "REGISTRATION":
                self.registry_event(name, service, record, "UP")
                self.nodes[name] = {"service": service, "last": record.time, "place": len(self.processed[name])}
            return
        error = kind == "LOG" and made.get("log_level") == "ERROR"
        if kind != "REGISTRATION":
            service = node["service"]
        proof = kind in ("REGISTRATION", "HEARTBEAT") and record.time > node["last"]
        if proof or error:
            self.end_gap(name, record, error, service)
        node["service"] = service
        warn = kind == "LOG" and made.get("log_level") == "WARN"
        self.put(name, compact(record.value.decode()), record, error or warn, record.key)
        if proof:
            node["last"], node["place"] = record.time, len(self.processed[name])
        if error or kind == "HEARTBEAT" and made.get("status") == "DOWN":
            self.registry_event(name, node["service"], record, "DOWN")
            del self.nodes[name]

    def end(self):
        for name in self.nodes:
            if self.settled or self.said(name):
                self.miss(name)


def dump(fields):
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


# --- what it made of it


def by_node(records):
    nodes = collections.defaultdict(list)
    for record in records:
        made = record_of(record.value)
        nodes[made["node_id"] if made else None].append(record)
    return nodes


def check_output(pubsub, name, records, alerts, ordered, problems):
    """One output topic; alerts: it is the topic of the alerts, which has a part of it."""
    nodes = by_node(records)
    from_input = {}  # (partition, offset): Made
    for node in sorted({*nodes, *pubsub.processed, *pubsub.nodes} - {None}):
        wanted = [made for made in pubsub.processed[node] if made.alert or not alerts]
        got = [record for record in nodes[node] if text_of(record) not in pubsub.missed]
        if check_same(name, node, wanted, got, pubsub.skew, problems):
            from_input.update({(r.partition, r.offset): made for r, made in zip(got, wanted)})
            check_missed(pubsub, node, nodes[node], name, alerts, problems)
        if len({record.partition for record in nodes[node]}) > 1:
            problems.add("a node is on several partitions of an output", f"{name}, node {node}")
    for record in nodes[None]:
        problems.add("a record that nobody asked for", at(record))
    if ordered:
        check_in_time(pubsub, records, from_input, problems)


def text_of(record):
    return (record.value or b"").decode(errors="replace")


def check_same(name, node, wanted, got, skew, problems):
    """The records that follow from one of the input each: these, once each, in this order."""
    want = collections.Counter(made.text for made in wanted)
    have = collections.Counter(map(text_of, got))
    for text, n in (want - have).items():
        problems.add("a record is lost", f"{name}, node {node}: {n} of {want[text]} times {short(text)}", n)
    for text, n in (have - want).items():
        kind = "a record is doubled" if text in want else "a record that nobody asked for"
        problems.add(kind, f"{name}, node {node}: {n} times too often {short(text)}", n)
    if want != have:
        return False
    for made, record in zip(wanted, got):
        if made.text != text_of(record):
            problems.add("a node's records are out of order", f"{at(record)} where {short(made.text)} was to come")
            return False
        if made.key != record.key:
            problems.add("a record has another key than it came with",
                         f"{at(record)}: {short(record.key)} in place of {short(made.key)}")
        if record.time < made.time - skew:
            problems.add("a record has a time that is not the bus's",
                         f"{at(record)}: of {record.time}, and came of one of {made.time}")
    return True


def check_missed(pubsub, node, got, name, alerts, problems):
    """Each HEARTBEAT_MISSED of a node is there once, behind the last proof of life, before what ended the
    gap, and not before records that the log had when it was due."""
    everything, texts = pubsub.processed[node], list(map(text_of, got))
    for text, missed in pubsub.missed.items():
        if missed.node != node:
            continue
        if texts.count(text) != 1:
            kind = "an alert is doubled" if text in texts else "an alert is lost"
            problems.add(kind, f"{name}, node {node}: {texts.count(text)} times {short(text)}")
            continue
        first, last = (sum(made.alert or not alerts for made in everything[:place])
                       for place in (missed.first, missed.last))
        place = sum(other not in pubsub.missed for other in texts[:texts.index(text)])
        if not first <= place <= last:
            problems.add("an alert is out of order", at(got[texts.index(text)]))
        for made in [made for made in everything if made.alert or not alerts][place:last]:
            if made.time <= missed.due and made.reached <= missed.due:
                problems.add("an alert comes too early", f"{name}: {short(text)} before {short(made.text)}")
                break


def check_in_time(pubsub, records, from_input, problems):
    """No record that shows a deadline to have passed comes before the HEARTBEAT_MISSED of that deadline."""
    passed = {}  # output partition, input partition: (the latest time, its record)
    for record in records:
        made, missed = from_input.get((record.partition, record.offset)), pubsub.missed.get(text_of(record))
        if made:
            place = (record.partition, made.partition)
            if made.time > passed.get(place, (0, None))[0]:
                passed[place] = (made.time, record)
        elif missed:
            when, other = passed.get((record.partition, missed.partition), (0, None))
            if when > missed.due:
                problems.add("an alert comes too late", f"{at(record)} behind {at(other)}, which is of {when},"
                             f" and it was due at {missed.due}")


# --- dead letters and the index


def check_letters(name, letters, dead, problems):
    """Those of one topic: each record that its reader could do nothing with, once, as it was."""
    wanted = {(record.partition, record.offset): record for record in dead}
    seen = collections.Counter()
    for letter in letters:
        row = json.loads(letter.value)
        place = (row["partition"], row["offset"])
        record = wanted.get(place)
        seen[place] += 1
        if not record or row["topic"] != name:
            problems.add("a dead letter of no bad record", at(letter))
        elif seen[place] > 1:
            problems.add("a dead letter is doubled", at(letter))
        elif (letter_bytes(row, "value"), letter_bytes(row, "key"), row["timestamp"]) != (
                record.value, record.key, record.time) or not row["reason"]:
            problems.add("a dead letter is not what its record was", f"{at(letter)}, from {at(record)}")
    for place, record in wanted.items():
        if not seen[place]:
            problems.add("a dead letter is lost", at(record))


def letter_bytes(row, field):
    if f"{field}_base64" in row:
        return base64.b64decode(row[f"{field}_base64"])
    return as_bytes(row[field])


def id_of(record):
    log_id = json.loads(record.value).get("log_id")
    if isinstance(log_id, str) and 0 < len(log_id.encode()) <= ID_MAX:
        return log_id
    return f"{record.topic}-{record.partition}-{record.offset}-{record.time}"


def is_refused(value, key):
    """Whether the store can't have that record."""
    return key is not None and isinstance((record_of(value) or {}).get(key), dict)


def check_index(documents, processed, problems):
    """A document each record."""
    wanted = collections.defaultdict(list)
    for record in processed:
        wanted[id_of(record)].append(record)
    found = collections.Counter()
    for line in documents:
        row = in_order(line.decode())
        hit = dict(row[1:])
        found[hit["_id"]] += 1
        if hit["_id"] not in wanted:
            problems.add("a document of no record", short(line))
        else:
            source, when = without_stamp(hit["_source"])
            same = [record for record in wanted[hit["_id"]] if source == in_order(text_of(record))]
            of = f"{short(line)}, from {at(wanted[hit['_id']][0])}"
            if not same:
                problems.add("a document is not what its record is", of)
            elif when not in map(stamp_of, same):
                problems.add("a document has another time than its record", f"{of}, which is of {stamp_of(same[0])}")
    for name, records in wanted.items():
        if found[name] != 1:
            kind = "a document is doubled" if found[name] else "a document is lost"
            problems.add(kind, f"_id {name} is there {found[name]} times, of {at(records[0])}")


def check_rows(documents, processed, problems):
    """Each node's documents came in the order of their records."""
    places, latest = {}, {}
    for record in processed:
        places.setdefault(id_of(record), record)
    for line in documents:
        record = places.get(json.loads(line)["_id"])
        if record is None or record_of(record.value) is None:
            continue
        node = record_of(record.value)["node_id"]
        if latest.get(node, record).offset > record.offset:
            problems.add("a node's documents are out of order", f"{at(record)} came behind {at(latest[node])}")
        latest[node] = record


def without_stamp(source):
    """(the record, its @timestamp in ms), or None for one that is not there once."""
    source = in_order(source) if isinstance(source, str) else source
    stamps = [pair[1] for pair in source if pair[0] == "@timestamp"]
    when = stamps[0] if len(stamps) == 1 else None
    return ([pair for pair in source if pair[0] != "@timestamp"],
            ms_of(when) if isinstance(when, str) and ZONED.fullmatch(when) else when)


def stamp_of(record):
    """The time of its document: the record's own if that has a zone, else its topic's."""
    own = json.loads(record.value).get("timestamp")
    return ms_of(own) if isinstance(own, str) and ZONED.fullmatch(own) else record.time


def ms_of(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


# --- what alert printed


def check_printed(lives, alerts, settled, problems):
    """Each node's lines are in the topic's order, and none is left out. A reader that starts again or
    loses its place may go back and print some again; forwards it goes one by one."""
    wanted, places = collections.defaultdict(list), collections.defaultdict(list)
    for record in alerts:
        made = record_of(record.value)
        if made:
            line = line_of(made)
            places[line].append((made["node_id"], len(wanted[made["node_id"]])))
            wanted[made["node_id"]].append(line)
    most = collections.Counter()  # lines of each node that are out
    for number, text in enumerate(lives):
        now = most.copy()
        for line in text.decode(errors="replace").split("\n")[:-1]:  # the last may be half a line, and comes again
            if line not in places:
                problems.add("a printed line that nobody asked for", f"life {number} of alert: {short(line)}")
                continue
            node = places[line][0][0]
            can = [place for _, place in places[line] if place <= now[node]]
            if not can:
                problems.add("printed lines are out of order", f"life {number} of alert: {short(line)} where"
                             f" {short(wanted[node][now[node]])} was to come")
            now[node] = max(can or [place for _, place in places[line]]) + 1
            most[node] = max(most[node], now[node])
    for node, all_lines in wanted.items() if settled else ():
        if most[node] < len(all_lines):
            problems.add("a printed line is lost", f"node {node}: {short(all_lines[most[node]])}",
                         len(all_lines) - most[node])


def line_of(record):
    if record.get("message_type") == "ALERT" and record.get("alert") == "HEARTBEAT_MISSED":
        return f"ALERT: Node {record['node_id']} missed its heartbeat!"
    if record.get("message_type") == "ALERT" and record.get("alert") == "HEARTBEAT_RECOVERED":
        return f"ALERT: Node {record['node_id']} is back"
    return f"{record.get('log_level', '')}: {record['node_id']}, {record.get('log_id', '')}"


# --- all of it


def examine(folder):
    """(Problems, what was compared)"""
    settings = json.loads(b"".join(lines(folder, "settings.json")))
    names, problems = settings["topics"], Problems()
    topics = {name: topic(folder, name) for name in
              (*names.values(), names["input"] + ".dlq", names["processed"] + ".dlq")}
    read, processed = topics[names["input"]], topics[names["processed"]]
    for name, records in topics.items():
        places = collections.Counter((record.partition, record.offset) for record in records)
        for place in (place for place, n in places.items() if n > 1):
            problems.add("an offset is there twice", f"{name}/{place[0]} offset {place[1]}")
        if name in names.values():
            check_keys(records, settings.get("partitions"), problems)
    reached, rows = (lambda record: record.time), lines(folder, "sent.jsonl")
    if rows is not None:
        sent = Sent([json.loads(row) for row in rows])
        reached = sent.reached
        check_input(sent, read, problems)
    pubsub = Pubsub(settings, processed, reached, problems)
    for record in read:
        pubsub.read(record)
    pubsub.end()
    for part in ("processed", "alerts"):
        check_output(pubsub, names[part], topics[names[part]], part == "alerts", settings.get("ordered", True), problems)
    check_letters(names["input"], topics[names["input"] + ".dlq"], pubsub.dead, problems)
    documents = lines(folder, "index.jsonl")
    refused = [record for record in processed if is_refused(record.value, settings.get("refuses"))]
    if documents is not None:
        check_letters(names["processed"], topics[names["processed"] + ".dlq"], refused, problems)
        check_index(documents, [record for record in processed if record not in refused], problems)
        if settings.get("engine") == "local":
            check_rows(documents, processed, problems)
    lives = [open(path, "rb").read() for path in sorted(glob.glob(os.path.join(glob.escape(folder), "alert.*.out")))]
    if lives:
        check_printed(lives, topics[names["alerts"]], settings.get("settled", True), problems)
    alerts = collections.Counter(str((record_of(r.value) or {}).get("alert")) for r in topics[names["alerts"]])
    return problems, (
        f"{len(read)} records in, {len(processed)} processed, {len(topics[names['alerts']])} alerts"
        f" ({alerts['HEARTBEAT_MISSED']} missed, {alerts['HEARTBEAT_RECOVERED']} recovered),"
        f" {len(pubsub.dead)} + {len(refused)} dead letters, {len(documents or [])} documents")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: oracle.py FOLDER")
    problems, compared = examine(sys.argv[1])
    print("\n".join([*problems.all(), compared]))
    sys.exit(1 if problems.count else 0)


if __name__ == "__main__":
    main()
