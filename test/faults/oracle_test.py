#!/usr/bin/env python3
"""oracle_test: a small run, written by hand, in which the oracle finds no problem; and, for each
kind of problem, a change of it that the oracle must find. TAP on standard output.
SPDX-License-Identifier: Apache-2.0"""
import copy
import json
import os
import sys
import tempfile
import time

os.environ["TZ"] = "UTC"
time.tzset()
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import load  # noqa: E402
import oracle  # noqa: E402
from messages import alert_message  # noqa: E402

T = 1700000000000  # 2023-11-14 22:13:20
SETTINGS = {"engine": "local", "heartbeat_timeout": 7000, "grace": 1000,
            "topics": {"input": "nodes", "processed": "out", "alerts": "al"}}
OUTPUTS = ("out", "al")
SHORT_PATHS = {"settings": "settings.json", "sent": "sent.jsonl", "index": "index.jsonl"}


def clock(ms):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000))


def line(**fields):
    return json.dumps(fields, separators=(",", ":"))


def registration(node):
    return line(node_id=node, message_type="REGISTRATION", service_name="pay")


def heartbeat(node, i):
    return line(node_id=node, message_type="HEARTBEAT", status="UP", i=i)


def log(node, i, level="INFO"):
    return line(log_id=f"{node}_{i}", node_id=node, log_level=level, message_type="LOG", n=1.5)


def liveness_event(node, ms, status):
    return line(message_type="REGISTRATION", node_id=node, service_name="pay", timestamp=clock(ms),
                status=status)


def alert(node, what, ms, last):
    kind = "HEARTBEAT_" + what.upper()
    return line(log_id=f"{node}_{what}_{ms}", node_id=node, log_level="ALERT",
                message=alert_message(kind, node), message_type="ALERT", alert=kind,
                last_heartbeat=clock(last), service_name="pay", timestamp=clock(ms))


def record(topic, offset, ms, key, value, partition=0):
    return {"topic": topic, "partition": partition, "offset": offset, "timestamp": ms, "key": key,
            "value": value}


def post(node, n, ms, *records, status=200, attempt=1, answered=None):
    return {"node": node, "n": n, "attempt": attempt, "status": status, "time": ms,
            "answered": ms + 5 if answered is None else answered, "records": list(records)}


BAD = line(node_id=7, message_type="LOG")
LETTER = {"reason": "node_id is missing or not a string", "topic": "nodes", "partition": 0,
          "offset": 8, "timestamp": T + 12000, "key": None, "value": BAD}


def a_run():
    """a: heartbeats until T + 5 s, comes back at T + 15 s, logs an ERROR; b: one heartbeat, then
    silence; c registers only. The POST of a's first log was answered with 503 though it was
    stored, and repeated."""
    spaced = log("a", 1).replace(":", ": ")
    sent = [
        post("a", 1, T - 1, registration("a")),
        post("b", 1, T, registration("b")),
        post("a", 2, T + 1000, spaced, log("a", 2, "WARN"), status=503),
        post("a", 2, T + 1500, spaced, log("a", 2, "WARN"), attempt=2),
        post("c", 0, T + 1501, registration("c")),
        post("b", 2, T + 4000, heartbeat("b", 1)),
        post("a", 3, T + 5000, heartbeat("a", 1)),
        post("c", 1, T + 12000, BAD),
        post("c", 2, T + 12500, "{}x", status=400),
        post("a", 4, T + 15000, heartbeat("a", 2)),
        post("a", 5, T + 16000, log("a", 3, "ERROR"))]
    read = [
        (T, "a", registration("a")), (T + 1, "b", registration("b")), (T + 1001, "a", log("a", 1)),
        (T + 1501, "a", log("a", 1)), (T + 1501, "a", log("a", 2, "WARN")),
        (T + 1502, "c", registration("c")), (T + 4001, "b", heartbeat("b", 1)),
        (T + 5001, "a", heartbeat("a", 1)), (T + 12000, None, BAD),
        (T + 15001, "a", heartbeat("a", 2)), (T + 16001, "a", log("a", 3, "ERROR"))]
    out = [
        ("a", liveness_event("a", T, "UP")), ("b", liveness_event("b", T + 1, "UP")),
        ("a", log("a", 1)), ("a", log("a", 1)), ("a", log("a", 2, "WARN")),
        ("c", liveness_event("c", T + 1502, "UP")), ("b", heartbeat("b", 1)),
        ("a", heartbeat("a", 1)), ("c", alert("c", "missed", T + 8502, T + 1502)),
        ("b", alert("b", "missed", T + 11001, T + 4001)),
        ("a", alert("a", "missed", T + 12001, T + 5001)),
        ("a", alert("a", "recovered", T + 15001, T + 5001)), ("a", heartbeat("a", 2)),
        ("a", log("a", 3, "ERROR")), ("a", liveness_event("a", T + 16001, "DOWN"))]
    al = [row for row in out if any(level in row[1] for level in ("ALERT", "WARN", "ERROR"))]
    letter = record("nodes.dlq", 0, T + 20000, None, json.dumps(LETTER))
    run = {"settings": copy.deepcopy(SETTINGS), "sent": sent,
           "nodes": [record("nodes", i, *row) for i, row in enumerate(read)],
           "out": [record("out", i, T + 20000 + i, *row) for i, row in enumerate(out)],
           "al": [record("al", i, T + 20000 + i, *row) for i, row in enumerate(al)],
           "nodes.dlq": [letter], "out.dlq": []}
    reindex(run)
    return run


def reindex(run):
    """Makes the index that follows from the output."""
    run["index"] = index_of(run["out"])


def index_of(out):
    documents = {}
    for row in out:
        fields = json.loads(row["value"])
        place = f"out-{row['partition']}-{row['offset']}-{row['timestamp']}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(row["timestamp"] // 1000))
        stamp += f".{row['timestamp'] % 1000:03}Z"
        documents.setdefault(fields.get("log_id") or place, {"@timestamp": stamp, **fields})
    return [{"_id": name, "_source": source} for name, source in documents.items()]


def examine(run):
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in run.items():
            is_text = name.endswith(".out")
            path = name if is_text else SHORT_PATHS.get(name, f"topic-{name}.jsonl")
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                for row in [rows] if name == "settings" else rows:
                    file.write(row if is_text else json.dumps(row, ensure_ascii=False) + "\n")
        return oracle.examine(folder)[0]


tests = failures = 0


def ok(passed, text, *notes):
    global tests, failures
    tests += 1
    failures += not passed
    print(("ok" if passed else "not ok"), tests, "-", text)
    if not passed:
        print("\n".join(f"# {note}" for note in notes))


def problems_after(changes):
    run = a_run()
    all_of(*changes)(run)
    return examine(run).all()


def fine(text, *changes):
    """The oracle finds no problem after these changes."""
    problems = problems_after(changes)
    ok(problems == [], text, *problems)


def finds(kinds, text, *changes):
    """The oracle finds these kinds of problems, separated by semicolons, and no other."""
    problems = problems_after(changes)
    found = {problem.split(":")[0] for problem in problems}
    ok(found == set(kinds.split("; ")), f"{kinds}: {text}", f"expected {kinds}, got:", *problems)


# --- changes


def place(rows, part):
    """The index of the first record with this part in its value."""
    return next(i for i, row in enumerate(rows) if part in row["value"])


def set_settings(**settings):
    return lambda run: run["settings"].update(settings)


def all_of(*changes):
    def change(run):
        for one in changes:
            one(run)
    return change


def drop(topic, part):
    def change(run):
        del run[topic][place(run[topic], part)]
        if topic == "out":
            reindex(run)
    return change


def drop_outputs(part):
    return all_of(drop("out", part), drop("al", part))


def repeat(topic, part):
    """Adds a copy of a record at the end."""
    def change(run):
        row = dict(run[topic][place(run[topic], part)], offset=len(run[topic]))
        run[topic].append(row)
        if topic == "out":
            reindex(run)
    return change


def add(topic, *row):
    return lambda run: run[topic].append(record(topic, *row))


def move(part, before, topics=OUTPUTS):
    """Moves a record of the outputs to before another; offsets and times stay in order."""
    def change(run):
        for topic in topics:
            rows = run[topic]
            if any(before in row["value"] for row in rows):
                row = rows.pop(place(rows, part))
                rows.insert(place(rows, before), row)
                for i, other in enumerate(rows):
                    other["offset"], other["timestamp"] = i, T + 20000 + i
        reindex(run)
    return change


def edit(topic, part, **fields):
    def change(run):
        run[topic][place(run[topic], part)].update(fields)
        if topic == "out":
            reindex(run)
    return change


def edit_letter(**fields):
    return edit("nodes.dlq", "reason", value=json.dumps(dict(LETTER, **fields)))


def edit_source(**fields):
    """Of the document of a's first log."""
    return lambda run: run["index"][2]["_source"].update(fields)


def without(*names):
    def change(run):
        for name in names:
            run.pop(name)
    return change


# --- what is right

LOG_BASE64 = ("eyJsb2dfaWQiOiJhXzEiLCJub2RlX2lkIjoiYSIsImxvZ19sZXZlbCI6IklORk8iLCJtZXNzYWdlX3R5cGUi"
              "OiJMT0ciLCJuIjoxLjV9")
fine("a run without a problem")
fine("without the index and the answers", without("sent", "index"))
fine("a source given as text",
     lambda run: run["index"][2].update(_source=json.dumps(run["index"][2]["_source"])))
fine("values in base64", lambda run: run["nodes"][2].update(value_base64=LOG_BASE64))
fine("a silent node that is not reported because the run ended early",
     drop_outputs("b_missed"), set_settings(settled=False))


def back_within_grace(is_reported):
    """a comes back between timeout and timeout + grace."""
    def change(run):
        run["nodes"][9].update(timestamp=T + 12500)
        run["sent"][9].update(time=T + 12400, answered=T + 12600)
        for topic in OUTPUTS:
            recovered = run[topic][place(run[topic], "a_recovered")]
            recovered["value"] = alert("a", "recovered", T + 12500, T + 5001)
        if not is_reported:
            drop_outputs("a_missed")(run)
            drop_outputs("a_recovered")(run)
        reindex(run)
    return change


fine("a gap between timeout and timeout + grace that is reported", back_within_grace(True))
fine("a gap between timeout and timeout + grace that is not", back_within_grace(False))
finds("a record is lost", "the same, where gaps are to be exact", back_within_grace(False),
      set_settings(exact=True))


def late(answered):
    """a's second heartbeat is well within the timeout, but was reported as a gap."""
    def change(run):
        run["nodes"][9]["timestamp"] = T + 11000
        run["sent"][9].update(time=T + 10000, answered=answered)
        for topic in OUTPUTS:
            recovered = run[topic][place(run[topic], "a_recovered")]
            recovered["value"] = alert("a", "recovered", T + 11000, T + 5001)
        reindex(run)
    return change


fine("a heartbeat that reached the log late may be reported as missed", late(T + 14000))
finds("an unexpected record", "a heartbeat that was in time may not", late(T + 11001))


SLEEP_MS = 20000
TIMES = ("time", "answered")


def put(run, topics, key, text, ms):
    for topic in topics:
        run[topic].append(record(topic, len(run[topic]), ms, key, text))
    reindex(run)


def slept(*aware):
    """After everything else the machine sleeps, then d registers and sends two heartbeats, 3 s
    apart. aware: those of the load's times that include the sleep."""
    def change(run):
        texts = [(registration("d"), T + 40000), (heartbeat("d", 1), T + 43000),
                 (heartbeat("d", 2), T + 46000)]
        for i, (text, ms) in enumerate(texts):
            run["nodes"].append(record("nodes", 11 + i, ms, "d", text))
            row = post("d", i, ms - 1, text)
            run["sent"].append({**row, **{name: row[name] - SLEEP_MS for name in TIMES
                                          if name not in aware}})
            put(run, ["out"], "d", liveness_event("d", ms, "UP") if i == 0 else text, ms + 1)
        put(run, OUTPUTS, "d", alert("d", "missed", T + 53000, T + 46000), T + 55000)
    return change


def false_alarm(run):
    """For d, within the 3 s between its two heartbeats."""
    for what, ms in ("missed", T + 50000), ("recovered", T + 46000):
        for topic in OUTPUTS:
            rows = run[topic]
            at = next((i for i, row in enumerate(rows) if row["value"] == heartbeat("d", 2)),
                      len(rows) - 1)
            text = alert("d", what, ms, T + 43000)
            rows.insert(at, record(topic, 0, T + 45999, "d", text))
            for i, row in enumerate(rows):
                row["offset"] = i
    reindex(run)


fine("the machine sleeps between two POSTs", slept(*TIMES))
fine("the machine sleeps during a POST", slept("answered"))
finds("an unexpected record", "a false alarm after the machine slept", slept(*TIMES), false_alarm)
finds("a record's time is not between its POST and the answer",
      "the load does not know that the machine slept", slept())


def test_load_times():
    """The times that the load writes down."""
    with tempfile.TemporaryDirectory() as scratch:
        no_nodes = load.Load("seed", 0, None, scratch + "/sent.jsonl", 1)
        before = no_nodes.latest_ms()
        with no_nodes.sleeping(20):
            ok(no_nodes.earliest_ms() < before + 10000 and no_nodes.latest_ms() >= before + 20000,
               "while a sleep begins, the load's times are from before to after it")
        ok(no_nodes.earliest_ms() >= before + 20000, "then they are from after it")
        no_nodes.close()


test_load_times()

# --- the input


def posted(*rows):
    return lambda run: run["sent"].extend(rows)


def read(*row):
    return add("nodes", 11, *row)


MORE_OFTEN = "a record is in the input more often than it was posted"
finds("an acknowledged record is lost", "a 200 whose record is not in the input",
      posted(post("b", 3, T, log("b", 1))))
finds("a refused record is in the input", "a 400 that was stored",
      posted(post("c", 3, T, heartbeat("x", 1), status=400)),
      read(T + 17000, "x", heartbeat("x", 1)))
finds(MORE_OFTEN, "there was no second attempt", lambda run: run["sent"].pop(2))
finds(MORE_OFTEN, "the first attempt was refused", lambda run: run["sent"][2].update(status=400))
fine("the first attempt had no answer", lambda run: run["sent"][2].update(status=None))
finds(MORE_OFTEN, "the first attempt had no connection",
      lambda run: run["sent"][2].update(status=None, connected=False))
finds("a record in the input was never sent", "from nowhere",
      read(T + 17000, "x", heartbeat("x", 1)))
finds("the input is out of order", "two POSTs of a node in the wrong order",
      lambda run: run["sent"][9].update(n=5), lambda run: run["sent"][10].update(n=4))
finds("two records have the same offset; a dead letter is duplicated", "in a topic",
      lambda run: run["nodes.dlq"].append(run["nodes.dlq"][0]))


def test_counting():
    count = 50
    run = a_run()
    posted(*(post("c", 3 + i, T, log("c", i)) for i in range(count)))(run)
    problems = examine(run)
    ok(problems.how_many(oracle.LOST) == count and len(problems.all()) < count,
       "all problems of a kind are counted, and some are printed")


test_counting()

# --- routing
UNEXPECTED = "an unexpected record"
finds("a record is lost", "a log in processed", drop("out", "a_2"))
finds("a record is lost", "a warning in alerts", drop("al", "a_2"))
finds("a record is lost", "an UP event", drop("out", '"UP"'))
finds("a record is lost", "a DOWN event", drop("out", '"DOWN"'))
finds("a record is lost", "one of two that were posted twice", drop("out", "a_1"))
finds("a record is duplicated", "a log in processed", repeat("out", "a_2"))
finds("a record is duplicated", "an error in alerts", repeat("al", "a_3"))
finds("a record is duplicated", "a liveness event", repeat("out", '"DOWN"'))
finds(f"{UNEXPECTED}; a record is lost", "one that was changed",
      edit("out", "a_2", value=log("a", 2, "WARN") + " "))
finds(UNEXPECTED, "of a node that is not registered", repeat("nodes", '"c"'),
      add("out", 15, T + 20015, "x", heartbeat("x", 1)), without("sent", "index"),
      lambda run: run["nodes"].pop())
finds(UNEXPECTED, "of no node at all", add("out", 15, T + 20015, None, "{}"), without("index"))
finds("a node's records are out of order", "in processed", move("a_2", '"log_id":"a_1"', ["out"]))
finds("a node's records are out of order", "in alerts", move("a_recovered", "a_2", ["al"]))
finds("a record's key was changed", "in processed", edit("out", "a_2", key=None))
finds("a record is older than its cause", "its time is from a clock that is a minute behind",
      edit("out", "a_2", timestamp=T - 60000))

# --- liveness
finds("an alert is lost", "of a gap that ended", drop_outputs("a_missed"))
finds("an alert is lost", "of a silence that lasts", drop_outputs("b_missed"))
finds("an alert is lost", "in one of two topics", drop("al", "b_missed"))
finds("a record is lost", "a recovery", drop_outputs("a_recovered"))
finds("an alert is duplicated; an alert is too late", "in both topics",
      repeat("out", "b_missed"), repeat("al", "b_missed"))
FALSE_ALARM = alert("a", "missed", T + 7000, T)
finds(UNEXPECTED, "a false alarm", add("out", 20, T + 20020, "a", FALSE_ALARM),
      add("al", 20, T + 20020, "a", FALSE_ALARM), reindex)
finds("an alert is out of order; an alert is too early", "before the last heartbeat",
      move("a_missed", '"i":1}', ["out"]))
finds("an alert is out of order; an alert is too late", "after the recovery",
      move("a_recovered", "a_missed"))
AFTER_OTHERS = all_of(move("a_recovered", "b_missed"), move("a_missed", "a_recovered"))
finds("an alert is too late", "after a later record of another node", AFTER_OTHERS)
fine("the same, where pubsub's clock was wrong", AFTER_OTHERS, set_settings(ordered=False))
finds("an alert is too early", "before a record that the log had",
      lambda run: run["nodes"].insert(9, record("nodes", 8.5, T + 12900, "a", log("a", 9))),
      lambda run: run["out"].insert(11, record("out", 10.5, T + 20000, "a", log("a", 9))),
      without("sent"), reindex)

# --- dead letters
GOOD_LETTER = dict(LETTER, offset=1)
finds("a dead letter is lost", "of a bad record", lambda run: run["nodes.dlq"].pop())
finds("a dead letter is duplicated", "at another offset", repeat("nodes.dlq", "reason"))
finds("a dead letter differs from its record", "another value", edit_letter(value=BAD + " "))
finds("a dead letter differs from its record", "no reason", edit_letter(reason=""))
finds("a dead letter of a good record", "in the input's topic",
      add("nodes.dlq", 1, T, None, json.dumps(GOOD_LETTER)))

# --- the index
DIFFERS = "a document differs from its record"
OTHER_TIME = "a document's time is not its record's"
finds("a document is lost", "one with a log_id", lambda run: run["index"].pop(2))
finds("a document is lost", "one without a log_id", lambda run: run["index"].pop(0))
finds("a document is duplicated", "the same _id",
      lambda run: run["index"].insert(3, run["index"][2]))
finds("a document without a record", "another _id",
      lambda run: run["index"].append(dict(run["index"][2], _id="x")))
finds(DIFFERS, "another value", edit_source(n=2))
finds(DIFFERS, "another order of keys", lambda run: run["index"][2].update(
    _source=dict(sorted(run["index"][2]["_source"].items()))))
fine("a time in milliseconds", edit_source(**{"@timestamp": T + 20002}))
finds(OTHER_TIME, "by a millisecond", edit_source(**{"@timestamp": T + 20004}))
finds(OTHER_TIME, "none at all", lambda run: run["index"][2]["_source"].pop("@timestamp"))


def zoned(own="2023-11-14T23:13:20.250+01:00", stamp=T + 250):
    """a's third log has a time of its own; its document has the time stamp."""
    old, new = '"log_id":"a_3"', f'"timestamp":"{own}","log_id":"a_3"'

    def change(run):
        for row in run["sent"]:
            row["records"] = [text.replace(old, new) for text in row["records"]]
        for topic in ("nodes", *OUTPUTS):
            for row in run[topic]:
                row["value"] = row["value"].replace(old, new)
        reindex(run)
        document = next(row for row in run["index"] if row["_id"] == "a_3")
        document["_source"]["@timestamp"] = stamp
    return change


fine("a record's own time, with a zone", zoned())
finds(OTHER_TIME, "the bus's, where the record has its own", zoned(stamp=T + 20013))
finds(OTHER_TIME, "the record's own without a zone", zoned(own="2023-11-14 22:13:20"))


def swap(topic, i, j):
    def change(run):
        run[topic][i], run[topic][j] = run[topic][j], run[topic][i]
    return change


finds("a node's documents are out of order", "two of one node", swap("index", 2, 3))
fine("documents of two nodes in another order", swap("index", 4, 5))

# --- what alert printed


def alert_text(kind, node):
    return f"ALERT: {alert_message(kind, node)}\n"


LINES = ["WARN: a, a_2\n", *(alert_text("HEARTBEAT_MISSED", node) for node in "cba"),
         alert_text("HEARTBEAT_RECOVERED", "a"), "ERROR: a, a_3\n"]


def printed(*lives):
    return lambda run: run.update({f"alert.{i:03}.out": life for i, life in enumerate(lives)})


LINES_LOST, LINES_OUT_OF_ORDER = "a printed line is lost", "printed lines are out of order"
fine("all lines", printed(LINES))
fine("two lives, of which the second repeats a line that was not committed",
     printed(LINES[:4], LINES[3:]))
fine("half a line at the end of a life", printed([*LINES[:4], LINES[4][:9]], LINES[4:]))
fine("repeated lines within a life", printed([*LINES[:5], *LINES[3:]]))
fine("missing lines because the run ended early", printed(LINES[:4]), set_settings(settled=False))
finds(LINES_LOST, "the last one", printed(LINES[:5]))
finds(LINES_LOST, "half of the last one", printed([*LINES[:5], LINES[5][:9]]))
finds(LINES_OUT_OF_ORDER, "two in the wrong order",
      printed([*LINES[:3], LINES[4], LINES[3], LINES[5]]))
finds(LINES_OUT_OF_ORDER, "one left out", printed([*LINES[:3], *LINES[4:]]))
finds(LINES_OUT_OF_ORDER, "one left out between two lives", printed(LINES[:3], LINES[4:]))
finds("an unexpected printed line", "of no alert", printed([*LINES, "INFO: a, a_1\n"]))


def unstorable(run):
    """The store can't have a's first log, which was posted twice, and dead-letters it."""
    text = log("a", 1)[:-1] + ',"alert":{"x":1}}'
    for row in run["sent"]:
        row["records"] = [text if "a_1" in old else old for old in row["records"]]
    for row in run["nodes"] + run["out"]:
        row["value"] = text if "a_1" in row["value"] else row["value"]
    run["index"] = [row for row in index_of(run["out"]) if row["_id"] != "a_1"]
    for i in range(2):
        letter = dict(LETTER, topic="out", offset=2 + i, key="a", value=text,
                      timestamp=T + 20002 + i)
        run["out.dlq"].append(record("out.dlq", i, T, None, json.dumps(letter)))
    run["settings"]["unstorable_key"] = "alert"


OTHER_LETTER = json.dumps(dict(LETTER, topic="out", offset=2))
LETTER_OF_GOOD = json.dumps(dict(LETTER, topic="out", offset=4, value=log("a", 2, "WARN")))
fine("records that the store can't have", unstorable)
finds("a dead letter is lost", "one of the store", unstorable, lambda run: run["out.dlq"].pop())
finds("a dead letter is duplicated", "one of the store", unstorable, repeat("out.dlq", "reason"))
finds("a dead letter differs from its record", "one of the store", unstorable,
      edit("out.dlq", "reason", timestamp=0, value=OTHER_LETTER))
finds("a dead letter of a good record; a document is lost", "a record that can be stored",
      unstorable, set_settings(unstorable_key=None))
finds("a document without a record", "of a record that can't be stored", unstorable, reindex)
finds("a dead letter of a good record", "in the store's topic",
      add("out.dlq", 0, T, None, LETTER_OF_GOOD))

# --- partitions
PARTITIONS = 3


def partitioned(run):
    """Each record is in the partition that Kafka's clients choose; those without a key in 0."""
    run["settings"].update(engine="kafka", partitions=PARTITIONS)
    for topic in ("nodes", *OUTPUTS):
        for row in run[topic]:
            row["partition"] = oracle.murmur2(row["key"].encode()) % PARTITIONS if row["key"] else 0
    reindex(run)


def to_wrong_partition(topic, i):
    def change(run):
        run[topic][i]["partition"] = (run[topic][i]["partition"] + 1) % PARTITIONS
    return change


JAVA = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
        "abc": 479470107}
WRONG_PARTITION = "a record is in the wrong partition for its key"
ok(all(oracle.murmur2(key.encode()) == value & 0x7FFFFFFF for key, value in JAVA.items()),
   "murmur2 is Java's")
fine("a run on three partitions", partitioned)
finds(f"{WRONG_PARTITION}; a node is on several partitions of the input; a record is duplicated",
      "in the input", partitioned, to_wrong_partition("nodes", 2))
finds(f"{WRONG_PARTITION}; a node is on several partitions of an output",
      "the last one of an output", partitioned, to_wrong_partition("al", -1))
finds("a record's key is not its node_id; a record's key was changed",
      "as a foreign producer might do", lambda run: run["nodes"][2].update(key="x"))
print(f"1..{tests}")
sys.exit(failures > 0)
