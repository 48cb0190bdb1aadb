#!/usr/bin/env python3
"""round: one round of the fault harness: starts a world, puts its load on it, lets the schedule hit it,
waits until everything accepted has arrived, stops it, writes all of it down and has the oracle judge.

    round.py PLAN      a file of JSON, as run.py makes it

Prints one line of JSON: problems, faults (how many of each kind really happened), counts.
SPDX-License-Identifier: Apache-2.0"""
import heapq
import json
import os
import signal
import sys
import time

import oracle
from inject import TRIES_S, Injector
from judge import judge
from world import World

TICK_S = 0.01
START_S = 60.0
LEAVE_S = 10.0  # a daemon has 5 s to leave; a busy machine may need longer


class Round:
    """The events of one round, in time."""

    def __init__(self, plan):
        self.plan, self.problems = plan, []
        self.events, self.serial = [], 0
        self.world = World(plan)
        self.injector = Injector(self.world, self.at)

    def at(self, when, what, *args):
        self.serial += 1
        heapq.heappush(self.events, (when, self.serial, what, args))

    def until(self, condition, seconds, step_s=TICK_S):
        """Runs the world until the condition holds. False: it did not in time."""
        end = time.monotonic() + seconds
        look = 0.0
        while time.monotonic() < end:
            self.world.tick()
            while self.events and self.events[0][0] <= time.monotonic():
                _, _, what, args = heapq.heappop(self.events)
                what(*args)
            if time.monotonic() >= look:
                if condition():
                    return True
                look = time.monotonic() + step_s
            time.sleep(TICK_S)
        return False

    def run(self):
        """The round's counts."""
        world, drain_s = self.world, self.plan["drain_s"]
        if not self.until(world.answers, START_S):
            self.problems.append("the daemons did not start")
            return {}
        world.load.start()
        began = time.monotonic()
        for fault in self.faults():
            self.at(began + fault["t"], self.injector.inject, fault, began + fault["t"] + TRIES_S)
        self.until(lambda: False, self.plan["seconds"])
        # What is still wrong is mended by its own event; nothing new goes wrong.
        self.events = [event for event in self.events if event[2] != self.injector.inject]
        heapq.heapify(self.events)
        self.injector.set_clock_right()
        world.load.end()
        arrived = self.until(lambda: not self.events and world.load.over() and world.drained(), drain_s,
                             step_s=world.engine.look_s)
        if not arrived:
            self.problems.append(f"not everything has arrived within {drain_s} s")
        self.stop()
        counts = world.write_down(settled=arrived, ordered=world.engine.shares_clock or not self.injector.done["clock"])
        found, _ = oracle.examine(world.dump)
        self.problems += found.all()
        counts["lost"], counts["doubled"] = found.how_many(" lost"), found.how_many("doubled", "more often")
        return counts

    def faults(self):
        """Those of the plan. Where pubsub's clock is not the bus's, every other round leaves it right, for
        only then an alert that comes too late is a problem."""
        steps = self.world.engine.shares_clock or self.plan["number"] % 2 == 0
        return [fault for fault in self.plan["faults"] if steps or fault["kind"] != "clock"]

    def stop(self):
        """Everybody leaves in peace; then each end is judged."""
        world = self.world
        world.load.close()
        for daemon in world.daemons.values():
            daemon.leave()
        if not self.until(lambda: not any(d.alive for d in world.daemons.values()), LEAVE_S):
            late = [name for name, d in world.daemons.items() if d.alive]
            self.problems.append(f"still there {LEAVE_S:.0f} s after SIGTERM: {', '.join(late)}")
            for name in late:
                world.daemons[name].kill()
        ends = [end for daemon in world.daemons.values() for end in daemon.exits]
        self.injector.count_ends(ends)
        self.problems += [f"{end['name']}, life {end['life']}: {why}: {end['said']}"
                          for end in ends for why in [judge(end)] if why]


def main():
    os.environ["TZ"] = "UTC"  # the daemons' zone
    time.tzset()
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    this = Round(plan)
    try:
        counts = this.run()
    finally:
        this.world.close()
    print(json.dumps({"problems": this.problems, "faults": this.injector.done, "counts": counts}))


if __name__ == "__main__":
    main()
