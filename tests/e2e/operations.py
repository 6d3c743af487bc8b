#!/usr/bin/env python3
"""Operations: what goes wrong at the hands of people is said in plain words, and loses nothing.

A second instance, a folder that cannot be written, a damaged file, a file from the future, dead and rotated tokens, a
business id in the place of a dataset id, test codes that end, and a stop under load.
"""

import json
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import time
from datetime import datetime, timedelta, timezone

from harness import prove
from load import Ledger, Sender, finish_senders
from processes import SLUICE, Gateway, Sandbox, ask, until

BUSINESS = "987654321098765"


def body(proof):
    sandbox = Sandbox(proof, "--business-id", BUSINESS)
    for case in [
        second_instance, read_only_folder, damaged_file, no_journal_at_all, file_from_the_future, wrong_token,
        business_id, rotated_key, edited_configuration, test_codes, stop_under_load,
    ]:
        begin = time.monotonic()
        said = case(proof, sandbox)
        proof.figure(case.__name__.replace("_", " "), f"{time.monotonic() - begin:.1f} s; {said}")


def said_at_the_end(proof, gateway, *words):
    """Starts a gateway that cannot start: it ends by itself, soon, with code 2, and its words help. Returns them."""
    mark = len(gateway.process.text()) if gateway.process else 0
    process = gateway.spawn()
    code = process.wait(10)
    text = process.text()[mark:]
    proof.equal(code, 2, f"{gateway.name}: the exit code")
    for word in words:
        proof.check(str(word) in text, f"{gateway.name}: the message says {word!r}: {text!r}")
    proof.check("panicked" not in text, f"{gateway.name}: no panic")
    return " ".join(text.replace(str(proof.folder), "…").split())[:160]


def filled(proof, sandbox, name, events=50, **settings):
    """A gateway that has delivered something and stopped."""
    gateway = Gateway(proof, sandbox, name=name, log="debug", **settings)
    gateway.start()
    ids = [f"{name}-{number}" for number in range(events)]
    gateway.post([proof.event(event_id) for event_id in ids])
    gateway.drained(20)
    proof.equal(gateway.stop(), 0, f"{name}: the exit code after SIGTERM")
    return gateway, set(ids)


def second_instance(proof, sandbox):
    first, _ = filled(proof, sandbox, "first")
    first.start()
    second = Gateway(proof, sandbox, first.journal, name="second")
    said = said_at_the_end(proof, second, "in use", first.process.pid)
    proof.equal(first.post(proof.event("first-after"))[0], 202, "the first instance goes on")
    first.drained(20)
    first.stop()
    proof.equal(first.audit()["delivered"], 51, "and nothing is lost")
    return said


def read_only_folder(proof, sandbox):
    gateway, _ = filled(proof, sandbox, "readonly")
    if os.geteuid() != 0:
        gateway.journal.chmod(0o500)
        said = said_at_the_end(proof, gateway, "no permission")
        gateway.journal.chmod(0o700)
        return said
    # Nothing is forbidden to root: it runs as another user, whose folder it is, and who may not write there.
    nobody = pwd.getpwnam("nobody")
    for folder in [proof.folder, proof.folder / "secrets"]:
        folder.chmod(0o755)
    gateway.journal.chmod(0o500)
    os.chown(gateway.journal, nobody.pw_uid, nobody.pw_gid)
    mark = proof.folder / "logs" / "readonly-nobody.log"
    gateway.write_config()
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [binary_for_all(proof), "serve", "--config", gateway.config], user=nobody.pw_uid, group=nobody.pw_gid,
        extra_groups=[], capture_output=True, text=True, timeout=20, env=environment, cwd="/",
    )
    mark.write_text(done.stdout + done.stderr)
    proof.equal(done.returncode, 2, "read-only folder: the exit code")
    proof.check("no permission" in done.stderr, f"read-only folder: the message: {done.stderr!r}")
    for folder in [proof.folder, proof.folder / "secrets", gateway.journal]:
        folder.chmod(0o700)
    os.chown(gateway.journal, os.geteuid(), os.getegid())
    gateway.start()
    gateway.stop()
    proof.check(gateway.audit()["balanced"], "and the journal is as it was")
    return " ".join(done.stderr.replace(str(proof.folder), "…").split())[:160]


def binary_for_all(proof):
    """The program where every user may run it."""
    copy = proof.folder / "sluice"
    shutil.copy(SLUICE, copy)
    copy.chmod(0o755)
    return copy


def damaged_file(proof, sandbox):
    gateway, _ = filled(proof, sandbox, "damaged", events=2_000)
    file = gateway.journal / "journal.db"
    whole = file.read_bytes()
    torn = bytearray(whole)
    # Pages in the middle; the head of the file stays what it is.
    for page in range(2, len(whole) // 16_384, 2):
        torn[page * 16_384:page * 16_384 + 4_000] = os.urandom(4_000)
    file.write_bytes(torn)
    said = said_at_the_end(proof, gateway, "damaged", '"help":')
    proof.equal(file.read_bytes(), bytes(torn), "a damaged file is left as it is") if len(torn) < 1 << 20 else None
    file.write_bytes(whole)
    gateway.start()
    gateway.stop()
    proof.equal(gateway.audit()["delivered"], 2_000, "with the backup in its place all is there")
    return said


def no_journal_at_all(proof, sandbox):
    gateway = Gateway(proof, sandbox, name="stranger")
    gateway.journal.mkdir()
    (gateway.journal / "journal.db").write_text("a shopping list, perhaps\n" * 1_000)
    said = said_at_the_end(proof, gateway, "is not a journal", '"help":')
    return said


def file_from_the_future(proof, sandbox):
    gateway, _ = filled(proof, sandbox, "future")
    file = gateway.journal / "journal.db"

    def version(number):
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    with gateway.rows() as rows:
        known = rows.execute("PRAGMA user_version").fetchone()[0]
    version(999)
    said = said_at_the_end(proof, gateway, "999", '"help":')
    version(known)
    gateway.start()
    gateway.stop()
    proof.check(gateway.audit()["balanced"], "and nothing was changed")
    return said


def wrong_token(proof, sandbox):
    """Parked with words; a new file resumes it, and so does SIGHUP after the token was mended at Meta."""
    gateway = Gateway(proof, sandbox, name="token", log="debug")
    sandbox.token(gateway.token, "unknown")
    gateway.start()
    gateway.post([proof.event(f"token-{number}") for number in range(20)])
    until(lambda: gateway.lane()["state"] == "parked", 10, "a wrong token parks the lane")
    reason = gateway.lane()["reason"]
    for word in ["token", "190", "Events Manager"]:
        proof.check(word in reason, f"the reason names {word}: {reason!r}")
    proof.check("lane parked" in gateway.process.text(), "the log says it")
    proof.equal(gateway.post(proof.event("token-more"))[0], 202, "the door stays open")
    proof.equal(gateway.waiting(), 21, "events wait")
    proof.check('state="parked"} 1' in gateway.metrics(), "/metrics says it")
    gateway.rotate(proof.words.secret("EAAB"))
    begin = time.monotonic()
    gateway.drained(10)
    by_file = time.monotonic() - begin

    sandbox.token(gateway.token, "wrong-permission")
    gateway.post(proof.event("token-late"))
    until(lambda: gateway.lane()["state"] == "parked", 10, "a missing permission parks the lane")
    sandbox.token(gateway.token, "valid")
    begin = time.monotonic()
    gateway.hang_up()
    gateway.drained(10)
    by_signal = time.monotonic() - begin
    gateway.stop()
    proof.equal(gateway.audit()["delivered"], 22, "nothing was refused for a token")
    return f"new file: resumed after {by_file:.1f} s, SIGHUP: {by_signal:.1f} s; {reason[:100]}"


def business_id(proof, sandbox):
    gateway = Gateway(proof, sandbox, name="business", dataset=BUSINESS, log="debug")
    gateway.start()
    gateway.post(proof.event("business-1"))
    until(lambda: gateway.lane()["state"] == "parked", 10, "a business id parks the lane")
    reason = gateway.lane()["reason"]
    proof.check("business" in reason.lower(), f"the reason says what the id is: {reason!r}")
    proof.check("100/33" in reason, f"and which error it was: {reason!r}")
    parked = [line for line in gateway.process.text().splitlines() if "lane parked" in line]
    proof.check(parked and "business" in parked[0].lower(), f"the log says it too: {parked}")
    gateway.stop()
    proof.equal(gateway.audit()["waiting"], 1, "the event waits")
    return reason[:160]


def rotated_key(proof, sandbox):
    """The source's key by file: the new one works, the old one does not any more."""
    gateway = Gateway(proof, sandbox, name="key", log="debug")
    gateway.start()
    old, gateway.key = gateway.key, proof.words.secret("key-")
    gateway.key_file.write_text(gateway.key)
    until(lambda: gateway.post(proof.event("key-new"))[0] == 202, 10, "a new key works without a restart")
    headers = {"Authorization": f"Bearer {old}"}
    proof.equal(ask(gateway.port, "POST", "/v1/events", b"{}", headers)[0], 401, "the old key")
    gateway.drained(10)
    # A secret that disappears leaves the known one in force.
    gateway.key_file.unlink()
    mark = len(gateway.process.text())
    gateway.hang_up()
    until(lambda: "stays in force" in gateway.process.text()[mark:], 10, "the log says that the key cannot be read")
    proof.check("No such file" in gateway.process.text()[mark:], "and why")
    proof.equal(gateway.post(proof.event("key-later"))[0], 202, "the known key stays in force")
    gateway.drained(10)
    gateway.stop()
    return "the new one works, the old one does not, a lost file changes nothing"


def edited_configuration(proof, sandbox):
    """A file that was edited takes effect as far as it can: what needs a restart, and what is wrong, the log says once by
    itself, and when SIGHUP asks. `configurations.py` proves the rest."""
    gateway = Gateway(proof, sandbox, name="edited")
    gateway.start()

    def lines(sentence):
        lines = map(json.loads, filter(lambda line: line.startswith("{"), gateway.process.text().splitlines()))
        return [line for line in lines if line["message"].startswith(sentence)]

    started = lines("started")
    proof.equal(len(started), 1, "the start is in the log")
    proof.equal((started[0]["pid"], started[0]["waiting"]), (gateway.process.pid, 0), "the line of the start")
    proof.equal(started[0]["configuration"], str(gateway.config), "the configuration in the line of the start")
    proof.check("sluice_configuration_edited 0" in gateway.metrics(), "the file is the one in use")
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace("[server]", "[server]\nconnections_max = 7"))
    until(lambda: lines("changes of the configuration need a restart"), 10, "an edited file is noticed")
    until(lambda: "sluice_configuration_edited 1" in gateway.metrics(), 10, "/metrics says it")
    gateway.config.write_text(text + "[[nonsense")
    broken = until(lambda: lines("the configuration has changed and cannot be used"), 10, "a broken file is noticed")
    proof.check("line " in broken[0]["problems"], f"what is wrong is said: {broken[0]}")
    gateway.hang_up()
    until(lambda: len(lines("the configuration has changed and cannot be used")) == 2, 10, "SIGHUP says it again")
    proof.equal(len(lines("keys and tokens are the same as before")), 1, "SIGHUP is answered")
    proof.equal(len(lines("keys and tokens were read again")), 0, "nothing is said to have changed")
    gateway.config.write_text(text)
    until(lambda: lines("the configuration is again"), 10, "and that it is as before")
    until(lambda: "sluice_configuration_edited 0" in gateway.metrics(), 10, "in /metrics as well")
    proof.equal(len(lines("changes of the configuration need a restart")), 1, "nothing is said twice by itself")
    gateway.stop()
    proof.equal([line["waiting"] for line in lines("stopped")], [0], "the line of the stop")
    return broken[0]["problems"]


def test_codes(proof, sandbox):
    """A configured test code ends by itself; one of a request covers that request only."""
    ends = datetime.now(timezone.utc) + timedelta(seconds=6)
    code = f'test_event_code = {{ code = "TEST111", until = "{ends.strftime("%Y-%m-%dT%H:%M:%SZ")}" }}'
    gateway = Gateway(proof, sandbox, name="testcode", dataset_more=code, log="debug")
    gateway.start()
    gateway.post([proof.event(f"testcode-{number}") for number in range(10)])
    gateway.drained(10)
    before = sandbox.stats()["test_event_codes"]
    proof.equal(before.get("TEST111"), 10, "events that went with the test code")
    until(lambda: datetime.now(timezone.utc) > ends + timedelta(seconds=1), 10, "the test code ends")
    gateway.post([proof.event(f"real-{number}") for number in range(10)])
    headers = {"Authorization": f"Bearer {gateway.key}"}
    content = json.dumps([proof.event(f"asked-{number}") for number in range(5)])
    status = ask(gateway.port, "POST", "/v1/events?test_event_code=TEST222", content.encode(), headers)[0]
    proof.equal(status, 202, "a request with a test code")
    gateway.drained(10)
    after = sandbox.stats()["test_event_codes"]
    proof.equal(after.get("TEST111"), 10, "after its end the code is not sent")
    proof.equal(after.get("TEST222"), 5, "the code of a request covers its events")
    ids = sandbox.ids()
    proof.check(all(f"real-{number}" in ids for number in range(10)), "events after the end arrive as real ones")
    gateway.stop()
    proof.equal(gateway.audit()["delivered"], 25, "all are delivered")
    return "10 test events until the end, then real ones; 5 by request"


def stop_under_load(proof, sandbox):
    """SIGTERM again and again under load: it ends in time with code 0, and nothing acknowledged is lost."""
    sandbox.faults("slow 30ms")
    gateway = Gateway(proof, sandbox, name="stopping")
    gateway.start()
    ledger = Ledger()
    senders = [Sender(gateway, ledger, f"stop{index}", f"{proof.seed}-{index}", pace=0.01) for index in range(4)]
    for sender in senders:
        sender.start()
    seconds = []
    for _ in range(3 if proof.quick else 10):
        time.sleep(proof.random.uniform(0.3, 1.0))
        begin = time.monotonic()
        gateway.process.signal(signal.SIGTERM)
        proof.equal(gateway.process.wait(20), 0, "the exit code after SIGTERM under load")
        seconds.append(time.monotonic() - begin)
        gateway.start()
    finish_senders(senders, 30)
    gateway.drained(30)
    gateway.stop()
    sandbox.faults("")
    ids = {event_id: count for event_id, count in sandbox.ids().items() if event_id.startswith("stop")}
    proof.balanced(gateway, ledger.acknowledged, ids)
    proof.check(not ledger.wrong, f"every request is taken whole: {ledger.wrong[:3]}")
    proof.check(max(seconds) < 11, f"a stop takes no longer than its grace: {max(seconds):.1f} s")
    resent = sum(count[0] - 1 for count in ids.values())
    proof.equal(resent, 0, "batches that were on their way arrive and are settled: nothing is sent again")
    return f"{len(seconds)} stops, the longest {max(seconds):.2f} s"


if __name__ == "__main__":
    prove(__doc__, body)
