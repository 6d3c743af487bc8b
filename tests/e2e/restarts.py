#!/usr/bin/env python3
"""Restarts under load: with a socket of the service manager's, no client is refused, and nothing is lost.

The socket is this proof's, as it is systemd's with a socket unit: it stays open, and one gateway after the other gets it.
Half of the clients keep their connection, the others open one for each request. The gateway is restarted again and
again, at times while Meta hangs. A new connection is never refused and never reset; each request is answered by 2xx or
503, and everything arrives once.

Then without such a socket: a gateway that drains takes everything and is not ready.
"""

import http.client
import json
import random
import signal
import socket
import threading
import time

from harness import prove
from load import Ledger, Sender, finish_senders
from processes import Client, Gateway, Sandbox, ask, until

RESTARTS = 10
RESTARTS_QUICK = 4


class Stranger(threading.Thread):
    """A client with a new connection for each request: whatever is not answered there is noted."""

    def __init__(self, gateway, ledger, name, seed, stop):
        super().__init__(name=name, daemon=True)
        self.gateway, self.ledger, self.finishing = gateway, ledger, stop
        self.random = random.Random(seed)
        self.number = 0
        self.unanswered = []
        self.error = None
        self.give_up = threading.Event()

    def run(self):
        try:
            while not self.finishing.is_set():
                self.number += 1
                self.send(f"{self.name}-{self.number}")
                time.sleep(self.random.uniform(0.002, 0.01))
        except Exception as error:
            self.error = error

    def send(self, event_id):
        """Sends one event until it is taken."""
        body = json.dumps(self.gateway.proof.event(event_id, self.number)).encode()
        while not self.give_up.is_set():
            client = Client(self.gateway.port, timeout=20)
            try:
                status, headers, answer = self.gateway.post(body, client)
            except (OSError, http.client.HTTPException) as error:
                self.unanswered.append(repr(error))
                time.sleep(0.02)
                continue
            finally:
                client.close()
            if status == 202:
                return self.ledger.add([event_id], 0, answer)
            if status != 503 or not headers.get("Retry-After"):
                return self.ledger.wrong.append(f"{status}: {answer}")
            self.ledger.postponed += 1
            time.sleep(0.05)


def body(proof):
    sandbox = Sandbox(proof)
    with_a_socket(proof, sandbox)
    drain(proof, sandbox)


def with_a_socket(proof, sandbox):
    handed = socket.create_server(("127.0.0.1", 0), backlog=4_096)
    gateway = Gateway(proof, sandbox, socket=handed, graph={"timeout_s": 300})
    gateway.start()
    ledger, stop = Ledger(), threading.Event()
    kept = [Sender(gateway, ledger, f"kept{index}", f"{proof.seed}-{index}", 0.01, stop) for index in range(4)]
    strangers = [Stranger(gateway, ledger, f"new{index}", f"{proof.seed}-n{index}", stop) for index in range(4)]
    for client in kept + strangers:
        client.start()
    seconds, gaps = [], []
    for number in range(RESTARTS_QUICK if proof.quick else RESTARTS):
        hangs = number % 2 == 1
        if hangs:
            sandbox.faults("hang")
        time.sleep(proof.random.uniform(0.3, 1.0))
        begin = time.monotonic()
        gateway.process.signal(signal.SIGTERM)
        proof.equal(gateway.process.wait(20), 0, "the exit code after SIGTERM under load")
        seconds.append(time.monotonic() - begin)
        sandbox.faults("")
        gateway.start()
        gaps.append(time.monotonic() - begin)
    finish_senders(kept + strangers, 60)
    gateway.drained(60)
    gateway.stop()
    handed.close()
    proof.check(not ledger.wrong, f"every request is answered by 2xx or 503: {ledger.wrong[:3]}")
    unanswered = [error for client in strangers for error in client.unanswered]
    proof.check(not unanswered, f"no new connection is refused or reset; {len(unanswered)} were: {unanswered[:3]}")
    warned = gateway.process.text().count("answered with a server error")
    proof.equal(warned, 0, "an answer of 503 in a stop is no warning")
    proof.check(max(seconds) < 5, f"a stop waits for Meta a second and no more: {max(seconds):.1f} s")
    ids = sandbox.ids()
    proof.balanced(gateway, ledger.acknowledged, ids)
    proof.figure("restarts", len(seconds))
    proof.figure("requests on new connections, all answered", sum(client.number for client in strangers))
    proof.figure("answers of 503 meanwhile", ledger.postponed)
    proof.figure("kept connections that ended beside a request", ledger.unanswered)
    proof.figure("longest stop, Meta answering", f"{max(seconds[::2]):.2f} s")
    proof.figure("longest stop, Meta hanging", f"{max(seconds[1::2]):.2f} s")
    proof.figure("longest time until the next one took events", f"{max(gaps):.2f} s")


def drain(proof, sandbox):
    """SIGTERM without such a socket: it takes events while it says that it is not ready, and SIGINT does not wait."""
    gateway = Gateway(proof, sandbox, name="draining", server={"drain_s": 2})
    gateway.start()
    gateway.post(proof.event("drain-before"))
    gateway.process.signal(signal.SIGTERM)
    until(lambda: ask(gateway.port, "GET", "/readyz")[0] == 503, 10, "/readyz says that it stops")
    proof.equal(gateway.post(proof.event("drain-during"))[0], 202, "events are taken during the drain")
    proof.equal(ask(gateway.port, "GET", "/healthz")[0], 200, "/healthz answers during the drain")
    proof.equal(gateway.process.wait(20), 0, "the exit code after a drain")
    patient = Gateway(proof, sandbox, gateway.journal, name="interrupted", server={"drain_s": 600})
    patient.start()
    patient.post(proof.event("drain-after"))
    patient.drained(20)
    patient.process.signal(signal.SIGINT)
    proof.equal(patient.process.wait(20), 0, "SIGINT does not wait for a drain")
    proof.equal(patient.audit()["delivered"], 3, "and nothing is lost")


if __name__ == "__main__":
    prove(__doc__, body)
