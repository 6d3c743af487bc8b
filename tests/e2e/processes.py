"""The real program as processes: a gateway with a configuration of its own, and a sandbox in place of Meta.

Nothing here waits for a fixed time, but for a condition with a deadline.
"""

import atexit
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLUICE = Path(os.environ.get("SLUICE", ROOT / "target/release/sluice")).resolve()
STATES = {-1: "recorded", 1: "delivered", 2: "refused", 3: "expired", 4: "withheld"}
DATASET = "1234567890123456"
REJECTED_ROWS_MAX = 10_000


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


class Process:
    """A process that is started here, and ended by its id and nobody else's."""

    alive = []

    def __init__(self, arguments, log, environment=None, sockets=()):
        self.log = log
        with open(log, "ab") as file:
            self.started = time.monotonic()
            environment = {**os.environ, **(environment or {})}
            self.child = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment,
                pass_fds=[handed.fileno() for handed in sockets],
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
def end_all():
    """Ends what a proof left running."""
    for child in Process.alive:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        child.wait()
    Process.alive.clear()


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
        # A socket that listens already, which every process of the gateway gets, as systemd does it.
        self.socket = settings.pop("socket", None)
        self.port = self.socket.getsockname()[1] if self.socket else settings.pop("port", None) or free_port()
        self.admin_port = free_port()
        # What its processes find in their environment, beside what this one has.
        self.environment = settings.pop("environment", None)
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
            "server": {"listen": f"127.0.0.1:{self.port}", "drain_s": 0, **settings.pop("server", {})},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "journal": {"path": str(self.journal)},
            "graph": {
                "base_url": sandbox.base_url, "events_per_hour_max": 0, "linger_ms": 20, **settings.pop("graph", {})
            },
            "log": {"format": "json", "filter": settings.pop("log", "info")},
        }
        self.dataset_more = settings.pop("dataset_more", "")
        self.source_more = settings.pop("source_more", "")
        # A command that runs the program, such as strace.
        self.under = settings.pop("under", [])
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
        command = [*self.under, SLUICE, "serve", "--config", self.config]
        if self.socket is None:
            self.process = Process(command, self.log, self.environment)
        else:
            # sd_listen_fds(3): the sockets begin at descriptor 3, and the process that is meant is named by its id.
            script = f'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@" 3<&{self.socket.fileno()}'
            command = ["sh", "-c", script, "sh", *command]
            self.process = Process(command, self.log, sockets=[self.socket])
        return self.process

    def start(self, seconds=30, page="/readyz"):
        """Starts it, waits until it can take events, and returns how many seconds that took. `/healthz` is enough
        where it cannot take any."""
        self.spawn()
        until(lambda: self.is_ready(page), seconds, f"{self.name} is ready", 0.002)
        return time.monotonic() - self.process.started

    def is_ready(self, page="/readyz"):
        if (code := self.process.child.poll()) is not None:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self.process.text()[-2_000:]}")
        try:
            return ask(self.port, "GET", page, timeout=5)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def readyz(self):
        status, _, body = ask(self.admin_port, "GET", "/readyz")
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
        body = ask(self.admin_port, "GET", "/metrics")[2]
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
            kinds = ["received", "rejected", "accepted", "waiting", "duplicate"]
            count = dict.fromkeys([*kinds, *STATES.values()], 0)
            count["accepted"] = rows.execute("SELECT count(*) FROM event").fetchone()[0]
            for state, events in rows.execute("SELECT state, count(*) FROM outcome GROUP BY state"):
                count[STATES[state]] = events
            without = "SELECT count(*) FROM event WHERE id NOT IN (SELECT event FROM outcome)"
            count["waiting"] = rows.execute(without).fetchone()[0]
            copies = rows.execute("SELECT sum(count) FROM tally WHERE state = 5").fetchone()[0]
            count["duplicate"] = copies or 0
            for kind in ["received", "rejected"]:
                count[kind] = rows.execute(f"SELECT sum(count) FROM {kind}_tally").fetchone()[0] or 0
            # Each rejected event has a row, as long as there are not too many in an hour.
            remains = rows.execute("SELECT count(*) FROM rejection").fetchone()[0]
            stray = "SELECT count(*) FROM outcome WHERE event NOT IN (SELECT id FROM event)"
            stray = rows.execute(stray).fetchone()[0]
            twice = "SELECT count(*) - count(DISTINCT hex(identity)) FROM event"
            twice = rows.execute(twice).fetchone()[0]
        states = sum(count[state] for state in STATES.values())
        arrivals = count["accepted"] + count["duplicate"] + count["rejected"]
        count["balanced"] = (
            count["accepted"] == count["waiting"] + states and stray == 0 and twice == 0
            and count["received"] == arrivals and remains == min(count["rejected"], REJECTED_ROWS_MAX)
        )
        return count

    def final_ids(self, state):
        """The ids of the events in a final state, from the rows of the stopped journal."""
        number = next(number for number, name in STATES.items() if name == state)
        query = "SELECT event_id FROM event JOIN outcome ON event.id = outcome.event WHERE state = ?"
        with self.rows() as rows:
            return {row[0] for row in rows.execute(query, [number])}
