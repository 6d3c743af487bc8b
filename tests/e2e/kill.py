#!/usr/bin/env python3
"""SIGKILL at random moments under load: nothing that was acknowledged is lost, nothing counts twice.

Six clients send single events and batches, some of it twice, and each request again with the same ids until it is
acknowledged. Every tenth event is a message, of which Meta recognises no copies: none goes out twice, and those whose
fate a kill or a lost answer hides are withheld. Meanwhile the gateway is killed and started again, now and then while
it starts. The sandbox stands in for Meta and keeps running; one in a hundred of its answers is an error, and one in a
hundred gets lost.
"""

import time

from harness import prove
from load import Ledger, Sender, finish_senders, percentile
from processes import Gateway, Sandbox

READY_S_MAX = 3.0


def body(proof):
    kills = 6 if proof.quick else 50
    sandbox = Sandbox(proof)
    # Most kills then find a batch on its way: sent, and not settled. Meta is not at its best either.
    sandbox.faults("slow 40ms; 500 p=0.01; reset late p=0.01")
    gateway = Gateway(proof, sandbox, log="debug")
    ledger = Ledger()
    starts = [gateway.start()]
    senders = [
        Sender(gateway, ledger, f"client{index}", f"{proof.seed}-{index}", pace=0.01, bad=0.05, messages=True)
        for index in range(6)
    ]
    for sender in senders:
        sender.start()
    early = 0
    for _ in range(kills):
        alive = proof.random.uniform(0.1, 1.5)
        # That the process ends by itself would be a finding: `until` would say so at the next start.
        time.sleep(alive)
        gateway.kill()
        if proof.random.random() < 0.2:
            # Once more in the middle of the start.
            early += 1
            gateway.spawn()
            time.sleep(proof.random.uniform(0, 0.03))
            gateway.kill()
        starts.append(gateway.start())
    finish_senders(senders, 60)
    gateway.drained(60)
    proof.equal(gateway.stop(), 0, "the exit code after SIGTERM")
    ids = sandbox.ids()
    withheld = proof.messages_balanced(gateway, ledger.acknowledged, ids)
    proof.check(withheld, "kills and lost answers hit messages")
    audit = proof.balanced(
        gateway, ledger.acknowledged, ids, rejected=ledger.rejected_range(), withheld=withheld
    )
    proof.check(ledger.rejected > 0, "clients were told of rejected events")
    sent = {event for sender in senders for event in (f"{sender.name}-{n}" for n in range(1, sender.number + 1))}
    proof.equal(len(sent - ledger.acknowledged), 0, "events that were sent but never acknowledged in the end")
    proof.check(not ledger.wrong, f"every request is taken whole: {ledger.wrong[:3]}")
    proof.check(ledger.copies > 0, "copies were recognised")
    proof.check(audit["duplicate"] >= ledger.copies, "every copy that a client was told of is in the books")
    proof.check(ledger.unanswered > 0, "kills hit requests on their way to the door")
    resent = sum(count[0] - 1 for count in ids.values())
    proof.check(resent > 0, "kills hit batches on their way to Meta, which went again with the same ids")
    slowest = max(starts)
    proof.check(slowest <= READY_S_MAX, f"ready within {READY_S_MAX} s after a kill, not {slowest:.2f} s")
    proof.figure("kills", kills + early)
    proof.figure("of them during start-up", early)
    proof.figure("requests without an answer", ledger.unanswered)
    proof.figure("copies recognised", audit["duplicate"])
    proof.figure("ready after, median s", round(percentile(starts, 0.5), 3))
    proof.figure("ready after, longest s", round(slowest, 3))


if __name__ == "__main__":
    prove(__doc__, body)
