"""The stage of the test: a gateway and a sandbox as processes, on loopback, with ids and keys of their own."""

import atexit
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLUICE = Path(os.environ.get("SLUICE", ROOT / "target/release/sluice")).resolve()

VIA = "1234567890123456"
STRAIGHT = "2345678901234567"
NOBODYS = "3456789012345678"
APP_SECRET = "an-app-secret-for-play"


class Late(Exception):
    """Something did not happen in time."""


def until(condition, seconds, what):
    """Waits until the condition holds, and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise Late(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


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


def ask(base, method, path, body=None, headers=None):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class Server:
    """A process that answers HTTP; it is ended by its id and nobody else's."""

    def __init__(self, arguments, log, port, ready):
        self.base, self.log = f"http://127.0.0.1:{port}", log
        with open(log, "wb") as file:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        atexit.register(self._end)
        until(lambda: self._answers(ready), 20, f"{log.stem} answers")

    def _answers(self, path):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.log.stem} ended:\n{self.log.read_text()}")
        try:
            return ask(self.base, "GET", path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def read(self, path, base=None):
        status, _, body = ask(base or self.base, "GET", path)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body!r}")
        return body.decode()

    def stop(self):
        """Asks it to stop; its exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(20)

    def _end(self):
        with contextlib.suppress(ProcessLookupError):
            self.child.kill()
        self.child.wait()


class Stage:
    """A sandbox that knows two datasets and three tokens, and a gateway before the first of these datasets."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-sdk-"))
        # Whoever builds while this runs must not pull the program from under it.
        self.program = self.folder / "sluice"
        shutil.copy2(SLUICE, self.program)
        chance = random.SystemRandom()
        self.key, self.token, self.straight_token, self.proved_token = (
            prefix + "".join(chance.choices("abcdefghjkmnpqrstuvwxyz", k=32)) for prefix in ["key", "EAAB", "EAAC", "EAAD"]
        )
        self.sandbox = self._sandbox()
        self.gateway = self._gateway()

    def _sandbox(self):
        port = free_port()
        options = ["--listen", f"127.0.0.1:{port}", "--keep-ids", "0", "--dataset", VIA, "--dataset", STRAIGHT]
        for token in [self.token, self.straight_token, self.proved_token]:
            options += ["--token", token]
        log = self.folder / "sandbox.log"
        sandbox = Server([self.program, "sandbox", *options], log, port, "/sandbox/stats")
        # Whoever uses this token has to prove that the app is his.
        proved = json.dumps({"token": self.proved_token, "state": "valid", "app_secret": APP_SECRET})
        status, _, said = ask(sandbox.base, "POST", "/sandbox/tokens", proved)
        if status != 200:
            raise RuntimeError(f"the sandbox does not take a token: {said!r}")
        return sandbox

    def _gateway(self):
        port, admin_port = free_port(), free_port()
        self.admin = f"http://127.0.0.1:{admin_port}"
        (self.folder / "key").write_text(self.key)
        (self.folder / "token").write_text(self.token)
        config = self.folder / "sluice.toml"
        config.write_text(f"""
            [server]
            listen = "127.0.0.1:{port}"
            drain_s = 0
            [admin]
            listen = "127.0.0.1:{admin_port}"
            [journal]
            path = "{self.folder}/journal"
            [graph]
            base_url = "{self.sandbox.base}"
            linger_ms = 20
            [[dataset]]
            id = "{VIA}"
            access_token = {{ file = "{self.folder}/token" }}
            [[source]]
            name = "shop"
            kind = "api"
            key = {{ file = "{self.folder}/key" }}
            datasets = ["{VIA}"]
        """)
        command = [self.program, "serve", "--config", config]
        return Server(command, self.folder / "gateway.log", port, "/readyz")

    def drained(self):
        """Waits until nothing waits in the gateway any more."""
        until(self._is_empty, 20, "everything is delivered")

    def _is_empty(self):
        return all(lane["waiting"] == 0 for lane in json.loads(self.gateway.read("/readyz", self.admin))["lanes"])

    def answered(self, door, status):
        """How many requests a door of the gateway answered with a status."""
        wanted = {f'door="{door}"', f'status="{status}"'}
        for line in self.gateway.read("/metrics", self.admin).splitlines():
            if line.startswith("sluice_door_requests") and all(label in line for label in wanted):
                return float(line.split()[-1])
        return 0.0

    def received(self):
        """All that arrived in the sandbox, oldest first."""
        events, after = [], 0
        while True:
            page = json.loads(self.sandbox.read(f"/sandbox/received?after={after}&limit=500"))
            if not page["events"]:
                return events
            events += page["events"]
            after = page["next"]

    def ids(self, dataset):
        """How often each event id came to a dataset, and how often Meta would count it."""
        lines = [json.loads(line) for line in self.sandbox.read("/sandbox/ids").splitlines()]
        return {it["event_id"]: (it["received"], it["distinct"]) for it in lines if it["dataset"] == dataset}
