#!/usr/bin/env python3
"""oracle_test: a small run, written down by hand, in which the oracle finds nothing; and for each kind of
fault one that it must find. TAP on standard output.
SPDX-License-Identifier: Apache-2.0"""
import copy
import json
import os
import sys
import tempfile
import time

os.environ["TZ"] = "UTC"
time.tzset()
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load  # noqa: E402
import oracle  # noqa: E402

T = 1700000000000  # 2023-11-14 22:13:20
SETTINGS = {"engine": "local", "heartbeat_timeout": 7000, "grace": 1000,
            "topics": {"input": "nodes", "processed": "out", "alerts": "al"}}


def clock(ms):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000))


def line(**fields):
    return json.dumps(fields, separators=(",", ":"))


def reg(node):
    return line(node_id=node, message_type="REGISTRATION", service_name="pay")


def beat(node, i):
    return line(node_id=node, message_type="HEARTBEAT", status="UP", i=i)


def log(node, i, level="INFO"):
    return line(log_id=f"{node}_{i}", node_id=node, log_level=level, message_type="LOG", n=1.5)


def event(node, ms, status):
    return line(message_type="REGISTRATION", node_id=node, service_name="pay", timestamp=clock(ms), status=status)


def alert(node, what, ms, last):
    says = "missed its heartbeat!" if what == "missed" else "is back"
    return line(log_id=f"{node}_{what}_{ms}", node_id=node, log_level="ALERT", message=f"Node {node} {says}",
                message_type="ALERT", alert="HEARTBEAT_" + what.upper(), last_heartbeat=clock(last),
                service_name="pay", timestamp=clock(ms))


def record(topic, offset, ms, key, value, partition=0):
    return {"topic": topic, "partition": partition, "offset": offset, "timestamp": ms, "key": key, "value": value}


def post(node, n, ms, *records, status=200, attempt=1, answered=None):
    return {"node": node, "n": n, "attempt": attempt, "status": status, "time": ms,
            "answered": ms + 5 if answered is None else answered, "records": list(records)}


BAD = line(node_id=7, message_type="LOG")
LETTER = {"reason": "node_id is missing or not a string", "topic": "nodes", "partition": 0, "offset": 8,
          "timestamp": T + 12000, "key": None, "value": BAD}


def a_run():
    """a: beats until T+5 s, comes back at T+15 s, has an ERROR; b: one beat, and silence; the POST of a's
    first log was answered with 503 though it was written, and repeated."""
    spaced = log("a", 1).replace(":", ": ")
    sent = [post("a", 1, T - 1, reg("a")), post("b", 1, T, reg("b")),
            post("a", 2, T + 1000, spaced, log("a", 2, "WARN"), status=503),
            post("a", 2, T + 1500, spaced, log("a", 2, "WARN"), attempt=2),
            post("b", 2, T + 4000, beat("b", 1)), post("a", 3, T + 5000, beat("a", 1)),
            post("c", 1, T + 12000, BAD), post("c", 2, T + 12500, "{}x", status=400),
            post("a", 4, T + 15000, beat("a", 2)), post("a", 5, T + 16000, log("a", 3, "ERROR"))]
    read = [(T, "a", reg("a")), (T + 1, "b", reg("b")), (T + 1001, "a", log("a", 1)),
            (T + 1501, "a", log("a", 1)), (T + 1501, "a", log("a", 2, "WARN")), (T + 1502, "c", reg("c")),
            (T + 4001, "b", beat("b", 1)), (T + 5001, "a", beat("a", 1)), (T + 12000, None, BAD),
            (T + 15001, "a", beat("a", 2)), (T + 16001, "a", log("a", 3, "ERROR"))]
    sent.insert(4, post("c", 0, T + 1501, reg("c")))
    out = [("a", event("a", T, "UP")), ("b", event("b", T + 1, "UP")), ("a", log("a", 1)), ("a", log("a", 1)),
           ("a", log("a", 2, "WARN")), ("c", event("c", T + 1502, "UP")), ("b", beat("b", 1)),
           ("a", beat("a", 1)), ("c", alert("c", "missed", T + 8502, T + 1502)),
           ("b", alert("b", "missed", T + 11001, T + 4001)),
           ("a", alert("a", "missed", T + 12001, T + 5001)),
           ("a", alert("a", "recovered", T + 15001, T + 5001)), ("a", beat("a", 2)),
           ("a", log("a", 3, "ERROR")), ("a", event("a", T + 16001, "DOWN"))]
    al = [pair for pair in out if "ALERT" in pair[1] or "WARN" in pair[1] or "ERROR" in pair[1]]
    run = {"settings": copy.deepcopy(SETTINGS), "sent": sent,
           "nodes": [record("nodes", i, *row) for i, row in enumerate(read)],
           "out": [record("out", i, T + 20000 + i, *row) for i, row in enumerate(out)],
           "al": [record("al", i, T + 20000 + i, *row) for i, row in enumerate(al)],
           "nodes.dlq": [record("nodes.dlq", 0, T + 20000, None, json.dumps(LETTER))], "out.dlq": []}
    run["index"] = index_of(run["out"])
    return run


def index_of(out):
    ids = {}
    for row in out:
        fields = json.loads(row["value"])
        name = fields.get("log_id") or f"out-{row['partition']}-{row['offset']}-{row['timestamp']}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(row["timestamp"] // 1000))
        ids.setdefault(name, {"@timestamp": f"{stamp}.{row['timestamp'] % 1000:03}Z", **fields})
    return [{"_id": name, "_source": source} for name, source in ids.items()]


def problems_of(run):
    return examined(run).all()


def examined(run):
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in run.items():
            path = {"settings": "settings.json", "sent": "sent.jsonl", "index": "index.jsonl"}.get(
                name, f"topic-{name}.jsonl")
            with open(os.path.join(folder, name if ".out" in name else path), "w", encoding="utf-8") as file:
                for row in [rows] if name == "settings" else rows:
                    file.write(row if ".out" in name else json.dumps(row, ensure_ascii=False) + "\n")
        return oracle.examine(folder)[0]


tests = failures = 0


def ok(good, text, *more):
    global tests, failures
    tests += 1
    failures += not good
    print(("ok" if good else "not ok"), tests, "-", text)
    if not good:
        print("\n".join(f"# {problem}" for problem in more))


def fine(text, *changes):
    run = a_run()
    both(*changes)(run)
    problems = problems_of(run)
    ok(problems == [], text, *problems)


def finds(kinds, text, *changes):
    """The oracle must name these kinds of problems, and no other."""
    run = a_run()
    both(*changes)(run)
    problems = problems_of(run)
    ok({problem.split(":")[0] for problem in problems} == set(kinds.split("; ")), f"{kinds}: {text}",
       f"wanted {kinds}, got:", *problems)


def place(rows, part):
    """Where the first record is that has this in its value."""
    return next(i for i, row in enumerate(rows) if part in row["value"])


def drop(topic, part, index=True):
    def change(run):
        del run[topic][place(run[topic], part)]
        if index and topic == "out":
            run["index"] = index_of(run["out"])
    return change


def again(topic, part):
    def change(run):
        row = dict(run[topic][place(run[topic], part)], offset=len(run[topic]))
        run[topic].append(row)
        if topic == "out":
            run["index"] = index_of(run["out"])
    return change


def move(part, before, topics=("out", "al")):
    """A record of the outputs to before another; as time goes, that is all that changes."""
    def change(run):
        for topic in topics:
            rows = run[topic]
            if not any(before in row["value"] for row in rows):
                continue
            row = rows.pop(place(rows, part))
            rows.insert(place(rows, before), row)
            for i, other in enumerate(rows):
                other["offset"], other["timestamp"] = i, T + 20000 + i
        run["index"] = index_of(run["out"])
    return change


def edit(topic, part, **fields):
    def change(run):
        run[topic][place(run[topic], part)].update(fields)
        if topic == "out":
            run["index"] = index_of(run["out"])
    return change


def both(*changes):
    def change(run):
        for one in changes:
            one(run)
    return change


def without(part):
    """Not in the outputs at all."""
    return both(drop("out", part), drop("al", part))


# --- what is right
fine("a run in which all is well")
fine("with the index and the answers left out", lambda run: (run.pop("sent"), run.pop("index")))
fine("a source may be given as text",
     lambda run: run["index"][2].update(_source=json.dumps(run["index"][2]["_source"])))
fine("values in base64", lambda run: run["nodes"][2].update(value_base64="eyJsb2dfaWQiOiJhXzEiLCJub2RlX2lkIjoiYSIsImxvZ19sZXZlbCI6IklORk8iLCJtZXNzYWdlX3R5cGUiOiJMT0ciLCJuIjoxLjV9"))
fine("a silent node that was not told, if the run ended too early",
     both(without("b_missed"), lambda run: run["settings"].update(settled=False)))

BETWEEN = both(lambda run: run["nodes"][9].update(timestamp=T + 12500),
               lambda run: run["sent"][9].update(time=T + 12400, answered=T + 12600))


def between(told):
    """a comes back between timeout and timeout + grace."""
    def change(run):
        BETWEEN(run)
        for topic in ("out", "al"):
            at = place(run[topic], "a_recovered")
            run[topic][at]["value"] = alert("a", "recovered", T + 12500, T + 5001)
        if not told:
            without("a_missed")(run)
            without("a_recovered")(run)
        run["index"] = index_of(run["out"])
    return change


fine("a gap between timeout and timeout + grace that is told", between(True))
fine("and one that is not", between(False))
finds("a record is lost", "a gap is exact where that is asked for", between(False),
      lambda run: run["settings"].update(exact=True))


def late(answered):
    """a's second beat is well within the timeout, but was told as a gap."""
    def change(run):
        run["nodes"][9]["timestamp"] = T + 11000
        run["sent"][9].update(time=T + 10000, answered=answered)
        for topic in ("out", "al"):
            at = place(run[topic], "a_recovered")
            run[topic][at]["value"] = alert("a", "recovered", T + 11000, T + 5001)
        run["index"] = index_of(run["out"])
    return change


fine("a beat that reached the log late may have been missed", late(T + 14000))
finds("a record that nobody asked for", "but not one that came in time", late(T + 11001))


SLEEP_MS = 20000
TIMES = ("time", "answered")


def slept(*moved):
    """The machine sleeps when all is over, then d is heard twice, 3 s apart; moved: of the load's stamps,
    those that know of the sleep."""
    def change(run):
        for i, (text, ms) in enumerate([(reg("d"), T + 40000), (beat("d", 1), T + 43000), (beat("d", 2), T + 46000)]):
            run["nodes"].append(record("nodes", 11 + i, ms, "d", text))
            row = post("d", i, ms - 1, text)
            run["sent"].append({**row, **{name: row[name] - SLEEP_MS for name in TIMES if name not in moved}})
            put(run, ["out"], "d", event("d", ms, "UP") if i == 0 else text, ms + 1)
        put(run, ["out", "al"], "d", alert("d", "missed", T + 53000, T + 46000), T + 55000)
    return change


def put(run, topics, key, text, ms):
    for topic in topics:
        run[topic].append(record(topic, len(run[topic]), ms, key, text))
    run["index"] = index_of(run["out"])


def false_alarm(run):
    """Of d, within the 3 s between its two beats."""
    for what, when in ("missed", T + 50000), ("recovered", T + 46000):
        for topic in ("out", "al"):
            rows = run[topic]
            at = next((i for i, row in enumerate(rows) if row["value"] == beat("d", 2)), len(rows) - 1)
            rows.insert(at, record(topic, 0, T + 45999, "d", alert("d", what, when, T + 43000)))
            for i, row in enumerate(rows):
                row["offset"] = i
    run["index"] = index_of(run["out"])


fine("a sleep between two POSTs", slept(*TIMES))
fine("a sleep in the middle of a POST", slept("answered"))
finds("a record that nobody asked for", "a false alarm after a sleep", slept(*TIMES), false_alarm)
finds("a record's time is not between its POST and the answer", "the load does not know of a sleep", slept())
with tempfile.TemporaryDirectory() as scratch:
    nobody = load.Load("seed", 0, None, scratch + "/sent.jsonl", 1)
    before = nobody.latest_ms()
    with nobody.sleeping(20):
        ok(nobody.earliest_ms() < before + 10000 and nobody.latest_ms() >= before + 20000,
           "the load's stamps are from before and after a sleep while it begins")
    ok(nobody.earliest_ms() >= before + 20000, "and from after it then")
    nobody.close()

# --- the input
def posted(*rows):
    return lambda run: run["sent"].extend(rows)


def read(*row):
    return lambda run: run["nodes"].append(record("nodes", 11, *row))


finds("an acknowledged record is lost", "a 200 whose record is not in the input", posted(post("b", 3, T, log("b", 1))))
finds("a refused record is in the input", "a 400 that was written", posted(post("c", 3, T, beat("x", 1), status=400)),
      read(T + 17000, "x", beat("x", 1)))
finds("a record is in the input more often than it was posted", "without a second attempt", lambda run: run["sent"].pop(2))
finds("a record is in the input more often than it was posted", "the first attempt was refused",
      lambda run: run["sent"][2].update(status=400))
fine("the first attempt had no answer", lambda run: run["sent"][2].update(status=None))
finds("a record is in the input more often than it was posted", "at the first attempt nobody was there",
      lambda run: run["sent"][2].update(status=None, connected=False))
lost, MANY_LOST = a_run(), 50
lost["sent"] += [post("c", 3 + i, T, log("c", i)) for i in range(MANY_LOST)]
ok(examined(lost).how_many(" lost") == MANY_LOST and len(examined(lost).all()) < MANY_LOST, "all are counted, few told")
finds("a record in the input was never sent", "from nowhere", read(T + 17000, "x", beat("x", 1)))
finds("the input is out of order", "two POSTs of a node the wrong way round", lambda run: run["sent"][9].update(n=5),
      lambda run: run["sent"][10].update(n=4))
finds("an offset is there twice; a dead letter is doubled", "in a topic",
      lambda run: run["nodes.dlq"].append(run["nodes.dlq"][0]))

# --- routing
finds("a record is lost", "a log in processed", drop("out", "a_2"))
finds("a record is lost", "a warning in alerts", drop("al", "a_2"))
finds("a record is lost", "an event UP", drop("out", '"UP"'))
finds("a record is lost", "an event DOWN", drop("out", '"DOWN"'))
finds("a record is lost", "one of two that were posted twice", drop("out", "a_1"))
finds("a record is doubled", "a log in processed", again("out", "a_2"))
finds("a record is doubled", "an error in alerts", again("al", "a_3"))
finds("a record is doubled", "an event", again("out", '"DOWN"'))
finds("a record that nobody asked for; a record is lost", "changed on the way", edit("out", "a_2", value=log("a", 2, "WARN") + " "))
finds("a record that nobody asked for", "of a node that is not registered", again("nodes", '"c"'),
      lambda run: run["out"].append(record("out", 15, T + 20015, "x", beat("x", 1))),
      lambda run: run.pop("sent"), lambda run: run.pop("index"), lambda run: run["nodes"].pop())
finds("a record that nobody asked for", "not a node's at all",
      lambda run: run["out"].append(record("out", 15, T + 20015, None, "{}")), lambda run: run.pop("index"))
finds("a node's records are out of order", "within processed", move("a_2", '"log_id":"a_1"', ["out"]))
finds("a node's records are out of order", "within alerts", move("a_recovered", "a_2", ["al"]), )
finds("a record has another key than it came with", "in processed", edit("out", "a_2", key=None))
finds("a record has a time that is not the bus's", "that of a clock which is a minute behind",
      edit("out", "a_2", timestamp=T - 60000))

# --- liveness
finds("an alert is lost", "a gap that ended", drop("out", "a_missed"), drop("al", "a_missed"))
finds("an alert is lost", "a silence that lasts", without("b_missed"))
finds("an alert is lost", "in one of two topics", drop("al", "b_missed"))
finds("a record is lost", "the end of a gap", without("a_recovered"))
finds("an alert is doubled; an alert comes too late", "in both", again("out", "b_missed"), again("al", "b_missed"))
FALSE = alert("a", "missed", T + 7000, T)
finds("a record that nobody asked for", "a false alarm",
      lambda run: [run[topic].append(record(topic, 20, T + 20020, "a", FALSE)) for topic in ("out", "al")],
      lambda run: run.update(index=index_of(run["out"])))
finds("an alert is out of order; an alert comes too early", "before the last proof of life", move("a_missed", '"i":1}', ["out"]))
finds("an alert is out of order; an alert comes too late", "after the recovery", move("a_recovered", "a_missed"))
finds("an alert comes too late", "when a later record of another node was handled", move("a_recovered", "b_missed"),
      move("a_missed", "a_recovered"))
fine("which may be where pubsub's clock was wrong", both(
    move("a_recovered", "b_missed"), move("a_missed", "a_recovered"), lambda run: run["settings"].update(ordered=False)))
finds("an alert comes too early", "before a record that was there", lambda run: run["nodes"].insert(
    9, record("nodes", 8.5, T + 12900, "a", log("a", 9))), lambda run: run.pop("sent"), lambda run: run["out"].insert(
        11, record("out", 10.5, T + 20000, "a", log("a", 9))), lambda run: run.update(index=index_of(run["out"])))

# --- dead letters
finds("a dead letter is lost", "of a bad record", lambda run: run["nodes.dlq"].pop())
finds("a dead letter is doubled", "at another offset", again("nodes.dlq", "reason"))
finds("a dead letter is not what its record was", "its value",
      edit("nodes.dlq", "reason", value=json.dumps(dict(LETTER, value=BAD + " "))))
finds("a dead letter of no bad record", "of a good one",
      lambda run: run["nodes.dlq"].append(record("nodes.dlq", 1, T, None, json.dumps(dict(LETTER, offset=1)))))

# --- the index
finds("a document is lost", "with its log_id", lambda run: run["index"].pop(2))
finds("a document is lost", "without one", lambda run: run["index"].pop(0))
finds("a document is doubled", "the same _id", lambda run: run["index"].insert(3, run["index"][2]))
finds("a document of no record", "another _id", lambda run: run["index"].append(dict(run["index"][2], _id="x")))
finds("a document is not what its record is", "a value", lambda run: run["index"][2]["_source"].update(n=2))
finds("a document is not what its record is", "the order of its keys",
      lambda run: run["index"][2].update(_source=dict(sorted(run["index"][2]["_source"].items()))))
fine("its time in milliseconds", lambda run: run["index"][2]["_source"].update({"@timestamp": T + 20002}))
finds("a document has another time than its record", "by a millisecond",
      lambda run: run["index"][2]["_source"].update({"@timestamp": T + 20004}))
finds("a document has another time than its record", "none at all", lambda run: run["index"][2]["_source"].pop("@timestamp"))


def zoned(run, own="2023-11-14T23:13:20.250+01:00", stamp=T + 250):
    """a's third log knows its zone."""
    for topic in ("sent", "nodes", "out", "al"):
        for row in run[topic]:
            for name in ("records", "value"):
                text = json.dumps(row.get(name)).replace('"log_id\\":\\"a_3', '"timestamp\\":\\"' + own + '\\",\\"log_id\\":\\"a_3')
                row.update({name: json.loads(text)} if name in row else {})
    run["index"] = index_of(run["out"])
    run["index"][place_of(run["index"], "a_3")]["_source"]["@timestamp"] = stamp


def place_of(index, name):
    return next(i for i, row in enumerate(index) if row["_id"] == name)


fine("a record's own time, with its zone", zoned)
finds("a document has another time than its record", "the bus's, where it has one of its own",
      lambda run: zoned(run, stamp=T + 20013))
finds("a document has another time than its record", "its own without a zone",
      lambda run: zoned(run, own="2023-11-14 22:13:20"))


def swap(topic, i, j):
    def change(run):
        run[topic][i], run[topic][j] = run[topic][j], run[topic][i]
    return change


finds("a node's documents are out of order", "two of a node", swap("index", 2, 3))
fine("of two nodes there is no order", swap("index", 4, 5))

# --- what alert printed
LINES = ["WARN: a, a_2\n", "ALERT: Node c missed its heartbeat!\n", "ALERT: Node b missed its heartbeat!\n",
         "ALERT: Node a missed its heartbeat!\n", "ALERT: Node a is back\n", "ERROR: a, a_3\n"]


def printed(*lives):
    return lambda run: run.update({f"alert.{i:03}.out": life for i, life in enumerate(lives)})


fine("all lines", printed(LINES))
fine("two lives, the second begins where the first had not committed", printed(LINES[:4], LINES[3:]))
fine("half a line at the end of a life", printed([*LINES[:4], LINES[4][:9]], LINES[4:]))
fine("lines again within a life", printed([*LINES[:5], *LINES[3:]]))
fine("not yet all, if the run ended too early", printed(LINES[:4]), lambda run: run["settings"].update(settled=False))
finds("a printed line is lost", "the last", printed(LINES[:5]))
finds("a printed line is lost", "half of the last", printed([*LINES[:5], LINES[5][:9]]))
finds("printed lines are out of order", "the wrong way round", printed([*LINES[:3], LINES[4], LINES[3], LINES[5]]))
finds("printed lines are out of order", "one left out", printed([*LINES[:3], *LINES[4:]]))
finds("printed lines are out of order", "one left out between two lives", printed(LINES[:3], LINES[4:]))
finds("a printed line that nobody asked for", "of no alert", printed([*LINES, "INFO: a, a_1\n"]))


def set_aside(run):
    """a's first log is one that the store can't have; it was posted twice."""
    refused = log("a", 1)[:-1] + ',"alert":{"x":1}}'
    for row in run["sent"]:
        row["records"] = [refused if "a_1" in text else text for text in row["records"]]
    for row in run["nodes"] + run["out"]:
        row["value"] = refused if "a_1" in row["value"] else row["value"]
    run["index"] = [row for row in index_of(run["out"]) if row["_id"] != "a_1"]
    run["out.dlq"] += [record("out.dlq", i, T, None, json.dumps(dict(
        LETTER, topic="out", offset=2 + i, key="a", value=refused, timestamp=T + 20002 + i))) for i in range(2)]
    run["settings"]["refuses"] = "alert"


fine("records that the store can't have", set_aside)
finds("a dead letter is lost", "one of the store", set_aside, lambda run: run["out.dlq"].pop())
finds("a dead letter is doubled", "one of the store", set_aside, again("out.dlq", "reason"))
finds("a dead letter is not what its record was", "one of the store", set_aside,
      edit("out.dlq", "reason", timestamp=0, value=json.dumps(dict(LETTER, topic="out", offset=2))))
finds("a dead letter of no bad record; a document is lost", "where the store may have it", set_aside,
      lambda run: run["settings"].update(refuses=None))
finds("a document of no record", "of a record that the store can't have", set_aside,
      lambda run: run.update(index=index_of(run["out"])))
finds("a dead letter of no bad record", "of a good one, in the store's", lambda run: run["out.dlq"].append(
    record("out.dlq", 0, T, None, json.dumps(dict(LETTER, topic="out", offset=4, value=log("a", 2, "WARN"))))))

# --- partitions
PARTITIONS = 3


def spread(run):
    """Each key's records in the partition that Kafka's clients choose; those without one in 0."""
    run["settings"].update(engine="kafka", partitions=PARTITIONS)
    for topic in ("nodes", "out", "al"):
        for row in run[topic]:
            row["partition"] = oracle.murmur2(row["key"].encode()) % PARTITIONS if row["key"] else 0
    run["index"] = index_of(run["out"])


JAVA = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107}
ok(all(oracle.murmur2(key.encode()) == value & 0x7FFFFFFF for key, value in JAVA.items()), "murmur2 is Java's")
fine("a run on three partitions", spread)
finds("a record is in another partition than its key's; a node is on several partitions of the input; a record is doubled",
      "of the input", spread, lambda run: run["nodes"][2].update(partition=(run["nodes"][2]["partition"] + 1) % PARTITIONS))
finds("a record is in another partition than its key's; a node is on several partitions of an output",
      "the last of an output", spread, lambda run: run["al"][-1].update(partition=PARTITIONS - 1 if run["al"][-1]["partition"] != PARTITIONS - 1 else 0))
finds("a record has another key than its node_id; a record has another key than it came with", "as a foreign producer might",
      lambda run: run["nodes"][2].update(key="x"))
print(f"1..{tests}")
sys.exit(failures > 0)
