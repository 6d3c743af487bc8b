#!/usr/bin/env python3
"""A wrong clock: the wall clock of the gateway is set by libfaketime, the monotonic one is left alone.

Days behind or ahead from the start, live events are taken and delivered. A leap of eight days while Meta is down
expires nothing, whether the clock comes back or stays wrong. Days ahead and back, and after a kill, copies are still known.
"""

import json
import os
from pathlib import Path

from harness import prove
from processes import Gateway, Sandbox, ask, until

LIBRARIES = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
EVENTS = 2_000
EVENTS_QUICK = 100


class Computer:
    """The wall clock of the gateway's computer, as it is set in a file."""

    def __init__(self, proof, library, name):
        self.file = proof.folder / f"clock-{name}"
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, days):
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{days:+d}d\n")
        os.replace(beside, self.file)


def clock(gateway):
    """What the admin listener says of the clock."""
    return json.loads(ask(gateway.admin_port, "GET", "/readyz")[2])["clock"]


def post(proof, gateway, event_id):
    status, _, answer = gateway.post(proof.event(event_id))
    proof.equal(status, 202, f"{event_id} is taken: {answer}")
    return answer


def body(proof):
    library = next(LIBRARIES, None)
    if library is None:
        proof.skip("libfaketime is not installed (scripts/prepare)")
    for days in [-2, 3]:
        wrong_from_the_start(proof, library, days)
    leap(proof, library)
    copies(proof, library)


def wrong_from_the_start(proof, library, days):
    name = f"off{days:+d}"
    sandbox, computer = Sandbox(proof), Computer(proof, library, name)
    gateway = Gateway(proof, sandbox, name=name, environment=computer.environment)
    computer.set(days)
    gateway.start()
    ids = {f"{name}-{number}" for number in range(20)}
    for event_id in sorted(ids):
        post(proof, gateway, event_id)
    gateway.drained(30)
    until(lambda: clock(gateway)["doubt"] is None, 20, "Meta's answers end the doubt")
    ahead_s = clock(gateway)["ahead_seconds"]
    proof.check(abs(ahead_s - days * 86_400) < 30, f"the skew is told: {ahead_s} s, and it is {days} days")
    proof.check("differs from Meta's" in gateway.process.text(), "the log tells the skew")
    gateway.stop()
    proof.balanced(gateway, ids, sandbox.ids())
    proof.figure(f"events by a clock {days:+d} days off: lost", len(ids - sandbox.ids().keys()))


def leap(proof, library):
    for stays in [False, True]:
        name = "stays" if stays else "leaps"
        sandbox, computer = Sandbox(proof), Computer(proof, library, name)
        gateway = Gateway(proof, sandbox, name=name, environment=computer.environment)
        gateway.start()
        post(proof, gateway, f"{name}-before")
        gateway.drained(30)
        sandbox.faults("reset everywhere")
        ids = {f"{name}-{number}" for number in range(EVENTS_QUICK if proof.quick else EVENTS)}
        for event_id in sorted(ids):
            post(proof, gateway, event_id)
        computer.set(8)
        until(lambda: clock(gateway)["doubt"] == "leapt", 20, "the leap is noticed")
        tried = sandbox.stats()["requests_elsewhere"] + sandbox.stats()["requests"]
        until(lambda: sandbox.stats()["requests_elsewhere"] + sandbox.stats()["requests"] > tried, 60,
              "the lane tries again after the leap")
        if not stays:
            computer.set(0)
            until(lambda: clock(gateway)["doubt"] is None, 20, "the clock is back")
        sandbox.faults("")
        gateway.drained(60)
        gateway.stop()
        audit = proof.balanced(gateway, ids | {f"{name}-before"}, sandbox.ids())
        proof.figure(f"expired by a leap of 8 days that {'stays' if stays else 'ends'}", audit["expired"])


def copies(proof, library):
    sandbox, computer = Sandbox(proof), Computer(proof, library, "copies")
    gateway = Gateway(proof, sandbox, name="copies", environment=computer.environment)
    gateway.start()
    post(proof, gateway, "c0")
    gateway.drained(30)
    ids = {"c0"}
    for number, days in enumerate([3, 0, -3, 0], 1):
        computer.set(days)
        post(proof, gateway, f"c{number}")
        ids.add(f"c{number}")
        proof.equal(post(proof, gateway, "c0")["duplicates"], 1, f"a copy, by a clock {days:+d} days off")
    gateway.drained(30)
    gateway.process.kill()
    computer.set(60)
    gateway.start()
    again = [post(proof, gateway, event_id)["duplicates"] for event_id in sorted(ids)]
    proof.equal(again, [1] * len(ids), "after a kill and a start 60 days ahead all copies are known")
    gateway.drained(30)
    gateway.stop()
    proof.balanced(gateway, ids, sandbox.ids())


if __name__ == "__main__":
    prove(__doc__, body)
