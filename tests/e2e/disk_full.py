#!/usr/bin/env python3
"""A full disk: the door says so, nothing acknowledged is lost, and service resumes by itself when there is room.

The journal lies on a small file system of its own, most of it taken by a ballast file. Clients send until the disk is
full and go on trying; then the ballast goes away. In between the gateway is killed on the full disk and started again.
"""

import json
import os
import shutil
import subprocess
import time

from harness import prove
from load import Ledger, Sender, finish_senders
from processes import Client, Gateway, Late, Sandbox, ask, until

SIZE_MIB = 64
BALLAST_MIB = 48
# Four requests at a time, of a thousand events each.
IN_FLIGHT_MAX = 4_000


def body(proof):
    mount = small_disk(proof)
    ballast = mount / "ballast"
    with ballast.open("wb") as file:
        for _ in range(BALLAST_MIB):
            file.write(bytes(1 << 20))
    sandbox = Sandbox(proof)
    # Events pile up on the disk, and Meta comes back while it is full.
    sandbox.faults("503")
    gateway = Gateway(proof, sandbox, mount / "journal")
    gateway.start()
    ledger = Ledger()
    senders = [
        Sender(gateway, ledger, f"client{index}", f"{proof.seed}-{index}", pace=0.005, bad=0.05) for index in range(6)
    ]
    for sender in senders:
        sender.start()
    until(lambda: ledger.postponed >= 20, 60, "the disk is full, and the door says so")
    proof.figure("acknowledged before the disk was full", len(ledger.acknowledged))
    refusal(proof, gateway, ledger)
    free = os.statvfs(mount).f_bavail * os.statvfs(mount).f_frsize
    proof.figure("room left, KiB", free // 1024)
    sandbox.faults("")
    lively(proof, gateway)
    starts, unrecorded = restarts(proof, gateway, sandbox)
    proof.figure("arrived before the kill", unrecorded)
    proof.check(unrecorded <= IN_FLIGHT_MAX, "no more is posted than was in flight when the disk became full")
    if starts:
        told = ledger.postponed
        until(lambda: ledger.postponed > told + 5, 30, "the door says again that the disk is full")
        proof.figure("killed and started on the full disk", "it starts")
    else:
        proof.figure("killed and started on the full disk", "it says there is no room, and starts when there is")

    before = len(ledger.acknowledged)
    begin = time.monotonic()
    ballast.unlink()
    if gateway.process.child.poll() is not None:
        gateway.start()
    until(lambda: len(ledger.acknowledged) > before + 50, 30, "service resumes by itself once there is room", 0.01)
    proof.figure("service resumed after, s", round(time.monotonic() - begin, 2))
    proof.check(time.monotonic() - begin < 10, "service resumes within 10 s")
    finish_senders(senders, 60)
    gateway.drained(60)
    proof.check("events can be kept again" in gateway.process.text(), "the log says when they can again")
    proof.equal(gateway.stop(), 0, "the exit code after SIGTERM")
    ids = sandbox.ids()
    proof.balanced(gateway, ledger.acknowledged, ids, rejected=ledger.rejected_range())
    resent = sum(count[0] - 1 for count in ids.values())
    proof.check(resent <= unrecorded, f"sent again is only what the killed gateway could not record: {resent}")
    proof.check(not ledger.wrong, f"202 or 503 with Retry-After, nothing else: {ledger.wrong[:3]}")
    proof.figure("answers 503", ledger.postponed)


def small_disk(proof):
    """A file system with little room, which is taken down again at the end."""
    mount = proof.folder / "disk"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", mount], capture_output=True, text=True
    ) if os.geteuid() == 0 else None
    if mounted is None or mounted.returncode != 0:
        why = "only root can mount a small file system" if mounted is None else mounted.stderr.strip()
        proof.skip(f"no small file system can be mounted: {why}")

    def take_down():
        if proof.broken or proof.is_kept:
            shutil.copytree(mount / "journal", proof.folder / "journal", ignore=shutil.ignore_patterns("*.sock"))
        subprocess.run(["umount", "--lazy", mount], capture_output=True)

    proof.at_end.append(take_down)
    return mount


def refusal(proof, gateway, ledger):
    """What a client is told."""
    client = Client(gateway.port)
    for number in range(200):
        events = [proof.event(f"full-{number}-{index}") for index in range(50)]
        status, headers, answer = gateway.post(events, client)
        if status != 202:
            break
        ledger.add([event["event_id"] for event in events], 0, answer)
    proof.equal(status, 503, "the answer on a full disk")
    proof.check(headers.get("Retry-After", "").isdigit(), "Retry-After says when to come back")
    proof.equal(headers.get_content_type(), "application/problem+json", "the content type")
    proof.equal(answer.get("code"), "journal_unavailable", "the code")
    proof.other_texts.append(str(answer))
    client.close()


def lively(proof, gateway):
    """The other pages answer, and the log says why."""
    status, headers, body = ask(gateway.port, "GET", "/readyz")
    proof.equal((status, json.loads(body)["code"]), (503, "journal_unavailable"), "/readyz says that it is not")
    proof.check(headers.get("Retry-After", "").isdigit(), "/readyz says when to come back")
    proof.equal(ask(gateway.port, "GET", "/healthz")[0], 200, "/healthz answers")
    proof.check("sluice_accepted_events" in gateway.metrics(), "/metrics answers")
    text = gateway.process.text()
    proof.check("events cannot be kept" in text, "the log says that events cannot be kept")
    proof.check("answered with a server error" not in text, "and not once more for every request")


def restarts(proof, gateway, sandbox):
    """SIGKILL while the disk is full. Starting may fail, but in words. Whether it starts, and how many events had
    arrived before."""
    gateway.kill()
    arrived = sandbox.stats()["events_received"]
    mark = len(gateway.process.text())
    try:
        gateway.start(10, "/healthz")
        return True, arrived
    except (RuntimeError, Late):
        said = gateway.process.text()[mark:]
        proof.check("no room" in said, f"what it says on a full disk: {said[-500:]!r}")
        return False, arrived


if __name__ == "__main__":
    prove(__doc__, body)
