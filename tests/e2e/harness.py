"""What the proofs share: a gateway and a sandbox as processes, events and load, books, and what must not be found.

A proof makes a `Proof`, does something unkind to the real program, says with `check` what has to hold, and ends with
`finish`, which searches everything that was written for clear values and secrets, prints the figures as a table and as
one line of JSON, and exits 1 when a promise was broken, 77 when this machine cannot run the proof.

Nothing here waits for a fixed time, but for a condition with a deadline; pauses only pace the load.
"""

import argparse
import atexit
import contextlib
import gc
import http.client
import json
import multiprocessing
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLUICE = Path(os.environ.get("SLUICE", ROOT / "target/release/sluice")).resolve()
SKIPPED = 77
STATES = {1: "delivered", 2: "refused", 3: "expired", 4: "withheld"}
DATASET = "1234567890123456"


class Late(Exception):
    """Something did not happen in time."""


def until(condition, seconds, what, pause=0.02):
    """Waits until the condition holds, and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise Late(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def free_port():
    """A port that is free, below those that outgoing connections take."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 1_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


def rss_kib(pid):
    """Memory that a process has in RAM now, and the most it ever had."""
    text = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines())
    return int(lines["VmRSS"].split()[0]), int(lines["VmHWM"].split()[0])


class Client:
    """One connection that is kept, and opened anew when it was lost."""

    def __init__(self, port, timeout=30):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of the answer; an OSError or HTTPException when there is none."""
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def close(self):
        self.connection.close()


def ask(port, method, path, body=None, headers=None, timeout=30):
    """A single request on a connection of its own."""
    client = Client(port, timeout)
    try:
        return client.ask(method, path, body, headers)
    finally:
        client.close()


class Words:
    """The clear values and secrets of one run: made by chance, so that finding one cannot be an accident."""

    def __init__(self):
        chance = random.SystemRandom()
        self.marker = "".join(chance.choices("bcdfghjkmnpqrstvwxz", k=12))
        self.digits = "".join(chance.choices("123456789", k=9))
        self.secrets = []

    def secret(self, prefix):
        secret = prefix + "".join(random.SystemRandom().choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz", k=40))
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


class Process:
    """A process that is started here, and ended by its id and nobody else's."""

    alive = []

    def __init__(self, arguments, log, environment=None):
        self.log = log
        with open(log, "ab") as file:
            self.started = time.monotonic()
            environment = {**os.environ, **(environment or {})}
            self.child = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment
            )
        self.pid = self.child.pid
        Process.alive.append(self.child)

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds):
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Late(f"process {self.pid} did not end within {seconds} s") from None
        Process.alive.remove(self.child)
        return code

    def kill(self):
        self.child.kill()
        return self.wait(10)

    def text(self):
        return Path(self.log).read_text(errors="replace")


@atexit.register
def _end_all():
    for child in Process.alive:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        child.wait()


class Sandbox:
    """The sandbox in place of Meta: `sluice sandbox`, which never forgets an id."""

    def __init__(self, proof, *arguments):
        self.port = free_port()
        address = f"127.0.0.1:{self.port}"
        command = [SLUICE, "sandbox", "--listen", address, "--keep-ids", "0", *arguments]
        self.process = Process(command, proof.folder / "logs" / f"sandbox-{self.port}.log")
        self.base_url = f"http://{address}"
        until(self._answers, 10, "the sandbox answers")

    def _answers(self):
        if self.process.child.poll() is not None:
            raise RuntimeError(f"the sandbox ended:\n{self.process.text()}")
        try:
            return ask(self.port, "GET", "/sandbox/stats")[0] == 200
        except OSError:
            return False

    def _control(self, method, path, body=None):
        status, _, answer = ask(self.port, method, path, body, timeout=60)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {answer!r}")
        return answer

    def stats(self):
        return json.loads(self._control("GET", "/sandbox/stats"))

    def faults(self, script):
        """Puts these faults in the place of all others; an empty text ends the bad day."""
        if not script:
            return self._control("DELETE", "/sandbox/faults")
        return self._control("PUT", "/sandbox/faults", script)

    def token(self, token, state="valid", **more):
        self._control("POST", "/sandbox/tokens", json.dumps({"token": token, "state": state, **more}))

    def only_tokens(self, *tokens):
        listed = [{"token": token} for token in tokens]
        self._control("POST", "/sandbox/tokens", json.dumps({"unlisted": "unknown", "tokens": listed}))

    def received(self, limit=1_000):
        return self._control("GET", f"/sandbox/received?limit={limit}")

    def ids(self):
        """How often each event id came, and how often Meta would count it."""
        lines = self._control("GET", "/sandbox/ids").splitlines()
        counts = {}
        for line in lines:
            count = json.loads(line)
            known = counts.setdefault(count["event_id"], [0, 0])
            known[0] += count["received"]
            known[1] += count["distinct"]
        return counts


class Gateway:
    """The gateway: `sluice serve` with a configuration of its own."""

    def __init__(self, proof, sandbox, journal=None, name="gateway", **settings):
        self.proof, self.name = proof, name
        self.port = settings.pop("port", None) or free_port()
        self.journal = Path(journal or proof.folder / f"journal-{name}")
        self.log = proof.folder / "logs" / f"{name}.log"
        self.key = proof.words.secret("key-")
        self.token = proof.words.secret("EAAB")
        folder = proof.folder / "secrets"
        self.key_file = folder / f"{name}-key"
        self.token_file = folder / f"{name}-token"
        self.key_file.write_text(self.key)
        self.token_file.write_text(self.token)
        self.config = folder / f"{name}.toml"
        self.dataset = settings.pop("dataset", DATASET)
        self.settings = {
            "server": {"listen": f"127.0.0.1:{self.port}", **settings.pop("server", {})},
            "journal": {"path": str(self.journal)},
            "graph": {
                "base_url": sandbox.base_url, "events_per_hour_max": 0, "linger_ms": 20, **settings.pop("graph", {})
            },
            "log": {"format": "json", "filter": settings.pop("log", "info")},
        }
        self.dataset_more = settings.pop("dataset_more", "")
        self.source_more = settings.pop("source_more", "")
        assert not settings, settings
        self.process = None
        self.pages = []
        proof.gateways.append(self)

    def write_config(self):
        lines = []
        for section, keys in self.settings.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        lines += [
            "[[dataset]]", f'id = "{self.dataset}"', f'access_token = {{ file = "{self.token_file}" }}',
            self.dataset_more,
            "[[source]]", 'name = "shop"', 'kind = "api"', f'key = {{ file = "{self.key_file}" }}',
            f'datasets = ["{self.dataset}"]', self.source_more,
        ]
        self.config.write_text("\n".join(lines) + "\n")

    def spawn(self):
        """Starts it without waiting for anything."""
        self.write_config()
        self.process = Process([SLUICE, "serve", "--config", self.config], self.log)
        return self.process

    def start(self, seconds=30):
        """Starts it, waits until it can take events, and returns how many seconds that took."""
        self.spawn()
        until(self.is_ready, seconds, f"{self.name} is ready", 0.002)
        return time.monotonic() - self.process.started

    def is_ready(self):
        if (code := self.process.child.poll()) is not None:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self.process.text()[-2_000:]}")
        try:
            return ask(self.port, "GET", "/readyz", timeout=5)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def readyz(self):
        status, _, body = ask(self.port, "GET", "/readyz")
        if status != 200:
            raise RuntimeError(f"/readyz: {status}")
        self.pages.append(body)
        del self.pages[:-50]
        return json.loads(body)

    def waiting(self):
        return sum(lane["waiting"] for lane in self.readyz()["lanes"])

    def lane(self):
        """The lane of production events."""
        lanes = [lane for lane in self.readyz()["lanes"] if lane["test_code"] is None]
        return lanes[0] if lanes else {"state": "flowing", "reason": None, "waiting": 0}

    def metrics(self):
        body = ask(self.port, "GET", "/metrics")[2]
        self.pages.append(body)
        return body.decode()

    def drained(self, seconds):
        """Waits until nothing waits any more."""
        until(lambda: self.waiting() == 0, seconds, "everything is delivered", 0.05)

    def post(self, events, client=None, **headers):
        """Sends events; status, headers and the JSON of the answer."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        target = client.ask if client else lambda *it: ask(self.port, *it)
        status, said, answer = target("POST", "/v1/events", body, headers)
        return status, said, json.loads(answer) if answer else None

    def hang_up(self):
        self.process.signal(signal.SIGHUP)

    def rotate(self, token):
        """Writes another token in the place of the old one, as a secret store does."""
        new = self.token_file.with_suffix(".new")
        new.write_text(token)
        new.rename(self.token_file)
        self.token = token

    def kill(self):
        self.process.kill()

    def stop(self, seconds=30):
        """Asks it to stop, after a last look at its pages; its exit code."""
        with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
            self.metrics()
            self.readyz()
        self.process.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def audit(self):
        """What `sluice audit` says of the journal."""
        done = subprocess.run([SLUICE, "audit", "--journal", self.journal, "--json"], capture_output=True)
        if done.returncode not in (0, 1) or not done.stdout:
            raise RuntimeError(f"sluice audit: {done.returncode}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def rows(self):
        """A copy of the stopped journal for Python's own SQLite: a second judge that shares no code with the first."""
        if self.process and self.process.child.poll() is None:
            raise RuntimeError("only the program's own SQLite may open the journal while it is in use")
        with tempfile.TemporaryDirectory(dir=self.proof.folder) as folder:
            for file in self.journal.glob("journal.db*"):
                shutil.copy(file, folder)
            connection = sqlite3.connect(Path(folder) / "journal.db")
            try:
                yield connection
            finally:
                connection.close()

    def recount(self):
        """The same as `audit`, counted here from the rows of the stopped journal."""
        with self.rows() as rows:
            count = dict.fromkeys(["accepted", "waiting", "duplicate", *STATES.values()], 0)
            count["accepted"] = rows.execute("SELECT count(*) FROM event").fetchone()[0]
            for state, events in rows.execute("SELECT state, count(*) FROM outcome GROUP BY state"):
                count[STATES[state]] = events
            without = "SELECT count(*) FROM event LEFT JOIN outcome ON event.id = outcome.event WHERE outcome.event IS NULL"
            count["waiting"] = rows.execute(without).fetchone()[0]
            copies = rows.execute("SELECT sum(count) FROM tally WHERE state = 5").fetchone()[0]
            count["duplicate"] = copies or 0
            stray = "SELECT count(*) FROM outcome LEFT JOIN event ON event.id = outcome.event WHERE event.id IS NULL"
            stray = rows.execute(stray).fetchone()[0]
            twice = "SELECT count(*) - count(DISTINCT hex(identity)) FROM event"
            twice = rows.execute(twice).fetchone()[0]
        states = sum(count[state] for state in STATES.values())
        count["balanced"] = count["accepted"] == count["waiting"] + states and stray == 0 and twice == 0
        return count

    def final_ids(self, state):
        """The ids of the events in a final state, from the rows of the stopped journal."""
        number = next(number for number, name in STATES.items() if name == state)
        query = "SELECT event_id FROM event JOIN outcome ON event.id = outcome.event WHERE state = ?"
        with self.rows() as rows:
            return {row[0] for row in rows.execute(query, [number])}


class Ledger:
    """What the clients know: which events were acknowledged, and how often something was sent in vain."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = set()
        self.copies = 0
        self.requests = self.unanswered = self.postponed = 0
        self.wrong = []

    def add(self, ids, answer):
        with self.lock:
            self.acknowledged.update(ids)
            self.copies += answer["duplicates"]
            taken = answer["accepted"] + answer["duplicates"]
            if taken != len(ids) or answer["rejected"]:
                self.wrong.append(f"{taken} of {len(ids)} events taken: {answer['rejected'][:1]}")


class Sender(threading.Thread):
    """A client that sends single events and batches, now and then something twice, and everything until it is
    acknowledged: always with the same ids."""

    def __init__(self, gateway, ledger, name, seed, pace=0.0, stop=None):
        super().__init__(name=name, daemon=True)
        self.gateway, self.ledger, self.pace = gateway, ledger, pace
        self.random = random.Random(seed)
        self.finishing = stop or threading.Event()
        self.give_up = threading.Event()
        self.number = 0
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
        return events

    def new_event(self):
        self.number += 1
        return self.gateway.proof.event(f"{self.name}-{self.number}", self.number)

    def send(self, events, client):
        """Sends until there is an acknowledgement; then sometimes once more."""
        ids = [event["event_id"] for event in events]
        body = json.dumps(events[0] if len(events) == 1 else events).encode()
        times = 2 if self.random.random() < 0.05 else 1
        while times and not self.give_up.is_set():
            try:
                status, headers, answer = self.gateway.post(body, client)
            except (OSError, http.client.HTTPException, ValueError):
                self.ledger.unanswered += 1
                time.sleep(0.02)
                continue
            self.ledger.requests += 1
            if status == 202:
                self.ledger.add(ids, answer)
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

    def __init__(self, gateway, rate, threads=8, prefix="steady"):
        self.samples, self.ids, self.failed = [], set(), []
        context = multiprocessing.get_context("fork")
        self.results, results = context.Pipe(duplex=False)
        self.stopping = context.Event()
        arguments = (gateway, rate, threads, prefix, results, self.stopping)
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


def _steady(gateway, rate, threads, prefix, results, stopping):
    """The process of a steady load."""
    gc.disable()
    lock = threading.Lock()

    def run(index, due):
        client = Client(gateway.port, timeout=20)
        number = 0
        while not stopping.is_set():
            number += 1
            event_id = f"{prefix}-{index}-{number}"
            body = json.dumps(gateway.proof.event(event_id, number)).encode()
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
        self.other_folders, self.other_texts = [], []
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

    def check(self, holds, promise):
        """Notes whether a promise is kept."""
        self.checks += 1
        if not holds:
            self.broken.append(promise)
            print(f"  BROKEN: {promise}", flush=True)
        return bool(holds)

    def equal(self, found, expected, promise):
        return self.check(found == expected, f"{promise}: {found!r}, not {expected!r}")

    def note(self, text):
        print(f"  {text}", flush=True)

    def figure(self, name, value):
        self.figures[name] = value

    def balanced(self, gateway, acknowledged, ids, refused=frozenset()):
        """The end of most proofs: the gateway has stopped and nothing waits. What was acknowledged arrived, nothing
        counts twice, and both judges of the books agree."""
        audit, recount = gateway.audit(), gateway.recount()
        self.check(audit["balanced"], f"the books balance, says sluice audit: {audit}")
        self.check(recount["balanced"], f"the books balance, counted from the rows: {recount}")
        same = {key: audit[key] for key in recount if key != "balanced"}
        self.equal(same, {key: recount[key] for key in same}, "both judges count the same")
        self.equal(audit["accepted"], len(acknowledged), "accepted = distinct acknowledged")
        self.equal(audit["delivered"], len(acknowledged) - len(refused), "delivered")
        self.equal(audit["refused"], len(refused), "refused")
        for state in ["waiting", "expired", "withheld"]:
            self.equal(audit[state], 0, state)
        expected = acknowledged - refused
        lost, strange = expected - ids.keys(), ids.keys() - expected
        self.check(not lost, f"every acknowledged event arrived; {len(lost)} did not: {sorted(lost)[:3]}")
        self.check(not strange, f"nothing else arrived; {len(strange)} did: {sorted(strange)[:3]}")
        twice = [event_id for event_id, count in ids.items() if count[1] != 1]
        self.check(not twice, f"no event counts twice; {len(twice)} do: {twice[:3]}")
        self.figure("events acknowledged", len(acknowledged))
        self.figure("acknowledged and lost", len(lost))
        self.figure("counted twice", len(twice))
        self.figure("sent again (same id)", sum(count[0] - 1 for count in ids.values()))
        return audit

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

    def finish(self):
        """Searches, prints, and exits."""
        try:
            self.search()
        finally:
            _end_all()
            Process.alive.clear()
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
    except (Late, RuntimeError, OSError, http.client.HTTPException, sqlite3.Error, KeyError) as error:
        proof.check(False, f"the proof could not go on: {type(error).__name__}: {error}")
    proof.finish()
