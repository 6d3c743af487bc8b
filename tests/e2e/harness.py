"""A proof: its arguments, its folder, what has to hold, its figures, and what must not be found.

A proof does something unkind to the real program, says with `check` what has to hold, and ends with `finish`, which
searches everything that was written for clear values and secrets, prints the figures as a table and as one line of
JSON, and exits 1 when a promise was broken, 77 when this machine cannot run the proof.
"""

import argparse
import atexit
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from processes import SLUICE, Late, end_all

SKIPPED = 77


# Of a client that sends messages too, every tenth event is one.
MESSAGES_EVERY = 10


def is_message(event_id):
    """Whether the event with this id, which ends with its number, is a message."""
    return int(event_id.rsplit("-", 1)[1]) % MESSAGES_EVERY == 0


class Words:
    """The clear values and secrets of one run: made by chance, so that finding one cannot be an accident."""

    def __init__(self):
        chance = random.SystemRandom()
        self.marker = "".join(chance.choices("bcdfghjkmnpqrstvwxz", k=12))
        self.digits = "".join(chance.choices("123456789", k=9))
        self.secrets = []

    def secret(self, prefix):
        secret = prefix + "".join(random.SystemRandom().choices("ABCDEFGHJKLMNPQRSTUVWXYabcdefghijkmnpqrstuvwxy", k=40))
        self.secrets.append(secret)
        return secret

    def person(self, number):
        """Values that Meta wants hashed, each with a mark that survives normalising, and two it takes in the clear."""
        return {
            "em": [f"{self.marker}.{number}@example.com"],
            "ph": f"+49 {self.digits}{number % 100:02}",
            "fn": self.marker.capitalize(),
            "ln": f"von {self.marker}",
            "ct": f"Bad {self.marker}",
            "external_id": f"{self.marker}-{number}",
            "client_ip_address": "203.0.113.7",
            "client_user_agent": "Mozilla/5.0",
        }

    def needles(self):
        return [self.marker, self.digits, *self.secrets]


class Proof:
    """One proof: its arguments, its folder, what has to hold, and its figures."""

    def __init__(self, doc):
        self.name = Path(sys.argv[0]).stem
        parser = argparse.ArgumentParser(description=doc)
        parser.add_argument("--quick", action="store_true", help="smaller and shorter, for every change")
        parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
        parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
        options = parser.parse_args()
        self.quick, self.seed, self.is_kept = options.quick, options.seed, options.keep
        if not SLUICE.is_file():
            sys.exit(f"there is no {SLUICE}: cargo build --release -p sluice, or set SLUICE")
        self.random = random.Random(self.seed)
        self.folder = Path(tempfile.mkdtemp(prefix=f"sluice-{self.name}-", dir=os.environ.get("SLUICE_E2E_DIR")))
        for name in ["logs", "secrets"]:
            (self.folder / name).mkdir()
        self.words = Words()
        self.gateways, self.figures, self.broken, self.checks = [], {}, [], 0
        self.began = time.monotonic()
        self.other_folders, self.other_texts, self.at_end = [], [], []
        atexit.register(self.take_down)
        sys.setswitchinterval(0.001)
        print(f"{self.name}: {doc.splitlines()[0]}", flush=True)
        print(f"  {'quick, ' if self.quick else ''}seed {self.seed}", flush=True)

    def event(self, event_id, number=0, **custom):
        return {
            "event_name": "Purchase", "event_time": int(time.time()), "event_id": event_id,
            "action_source": "website", "event_source_url": "https://shop.example/thanks",
            "user_data": self.words.person(number),
            "custom_data": {"currency": "EUR", "value": 12.5, **custom},
        }

    def message(self, event_id):
        """An event of business messaging: Meta recognises no copies of it."""
        return {
            "event_name": "Purchase", "event_time": int(time.time()), "event_id": event_id,
            "action_source": "business_messaging", "messaging_channel": "messenger",
            "user_data": {"page_id": "1029384756", "page_scoped_user_id": "5647382910"},
            "custom_data": {"currency": "EUR", "value": 12.5},
        }

    def check(self, holds, promise):
        """Notes whether a promise is kept."""
        self.checks += 1
        if not holds:
            promise = promise.replace(str(self.folder), "…")
            self.broken.append(promise)
            print(f"  BROKEN: {promise}", flush=True)
        return bool(holds)

    def equal(self, found, expected, promise):
        return self.check(found == expected, f"{promise}: {found!r}, not {expected!r}")

    def note(self, text):
        print(f"  {text}", flush=True)

    def figure(self, name, value):
        self.figures[name] = value

    def balanced(self, gateway, acknowledged, ids, refused=frozenset(), rejected=(0, 0), withheld=frozenset()):
        """The end of most proofs: the gateway has stopped and nothing waits. What was acknowledged arrived, nothing
        counts twice, and both judges of the books agree. `rejected`: how many events clients were told are rejected,
        and how many at most. `withheld`: events that may have arrived, and must not have arrived twice."""
        audit, recount = gateway.audit(), gateway.recount()
        self.check(audit["balanced"], f"the books balance, says sluice audit: {audit}")
        self.check(recount["balanced"], f"the books balance, counted from the rows: {recount}")
        same = {key: audit[key] for key in recount if key != "balanced"}
        self.equal(same, {key: recount[key] for key in same}, "both judges count the same")
        self.equal(audit["accepted"], len(acknowledged), "accepted = distinct acknowledged")
        known = audit["accepted"] + audit["duplicate"] + audit["rejected"]
        self.equal(audit["received"], known, "received = accepted + duplicate + rejected")
        least, most = rejected
        told = f"clients know of {least} to {most} rejected events, the books of {audit['rejected']}"
        self.check(least <= audit["rejected"] <= most, told)
        self.equal(audit["delivered"], len(acknowledged) - len(refused) - len(withheld), "delivered")
        self.equal(audit["refused"], len(refused), "refused")
        self.equal(audit["withheld"], len(withheld), "withheld")
        for state in ["waiting", "expired"]:
            self.equal(audit[state], 0, state)
        expected = acknowledged - refused - withheld
        lost, strange = expected - ids.keys(), ids.keys() - expected - withheld
        self.check(not lost, f"every acknowledged event arrived; {len(lost)} did not: {sorted(lost)[:3]}")
        self.check(not strange, f"nothing else arrived; {len(strange)} did: {sorted(strange)[:3]}")
        twice = [event_id for event_id, count in ids.items() if count[1] != 1]
        self.check(not twice, f"no event counts twice; {len(twice)} do: {twice[:3]}")
        self.figure("events acknowledged", len(acknowledged))
        self.figure("acknowledged and lost", len(lost))
        self.figure("rejected, and in the books", audit["rejected"])
        self.figure("counted twice", len(twice))
        self.figure("sent again (same id)", sum(count[0] - 1 for count in ids.values()))
        return audit

    def messages_balanced(self, gateway, acknowledged, ids):
        """What became of the messages: none was sent twice, and those of which nobody can know are withheld.
        Returns the withheld ones, for `balanced`."""
        messages = {event_id for event_id in acknowledged if is_message(event_id)}
        withheld = gateway.final_ids("withheld")
        others = withheld - messages
        self.check(not others, f"only messages are withheld; others: {sorted(others)[:3]}")
        twice = [event_id for event_id in messages if ids.get(event_id, (0, 0))[0] > 1]
        self.check(not twice, f"no message was sent twice; {len(twice)} were: {twice[:3]}")
        self.check(len(withheld) < len(messages) / 2, "most messages were delivered")
        self.figure("messages acknowledged", len(messages))
        self.figure("messages sent twice", len(twice))
        self.figure("messages withheld: may have arrived", len(withheld))
        self.figure("of them had arrived", len(withheld & ids.keys()))
        return withheld

    def search(self):
        """Looks for clear values and secrets in all that was written."""
        needles = [(needle, needle.lower().encode()) for needle in self.words.needles()]
        files, size, found = 0, 0, []

        def look(where, content):
            content = content.lower()
            found.extend(f"{where} holds {needle}" for needle, sought in needles if sought in content)

        folders = [self.folder / "logs", *self.other_folders, *{gateway.journal for gateway in self.gateways}]
        for folder in folders:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
                if path.is_file():
                    content = path.read_bytes()
                    files, size = files + 1, size + len(content)
                    look(path.relative_to(folder.parent), content)
        pages = [page for gateway in self.gateways for page in gateway.pages] + self.other_texts
        for page in pages:
            look("a page", page if isinstance(page, bytes) else page.encode())
        for hit in found[:5]:
            self.check(False, f"no clear value and no secret is written: {hit}")
        self.check(files > 0, "there is something to search")
        self.figure("searched for clear values", f"{files} files, {size / 1e6:.1f} MB, {len(pages)} pages")
        self.figure("clear values found", len(found))

    def take_down(self):
        """Undoes what a proof did to the machine."""
        while self.at_end:
            self.at_end.pop()()

    def finish(self):
        """Searches, prints, and exits."""
        try:
            self.search()
        finally:
            end_all()
            self.take_down()
        seconds = round(time.monotonic() - self.began, 1)
        width = max(map(len, self.figures))
        for name, value in self.figures.items():
            print(f"  {name:<{width}}  {shown(value)}")
        passed = not self.broken
        print(f"  {'kept' if passed else 'BROKEN'}: {self.checks} checks, {len(self.broken)} broken, {seconds} s")
        line = {
            "proof": self.name, "passed": passed, "quick": self.quick, "seed": self.seed, "seconds": seconds,
            "checks": self.checks, "figures": self.figures, "broken": self.broken,
        }
        print(json.dumps(line), flush=True)
        if passed and not self.is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"  the run's folder: {self.folder}", flush=True)
        sys.exit(0 if passed else 1)

    def skip(self, reason):
        """This machine cannot run the proof."""
        print(f"  SKIPPED, NOT PROVEN: {reason}")
        line = {"proof": self.name, "passed": None, "skipped": reason, "quick": self.quick, "figures": {}}
        print(json.dumps(line), flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        sys.exit(SKIPPED)


def shown(value):
    if isinstance(value, float):
        return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def prove(doc, body):
    """Runs a proof. Something that comes late, or breaks, is a broken promise too."""
    proof = Proof(doc)
    try:
        body(proof)
    except Exception as error:
        if not isinstance(error, Late):
            traceback.print_exc()
        proof.check(False, f"the proof could not go on: {type(error).__name__}: {error}")
    proof.finish()
