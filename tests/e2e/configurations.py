#!/usr/bin/env python3
"""Configurations under load: datasets and sources come, change and go, and no client that stays notices.

Three sources stay throughout, with a client each that keeps its connection and one that opens one for each request: none
of them is ever refused, postponed or reset. Beside them ten datasets and a hundred sources are added, changed and removed
again and again, by SIGHUP or by the file alone, written at once or in two steps; in between the file is broken, or names
a secret that is not there, and then nothing changes. A source that is in force is let in, one that was removed is not.
In the end every event that was acknowledged has arrived once at the dataset of its source, and the books balance.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter

from harness import prove
from processes import Client, Gateway, Sandbox, ask, until

DATASETS = 10
SOURCES = 100
ROUNDS, ROUNDS_QUICK = 80, 8
# Sources that stay, and their datasets.
STAY = [(f"stays-{index}", f"90000000000000{index}") for index in range(3)]


class Known:
    """What clients were told: which events were acknowledged, by dataset; and what they should never see."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged, self.wrong = set(), []
        self.requests = 0

    def taken(self, dataset, ids):
        with self.lock:
            self.requests += 1
            self.acknowledged.update((dataset, event_id) for event_id in ids)


class Staying(threading.Thread):
    """A client of a source that stays: whatever is not 202 is noted."""

    def __init__(self, gateway, known, source, key, keeps, stop):
        super().__init__(name=f"{source[0]}-{'kept' if keeps else 'new'}", daemon=True)
        self.gateway, self.known, self.source, self.key, self.keeps, self.stop = gateway, known, source, key, keeps, stop
        self.random = random.Random(self.name)
        self.number, self.error = 0, None

    def run(self):
        client = Client(self.gateway.port)
        try:
            while not self.stop.is_set():
                if not self.keeps:
                    client.close()
                    client = Client(self.gateway.port)
                self.send(client, self.random.choice([1, 1, 1, 20]))
                time.sleep(self.random.uniform(0.002, 0.02))
        except Exception as error:  # Told to the proof, which fails with it.
            self.known.wrong.append(f"{self.name}: {error!r}")
        finally:
            client.close()

    def send(self, client, count):
        ids = []
        for _ in range(count):
            self.number += 1
            ids.append(f"{self.name}-{self.number}")
        events = [self.gateway.proof.event(event_id, self.number) for event_id in ids]
        try:
            status, _, answer = self.gateway.post(events, client, Authorization=f"Bearer {self.key}")
        except (OSError, http.client.HTTPException) as error:
            self.known.wrong.append(f"{self.name}: {error!r}")
            return
        if status == 202 and answer["accepted"] == count:
            self.known.taken(self.source[1], ids)
        else:
            self.known.wrong.append(f"{self.name}: {status} {answer}")


class Wanted:
    """What the file says beside the sources that stay: which datasets, which sources, and to which dataset each sends."""

    def __init__(self, proof, folder):
        self.random, self.folder = proof.random, folder
        self.datasets = {str(800000000000000 + index): {} for index in range(DATASETS)}
        self.sources = {}
        self.keys = {}
        for index in range(SOURCES):
            name = f"comes-{index}"
            self.keys[name] = proof.words.secret(f"key-{index}-")
            (folder / name).write_text(self.keys[name])
        for name, _ in STAY:
            self.keys[name] = proof.words.secret("key-")
            (folder / name).write_text(self.keys[name])

    def change(self):
        """Adds, changes and removes some of everything."""
        everything = [str(800000000000000 + index) for index in range(DATASETS)]
        chosen = self.random.sample(everything, self.random.randint(1, DATASETS))
        linger = lambda: {"linger_ms": self.random.randint(0, 50), "batch_events_max": self.random.randint(1, 100)}
        self.datasets = {dataset: linger() for dataset in chosen}
        names = self.random.sample(range(SOURCES), self.random.randint(0, SOURCES))
        self.sources = {f"comes-{name}": self.random.choice(chosen) for name in names}

    def all(self):
        """Every dataset, so that nothing waits for one that is gone."""
        self.datasets = {str(800000000000000 + index): {} for index in range(DATASETS)}
        self.sources = {f"comes-{index}": str(800000000000000 + index % DATASETS) for index in range(SOURCES)}

    def text(self, gateway):
        lines = []
        datasets = {**self.datasets, **{dataset: {} for _, dataset in STAY}}
        for dataset, keys in datasets.items():
            lines += ["[[dataset]]", f'id = "{dataset}"', f'access_token = {{ file = "{gateway.token_file}" }}']
            lines += [f"{key} = {value}" for key, value in keys.items()]
        for name, dataset in {**dict(STAY), **self.sources}.items():
            key = f'{{ file = "{self.folder / name}" }}'
            lines += ["[[source]]", f'name = "{name}"', 'kind = "api"', f"key = {key}", f'datasets = ["{dataset}"]']
        return "\n".join(lines) + "\n"


def body(proof):
    sandbox = Sandbox(proof)
    # What is removed while a batch is on its way is no trouble either.
    sandbox.faults("slow 30ms")
    gateway = Gateway(proof, sandbox)
    wanted = Wanted(proof, proof.folder / "secrets")
    gateway.write_config()
    base = gateway.config.read_text()
    gateway.source_more += "\n" + wanted.text(gateway)
    gateway.start()
    known, stop = Known(), threading.Event()
    clients = [
        Staying(gateway, known, source, wanted.keys[source[0]], keeps, stop) for source in STAY for keeps in (True, False)
    ]
    for client in clients:
        client.start()
    counts, numbers = Counter(), Counter()
    rounds = ROUNDS_QUICK if proof.quick else ROUNDS
    for number in range(rounds):
        if number % 3 == 2:
            counts["broken versions, refused"] += 1
            refused(proof, gateway, wanted, base, number)
        wanted.change()
        put_in_force(proof, gateway, base + wanted.text(gateway), number)
        look(proof, gateway, known, wanted, numbers)
        counts["configurations put in force"] += 1
    wanted.all()
    put_in_force(proof, gateway, base + wanted.text(gateway), 0)
    look(proof, gateway, known, wanted, numbers)
    stop.set()
    for client in clients:
        client.join(60)
        proof.check(not client.is_alive(), f"{client.name} was answered")
    sandbox.faults("")
    gateway.drained(60)
    series(proof, gateway, wanted)
    gateway.stop()
    proof.check(not known.wrong, f"no client that stays is refused or reset; {len(known.wrong)}: {known.wrong[:3]}")
    arrived(proof, sandbox, gateway, known)
    proof.figure("requests of clients that stay", known.requests - sum(numbers.values()))
    proof.figure("of them refused, postponed or reset", len(known.wrong))
    proof.figure("requests of sources that come and go", sum(numbers.values()))
    for name, count in counts.items():
        proof.figure(name, count)


def generation(gateway):
    lines = gateway.metrics().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("sluice_configurations_total")))


def put_in_force(proof, gateway, text, number):
    """Writes the file, and waits until it is in force."""
    before = generation(gateway)
    # A file that a gateway finds by itself takes some seconds.
    by_itself = number % 6 == 1
    if by_itself:
        gateway.config.write_text(text[: len(text) // 2])
        time.sleep(proof.random.uniform(0, 0.3))
        gateway.config.write_text(text)
    else:
        new = gateway.config.with_suffix(".new")
        new.write_text(text)
        new.rename(gateway.config)
        gateway.hang_up()
    until(lambda: generation(gateway) > before, 20, "the configuration is put in force", 0.02)
    proof.equal(generation(gateway), before + 1, "half of a file is never put in force")


def refused(proof, gateway, wanted, base, number):
    """A file that cannot be used changes nothing, and says why."""
    before = generation(gateway)
    text = base + wanted.text(gateway)
    gone = proof.folder / "secrets" / "gone"
    flaw, why = [
        (text + "[[nonsense", "line "),
        (text.replace("[[source]]", "[[source]]\ncolour = 1", 1), "has no key colour"),
        (f'{text}\n[[source]]\nname = "new"\nkind = "api"\nkey = {{ file = "{gone}" }}\ndatasets = ["{STAY[0][1]}"]\n', "key of source new"),
        (text.replace(STAY[0][1], "1", 1), "there is no dataset"),
    ][number // 3 % 4]
    said = gateway.process.text().count("cannot be used: what was in force stays")
    gateway.config.write_text(flaw)
    gateway.hang_up()
    sentence = lambda: gateway.process.text().count("cannot be used: what was in force stays") > said
    until(sentence, 20, "a file that cannot be used is told")
    lines = [line for line in gateway.process.text().splitlines() if "what was in force stays" in line]
    proof.check(why in lines[-1], f"why it cannot be used is told ({why}): {lines[-1]}")
    proof.equal(generation(gateway), before, "a file that cannot be used changes nothing")
    proof.check("sluice_configuration_failed 1" in gateway.metrics(), "/metrics says that it cannot be used")


def look(proof, gateway, known, wanted, numbers):
    """A source that is in force is let in, and no other. Of those only two are tried: wrong keys are answered late."""
    gone = [name for name in wanted.keys if name.startswith("comes-") and name not in wanted.sources]
    for name in [*wanted.sources, *proof.random.sample(gone, min(2, len(gone)))]:
        numbers[name] += 1
        event_id = f"{name}-{numbers[name]}"
        status, _, answer = gateway.post(
            proof.event(event_id, numbers[name]), Authorization=f"Bearer {wanted.keys[name]}"
        )
        dataset = wanted.sources.get(name)
        proof.equal(status, 202 if dataset else 401, f"{name} {'is' if dataset else 'is not'} in force: {answer}")
        if status == 202:
            known.taken(dataset, [event_id])
        else:
            known.requests += 1


def series(proof, gateway, wanted):
    """Series of what was removed are gone: of sources that are not named, and of datasets for which nothing waits."""
    text = gateway.config.read_text()
    wanted.datasets, wanted.sources = {}, {}
    put_in_force(proof, gateway, text[: text.index("[[dataset]]\nid = \"8")] + wanted.text(gateway), 0)

    def left():
        lines = gateway.metrics().splitlines()
        return [line for line in lines if 'source="comes-' in line or 'dataset="8' in line]

    until(lambda: not left(), 20, "series of removed sources and datasets go away")


def arrived(proof, sandbox, gateway, known):
    """Every acknowledged event arrived once at its dataset, nothing else did, and both judges of the books agree."""
    audit, recount = gateway.audit(), gateway.recount()
    proof.check(audit["balanced"], f"the books balance, says sluice audit: {audit}")
    proof.check(recount["balanced"], f"the books balance, counted from the rows: {recount}")
    proof.equal(audit["accepted"], len(known.acknowledged), "accepted = acknowledged")
    proof.equal(audit["delivered"], len(known.acknowledged), "delivered = acknowledged")
    lines = map(json.loads, ask(int(sandbox.base_url.rsplit(":", 1)[1]), "GET", "/sandbox/ids")[2].splitlines())
    counts = {(line["dataset"], line["event_id"]): line["distinct"] for line in lines}
    lost, strange = known.acknowledged - counts.keys(), counts.keys() - known.acknowledged
    twice = [event for event, count in counts.items() if count != 1]
    proof.check(not lost, f"every acknowledged event arrived at its dataset; {len(lost)} did not: {sorted(lost)[:3]}")
    proof.check(not strange, f"nothing else arrived; {len(strange)} did: {sorted(strange)[:3]}")
    proof.check(not twice, f"no event counts twice; {len(twice)} do: {twice[:3]}")
    proof.figure("events acknowledged", len(known.acknowledged))
    proof.figure("acknowledged and lost", len(lost))
    proof.figure("at another dataset", len(strange))


if __name__ == "__main__":
    prove(__doc__, body)
