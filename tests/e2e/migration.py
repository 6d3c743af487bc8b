#!/usr/bin/env python3
"""A journal of version 1 with a million events: killed while it becomes one of this version, it loses nothing.

The file is written here, by the SQL of version 1, with events in every state that version knew. The program is started
and killed again and again while it migrates; then it starts, the books are what they were, event by event, and what
waited is delivered. The migration needs no more memory than a start does.
"""

import hashlib
import json
import sqlite3
import time
import zlib

from harness import prove
from processes import DATASET, Gateway, Sandbox, rss_kib

EVENTS = 1_000_000
EVENTS_QUICK = 100_000
COPIES = 12_345
KILLS = 6

# Memory that a migration may take beside what a start takes, in MiB.
MEMORY_MAX = 64

# What version 1 of the file was, as it was released.
VERSION_1 = """
    CREATE TABLE term (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE event (
        id INTEGER PRIMARY KEY, dataset INTEGER NOT NULL, source INTEGER NOT NULL, name INTEGER NOT NULL,
        test_code INTEGER, identity BLOB NOT NULL, event_id TEXT NOT NULL, action_source INTEGER NOT NULL,
        accepted_ms INTEGER NOT NULL, expires_s INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE body (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, json TEXT NOT NULL) STRICT;
    CREATE TABLE outcome (
        event INTEGER PRIMARY KEY, state INTEGER NOT NULL, at_ms INTEGER NOT NULL, request INTEGER, code INTEGER,
        subcode INTEGER, text TEXT
    ) STRICT;
    CREATE INDEX outcome_dead ON outcome (event) WHERE state > 1;
    CREATE TABLE replay (
        seq INTEGER PRIMARY KEY, event INTEGER NOT NULL, replayed_ms INTEGER NOT NULL, state INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, request INTEGER, code INTEGER, subcode INTEGER, text TEXT
    ) STRICT;
    CREATE TABLE request (
        id INTEGER PRIMARY KEY, dataset INTEGER NOT NULL, test_code INTEGER, sent_ms INTEGER NOT NULL,
        elapsed_ms INTEGER NOT NULL, events INTEGER NOT NULL, bytes INTEGER NOT NULL, status INTEGER NOT NULL,
        code INTEGER, subcode INTEGER, received INTEGER, fbtrace_id TEXT, verdict TEXT NOT NULL
    ) STRICT;
    CREATE TABLE tally (
        hour INTEGER NOT NULL, dataset INTEGER NOT NULL, source INTEGER NOT NULL, name INTEGER NOT NULL,
        state INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (hour, dataset, source, name, state)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE mark (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
"""

# Of a thousand events two were refused, one expired and one was withheld; of the younger half one waits.
ROWS = """
    INSERT INTO term VALUES (1, '{dataset}'), (2, 'shop'), (3, 'Purchase'), (4, 'Lead'), (5, 'website');
    INSERT INTO event
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events})
        SELECT i, 1, 2, 3 + i % 2, NULL, randomblob(16), 'old-' || i, 5,
               ({now_s} - {events} + i) * 1000, {now_s} + 600000, 700 FROM n;
    INSERT INTO outcome
        SELECT id, CASE id % 1000 WHEN 1 THEN 2 WHEN 2 THEN 2 WHEN 3 THEN 3 WHEN 4 THEN 4 ELSE 1 END,
               accepted_ms + 5000, NULL, NULL, NULL, NULL
        FROM event WHERE id % 1000 <> 0 OR id <= {events} / 2;
    INSERT INTO replay (event, replayed_ms, state, at_ms)
        SELECT event, at_ms, 2, at_ms FROM outcome WHERE event % 5000 = 0;
    INSERT INTO tally SELECT accepted_ms / 3600000, dataset, source, name, 0, count(*) FROM event GROUP BY 1, 2, 3, 4;
    INSERT INTO tally SELECT at_ms / 3600000, dataset, source, name, state, count(*)
        FROM outcome JOIN event ON id = event GROUP BY 1, 2, 3, 4, 5;
    INSERT INTO tally VALUES ({now_s} / 3600, 1, 2, 3, 5, {copies});
"""


def waiting_body(event_id, name, now_s):
    email = hashlib.sha256(b"john@example.com").hexdigest()
    return json.dumps({
        "event_name": name, "event_time": now_s - 60, "event_id": event_id, "action_source": "website",
        "event_source_url": "https://shop.example/thanks",
        "user_data": {"em": [email], "client_user_agent": "Mozilla/5.0"},
        "custom_data": {"currency": "EUR", "value": 12.5},
    })


def write_version_1(folder, events):
    """Makes the journal, and returns the ids of the events that wait."""
    folder.mkdir(mode=0o700)
    file = folder / "journal.db"
    file.touch(mode=0o600)
    now_s = int(time.time())
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executescript(
        "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; BEGIN;"
        + VERSION_1 + ROWS.format(dataset=DATASET, events=events, now_s=now_s, copies=COPIES)
    )
    waiting = []
    for key in range(events // 2 + 1000 - events // 2 % 1000, events + 1, 1000):
        body = waiting_body(f"old-{key}", "Lead" if key % 2 else "Purchase", now_s)
        crc = zlib.crc32(key.to_bytes(8, "little") + body.encode())
        connection.execute("INSERT INTO body VALUES (?, ?, ?)", [key, crc, body])
        waiting.append(f"old-{key}")
    for last in [
        f"PRAGMA application_id = {0x534C5543}", "PRAGMA user_version = 1", "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)",
    ]:
        connection.execute(last).fetchall()
    connection.close()
    return set(waiting)


def body(proof):
    events = EVENTS_QUICK if proof.quick else EVENTS
    sandbox = Sandbox(proof)
    gateway = Gateway(proof, sandbox)
    waiting = write_version_1(gateway.journal, events)
    proof.equal(len(waiting), events // 2000, "events that wait")
    in_the_middle = kill_again_and_again(proof, gateway)

    seconds = gateway.start(seconds=120)
    migrating = rss_kib(gateway.process.pid)[1] / 1024
    gateway.drained(60)
    gateway.stop()
    again = gateway.start(seconds=120)
    usual = rss_kib(gateway.process.pid)[1] / 1024
    gateway.stop()
    proof.check(migrating < usual + MEMORY_MAX, f"{migrating:.0f} MiB for a migration, {usual:.0f} for a start")

    audit, recount = gateway.audit(), gateway.recount()
    proof.check(audit["balanced"], f"the books balance, says sluice audit: {audit['problems'][:3]}")
    thousands = events // 1000
    expected = {
        "received": events + COPIES, "accepted": events, "duplicate": COPIES, "rejected": 0, "waiting": 0,
        "delivered": events - 4 * thousands, "refused": 2 * thousands, "expired": thousands, "withheld": thousands,
        "recorded": 0,
    }
    for key, count in expected.items():
        proof.equal((audit[key], recount[key]), (count, count), f"{key}, by both judges")
    ids = sandbox.ids()
    proof.equal(ids.keys(), waiting, "what waited arrived, and nothing else")
    proof.figure("events of version 1", events)
    proof.figure("kills, and those in the middle of the migration", f"{KILLS}, {in_the_middle}")
    proof.figure("start with the migration, and without", f"{seconds:.1f} s, {again:.1f} s")
    proof.figure("memory at most, with the migration and without", f"{migrating:.0f} MiB, {usual:.0f} MiB")


def kill_again_and_again(proof, gateway):
    """Kills the program while it starts. How often the file was still one of version 1 then, with a log beside it."""
    in_the_middle = 0
    for number in range(KILLS):
        gateway.spawn()
        time.sleep(proof.random.uniform(0.05, 0.1 + 0.2 * number))
        gateway.kill()
        has_log = (gateway.journal / "journal.db-wal").exists()
        with gateway.rows() as rows:
            version = rows.execute("PRAGMA user_version").fetchone()[0]
            proof.equal(rows.execute("SELECT count(*) FROM event").fetchone()[0] > 0, True, "the events are there")
        proof.check(version in (1, 2), f"version {version} after a kill")
        in_the_middle += version == 1 and has_log
    return in_the_middle


if __name__ == "__main__":
    prove(__doc__, body)
