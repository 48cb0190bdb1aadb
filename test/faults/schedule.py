"""schedule: what goes wrong in a round, when, and with whom, worked out from a seed. A fault is a dict:
t (seconds from the start of the load), kind, target, and what else the kind needs. Knows nothing of how a
fault is done: that is inject.py. SPDX-License-Identifier: Apache-2.0"""
import random

FIRST_AT = 1.0
# How often each kind comes, relative to the others.
DECKS = {
    "local": {"kill": 6, "stop": 4, "term": 3, "io": 3, "malloc": 2, "net": 3, "clock": 2, "sleep": 1, "full": 2},
    "kafka": {"kill": 9, "stop": 6, "term": 6, "net": 8, "clock": 1, "malloc": 1},
}
READERS = ["pubsub", "pubsub", "store", "alert"]
EACH = ["collect", *READERS]
WHEN = ["-before", "-after"]
# The places that each daemon comes to; the store to the last three of its own with dead letters only.
PLACES = {
    "local": {role: ["sqlite-commit", "sqlite-write", "sqlite-fsync"] for role in ["collect", "pubsub", "store", "alert"]},
    "kafka": {"collect": ["produce"], "pubsub": ["produce", "offsets", "commit"],
              "store": ["bulk", "offset-commit", "produce", "offsets", "commit"], "alert": ["offset-commit"]},
}
# Where pubsub stops in mid-turn for longer than its lease or session lasts, and then goes on.
STALLS = {"local": ["sqlite-lock-before", "sqlite-commit-before"],
          "kafka": ["produce-after", "offsets-after", "commit-before"]}
SERVERS = {"local": [], "kafka": ["kafka", "es"]}
SIGNALS = ["SIGSTOP", "SIGTERM", "SIGKILL"]
PROXIES = {"local": ["collect"], "kafka": ["collect", "kafka", "kafka", "es"]}
CYCLE = {"local": 4, "kafka": 2}  # in so many rounds each of musts() is dealt once
LAST = 0.15  # of a round has none of them: there may be no time left for the place to be reached


def musts(engine):
    """What a run has to bring, as inject.py counts it: the kind, and what has to be said of it."""
    return {**{f"point {role} {name}{when}": ("point", role, name + when)
               for role, names in PLACES[engine].items() for name in names for when in WHEN},
            **{f"stall {name}": ("stall", "pubsub", name) for name in STALLS[engine]},
            **{f"{server} {name[3:].lower()}": ("server", server, name) for server in SERVERS[engine] for name in SIGNALS}}


def dealt(engine, seed, number):
    """The names of those of the musts that the round of that number has."""
    names, (cycle, place) = list(musts(engine)), divmod(number - 1, CYCLE[engine])
    random.Random(f"{seed}:{engine}:{cycle}").shuffle(names)
    return names[place::CYCLE[engine]]


def deck(engine, count, rng, without):
    """count kinds, in proportion and in random order, so that no kind is missing from a long round."""
    cards = []
    while len(cards) < count:
        turn = [(kind,) for kind, weight in DECKS[engine].items() if kind not in without for _ in range(weight)]
        rng.shuffle(turn)
        cards += turn
    return cards[:max(0, count)]


def pause(rng):
    # The embedded lease is 6 s, Kafka's session 10 s: some pauses end well before, some well after.
    return {"seconds": round(rng.choice([rng.uniform(1, 4), rng.uniform(6, 20)]), 2)}


def point(role, name, rng):
    # What comes once a batch comes seldom on a busy machine, and a life may be short.
    place = name.rpartition("-")[0]
    most = {"produce": 60, "sqlite-write": 60, "sqlite-commit": 15, "sqlite-fsync": 15}.get(place, 5)
    if role == "store" and place in ("produce", "offsets", "commit"):
        most = 2
    return {"target": role, "point": f"{name}:{rng.randint(1, most)}"}


def stall(engine, role, name, rng):
    least, most = {"local": (7, 11), "kafka": (12, 20)}[engine]  # the embedded one keeps the bus locked meanwhile
    return {"target": role, "point": f"{name}:{rng.randint(2, 6)}:stop", "seconds": round(rng.uniform(least, most), 2)}


def disk(rng):
    role, part = rng.choice([("collect", "bus.db"), ("pubsub", "bus.db"), ("store", "store.db"), ("store", "bus.db")])
    error = rng.choice(["EIO", "ENOSPC"])
    # SQLite as Debian builds it calls no fsync, and ftruncate when its log has grown to 4 MB.
    call = rng.choice(["*", "pwrite", "fdatasync"] if error == "EIO" else ["*", "pwrite"])
    how = rng.choice(["1", "3", "0.05", "0.3"])
    return {"target": role, "io": f"{error}:{call}:{part}:{how}", "after": round(rng.uniform(0, 1), 2),
            "seconds": round(rng.uniform(0.5, 4), 2)}


def memory(rng):
    return {"target": rng.choice(EACH), "malloc": f"1/{rng.choice([50, 500, 5000])}:{rng.randint(1, 1 << 30)}"}


def net(engine, rng):
    how, args, seconds = rng.choice([("cut", [], None), ("half_close", ["client"], None), ("half_close", ["server"], None),
                                     ("delay", [rng.randint(20, 800)], 4), ("throttle", [rng.randint(500, 20000)], 4),
                                     ("refuse", [], 2), ("hold", [], 8)])
    fault = {"target": rng.choice(PROXIES[engine]), "how": how, "args": args}
    return fault if seconds is None else {**fault, "seconds": round(rng.uniform(0.3, seconds), 2)}


def server(name, how, rng):
    return {"target": name, "signal": how, "seconds": round(rng.uniform(1, 15 if how == "SIGSTOP" else 6), 2)}


def one(engine, kind, details, rng):
    return {
        "kill": lambda: {"target": rng.choice(EACH)},
        "term": lambda: {"target": rng.choice(EACH)},
        "stop": lambda: {"target": rng.choice(EACH), **pause(rng)},
        "point": lambda: point(*details, rng),
        "stall": lambda: stall(engine, *details, rng),
        "io": lambda: disk(rng),
        "malloc": lambda: memory(rng),
        "net": lambda: net(engine, rng),
        "clock": lambda: {"step": rng.choice([-3600, 3600, -60, 60])},
        "sleep": lambda: {"step": rng.randint(1, 20)},
        "server": lambda: server(*details, rng),
        "full": lambda: {"seconds": round(rng.uniform(0.5, 4), 2)},
    }[kind]()


def make(engine, seed, number, count, seconds, without=(), must=()):
    """count faults over so many seconds, in order, of the round of that number; kinds that this machine can't
    have are left out. must: the names of those that are in it in place of what is dealt."""
    rng = random.Random(f"{seed}-{engine}-{number}:schedule")
    times = sorted(rng.uniform(FIRST_AT, seconds) for _ in range(count))
    must = [musts(engine)[name] for name in must or dealt(engine, seed, number)]
    others = deck(engine, count - len(must), rng, without)
    early = must + others[:max(0, int(count * (1 - LAST)) - len(must))]
    late = others[len(early) - len(must):]
    rng.shuffle(early)
    return [{"i": i, "t": round(t, 2), "kind": kind, **one(engine, kind, details, rng)}
            for i, (t, (kind, *details)) in enumerate(zip(times, early + late))]
