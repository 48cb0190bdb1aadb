"""schedule: what goes wrong in a round, when, and with whom, worked out from a seed. A fault is a dict:
t (seconds from the start of the load), kind, target, and what else the kind needs. Knows nothing of how a
fault is done: that is inject.py. SPDX-License-Identifier: Apache-2.0"""
import random

FIRST_AT = 1.0
# How often each kind comes, relative to the others.
DECKS = {
    "local": {"kill": 6, "point": 6, "stop": 4, "term": 3, "io": 3, "malloc": 2, "net": 3, "clock": 2, "sleep": 1, "full": 2},
    "kafka": {"kill": 9, "point": 8, "stop": 6, "term": 6, "net": 8, "server": 3, "clock": 1, "malloc": 1},
}
READERS = ["pubsub", "pubsub", "store", "alert"]
EACH = ["collect", *READERS]
WRITES = ["sqlite-commit", "sqlite-write", "sqlite-fsync"]
POINTS = {
    "local": {role: WRITES for role in ["collect", "pubsub", "store", "alert"]},
    "kafka": {"collect": ["produce"], "pubsub": ["produce", "offsets", "commit"],
              "store": ["bulk", "offset-commit", "produce", "offsets", "commit"], "alert": ["offset-commit"]},
}
PROXIES = {"local": ["collect"], "kafka": ["collect", "kafka", "kafka", "es"]}


def deck(engine, count, rng, without):
    """count kinds, in proportion and in random order, so that no kind is missing from a long round."""
    cards = []
    while len(cards) < count:
        turn = [kind for kind, weight in DECKS[engine].items() if kind not in without for _ in range(weight)]
        rng.shuffle(turn)
        cards += turn
    return cards[:count]


def pause(rng):
    # The embedded lease is 6 s, Kafka's session 10 s: some pauses end well before, some well after.
    return {"seconds": round(rng.choice([rng.uniform(1, 4), rng.uniform(6, 14)]), 2)}


def point(engine, rng):
    role = rng.choice(list(POINTS[engine]))
    name = rng.choice(POINTS[engine][role]) + rng.choice(["-before", "-after"])
    most = 60 if name.startswith(("sqlite-write", "produce")) else 15
    return {"target": role, "point": f"{name}:{rng.randint(1, most)}"}


def disk(rng):
    role, part = rng.choice([("collect", "bus.db"), ("pubsub", "bus.db"), ("store", "store.db"), ("store", "bus.db")])
    error = rng.choice(["EIO", "ENOSPC"])
    call = rng.choice(["*", "pwrite", "fdatasync", "fsync", "ftruncate"]) if error == "EIO" else rng.choice(["*", "pwrite"])
    how = rng.choice(["1", "3", "0.05", "0.3"])
    return {"target": role, "io": f"{error}:{call}:{part}:{how}", "after": round(rng.uniform(0, 1), 2),
            "seconds": round(rng.uniform(0.5, 4), 2)}


def memory(rng):
    return {"target": rng.choice(EACH), "malloc": f"1/{rng.choice([50, 500, 5000])}:{rng.randint(1, 1 << 30)}"}


def net(engine, rng):
    how, args, seconds = rng.choice([("cut", [], None), ("half_close", [], None), ("delay", [rng.randint(20, 800)], 4),
                                     ("throttle", [rng.randint(500, 20000)], 4), ("refuse", [], 2), ("hold", [], 8)])
    fault = {"target": rng.choice(PROXIES[engine]), "how": how, "args": args}
    return fault if seconds is None else {**fault, "seconds": round(rng.uniform(0.3, seconds), 2)}


def server(rng):
    how = rng.choice(["SIGSTOP", "SIGSTOP", "SIGTERM", "SIGKILL"])
    longest = 15 if how == "SIGSTOP" else 6
    return {"target": rng.choice(["kafka", "kafka", "es"]), "signal": how, "seconds": round(rng.uniform(1, longest), 2)}


def one(engine, kind, rng):
    return {
        "kill": lambda: {"target": rng.choice(EACH)},
        "term": lambda: {"target": rng.choice(EACH)},
        "stop": lambda: {"target": rng.choice(EACH), **pause(rng)},
        "point": lambda: point(engine, rng),
        "io": lambda: disk(rng),
        "malloc": lambda: memory(rng),
        "net": lambda: net(engine, rng),
        "clock": lambda: {"step": rng.choice([-3600, 3600, -60, 60])},
        "sleep": lambda: {"step": rng.randint(1, 20)},
        "server": lambda: server(rng),
        "full": lambda: {"seconds": round(rng.uniform(0.5, 4), 2)},
    }[kind]()


def make(engine, seed, count, seconds, without=()):
    """count faults over so many seconds, in order; kinds that this machine can't have are left out."""
    rng = random.Random(f"{seed}:schedule")
    times = sorted(rng.uniform(FIRST_AT, seconds) for _ in range(count))
    return [{"i": i, "t": round(t, 2), "kind": kind, **one(engine, kind, rng)}
            for i, (t, kind) in enumerate(zip(times, deck(engine, count, rng, without)))]
