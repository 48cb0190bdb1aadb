#!/usr/bin/env python3
"""oracle: what pubsub must have said, worked out from the input topic alone: slow, obvious, and of
no kin to the C code. Reads four files of lines OFFSET TIMESTAMP KEY VALUE (`bus get -t TOPIC`):

    oracle.py TIMEOUT GRACE INPUT PROCESSED ALERTS DEADLETTERS

Time is walked through in order: before each record, every node whose last proof is older than
TIMEOUT + GRACE (ms) by then has missed its heartbeat. Exit 0, or 1 with the first differences.
SPDX-License-Identifier: Apache-2.0"""
import base64
import datetime
import json
import sys

TIMEOUT, GRACE = int(sys.argv[1]), int(sys.argv[2])
END = float("inf")


def read(path):
    rows = []
    for line in open(path, "rb").read().split(b"\n"):
        if line:
            offset, when, key, value = line.split(b"\t", 3)
            rows.append((int(offset), int(when), key, value))
    return rows


def no_twins(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def no_constant(name):
    raise ValueError(name)


def record_of(value):
    """The record as a dict, or None for a bad one. The traffic has no subtler junk than this."""
    try:
        record = json.loads(value.decode(), object_pairs_hook=no_twins, parse_constant=no_constant)
    except ValueError:
        return None
    if not isinstance(record, dict) or "" in record:
        return None
    node, kind = record.get("node_id"), record.get("message_type")
    return record if isinstance(node, str) and node and isinstance(kind, str) else None


def clock(ms):
    return datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


processed, alerts, dead = [], [], []
nodes = {}  # name: {"service", "last", "open"}


def event(name, service, when, status):
    processed.append({"message_type": "REGISTRATION", "node_id": name, "service_name": service,
                      "timestamp": clock(when), "status": status})


def alarm(name, when, missed):
    node = nodes[name]
    what, says = ("missed", "missed its heartbeat!") if missed else ("recovered", "is back")
    made = {"log_id": f"{name}_{what}_{when}", "node_id": name, "log_level": "ALERT",
            "message": f"Node {name} {says}", "message_type": "ALERT", "alert": f"HEARTBEAT_{what.upper()}",
            "last_heartbeat": clock(node["last"]), "service_name": node["service"], "timestamp": clock(when)}
    processed.append(made)
    alerts.append(made)


def time_passes(now):
    late = [name for name, node in nodes.items()
            if not node["open"] and now > node["last"] + TIMEOUT + GRACE]
    for name in sorted(late, key=lambda name: (nodes[name]["last"], name)):
        nodes[name]["open"] = True
        alarm(name, nodes[name]["last"] + TIMEOUT, True)


for offset, when, key, value in read(sys.argv[3]):
    time_passes(when)
    record = record_of(value)
    if record is None:
        dead.append((offset, value))
        continue
    name, kind = record["node_id"], record["message_type"]
    node = nodes.get(name)
    service = record.get("service_name")
    service = service if isinstance(service, str) else None
    if node is None:
        if kind == "REGISTRATION":
            nodes[name] = {"service": service, "last": when, "open": False}
            event(name, service, when, "UP")
        continue
    if kind == "REGISTRATION":
        node["service"] = service
    if kind in ("REGISTRATION", "HEARTBEAT"):
        if when - node["last"] > TIMEOUT:
            if not node["open"]:
                alarm(name, node["last"] + TIMEOUT, True)
            alarm(name, when, False)
        node["last"], node["open"] = when, False
    error = kind == "LOG" and record.get("log_level") == "ERROR"
    if error or kind == "LOG" and record.get("log_level") == "WARN":
        alerts.append(record)
    processed.append(record)
    if error or kind == "HEARTBEAT" and record.get("status") == "DOWN":
        event(name, node["service"], when, "DOWN")
        del nodes[name]
time_passes(END)


def orders(records):
    """The promised order: that of each node; and that of all but the silences, which are told when
    the bus's clock says so, not when a record of somebody else comes."""
    by_node = {}
    for record in records:
        by_node.setdefault(record["node_id"], []).append(json.dumps(record))
    rest = [json.dumps(record) for record in records if record.get("alert") != "HEARTBEAT_MISSED"]
    return [rest] + [by_node[name] for name in sorted(by_node)]


def bytes_of(letter):
    return base64.b64decode(letter["value_base64"]) if "value_base64" in letter else letter["value"].encode()


def compare_topic(what, wanted, path):
    pairs = zip(orders(wanted), orders([json.loads(value) for _, _, _, value in read(path)]))
    return all([compare(what, one, other) for one, other in pairs]) and compare(
        what + " nodes", sorted({record["node_id"] for record in wanted}),
        sorted({json.loads(value)["node_id"] for _, _, _, value in read(path)}))


def compare(what, wanted, got):
    for i in range(max(len(wanted), len(got))):
        one, other = wanted[i:i + 1], got[i:i + 1]
        if one != other:
            print(f"{what} {i} of {len(wanted)}: wanted {one}\n  got {other} ({len(got)} in all)")
            return False
    return True


letters = [json.loads(value) for _, _, _, value in read(sys.argv[6])]
well = [compare_topic("processed", processed, sys.argv[4]),
        compare_topic("alerts", alerts, sys.argv[5]),
        compare("dead letters", dead, [(letter["offset"], bytes_of(letter)) for letter in letters])]
missed = sum(record.get("alert") == "HEARTBEAT_MISSED" for record in alerts)
back = sum(record.get("alert") == "HEARTBEAT_RECOVERED" for record in alerts)
print(f"{len(processed)} processed, {len(alerts)} alerts ({missed} missed, {back} recovered), {len(dead)} dead letters")
sys.exit(not all(well))
