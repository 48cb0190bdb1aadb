#!/usr/bin/env python3
"""traffic: a seeded schedule for 0310-oracle.sh: portions of records (lines for `bus put`) in the
folder given, and on standard output what to do with them, a line each: put FILE, sleep SECONDS, KILL,
TERM, start.

    traffic.py SEED ROUNDS FOLDER
SPDX-License-Identifier: Apache-2.0"""
import json
import random
import sys

seed, rounds, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
rng = random.Random(seed)
NODES = ["a", "b", "node_03", 'q"uote', "über", "e\\scape", "g", "h"]
JUNK = [b"{bad", b"", b"[]", b"null", b'"\xff"', b'{"node_id":"a"}', b'{"message_type":"LOG"}',
        b'{"node_id":7,"message_type":"LOG"}', b'{"node_id":"","message_type":"HEARTBEAT"}',
        b'{"node_id":"a","message_type":"HEARTBEAT","node_id":"b"}', b'{"":1,"node_id":"a","message_type":"LOG"}',
        b'{"node_id":"a","message_type":"HEARTBEAT"} x']
LEVELS = ["INFO", "INFO", "INFO", "WARN", "WARN", "DEBUG"]
serial = 0


def record(name, kind, **more):
    fields = {"node_id": name, "message_type": kind, "timestamp": f"2026-01-{rng.randint(1, 28):02} 00:00:00"}
    fields.update(more)
    members = list(fields.items())
    rng.shuffle(members)
    text = json.dumps(dict(members), ensure_ascii=rng.random() < 0.5)
    return text.replace(", ", ",").replace(": ", ":") if rng.random() < 0.5 else text


def log(name, level):
    global serial
    serial += 1
    return record(name, "LOG", log_id=f"{name}_{serial}", log_level=level, message=f"no. {serial}", x=1.50)


def some_record(name):
    pick = rng.random()
    if pick < 0.55:
        return record(name, "HEARTBEAT", status="UP")
    if pick < 0.85:
        return log(name, rng.choice(LEVELS))
    if pick < 0.93:
        return record(name, "REGISTRATION", service_name=rng.choice(["pay", "ord\u00e9r", 5]))
    if pick < 0.95:
        return record(name, rng.choice(["ALERT", "OTHER"]), log_level="ERROR")
    return log(name, "ERROR") if pick < 0.975 else record(name, "HEARTBEAT", status="DOWN")


silent = {name: 0 for name in NODES}  # rounds without proofs of life that are left
for i in range(rounds):
    lines = []
    for name in NODES:
        if silent[name]:
            silent[name] -= 1
            if rng.random() < 0.2:
                lines.append((name, log(name, rng.choice(LEVELS + ["ERROR"]))))
            continue
        if i == 0 or rng.random() < 0.15:
            lines.append((name, record(name, "REGISTRATION", service_name="pay")))
        lines += [(name, some_record(name)) for _ in range(rng.randint(0, 4))]
        if rng.random() < 0.08:
            silent[name] = rng.randint(1, 12)
    lines.append(("stranger", record("stranger", "HEARTBEAT", status="UP")))
    lines += [rng.choice(lines) for _ in range(rng.randint(0, 2))]
    if rng.random() < 0.7:
        rng.shuffle(lines)
    with open(f"{folder}/{i}", "wb") as out:
        for name, text in lines:
            out.write(b"in\t" + rng.choice([name, ""]).encode() + b"\t" + text.encode() + b"\n")
            if rng.random() < 0.05:
                out.write(b"in\t\t" + rng.choice(JUNK) + b"\n")
    if rng.random() < 0.3:
        print(rng.choice(["KILL", "KILL", "TERM"]))
        if rng.random() < 0.4:
            print(f"sleep {rng.uniform(0.0, 0.6):.2f}")
        print(f"put {i}\nstart")
    else:
        print(f"put {i}")
    print(f"sleep {rng.uniform(0.0, 0.25):.2f}")
