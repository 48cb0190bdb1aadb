"""schedule: what goes wrong in a round, when and where, derived from a seed. A fault is a dict: i
(its number), t (seconds from the start of the load), kind, target, and what else the kind needs.
inject.py knows how a fault is done. SPDX-License-Identifier: Apache-2.0"""
import random

FIRST_AT = 1.0
# How often each kind comes, relative to the others.
WEIGHTS = {
    "local": {"kill": 6, "stop": 4, "term": 3, "io": 3, "malloc": 2, "net": 3, "clock": 2,
              "sleep": 1, "full": 2},
    "kafka": {"kill": 9, "stop": 6, "term": 6, "net": 8, "clock": 1, "malloc": 1},
}
READERS = ["pubsub", "pubsub", "store", "alert"]
DAEMONS = ["collect", *READERS]
SIDES = ["-before", "-after"]
SQLITE_PLACES = ["sqlite-commit", "sqlite-write", "sqlite-fsync"]
# The places that each daemon reaches; the store reaches the last three of its own only with dead
# letters.
PLACES = {
    "local": {role: SQLITE_PLACES for role in ["collect", "pubsub", "store", "alert"]},
    "kafka": {"collect": ["produce"], "pubsub": ["produce", "offsets", "commit"],
              "store": ["bulk", "offset-commit", "produce", "offsets", "commit"],
              "alert": ["offset-commit"]},
}
# Where pubsub stops in the middle of a transaction for longer than its lease or session lasts.
STALLS = {"local": ["sqlite-lock-before", "sqlite-commit-before"],
          "kafka": ["produce-after", "offsets-after", "commit-before"]}
STALL_S = {"local": (7, 11), "kafka": (12, 20)}  # the embedded bus is locked meanwhile
SERVERS = {"local": [], "kafka": ["kafka", "es"]}
SIGNALS = ["SIGSTOP", "SIGTERM", "SIGKILL"]
PROXIES = {"local": ["collect"], "kafka": ["collect", "kafka", "kafka", "es"]}
CYCLE = {"local": 4, "kafka": 2}  # in so many rounds each required fault is dealt once
# About how often a life reaches a place.
MOST_REACHED = {"produce": 60, "sqlite-write": 60, "sqlite-commit": 15, "sqlite-fsync": 15}
LAST = 0.15  # the part of a round without required faults: their place might not be reached in time


def required(engine):
    """The faults that a run has to inject: their names, as inject.py counts them, and their kinds
    and details."""
    points = {f"point {role} {name}{side}": ("point", role, name + side)
              for role, names in PLACES[engine].items() for name in names for side in SIDES}
    stalls = {f"stall {name}": ("stall", "pubsub", name) for name in STALLS[engine]}
    servers = {f"{name} {number[3:].lower()}": ("server", name, number)
               for name in SERVERS[engine] for number in SIGNALS}
    return {**points, **stalls, **servers}


def dealt(engine, seed, number):
    """The names of the required faults that the round of that number has."""
    names, (cycle, place) = list(required(engine)), divmod(number - 1, CYCLE[engine])
    random.Random(f"{seed}:{engine}:{cycle}").shuffle(names)
    return names[place::CYCLE[engine]]


def weighted_kinds(engine, count, rng, without):
    """count kinds, in proportion and in random order, so that a long round has every kind."""
    kinds = []
    while len(kinds) < count:
        turn = [(kind,) for kind, weight in WEIGHTS[engine].items() if kind not in without
                for _ in range(weight)]
        rng.shuffle(turn)
        kinds += turn
    return kinds[:max(0, count)]


def pause(rng):
    # The embedded lease is 6 s, Kafka's session 10 s: some pauses end well before, some well after.
    return {"seconds": round(rng.choice([rng.uniform(1, 4), rng.uniform(6, 20)]), 2)}


def point(role, name, rng):
    # What happens once per batch is rare on a busy machine, and a life may be short.
    place = name.rpartition("-")[0]
    most = MOST_REACHED.get(place, 5)
    if role == "store" and place in ("produce", "offsets", "commit"):
        most = 2
    return {"target": role, "point": f"{name}:{rng.randint(1, most)}"}


def stall(engine, role, name, rng):
    return {"target": role, "point": f"{name}:{rng.randint(2, 6)}:stop",
            "seconds": round(rng.uniform(*STALL_S[engine]), 2)}


def disk(rng):
    role, file = rng.choice([("collect", "bus.db"), ("pubsub", "bus.db"), ("store", "store.db"),
                             ("store", "bus.db")])
    error = rng.choice(["EIO", "ENOSPC"])
    # Debian's SQLite never calls fsync, and calls ftruncate once its log has grown to 4 MB.
    call = rng.choice(["*", "pwrite", "fdatasync"] if error == "EIO" else ["*", "pwrite"])
    how = rng.choice(["1", "3", "0.05", "0.3"])
    return {"target": role, "io": f"{error}:{call}:{file}:{how}",
            "after": round(rng.uniform(0, 1), 2), "seconds": round(rng.uniform(0.5, 4), 2)}


def memory(rng):
    rate, seed = rng.choice([50, 500, 5000]), rng.randint(1, 1 << 30)
    return {"target": rng.choice(DAEMONS), "malloc": f"1/{rate}:{seed}"}


def net(engine, rng):
    how, args, most_s = rng.choice([
        ("cut", [], None), ("half_close", ["client"], None), ("half_close", ["server"], None),
        ("delay", [rng.randint(20, 800)], 4), ("throttle", [rng.randint(500, 20000)], 4),
        ("refuse", [], 2), ("hold", [], 8)])
    fault = {"target": rng.choice(PROXIES[engine]), "how": how, "args": args}
    if most_s is not None:
        fault["seconds"] = round(rng.uniform(0.3, most_s), 2)
    return fault


def server(name, number, rng):
    most_s = 15 if number == "SIGSTOP" else 6
    return {"target": name, "signal": number, "seconds": round(rng.uniform(1, most_s), 2)}


def details(engine, kind, given, rng):
    """What a fault of that kind needs. given: what is fixed for a required one."""
    return {
        "kill": lambda: {"target": rng.choice(DAEMONS)},
        "term": lambda: {"target": rng.choice(DAEMONS)},
        "stop": lambda: {"target": rng.choice(DAEMONS), **pause(rng)},
        "point": lambda: point(*given, rng),
        "stall": lambda: stall(engine, *given, rng),
        "io": lambda: disk(rng),
        "malloc": lambda: memory(rng),
        "net": lambda: net(engine, rng),
        "clock": lambda: {"step": rng.choice([-3600, 3600, -60, 60])},
        "sleep": lambda: {"step": rng.randint(1, 20)},
        "server": lambda: server(*given, rng),
        "full": lambda: {"seconds": round(rng.uniform(0.5, 4), 2)},
    }[kind]()


def make(engine, seed, number, count, seconds, without=(), names=()):
    """The schedule of the round of that number: count faults over so many seconds, in order.
    without: kinds that are impossible on this machine. names: required faults, instead of those
    that the round is dealt."""
    rng = random.Random(f"{seed}-{engine}-{number}:schedule")
    times = sorted(rng.uniform(FIRST_AT, seconds) for _ in range(count))
    fixed = [required(engine)[name] for name in names or dealt(engine, seed, number)]
    others = weighted_kinds(engine, count - len(fixed), rng, without)
    early = fixed + others[:max(0, int(count * (1 - LAST)) - len(fixed))]
    late = others[len(early) - len(fixed):]
    rng.shuffle(early)
    return [{"i": i, "t": round(t, 2), "kind": kind, **details(engine, kind, given, rng)}
            for i, (t, (kind, *given)) in enumerate(zip(times, early + late))]
