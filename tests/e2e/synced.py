#!/usr/bin/env python3
"""A synced write before each acknowledgement: what was acknowledged survives a power failure, not only a kill.

The gateway runs under strace. A client sends one request after the other, and nothing else commits meanwhile. Between
the arrival of each request and its answer the journal's log has to be written, and synced after the last write.
"""

import re
import shutil
import subprocess

from harness import prove
from processes import Client, Gateway, Sandbox, until

CALLS = "read,recvfrom,write,writev,sendto,pwrite64,fsync,fdatasync"
LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\((?:\d+<(?P<path>[^>]*)>)?)(?P<rest>.*)")
SYNCS = {"fsync", "fdatasync"}
REQUEST, ANSWER = '"POST /v1/events', '"HTTP/1.1 202'


def body(proof):
    requests = 50 if proof.quick else 500
    trace = proof.folder / "trace"
    sandbox = Sandbox(proof)
    # Folders above the journal's that do not exist yet have to survive as well.
    above = [proof.folder / "made", proof.folder / "made" / "anew"]
    gateway = Gateway(
        proof, sandbox, above[-1] / "journal", graph={"linger_ms": 60_000}, under=strace(proof, trace)
    )
    gateway.start()
    client = Client(gateway.port)
    for number in range(requests):
        status = gateway.post(proof.event(f"synced-{number}"), client)[0]
        proof.equal(status, 202, f"the answer to request {number}") if status != 202 else None
    client.close()
    proof.equal(gateway.stop(60), 0, "the exit code after SIGTERM")
    proof.equal(gateway.audit()["accepted"], requests, "accepted")

    over = re.compile(rf"^{gateway.process.pid} +\+\+\+ exited", re.MULTILINE)
    until(lambda: over.search(trace.read_text(errors="replace")), 10, "strace has written everything", 0.1)
    calls = list(read(trace))
    answers, without, syncs = judge(calls, gateway.journal / "journal.db-wal")
    proof.equal(answers, requests, "answers of success in the trace")
    proof.check(without == 0, f"the log is synced before each answer; before {without} of {answers} it is not")
    synced = {path for call, path, _ in calls if call in SYNCS}
    for folder in [proof.folder, *above, gateway.journal]:
        proof.check(str(folder) in synced, f"the folder {folder} is synced after something was made in it")
    proof.figure("requests, one after the other", requests)
    proof.figure("syncs of the journal's log, in all", syncs)
    proof.figure("answers without one", without)


def strace(proof, trace):
    """The command in front of the gateway; it stays this process's child, and strace goes beside it."""
    program = shutil.which("strace")
    if program is None:
        proof.skip("strace is not there; scripts/prepare installs it")
    tried = subprocess.run([program, "-o", "/dev/null", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        proof.skip(f"this machine forbids to trace a process: {tried.stderr.strip()}")
    return [program, "-D", "-f", "-y", "-s", "24", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace), "--"]


def read(trace):
    """Each call in order: its name, the file or socket, and its arguments. A call counts when it is over: a sync has
    done nothing before. An answer counts from when it begins: the client may have read it, and sent the next request,
    before it is over."""
    begun = {}
    for line in trace.read_text(errors="replace").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        call, path, rest = found["call"], found["path"], found["rest"]
        if found["resumed"]:
            call, path, first = begun.pop(found["pid"], (found["resumed"], None, ""))
            if ANSWER in first:
                continue
            rest = first + rest
        if rest.endswith("<unfinished ...>"):
            begun[found["pid"]] = (call, path, rest)
            if ANSWER not in rest:
                continue
        yield call, path, rest


def judge(calls, log):
    """How many answers of success there are, how many of them without a sync that covers what was written since
    the request came, and how many syncs in all."""
    answers = without = syncs = 0
    is_written = is_synced = False
    for call, path, rest in calls:
        if path == str(log) and call == "pwrite64":
            is_written, is_synced = True, False
        elif path == str(log) and call in SYNCS:
            is_synced = is_written
            syncs += 1
        elif REQUEST in rest:
            is_written = is_synced = False
        elif ANSWER in rest:
            answers += 1
            without += not is_synced
            is_written = is_synced = False
    return answers, without, syncs


if __name__ == "__main__":
    prove(__doc__, body)
