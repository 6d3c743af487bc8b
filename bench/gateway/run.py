#!/usr/bin/env python3
"""Times the gateway: its door beside itself with a journal in memory and beside a handler that only reads, delivery
beside Meta's Node SDK, memory and start.

Everything that is compared runs in turns in one run, on one machine, with the load generator (wrk) beside it.
Prints tables; --json adds one line for programs. docs/benchmarks.md explains the figures.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SLUICE = Path(os.environ.get("SLUICE", TARGET / "release" / "sluice"))
READER = TARGET / "release" / "examples" / "reader"
DATASET = "1234567890123456"
KEY = "key-of-the-benchmark-0123456789"
NOBODY = "http://127.0.0.1:9"
# A file system in memory, where a sync costs nothing.
MEMORY = Path("/dev/shm")
COMMITTED = ("sluice_accepted_events_total", "sluice_commits_total")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def wait_for(what, is_so, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if is_so():
                return
        time.sleep(0.005)
    raise SystemExit(f"{what} did not happen within {seconds} s")


class Process:
    """A server that is stopped when the block ends."""

    def __init__(self, command, ready, env=None):
        self.log = tempfile.TemporaryFile()
        started = time.monotonic()
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})}
        )
        try:
            wait_for(f"the start of {command[0]}", lambda: self.alive() and get(ready) is not None)
        except BaseException:
            self.stop()
            raise
        self.start_s = time.monotonic() - started

    def alive(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise SystemExit(self.log.read().decode())
        return True

    def rss_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def gateway(folder, base_url):
    port, admin_port = free_port(), free_port()
    config = folder / "sluice.toml"
    config.write_text(
        f'server.listen = "127.0.0.1:{port}"\nserver.drain_s = 0\nadmin.listen = "127.0.0.1:{admin_port}"\n'
        f'journal.path = "{folder}/journal"\nlog.filter = "error"\n'
        f'[graph]\nbase_url = "{base_url}"\nevents_per_hour_max = 0\n'
        f'[[dataset]]\nid = "{DATASET}"\naccess_token = {{ env = "TOKEN" }}\n'
        f'[[source]]\nname = "bench"\nkind = "api"\nkey = {{ env = "KEY" }}\ndatasets = ["{DATASET}"]\n'
    )
    url = f"http://127.0.0.1:{port}"
    process = Process(
        [SLUICE, "serve", "--config", config], f"{url}/readyz", {"KEY": KEY, "TOKEN": "sandbox-token"}
    )
    process.url = url
    process.admin_url = f"http://127.0.0.1:{admin_port}"
    return process


def sandbox():
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = Process([SLUICE, "sandbox", "--listen", f"127.0.0.1:{port}"], f"{url}/sandbox/stats")
    process.url = url
    return process


def reader():
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def listens():
        with socket.create_connection(("127.0.0.1", port), 1):
            return True

    process = Process.__new__(Process)
    process.log = tempfile.TemporaryFile()
    process.process = subprocess.Popen([READER, f"127.0.0.1:{port}"], stdout=process.log, stderr=process.log)
    wait_for("the start of the reader", listens)
    process.url = url
    return process


runs = 0


def wrk(url, connections, seconds, batch=1, delay_ms=None):
    global runs
    runs += 1
    env = {**os.environ, "KEY": KEY, "BATCH": str(batch), "RUN": f"{os.getpid()}-{runs}"}
    if delay_ms is not None:
        env["DELAY_MS"] = str(delay_ms)
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", HERE / "events.lua", url]
    output = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    result = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    if result["errors"]:
        raise SystemExit(f"{result['errors']} requests failed: {output}")
    result["per_s"] = result["requests"] * batch / result["seconds"]
    return result


def metric(url, name):
    text = get(f"{url}/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def table(title, columns, rows):
    print(f"\n{title}\n")
    cells = [columns] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        print("  " + "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths))))


def median(rounds, key):
    return statistics.median(result[key] for result in rounds)


def door(folder, seconds, rounds):
    """The door beside itself with its journal in memory, and beside a handler that only reads, in turns. Every
    measurement of the gateway has a journal of its own."""

    @contextlib.contextmanager
    def fresh(warm=True, parent=folder):
        with tempfile.TemporaryDirectory(dir=parent) as place, gateway(Path(place), NOBODY) as sluice:
            if warm:
                wrk(sluice.url, 64, 1)
            yield sluice

    loads = [(64, 1), (256, 1), (512, 1), (8, 100)]
    read, kept = {load: [] for load in loads}, {load: [] for load in loads}
    per_commit = {load: [] for load in loads}
    in_memory = []
    with reader() as plain:
        for _ in range(rounds):
            for load in loads:
                connections, batch = load
                read[load].append(wrk(plain.url, connections, seconds, batch))
                with fresh() as sluice:
                    before = [metric(sluice.admin_url, name) for name in COMMITTED]
                    kept[load].append(wrk(sluice.url, connections, seconds, batch))
                    after = [metric(sluice.admin_url, name) for name in COMMITTED]
                events, commits = (new - old for new, old in zip(after, before))
                per_commit[load].append({"events": events / commits})
            with fresh(parent=MEMORY) as sluice:
                in_memory.append(wrk(sluice.url, 64, seconds))
    single = median(kept[64, 1], "per_s")
    with fresh(warm=False) as sluice:
        idle_mb = sluice.rss_mb()
        # 64 connections that think so long that they ask for half of what the door can do.
        delay_ms = max(1, round(64 / (single / 2) * 1000))
        half = wrk(sluice.url, 64, seconds, delay_ms=delay_ms)
    figures = {"idle_mb": idle_mb, "half_load_per_s": half["per_s"], "half_load_p50_ms": half["p50_ms"], "half_load_p99_ms": half["p99_ms"]}
    rows = []
    for load in loads:
        connections, batch = load
        what = f"{'single events' if batch == 1 else f'batches of {batch}'}, {connections} connections"
        ratio = median(kept[load], "per_s") / median(read[load], "per_s")
        for who, results, of, events in (
            ("handler that only reads", read[load], "100 %", ""),
            ("Sluice", kept[load], f"{ratio:.0%}", f"{median(per_commit[load], 'events'):,.0f}"),
        ):
            rows.append([f"{who}, {what}", f"{median(results, 'per_s'):,.0f}", f"{median(results, 'p99_ms'):.1f}", of, events])
        figures[f"{connections}x{batch}"] = {
            "reader_per_s": median(read[load], "per_s"),
            "per_s": median(kept[load], "per_s"),
            "p99_ms": median(kept[load], "p99_ms"),
            "ratio": ratio,
        }
    rows.append(["Sluice, single events, about half load", f"{half['per_s']:,.0f}", f"{half['p99_ms']:.1f}", "", ""])
    free_disk = median(in_memory, "per_s")
    figures["in_memory"] = {"per_s": free_disk, "ratio": single / free_disk}
    rows.append(["Sluice with its journal in memory, single events, 64 connections", f"{free_disk:,.0f}", f"{median(in_memory, 'p99_ms'):.1f}", "", ""])
    table("Door to disk, nothing delivered meanwhile", ["what", "events/s", "p99 ms", "of the reader", "events a commit"], rows)
    print(f"\n  single events, 64 connections: {single / free_disk:.0%} of the same door with its journal in memory")
    print(f"  {idle_mb:.0f} MB before the first event")
    return figures


def delivery(folder, seconds):
    """From the door into the sandbox, beside Meta's Node SDK sending straight to it."""
    with sandbox() as peer, gateway(folder, peer.url) as sluice:
        started = time.monotonic()
        posted = wrk(sluice.url, 8, seconds, 100)
        events = posted["requests"] * 100

        def delivered():
            return metric(sluice.admin_url, "sluice_waiting_events") == 0

        wait_for("the delivery of everything", delivered, 120)
        elapsed = time.monotonic() - started
        received = json.loads(get(f"{peer.url}/sandbox/stats"))["events_received"]
    if received < events:
        raise SystemExit(f"{received} of {events} events arrived")
    rows = [["Sluice, door to sandbox, with journal", f"{received / elapsed:,.0f}", ""]]
    figures = {"delivered_per_s": received / elapsed}
    node = shutil.which("node")
    if node:
        env = {**os.environ, "NODE_PATH": str(ROOT / ".test" / "node" / "node_modules")}
        for batch, in_flight in ((1, 64), (100, 8)):
            with sandbox() as peer:
                command = [node, HERE / "node_send.mjs", peer.url, str(batch), str(in_flight), str(seconds)]
                output = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
            result = json.loads(output.splitlines()[-1])
            per_s = result["events"] / result["seconds"]
            figures[f"node_{batch}_per_s"] = per_s
            rows.append([f"Node SDK straight to the sandbox, batches of {batch}", f"{per_s:,.0f}", f"{figures['delivered_per_s'] / per_s:.1f}"])
    table("Delivered into the sandbox", ["what", "events/s", "Sluice is times"], rows)
    return figures


def fill(url, count):
    """Posts so many different events."""
    [event] = json.loads((HERE.parent / "peers" / "purchase.json").read_text())["data"]
    event |= {"event_time": int(time.time()), "event_id": "THE-ID"}
    start, end = json.dumps(event, separators=(",", ":")).split("THE-ID")
    headers = {"Authorization": f"Bearer {KEY}"}
    door = http.client.HTTPConnection(url.removeprefix("http://"))
    for first in range(0, count, 1_000):
        events = ",".join(f"{start}fill-{number}{end}" for number in range(first, min(first + 1_000, count)))
        door.request("POST", "/v1/events", f"[{events}]", headers)
        answer = door.getresponse()
        if answer.status != 202 or json.loads(answer.read())["accepted"] != min(1_000, count - first):
            raise SystemExit(f"events were not taken: {answer.status}")
    door.close()


def backlog(folder, sizes):
    """What waiting events cost: memory, start, the door. Each number of them in a journal of its own."""
    rows, figures = [], []
    for size in sizes:
        place = folder / str(size)
        place.mkdir()
        with gateway(place, NOBODY) as sluice:
            fill(sluice.url, size)
            waiting = int(metric(sluice.admin_url, "sluice_waiting_events"))
            if waiting != size:
                raise SystemExit(f"{waiting} events wait, not {size}")
            grown_mb = sluice.rss_mb()
            sluice.stop(signal.SIGKILL)
        with gateway(place, NOBODY) as sluice:
            wait_for("the count after the start", lambda: metric(sluice.admin_url, "sluice_waiting_events") == size)
            start_s, rss_mb = sluice.start_s, sluice.rss_mb()
            single = wrk(sluice.url, 64, 2)
            door = wrk(sluice.url, 8, 2, 100)
        shutil.rmtree(place)
        figures.append(
            {"waiting": waiting, "start_s": start_s, "rss_mb": rss_mb, "grown_mb": grown_mb, "batch_per_s": door["per_s"], "single_per_s": single["per_s"]}
        )
        rows.append([f"{size:,}", f"{start_s:.2f}", f"{rss_mb:.0f}", f"{grown_mb:.0f}", f"{door['per_s']:,.0f}", f"{single['per_s']:,.0f}"])
    table(
        "What waiting events cost",
        ["waiting", "start s", "MB after start", "MB before", "batches, events/s", "single, events/s"],
        rows,
    )
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of each comparison; the median counts")
    parser.add_argument("--waiting", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--only", choices=["door", "delivery", "backlog"])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = {}
    parts = {
        "door": lambda folder: door(folder, arguments.seconds, arguments.rounds),
        "delivery": lambda folder: delivery(folder, arguments.seconds),
        "backlog": lambda folder: backlog(folder, arguments.waiting),
    }
    for name, measure in parts.items():
        if arguments.only in (None, name):
            # On the disk of the checkout: a temporary folder may be in memory, where a sync costs nothing.
            (ROOT / ".test").mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=ROOT / ".test") as folder:
                figures[name] = measure(Path(folder))
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
