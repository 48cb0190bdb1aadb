#!/usr/bin/env python3
"""oracle: whether what a run left behind follows from its input topic and from what the nodes were
answered; it shares no code with distlog. `oracle.py FOLDER` prints each problem and exits 1, and
prints what it has compared; examine(FOLDER) returns both. In the folder, each line of the .jsonl
files is an object:

settings.json    engine: "local" or "kafka"; heartbeat_timeout and grace, in ms; topics: {input,
                 processed, alerts}; and optionally, with their defaults:
                 format "local"       of the timestamps that pubsub writes, in the zone of this
                                      process; or "rfc3339"
                 partitions null      of each topic, to check the keys against
                 settled true         at the end all nodes had been silent for longer than timeout
                                      and grace, and pubsub had had the time to report it
                 exact false          true: MISSED and RECOVERED are expected also for a gap between
                                      timeout and timeout + grace, where otherwise both or neither
                                      are right
                 ordered true         false: pubsub's clock was wrong at its start, which may delay
                                      a MISSED
                 skew 500             of the clock that stamps the output, in ms
                 unstorable_key null  a record with an object under this key can't be stored
sent.jsonl       each attempt to POST: node, n (which POST of that node, counting up), attempt,
                 status (null: no answer), connected (default true; false: nothing was sent), time
                 (ms on the bus's clock, at its start), answered (at its end), records (their texts)
topic-NAME.jsonl topic, partition, offset, timestamp, key, value or value_base64; a missing topic
                 is empty; alternatively topic-NAME.tsv, as `bus get -t` prints it
index.jsonl      _id and _source of each document, with @timestamp as text or in ms; in the order of
                 storing with the engine "local"
alert.NNN.out    what alert printed, one file for each of its lives

Without sent.jsonl, index.jsonl or alert.NNN.out the checks on them are skipped.
SPDX-License-Identifier: Apache-2.0"""
import collections
import glob
import json
import os
import sys

from dump import (ZONED, at, by_node, compact, field_bytes, id_of, in_order, is_unstorable, lines,
                  ms_of, murmur2, record_of, short, text_of, time_of, topic)
from messages import alert_line
from model import SKEW_MS, Pubsub

SHOWN = 8  # problems of a kind that are printed
# Words in the kinds of problems that count as a loss, and as a duplicate.
LOST, DUPLICATED = " lost", ("duplicated", "more often")


class Problems:
    def __init__(self):
        self.texts, self.count, self.added = [], collections.Counter(), collections.Counter()

    def add(self, kind, text, n=1):
        """n: how many records the text is about."""
        self.count[kind] += n
        self.added[kind] += 1
        if self.added[kind] <= SHOWN:
            self.texts.append(f"{kind}: {text}")

    def all(self):
        more = [f"{kind}: and {n - SHOWN} more, {self.count[kind]} records in all"
                for kind, n in self.added.items() if n > SHOWN]
        return self.texts + more

    def how_many(self, *words):
        """Records with a problem whose kind has one of these words."""
        return sum(n for kind, n in self.count.items() if any(word in kind for word in words))


# --- from the nodes to the input


class Sent:
    """What was posted, by the record's text as it must be in the input."""

    def __init__(self, rows):
        self.attempts = collections.defaultdict(list)  # text: rows
        self.place = {}  # text: (node, n, place in the POST)
        for row in sorted(rows, key=lambda row: (row["node"], row["n"], row["attempt"])):
            for i, text in enumerate(row["records"]):
                text = compact(text).encode()
                self.attempts[text].append(row)
                self.place.setdefault(text, (row["node"], row["n"], i))

    def acknowledged(self, text):
        return any(row["status"] == 200 for row in self.attempts.get(text, []))

    def reached(self, record):
        """When the log had the record at the latest, as far as an answer proves it; else
        infinity."""
        for row in self.attempts.get(record.value, []):
            if row["status"] == 200 and is_during(row, record.time):
                return row.get("answered", record.time) + SKEW_MS
        return float("inf")


def is_during(row, time):
    """Whether a record of that time can be of this attempt: between the POST and the answer."""
    return row["time"] - SKEW_MS <= time <= row.get("answered", float("inf")) + SKEW_MS


def was_refused(row):
    if not row.get("connected", True):
        return True
    return row["status"] is not None and row["status"] != 200 and row["status"] < 500


def check_input(sent, records, problems):
    found = collections.Counter(record.value for record in records)
    timely = {record.value for record in records if sent.reached(record) < float("inf")}
    for text, rows in sent.attempts.items():
        check_posted(sent, text, rows, found[text], text in timely, problems)
    check_input_order(sent, records, problems)


def check_posted(sent, text, rows, count, is_timely, problems):
    """One text that was posted, and is in the input count times."""
    node, n, _ = sent.place[text]
    where = f"POST {n} of {node}: {short(text)}"
    if sent.acknowledged(text) and not count:
        problems.add("an acknowledged record is lost", where)
    elif sent.acknowledged(text) and not is_timely:
        # Whichever clock is wrong: without this, alerts that are too early would go unnoticed.
        problems.add("a record's time is not between its POST and the answer", where)
    possible = sum(not was_refused(row) for row in rows)
    if not possible and count:
        problems.add("a refused record is in the input", where, count)
    elif count > possible:
        problems.add("a record is in the input more often than it was posted",
                     f"{where}: {count} times, {possible} attempts", count - possible)


def check_input_order(sent, records, problems):
    seen, latest = set(), {}
    for record in records:
        if record.value not in sent.place:
            problems.add("a record in the input was never sent", at(record))
            continue
        is_new = record.value not in seen
        seen.add(record.value)
        if is_new and sent.acknowledged(record.value) and record_of(record.value):
            place = sent.place[record.value]
            before = latest.get(place[0], place)
            if before > place:
                problems.add("the input is out of order", f"{at(record)} is after POST {before[1]}")
            latest[place[0]] = max(place, before)


def check_keys(records, partitions, problems):
    """Records are keyed by node_id, and each is in the partition of its key."""
    for record in records:
        fields = record_of(record.value)
        if fields and record.key not in (None, fields["node_id"].encode()):
            problems.add("a record's key is not its node_id", f"{at(record)}: {short(record.key)}")
        if partitions and record.key and murmur2(record.key) % partitions != record.partition:
            problems.add("a record is in the wrong partition for its key", at(record))


# --- from the input to the output topics


def check_output(pubsub, name, records, alerts, ordered, problems):
    """One output topic. alerts: it is the topic of the alerts, which has only some records."""
    nodes = by_node(records)
    from_input = {}  # (partition, offset): Expected
    for node in sorted({*nodes, *pubsub.processed, *pubsub.nodes} - {None}):
        expected = [e for e in pubsub.processed[node] if e.alert or not alerts]
        found = [record for record in nodes[node] if text_of(record) not in pubsub.missed]
        if check_node(name, node, expected, found, pubsub.skew, problems):
            from_input.update({(r.partition, r.offset): e for r, e in zip(found, expected)})
            check_missed(pubsub, node, nodes[node], name, alerts, problems)
        if len({record.partition for record in nodes[node]}) > 1:
            problems.add("a node is on several partitions of an output", f"{name}, node {node}")
    for record in nodes[None]:
        problems.add("an unexpected record", at(record))
    if ordered:
        check_in_time(pubsub, records, from_input, problems)


def check_node(name, node, expected, found, skew, problems):
    """The records of a node that follow from one of the input each: exactly these, in this order.
    False: they are not."""
    want = collections.Counter(e.text for e in expected)
    have = collections.Counter(map(text_of, found))
    for text, n in (want - have).items():
        where = f"{name}, node {node}: {n} of {want[text]} times {short(text)}"
        problems.add("a record is lost", where, n)
    for text, n in (have - want).items():
        kind = "a record is duplicated" if text in want else "an unexpected record"
        problems.add(kind, f"{name}, node {node}: {n} times too often {short(text)}", n)
    if want != have:
        return False
    for one, record in zip(expected, found):
        if one.text != text_of(record):
            problems.add("a node's records are out of order",
                         f"{at(record)}, expected {short(one.text)}")
            return False
        if one.key != record.key:
            problems.add("a record's key was changed",
                         f"{at(record)}: {short(record.key)} instead of {short(one.key)}")
        if record.time < one.time - skew:
            problems.add("a record is older than its cause",
                         f"{at(record)}: its time is {record.time}, that of its cause {one.time}")
    return True


def check_missed(pubsub, node, found, name, alerts, problems):
    """Each HEARTBEAT_MISSED of a node is there once, after the last heartbeat, before the record
    that ended the gap, and not before records that the log had when it was due."""
    texts = list(map(text_of, found))
    for text, missed in pubsub.missed.items():
        if missed.node != node:
            continue
        if texts.count(text) != 1:
            kind = "an alert is duplicated" if text in texts else "an alert is lost"
            problems.add(kind, f"{name}, node {node}: {texts.count(text)} times {short(text)}")
            continue
        index = texts.index(text)
        check_missed_place(pubsub, missed, found[index], texts[:index], (name, alerts), problems)


def check_missed_place(pubsub, missed, record, texts_before, output, problems):
    """The place of one HEARTBEAT_MISSED among the records of its node."""
    name, alerts = output
    everything = pubsub.processed[missed.node]
    expected = [e for e in everything if e.alert or not alerts]
    first, last = (sum(e.alert or not alerts for e in everything[:place])
                   for place in (missed.first, missed.last))
    place = sum(text not in pubsub.missed for text in texts_before)
    if not first <= place <= last:
        problems.add("an alert is out of order", at(record))
    for one in expected[place:last]:
        if one.time <= missed.due and one.reached <= missed.due:
            problems.add("an alert is too early",
                         f"{name}: {short(text_of(record))} before {short(one.text)}")
            break


def check_in_time(pubsub, records, from_input, problems):
    """No record that proves that a deadline has passed comes before its HEARTBEAT_MISSED."""
    passed = {}  # output partition, input partition: (the latest time, its record)
    for record in records:
        cause = from_input.get((record.partition, record.offset))
        missed = pubsub.missed.get(text_of(record))
        if cause:
            place = (record.partition, cause.partition)
            if cause.time > passed.get(place, (0, None))[0]:
                passed[place] = (cause.time, record)
        elif missed:
            time, other = passed.get((record.partition, missed.partition), (0, None))
            if time > missed.due:
                problems.add("an alert is too late", f"{at(record)}, due at {missed.due}, is after"
                             f" {at(other)}, of {time}")


# --- dead letters and the index


def check_letters(name, letters, dead, problems):
    """The dead letters of one topic: each record that its reader rejected, once, unchanged."""
    expected = {(record.partition, record.offset): record for record in dead}
    seen = collections.Counter()
    for letter in letters:
        row = json.loads(letter.value)
        place = (row["partition"], row["offset"])
        record = expected.get(place)
        seen[place] += 1
        if not record or row["topic"] != name:
            problems.add("a dead letter of a good record", at(letter))
        elif seen[place] > 1:
            problems.add("a dead letter is duplicated", at(letter))
        elif not is_letter_of(row, record):
            problems.add("a dead letter differs from its record", f"{at(letter)}, of {at(record)}")
    for place, record in expected.items():
        if not seen[place]:
            problems.add("a dead letter is lost", at(record))


def is_letter_of(row, record):
    fields = field_bytes(row, "value"), field_bytes(row, "key"), row["timestamp"]
    return fields == (record.value, record.key, record.time) and bool(row["reason"])


def check_index(documents, processed, problems):
    """One document for each record."""
    expected = collections.defaultdict(list)
    for record in processed:
        expected[id_of(record)].append(record)
    found = collections.Counter()
    for line in documents:
        hit = dict(in_order(line.decode())[1:])
        found[hit["_id"]] += 1
        if hit["_id"] in expected:
            check_document(line, hit, expected[hit["_id"]], problems)
        else:
            problems.add("a document without a record", short(line))
    for name, records in expected.items():
        if found[name] != 1:
            kind = "a document is duplicated" if found[name] else "a document is lost"
            problems.add(kind, f"_id {name}: {found[name]} documents, of {at(records[0])}")


def check_document(line, hit, records, problems):
    """records: those with its _id."""
    source, time = split_time(hit["_source"])
    same = [record for record in records if source == in_order(text_of(record))]
    where = f"{short(line)}, of {at(records[0])}"
    if not same:
        problems.add("a document differs from its record", where)
    elif time not in map(time_of, same):
        problems.add("a document's time is not its record's", f"{where}, at {time_of(same[0])}")


def split_time(source):
    """(the record, its @timestamp in ms); None for a time that is not there exactly once."""
    source = in_order(source) if isinstance(source, str) else source
    times = [pair[1] for pair in source if pair[0] == "@timestamp"]
    time = times[0] if len(times) == 1 else None
    if isinstance(time, str) and ZONED.fullmatch(time):
        time = ms_of(time)
    return [pair for pair in source if pair[0] != "@timestamp"], time


def check_storing_order(documents, processed, problems):
    """Each node's documents were stored in the order of their records."""
    places, latest = {}, {}
    for record in processed:
        places.setdefault(id_of(record), record)
    for line in documents:
        record = places.get(json.loads(line)["_id"])
        if record is None or record_of(record.value) is None:
            continue
        node = record_of(record.value)["node_id"]
        before = latest.get(node, record)
        if before.offset > record.offset:
            problems.add("a node's documents are out of order", f"{at(record)} after {at(before)}")
        latest[node] = record


# --- what alert printed


class Printed:
    """The lines that alert has to print, and how many of each node have been printed."""

    def __init__(self, alerts):
        self.expected = collections.defaultdict(list)  # node: lines
        self.places = collections.defaultdict(list)  # line: its places among its node's lines
        self.node_of = {}  # line: node
        self.most = collections.Counter()
        for record in alerts:
            fields = record_of(record.value)
            if fields:
                line, node = alert_line(fields), fields["node_id"]
                self.node_of[line] = node
                self.places[line].append(len(self.expected[node]))
                self.expected[node].append(line)

    def check_life(self, number, lines_printed, problems):
        now = self.most.copy()
        for line in lines_printed:
            if line not in self.places:
                problems.add("an unexpected printed line", f"life {number} of alert: {short(line)}")
                continue
            node = self.node_of[line]
            possible = [place for place in self.places[line] if place <= now[node]]
            if not possible:
                missing = self.expected[node][now[node]]
                problems.add("printed lines are out of order", f"life {number} of alert: "
                             f"{short(line)}, expected {short(missing)}")
            now[node] = max(possible or self.places[line]) + 1
            self.most[node] = max(self.most[node], now[node])

    def check_all_printed(self, problems):
        for node, expected in self.expected.items():
            missing = expected[self.most[node]:]
            if missing:
                problems.add("a printed line is lost", f"node {node}: {short(missing[0])}",
                             len(missing))


def check_printed(lives, alerts, settled, problems):
    """Each node's lines are in the order of the topic, and none is left out. A reader that starts
    again or loses its position may go back and print lines again; it may not skip any."""
    printed = Printed(alerts)
    for number, text in enumerate(lives):
        # The last line may be incomplete, and is printed again.
        printed.check_life(number, text.decode(errors="replace").split("\n")[:-1], problems)
    if settled:
        printed.check_all_printed(problems)


# --- all of it


def examine(folder):
    """(Problems, a description of what was compared)"""
    settings = json.loads(b"".join(lines(folder, "settings.json")))
    names, problems = settings["topics"], Problems()
    dlq_names = [names["input"] + ".dlq", names["processed"] + ".dlq"]
    topics = {name: topic(folder, name) for name in [*names.values(), *dlq_names]}
    processed = topics[names["processed"]]
    for name, records in topics.items():
        check_offsets(name, records, problems)
        if name in names.values():
            check_keys(records, settings.get("partitions"), problems)
    pubsub = examine_routing(folder, settings, topics, problems)
    documents = lines(folder, "index.jsonl")
    key = settings.get("unstorable_key")
    unstorable = [record for record in processed if is_unstorable(record.value, key)]
    if documents is not None:
        check_letters(names["processed"], topics[dlq_names[1]], unstorable, problems)
        storable = [record for record in processed if record not in unstorable]
        check_index(documents, storable, problems)
        if settings.get("engine") == "local":
            check_storing_order(documents, processed, problems)
    lives = read_lives(folder)
    if lives:
        settled = settings.get("settled", True)
        check_printed(lives, topics[names["alerts"]], settled, problems)
    letters = f"{len(pubsub.dead)} + {len(unstorable)} dead letters"
    return problems, compared(topics, names, letters, len(documents or []))


def check_offsets(name, records, problems):
    places = collections.Counter((record.partition, record.offset) for record in records)
    for partition, offset in (place for place, n in places.items() if n > 1):
        problems.add("two records have the same offset", f"{name}/{partition} offset {offset}")


def examine_routing(folder, settings, topics, problems):
    """From the POSTs to the output topics and the dead letters of pubsub; returns the model."""
    names = settings["topics"]
    records = topics[names["input"]]
    reached, rows = (lambda record: record.time), lines(folder, "sent.jsonl")
    if rows is not None:
        sent = Sent([json.loads(row) for row in rows])
        reached = sent.reached
        check_input(sent, records, problems)
    pubsub = Pubsub(settings, topics[names["processed"]], reached, problems)
    for record in records:
        pubsub.read(record)
    pubsub.end()
    for part in ("processed", "alerts"):
        check_output(pubsub, names[part], topics[names[part]], part == "alerts",
                     settings.get("ordered", True), problems)
    check_letters(names["input"], topics[names["input"] + ".dlq"], pubsub.dead, problems)
    return pubsub


def read_lives(folder):
    """What alert printed, by life."""
    lives = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "alert.*.out"))):
        with open(path, "rb") as file:
            lives.append(file.read())
    return lives


def compared(topics, names, letters, documents):
    records = topics[names["alerts"]]
    alerts = collections.Counter(str((record_of(r.value) or {}).get("alert")) for r in records)
    read, processed = len(topics[names["input"]]), len(topics[names["processed"]])
    return (f"{read} records in, {processed} processed, {len(records)} alerts"
            f" ({alerts['HEARTBEAT_MISSED']} missed, {alerts['HEARTBEAT_RECOVERED']} recovered),"
            f" {letters}, {documents} documents")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: oracle.py FOLDER")
    problems, text = examine(sys.argv[1])
    print("\n".join([*problems.all(), text]))
    sys.exit(1 if problems.count else 0)


if __name__ == "__main__":
    main()
