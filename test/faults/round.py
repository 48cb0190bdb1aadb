#!/usr/bin/env python3
"""round: one round of the fault harness: starts a world, puts its load on it, injects the faults of
the schedule, waits until everything accepted has arrived, stops it, writes everything down and lets
the oracle judge.

    round.py PLAN      a JSON file, as run.py writes it

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
STOP_S = 10.0  # a daemon has 5 s to stop; a busy machine may need longer
LINES_SHOWN = 3  # of a daemon's log, with its problem


class Round:
    """The events of one round, in the order of their times."""

    def __init__(self, plan):
        self.plan, self.problems = plan, []
        self.events, self.serial = [], 0
        self.world = World(plan)
        self.injector = Injector(self.world, self.at)

    def at(self, when, what, *args):
        self.serial += 1
        heapq.heappush(self.events, (when, self.serial, what, args))

    def until(self, condition, seconds, step_s=TICK_S):
        """Runs the world until the condition, checked every step_s, holds. False: it did not hold
        in time."""
        end = time.monotonic() + seconds
        check_at = 0.0
        while time.monotonic() < end:
            self.world.tick()
            self.run_events()
            if time.monotonic() >= check_at:
                if condition():
                    return True
                check_at = time.monotonic() + step_s
            time.sleep(TICK_S)
        return False

    def run_events(self):
        while self.events and self.events[0][0] <= time.monotonic():
            _, _, what, args = heapq.heappop(self.events)
            what(*args)

    def run(self):
        """The round's counts."""
        if not self.until(self.world.answers, START_S):
            self.problems.append("the daemons did not start")
            return {}
        self.run_load()
        arrived = self.drain()
        self.stop()
        return self.examine(arrived)

    def run_load(self):
        self.world.load.start()
        began = time.monotonic()
        for fault in self.faults():
            fault_at = began + fault["t"]
            self.at(fault_at, self.injector.inject, fault, fault_at + TRIES_S)
        self.until(lambda: False, self.plan["seconds"])
        # What is still broken is repaired by an event of its own; nothing else breaks.
        self.events = [event for event in self.events if event[2] != self.injector.inject]
        heapq.heapify(self.events)
        self.injector.reset_clock()
        self.world.load.end()

    def drain(self):
        """Waits until everything accepted has arrived. False: it has not."""
        world, drain_s = self.world, self.plan["drain_s"]
        arrived = self.until(
            lambda: not self.events and world.load.over() and world.drained(), drain_s,
            step_s=world.engine.poll_s)
        if not arrived:
            self.problems.append(f"not everything has arrived within {drain_s} s")
        return arrived

    def examine(self, arrived):
        ordered = self.world.engine.shares_clock or not self.injector.done["clock"]
        counts = self.world.write_down(settled=arrived, ordered=ordered)
        found, _ = oracle.examine(self.world.dump)
        self.problems += found.all()
        counts["lost"] = found.how_many(oracle.LOST)
        counts["duplicated"] = found.how_many(*oracle.DUPLICATED)
        return counts

    def faults(self):
        """The faults of the plan. Where pubsub's clock is not the bus's, every other round leaves
        it alone, for only then a late alert is a problem."""
        steps_clock = self.world.engine.shares_clock or self.plan["number"] % 2 == 0
        return [f for f in self.plan["faults"] if steps_clock or f["kind"] != "clock"]

    def stop(self):
        """Stops every daemon, then judges each end."""
        world = self.world
        world.load.close()
        for daemon in world.daemons.values():
            daemon.stop()
        if not self.until(lambda: not any(d.alive for d in world.daemons.values()), STOP_S):
            late = [name for name, d in world.daemons.items() if d.alive]
            self.problems.append(f"still running {STOP_S:.0f} s after SIGTERM: {', '.join(late)}")
            for name in late:
                world.daemons[name].kill()
        ends = [end for daemon in world.daemons.values() for end in daemon.exits]
        self.injector.count_ends(ends)
        for end in ends:
            reason = judge(end)
            if reason:
                log = " | ".join(end["lines"][-LINES_SHOWN:])
                self.problems.append(f"{end['name']}, life {end['life']}: {reason}: {log}")


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
