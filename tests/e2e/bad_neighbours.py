#!/usr/bin/env python3
"""A bad event harms only itself: Meta refuses one event in a hundred, and exactly these are refused.

Half of the refusals say which event they are about, half do not. First all events wait behind a fault, so that batches
are full, then they go out. After that single blind offenders, at known places of one full batch each, show what finding
one costs.
"""

import math
import time

from harness import prove
from processes import Gateway, Sandbox, until

BATCH = 1_000
# Meta's limit for an app, as a share of its last 500 requests; and what a lane may have refused before it counts.
SHARE_MAX = 0.15
REFUSED_FREE = 20


def body(proof):
    count = 5_000 if proof.quick else 50_000
    sandbox = Sandbox(proof)
    gateway = Gateway(proof, sandbox, graph={"batch_events_max": BATCH, "linger_ms": 50}, log="debug")
    gateway.start()
    first = many(proof, sandbox, gateway, count)
    requests, refused = judged(proof, gateway, "many", first["bad"])

    gateway.start()
    second, costs = alone(proof, sandbox, gateway)
    judged(proof, gateway, "alone", second["bad"])
    proof.balanced(gateway, first["all"] | second["all"], sandbox.ids(), first["bad"] | second["bad"])

    blind, named, batches = first["blind"], first["named"], math.ceil(count / BATCH)
    bound = math.log2(BATCH) + 2
    allowed = blind * bound + named
    proof.check(refused <= allowed, f"{refused} refused requests for {blind} blind and {named} named, at most {allowed:.0f}")
    share = max(0, refused - REFUSED_FREE) / requests
    proof.check(share <= SHARE_MAX, f"after the first {REFUSED_FREE}, {share:.0%} of {requests} requests were refused")
    worst = max(costs.values())
    proof.check(worst <= bound, f"one blind offender among {BATCH} costs at most {bound:.1f} refused requests: {costs}")
    proof.figure("events", count)
    proof.figure("refused: blindly, by name", f"{blind}, {named}")
    proof.figure("batches, requests, of them refused", f"{batches}, {requests}, {refused}")
    proof.figure("refused requests per offender", round(refused / (blind + named), 2))
    proof.figure(f"refused for one blind among {BATCH}: least, most", f"{min(costs.values())}, {worst}")
    proof.figure("allowed: log2(batch) + 2", round(bound, 1))


def many(proof, sandbox, gateway, count):
    sandbox.faults("503")
    kinds = {}
    for number in proof.random.sample(range(count), count // 100):
        kinds[number] = "blind" if len(kinds) % 2 else "index"
    events = []
    for number in range(count):
        wish = {"sandbox_refuse": kinds[number]} if number in kinds else {}
        events.append(small(proof, f"many-{number}", **wish))
    for begin in range(0, count, BATCH):
        status, _, answer = gateway.post(events[begin:begin + BATCH])
        proof.equal((status, answer["accepted"]), (202, len(events[begin:begin + BATCH])), "taken whole")
    until(lambda: sandbox.stats()["answers"].get("503 2"), 30, "the fault is met")
    before = time.monotonic()
    sandbox.faults("")
    gateway.drained(120)
    proof.figure("all delivered after, s", round(time.monotonic() - before, 1))
    return {
        "all": {event["event_id"] for event in events},
        "bad": {f"many-{number}" for number in kinds},
        "blind": list(kinds.values()).count("blind"), "named": list(kinds.values()).count("index"),
    }


def alone(proof, sandbox, gateway):
    """One blind offender a batch: how many requests are refused for it."""
    places = [0, BATCH // 2 - 1, BATCH // 2, BATCH - 1] + proof.random.sample(range(BATCH), 2 if proof.quick else 16)
    costs, ids, bad = {}, set(), set()
    for number, place in enumerate(places):
        events = [small(proof, f"alone-{number}-{index}") for index in range(BATCH)]
        events[place] = small(proof, f"alone-{number}-{place}", sandbox_refuse="blind")
        before = refusals(sandbox)
        gateway.post(events)
        gateway.drained(30)
        costs[place] = refusals(sandbox) - before
        ids |= {event["event_id"] for event in events}
        bad.add(events[place]["event_id"])
    return {"all": ids, "bad": bad}, costs


def refusals(sandbox):
    """How many requests the sandbox has refused."""
    answers = sandbox.stats()["answers"]
    return sum(count for answer, count in answers.items() if answer.startswith("400 "))


def judged(proof, gateway, part, bad):
    """Stops the gateway and looks up in its journal who was refused; returns how many requests there were, and how
    many of them were refused."""
    proof.equal(gateway.stop(), 0, "the exit code after SIGTERM")
    refused = {event_id for event_id in gateway.final_ids("refused") if event_id.startswith(f"{part}-")}
    strange, missed = refused - bad, bad - refused
    proof.check(not strange, f"only offenders are refused; {len(strange)} others: {sorted(strange)[:3]}")
    proof.check(not missed, f"every offender is refused; {len(missed)} are not: {sorted(missed)[:3]}")
    with gateway.rows() as rows:
        reasons = rows.execute("SELECT count(*) FROM outcome WHERE state = 2 AND (code IS NULL OR text = '')")
        proof.equal(reasons.fetchone()[0], 0, "refused events without a code or a reason")
        count = "SELECT count(*), sum(verdict = 'refused') FROM request WHERE verdict IN ('delivered', 'refused')"
        return rows.execute(count).fetchone()


def small(proof, event_id, **custom):
    """An event of which a thousand stay below the megabyte of a request."""
    event = proof.event(event_id, **custom)
    event["user_data"] = {key: event["user_data"][key] for key in ["em", "client_user_agent"]}
    return event


if __name__ == "__main__":
    prove(__doc__, body)
