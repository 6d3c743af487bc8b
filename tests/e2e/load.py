"""Clients: what they send, and what they know in the end."""

import contextlib
import gc
import http.client
import json
import multiprocessing
import random
import threading
import time

from harness import is_message
from processes import Client, Late


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


# The id of every bad event: a purchase without a value.
BAD = "bad"


class Ledger:
    """What the clients know: which events were acknowledged, and how often something was sent in vain."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = set()
        self.copies = 0
        self.requests = self.unanswered = self.postponed = 0
        self.rejected = self.perhaps_rejected = 0
        self.wrong = []

    def add(self, ids, bad, answer):
        """`ids` of good events, and how many bad ones there were, were answered."""
        with self.lock:
            self.acknowledged.update(ids)
            self.copies += answer["duplicates"]
            self.rejected += bad
            taken = answer["accepted"] + answer["duplicates"]
            if taken != len(ids) or len(answer["rejected"]) != bad:
                rejected = f"{len(answer['rejected'])} of {bad} rejected: {answer['rejected'][:1]}"
                self.wrong.append(f"{taken} of {len(ids)} events taken, {rejected}")

    def unanswered_with(self, bad):
        """Nobody knows whether a request without an answer was kept."""
        with self.lock:
            self.unanswered += 1
            self.perhaps_rejected += bad

    def rejected_range(self):
        """How many rejected events the books may know of: those that were answered, and perhaps others."""
        return self.rejected, self.rejected + self.perhaps_rejected


def new_event(proof, event_id, number, messages):
    """An event of this id, which ends with the number; with `messages` some are such."""
    return proof.message(event_id) if messages and is_message(event_id) else proof.event(event_id, number)


class Sender(threading.Thread):
    """A client that sends single events and batches, now and then something twice, and everything until it is
    acknowledged: always with the same ids. A part of its events may be bad: nobody can send them; a part may be
    messages."""

    def __init__(self, gateway, ledger, name, seed, pace=0.0, stop=None, bad=0.0, messages=False):
        super().__init__(name=name, daemon=True)
        self.gateway, self.ledger, self.pace = gateway, ledger, pace
        self.random = random.Random(seed)
        self.finishing = stop or threading.Event()
        self.give_up = threading.Event()
        self.number = 0
        self.bad, self.messages = bad, messages
        self.error = None

    def run(self):
        client = Client(self.gateway.port, timeout=15)
        try:
            while not self.finishing.is_set():
                self.send(self.next_events(), client)
                time.sleep(self.pace * self.random.uniform(0.5, 1.5))
        except Exception as error:  # Told to the proof, which fails with it.
            self.error = error
        finally:
            client.close()

    def next_events(self):
        count = 1 if self.random.random() < 0.6 else self.random.randint(2, 60)
        events = [self.new_event() for _ in range(count)]
        if self.random.random() < 0.1:
            events.append(events[0])
        if self.random.random() < self.bad:
            events.append({**self.gateway.proof.event(BAD), "custom_data": {}})
        return events

    def new_event(self):
        self.number += 1
        return new_event(self.gateway.proof, f"{self.name}-{self.number}", self.number, self.messages)

    def send(self, events, client):
        """Sends until there is an acknowledgement; then sometimes once more."""
        ids = [event["event_id"] for event in events if event["event_id"] != BAD]
        bad = len(events) - len(ids)
        body = json.dumps(events[0] if len(events) == 1 else events).encode()
        times = 2 if self.random.random() < 0.05 else 1
        while times and not self.give_up.is_set():
            try:
                status, headers, answer = self.gateway.post(body, client)
            except (OSError, http.client.HTTPException, ValueError):
                self.ledger.unanswered_with(bad)
                time.sleep(0.02)
                continue
            self.ledger.requests += 1
            if status == 202:
                self.ledger.add(ids, bad, answer)
                times -= 1
            elif status == 503:
                if not headers.get("Retry-After"):
                    self.ledger.wrong.append("503 without Retry-After")
                self.ledger.postponed += 1
                time.sleep(0.1)
            else:
                self.ledger.wrong.append(f"{status}: {answer}")
                times -= 1


def finish_senders(senders, seconds):
    """Lets every sender finish what it has begun."""
    for sender in senders:
        sender.finishing.set()
    deadline = time.monotonic() + seconds
    for sender in senders:
        sender.join(max(0.1, deadline - time.monotonic()))
    late = [sender for sender in senders if sender.is_alive()]
    for sender in late:
        sender.give_up.set()
    if late:
        raise Late(f"{len(late)} clients were not answered within {seconds} s")
    for sender in senders:
        if sender.error:
            raise sender.error


class Steady:
    """An open-loop load: every request has its time, whether the one before was answered or not. A latency counts
    from that time, so an answer that comes late makes those behind it late too.

    It is a process of its own, so that nothing the proof does delays it.
    """

    def __init__(self, gateway, rate, threads=8, prefix="steady", messages=False):
        self.samples, self.ids, self.failed = [], set(), []
        context = multiprocessing.get_context("fork")
        self.results, results = context.Pipe(duplex=False)
        self.stopping = context.Event()
        arguments = (gateway, rate, threads, prefix, messages, results, self.stopping)
        self.process = context.Process(target=_steady, args=arguments, daemon=True)
        self.process.start()
        results.close()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with contextlib.suppress(EOFError, OSError):
            while True:
                due, latency, event_id, wrong = self.results.recv()
                if wrong is None:
                    self.ids.add(event_id)
                else:
                    self.failed.append(wrong)
                self.samples.append((due, latency))

    def between(self, begin, end):
        return [latency for due, latency in list(self.samples) if begin <= due < end]

    def stop(self):
        self.stopping.set()
        self.process.join(30)
        self.reader.join(5)


def _steady(gateway, rate, threads, prefix, messages, results, stopping):
    """The process of a steady load."""
    gc.disable()
    lock = threading.Lock()

    def run(index, due):
        client = Client(gateway.port, timeout=20)
        number = 0
        while not stopping.is_set():
            number += 1
            event_id = f"{prefix}-{index}-{number}"
            body = json.dumps(new_event(gateway.proof, event_id, number, messages)).encode()
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            try:
                status, _, answer = gateway.post(body, client)
                wrong = None if status == 202 and answer["accepted"] == 1 else f"{status}: {answer}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                wrong = repr(error)
            with lock:
                results.send((due, time.monotonic() - due, event_id, wrong))
            due += threads / rate

    start = time.monotonic() + 0.1
    running = [threading.Thread(target=run, args=(index, start + index / rate)) for index in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
