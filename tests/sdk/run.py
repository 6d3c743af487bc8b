#!/usr/bin/env python3
"""Do Meta's own SDKs work with Sluice when nothing but the host is changed?

The SDKs for Python and Node send the same events twice: straight to a sandbox that answers as Meta does, and by way of
a gateway to the same sandbox. What they give back to their users has to be the same, and what arrives has to be the
same field by field, but for what is meant (`fields.py`). Those for PHP, Java and Ruby cannot be installed here: their
requests are written by hand (`by_hand.py`). The examples of docs/sdks.md are run as they stand there.

Needs what `scripts/prepare peers` installs. SLUICE names another program than target/release/sluice.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import by_hand
from fields import Comparison, key_of
from stage import APP_SECRET, NOBODYS, ROOT, SLUICE, STRAIGHT, VIA, Late, Stage, ask, until

HERE = Path(__file__).resolve().parent
GUIDE = ROOT / "docs/sdks.md"
UNKNOWN_PATH = {"kind": "FacebookRequestError", "status": 404, "code": 2500, "type": "OAuthException"}
BAD = {
    "kind": "FacebookRequestError", "status": 400, "code": 100, "type": "OAuthException", "message": "Invalid parameter"
}

# What an SDK has to raise. `texts` have to be in the message for the user.
ERRORS = {
    "wrong_token": {
        "kind": "FacebookRequestError", "status": 401, "code": 190, "subcode": None, "type": "OAuthException"
    },
    # This is how the SDK takes any error of Meta's: it looks for a key that only a success has.
    "wrong_token_asynchronous": {"kind": "KeyError", "message": "'fbtrace_id'"},
    "unknown_dataset": {
        "kind": "FacebookRequestError", "status": 400, "code": 100, "subcode": 33, "type": "GraphMethodException"
    },
    "all_bad": {**BAD, "subcode": 2_804_003, "texts": ["data[0].event_time", "data[1].event_time", "30 days ago"]},
    "no_value": {**BAD, "subcode": 2_804_009, "texts": ["data[0].custom_data", "value"]},
    "graph_batch": UNKNOWN_PATH,
    "read_the_dataset": UNKNOWN_PATH,
    "read_an_edge": UNKNOWN_PATH,
}
# What Meta answers in its own way here: Sluice only has to be told apart from a success.
NOT_AS_STRAIGHT = {"graph_batch", "read_the_dataset", "read_an_edge"}
# What Meta does with several `data` fields, or with `extinfo` as an object, is not known: nothing to compare with.
ONLY_VIA = {("python", "custom_client_form"), ("node", "app_event")}
# What Sluice tells about events that it takes, and Meta does not: how each message begins. Elsewhere there is none.
MESSAGES = {
    ("python", "without_id"): ["warning at data[0]: the event has no event_id; its order_id was taken; "],
    ("node", "without_id"): ["warning at data[0]: the event has no event_id; its order_id was taken; "],
    ("node", "limited_data_use"): ["warning at data[0]: limited data use without a state "],
    ("node", "app_event"): ["repaired at data[0].app_data.extinfo: an object with numbered keys; "],
}
NO_ANSWER = {
    "python": {"stopped": {"kind": "ConnectionError"}, "stopped_asynchronous": {"kind": "ClientConnectorError"}},
    "node": {
        "stopped": {
            "kind": "FacebookRequestError", "status": None,
            "message": "The request was made but no response was received",
        }
    },
}


class Table:
    """What was checked, by client and case."""

    def __init__(self):
        self.rows, self.failures = {}, []

    def check(self, row, holds, text):
        cells = self.rows.setdefault(row, {"events": 0, "fields": 0, "passed": 0, "failed": 0})
        cells["passed" if holds else "failed"] += 1
        if not holds:
            self.failures.append(f"{row[0]}, {row[1]}: {text}")
        return holds

    def equal(self, row, found, expected, text):
        return self.check(row, found == expected, f"{text}: {found!r}, not {expected!r}")

    def like(self, row, found, expected, text):
        """That an object has these members, and that its user's message has these texts."""
        found = found or {}
        same = {name: found.get(name, "nothing") for name in expected if name != "texts"}
        self.equal(row, same, {name: value for name, value in expected.items() if name != "texts"}, text)
        for part in expected.get("texts", []):
            self.check(row, part in (found.get("told") or ""), f"{text} tells of {part!r}: {found.get('told')!r}")

    def count(self, row, events=0, fields=0):
        self.rows[row]["events"] += events
        self.rows[row]["fields"] += fields

    def print(self):
        print(f"{'client':14}{'case':28}{'events':>7}{'fields':>8}{'checks':>8}  result")
        for (client, case), cells in self.rows.items():
            events, fields = cells["events"] or "", cells["fields"] or ""
            checks, result = cells["passed"] + cells["failed"], "FAILED" if cells["failed"] else "ok"
            print(f"{client:14}{case:28}{events:>7}{fields:>8}{checks:>8}  {result}")


class Test:
    def __init__(self, options):
        self.table, self.comparison, self.stage = Table(), Comparison(), Stage()
        self.commands = {
            "python": [options.python, HERE / "python_client.py"], "node": ["node", HERE / "node_client.mjs"]
        }
        self.environment = {**os.environ, "NODE_PATH": str(Path(options.node_modules).resolve())}
        self.now = int(time.time()) - 60
        # Rows to which events belong that have to arrive, by event id.
        self.expected = {}

    def plan(self, way, **more):
        stage = self.stage
        if way == "via":
            where = {"graph": stage.gateway.base, "dataset": VIA, "token": stage.key, "proved_token": stage.key}
        else:
            where = {
                "graph": stage.sandbox.base, "dataset": STRAIGHT, "token": stage.straight_token,
                "proved_token": stage.proved_token,
            }
        return {**where, "other_dataset": NOBODYS, "app_secret": APP_SECRET, "now": self.now, "cases": None, **more}

    def program(self, command, text="", seconds=50):
        return subprocess.run(
            command, input=text, capture_output=True, text=True, encoding="utf-8", env=self.environment, timeout=seconds
        )

    def client(self, name, way, **more):
        """Has a client run its cases; what became of each."""
        done = self.program(self.commands[name], json.dumps(self.plan(way, **more)))
        if done.returncode != 0:
            raise RuntimeError(f"the {name} client ended with {done.returncode}:\n{done.stderr[-3000:]}")
        results = [json.loads(line) for line in done.stdout.splitlines()]
        return {result["case"]: result for result in results}

    def clients(self):
        with ThreadPoolExecutor(2) as pool:
            for name in self.commands:
                straight, via = pool.map(lambda way: self.client(name, way), ["straight", "via"])
                for case in via:
                    self.case(name, case, straight[case], via[case])

    def case(self, name, case, straight, via):
        row = (name, case)
        if case == "partly_bad":
            return self.partly_bad(row, straight, via)
        if case in ERRORS:
            self.table.like(row, via.get("error"), ERRORS[case], "the error")
            if case not in NOT_AS_STRAIGHT:
                names = {"kind", "status", "code", "subcode", "type", "trace"}
                same = {key: value for key, value in straight.get("error", {}).items() if key in names}
                self.table.like(row, via.get("error"), same, "the error is Meta's")
            return None
        if row not in ONLY_VIA and "error" in straight:
            # The SDK does what Meta's rules refuse. Then it has to be refused alike.
            same = {key: straight["error"].get(key) for key in ["kind", "status", "code", "subcode"]}
            return self.table.like(row, via.get("error"), same, "refused as Meta refuses it")
        if not self.table.check(row, "error" not in via, f"raised {via.get('error')}"):
            return None
        self.expected |= dict.fromkeys(via["ids"], row)
        self.messages(row, via.get("answer"))
        if row not in ONLY_VIA:
            self.table.equal(row, via["answer"], straight["answer"], "the answer is Meta's")
        if case != "batches_without_answers":
            sent = 2 if case == "sent_twice" else len(via["ids"])
            answer = {"received": sent, "messages": [], "trace": True}
            self.table.like(row, via["answer"], answer, "the answer")
        return None

    def messages(self, row, answer):
        """Takes the messages that are meant out of an answer; the rest has to be as Meta's."""
        said = (answer or {}).get("messages") or []
        begins = MESSAGES.get(row, [])
        fits = len(said) == len(begins) and all(map(str.startswith, said, begins))
        if self.table.check(row, fits, f"what is told: {said}") and begins:
            answer["messages"] = []

    def partly_bad(self, row, straight, via):
        """The one case in which Sluice means to answer otherwise than Meta."""
        self.table.like(row, straight.get("error"), {**BAD, "subcode": 2_804_050}, "Meta refuses the whole request")
        answer = via.get("answer") or {}
        self.table.like(row, answer, {"received": 2, "trace": True}, "the good events are taken")
        messages = answer.get("messages") or []
        named = len(messages) == 1 and messages[0].startswith("data[1] was not taken: ")
        self.table.check(row, named, f"the bad event is named: {messages}")
        self.expected |= dict.fromkeys([via["ids"][0], via["ids"][2]], row)

    def crashes(self):
        """The crash reporters of both SDKs follow the host. They are answered, once, and nothing is sent on."""
        before = json.loads(self.stage.sandbox.read("/sandbox/stats"))["requests"]
        for name, status in [("python", "404"), ("node", "200")]:
            row, answered = (name, "crash_reporter"), self.stage.answered("other", status)
            try:
                done = self.program([*self.commands[name], "crash"], json.dumps(self.plan("via")), seconds=15)
            except subprocess.TimeoutExpired:
                self.table.check(row, False, "the program of the user does not end")
                continue
            asked = self.stage.answered("other", status) - answered
            self.table.equal(row, asked, 1, "requests of the crash reporter")
            if name == "python":
                # The user's program ends as it would have, with its own error.
                self.table.equal(row, done.returncode, 1, "the exit code")
                self.table.check(row, '"code": 190' in done.stderr, f"the error is shown: {done.stderr[-500:]}")
            else:
                # With Meta, too, this SDK swallows the error once it was told of the token.
                self.table.equal(row, done.returncode, 0, "the exit code")
        stats = json.loads(self.stage.sandbox.read("/sandbox/stats"))
        self.table.equal(("node", "crash_reporter"), stats["requests"], before, "requests that reached Meta")

    def by_hand(self):
        """The SDKs that cannot be installed here."""
        for shape in by_hand.SHAPES:
            row = ("by hand", shape.__name__)
            ids = [f"hand-{shape.__name__}-{number}" for number in (1, 2)]
            events = [by_hand.event(event_id, self.now) for event_id in ids]
            path, headers, body = shape(STRAIGHT, self.stage.straight_token, events)
            # Meta itself has no such path.
            path = re.sub("^/capi/(.*)", rf"/v26.0/\1?access_token={self.stage.straight_token}", path)
            status, _, said = ask(self.stage.sandbox.base, "POST", path, body, headers)
            self.table.equal(row, (status, json.loads(said)["events_received"]), (200, 2), "straight")
            path, headers, body = shape(VIA, self.stage.key, events)
            status, got, said = ask(self.stage.gateway.base, "POST", path, body, headers)
            if path.startswith("/capi/"):
                self.table.equal(row, status, 202, "the status")
            else:
                answer = json.loads(said) if status == 200 else {}
                self.table.like(row, answer, {"events_received": 2, "messages": []}, f"the answer {said!r}")
                self.table.check(row, answer.get("fbtrace_id"), "the answer has a fbtrace_id")
                self.table.equal(row, got["Content-Type"], "application/json", "the content type")
            self.expected |= dict.fromkeys(ids, row)
            # A wrong token: PHP and Ruby read `error`, the gateway endpoints want anything but 202.
            path, headers, body = shape(VIA, "nobody", events)
            status, _, said = ask(self.stage.gateway.base, "POST", path, body, headers)
            error = json.loads(said).get("error", {})
            found = (status, error.get("code"), error.get("type"))
            self.table.equal(row, found, (401, 190, "OAuthException"), "a wrong token")

    def in_the_clear(self):
        """Who does not hash gets what no SDK gives: Meta refuses clear values, and Sluice hashes them by E.164."""
        row, agent = ("by hand", "in_the_clear"), {"client_user_agent": "Mozilla/5.0"}
        user = {"em": " Jane.Doe@Example.com", "ph": "+49 (0) 30 901820", "country": "Germany", **agent}
        event = by_hand.event("hand-in_the_clear-1", self.now, user_data=user)
        path, headers, body = by_hand.java_gateway(VIA, self.stage.key, [event])
        status, _, _ = ask(self.stage.gateway.base, "POST", path, body, headers)
        self.table.equal(row, status, 202, "the status")
        self.expected[event["event_id"]] = row
        clear = {"em": "jane.doe@example.com", "ph": "4930901820", "country": "de"}
        return {**{name: [by_hand.hashed(value)] for name, value in clear.items()}, **agent}

    def guide(self):
        """The examples of the guide, as they stand there."""
        programs = {"python": (self.commands["python"][0], "py"), "js": ("node", "cjs")}
        blocks = re.findall(r"^```(python|js)\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
        for number, (language, text) in enumerate(blocks, 1):
            row = ("docs/sdks.md", f"example {number}, {language}")
            for placeholder, value in [
                ("https://sluice.example.com", self.stage.gateway.base), ("SOURCE_KEY", self.stage.key),
                ("1234567890123456", VIA), ("order-1042", f"guide-{number}"),
            ]:
                text = text.replace(placeholder, value)
            program, suffix = programs[language]
            file = self.stage.folder / f"example-{number}.{suffix}"
            file.write_text(text)
            done = self.program([program, file])
            self.table.equal(row, (done.returncode, done.stdout), (0, "1 received\n"), f"the output {done.stderr}")
            self.expected[f"guide-{number}"] = row
        languages = {language for language, _ in blocks}
        self.table.equal(("docs/sdks.md", "languages"), languages, set(programs), "the guide has examples for both")

    def arrivals(self, clear):
        """Every event arrived once, nothing else did, and all of it as it came straight."""
        try:
            until(lambda: self.expected.keys() <= self.stage.ids(VIA).keys(), 20, "all events arrive")
            self.stage.drained()
        except Late as late:
            self.table.check(("all", "arrivals"), False, str(late))
        everywhere = ("all", "arrivals")
        counts = self.stage.ids(VIA)
        strange = sorted(counts.keys() - self.expected.keys())
        self.table.check(everywhere, not strange, f"{len(strange)} events that nobody was told of: {strange[:5]}")
        for event_id, row in self.expected.items():
            self.table.equal(row, counts.get(event_id), (1, 1), f"how often {event_id} came and counts")
        arrived = {VIA: {}, STRAIGHT: {}}
        for received in self.stage.received():
            if received["refused"] is None:
                arrived[received["dataset"]].setdefault(key_of(received["event"]), received)
        compared = 0
        for event_id, row in self.expected.items():
            if not (via := arrived[VIA].get(event_id)):
                continue
            self.table.count(row, events=1)
            test_code = "TEST4711" if row[1] == "test_code" else None
            self.table.equal(row, via["test_event_code"], test_code, "test_event_code")
            self.table.equal(row, via["remarks"], [], "Meta has no remarks")
            if straight := arrived[STRAIGHT].get(event_id):
                fields, differences = self.comparison.differences(straight["event"], via["event"])
                self.table.check(row, not differences, f"{event_id} differs: {differences}")
                self.table.count(row, fields=fields)
                compared += 1
        # What was sent by way of Sluice only.
        alone = {event_id for event_id in self.expected if event_id not in arrived[STRAIGHT]}
        rows = {self.expected[event_id] for event_id in alone}
        meant = {row for row in rows if row[0] == "docs/sdks.md" or row[1] in ("in_the_clear", "partly_bad")} | ONLY_VIA
        self.table.check(everywhere, rows <= meant, f"nothing to compare with: {rows - meant}")
        self.table.check(everywhere, compared > 1_000, f"only {compared} events were compared")
        user = arrived[VIA].get("hand-in_the_clear-1", {}).get("event", {}).get("user_data")
        self.table.equal(("by hand", "in_the_clear"), user, clear, "the hashes")

    def stopped(self):
        """A gateway that is not there is no success."""
        self.table.equal(("all", "arrivals"), self.stage.gateway.stop(), 0, "the gateway's exit code")
        for name, cases in NO_ANSWER.items():
            for case, result in self.client(name, "via", cases=list(cases)).items():
                self.table.like((name, case), result.get("error"), cases[case], "the error")

    def run(self):
        self.clients()
        self.crashes()
        self.by_hand()
        clear = self.in_the_clear()
        self.guide()
        self.arrivals(clear)
        self.stopped()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--python", default=ROOT / ".test/py/bin/python", help="a Python with Meta's SDK")
    options.add_argument("--node-modules", default=ROOT / ".test/node/node_modules", help="where Meta's Node SDK is")
    options.add_argument("--keep", action="store_true", help="keep the folder of the run")
    options = options.parse_args()
    for needed, remedy in [
        (SLUICE, "cargo build --release -p sluice, or set SLUICE"), (Path(options.python), "scripts/prepare peers"),
        (Path(options.node_modules) / "facebook-nodejs-business-sdk", "scripts/prepare peers"),
    ]:
        if not needed.exists():
            sys.exit(f"there is no {needed}: {remedy}")
    began = time.monotonic()
    test = Test(options)
    try:
        test.run()
    except (Late, RuntimeError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        test.table.check(("all", "the test"), False, f"could not go on: {type(error).__name__}: {error}")
    table = test.table
    table.print()
    for reason, uses in test.comparison.reasons.items():
        print(f"meant to differ, in {uses} events: {reason}")
    for failure in table.failures[:40]:
        print(f"FAILED {failure}")
    if table.failures or options.keep:
        print(f"the run's folder: {test.stage.folder}")
    else:
        shutil.rmtree(test.stage.folder, ignore_errors=True)
    passed = sum(cells["passed"] for cells in table.rows.values())
    failed = sum(cells["failed"] for cells in table.rows.values())
    print(f"took {time.monotonic() - began:.1f} s")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
