"""Compares `sluice hash --jsonl` with Meta's own packages on a generated corpus. Exit 1 when they differ."""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from departures import rewritten

HERE = Path(__file__).resolve().parent
PEERS = ["python", "node", "builder"]
SHOWN = 20


def run(command, lines=(), **environment):
    """Sends the lines to a program and reads one answer for each."""
    done = subprocess.run(
        command, input="".join(lines).encode(), stdout=subprocess.PIPE, env={**os.environ, **environment}
    )
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}")
    # Not splitlines(): values may hold other line separators.
    answers = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    if lines and len(answers) != len(lines):
        sys.exit(f"{command} answered {len(answers)} of {len(lines)} lines")
    return answers


def line(case):
    return json.dumps(case) + "\n"


def collect(options):
    """The corpus with, per case, the answers to it and to its rewritten value (see departures.py)."""
    size = ["--per-field", str(options.per_field), "--seed", options.seed]
    cases = run([options.python, str(HERE / "generate.py"), *size])
    for case in cases:
        case["instead"], case["reasons"] = rewritten(case["field"], case["value"])

    def sent(case, key):
        shown = {"field": case["field"], "value": case[key]}
        return line({**shown, "country": case["country"]} if "country" in case else shown)

    asked = [sent(case, "value") for case in cases]
    again = [case for case in cases if case["reasons"] and case["instead"] is not None]
    with ThreadPoolExecutor() as pool:
        sluice = pool.submit(run, [options.sluice, "hash", "--jsonl"], asked)
        google = pool.submit(run, [options.python, str(HERE / "phones.py")], asked)
        asked_peers = asked + [sent(case, "instead") for case in again]
        python = pool.submit(run, [options.python, str(HERE / "python_sdk.py")], asked_peers)
        node = pool.submit(run, ["node", str(HERE / "node_sdks.mjs")], asked_peers, NODE_PATH=options.node_modules)
        peers = [{**one, **two} for one, two in zip(python.result(), node.result())]
        for case, ours, phone, theirs in zip(cases, sluice.result(), google.result(), peers):
            case |= {"sluice": ours["sha256"], "peers": theirs, **phone}
            if ours["field"] != case["field"]:
                sys.exit(f"Sluice's answers are out of order: {ours['field']} for {case}")
    for case, theirs in zip(again, peers[len(cases):]):
        case["peers_instead"] = theirs
    return cases


def common(peers):
    """The answer that all packages handling the field give, in a list; an empty list when they disagree."""
    answers = {answer for answer in peers.values() if answer != "not handled"}
    return list(answers) if len(answers) == 1 and "raises" not in answers else []


def without_raising(answer):
    """To raise and to drop are both a refusal."""
    return None if answer == "raises" else answer


def departs(case):
    """Whether Sluice answers what the packages answer for the value that the departures ask for."""
    if not case["reasons"]:
        return False
    if case["instead"] is None:
        return case["sluice"] is None
    peers = case["peers_instead"]
    return case["sluice"] in (common(peers) or map(without_raising, peers.values()))


def judge(cases):
    table, reasons, sides = (defaultdict(Counter) for _ in range(3))
    failures = defaultdict(list)
    for case in cases:
        field, ours = case["field"], case["sluice"]
        # Sluice passes an appendix on; it is not part of the hash.
        ours = case["sluice"] = ours and ours.split(".")[0]
        row, agreed = table[field], common(case["peers"])
        if not agreed:
            row["peers disagree"] += 1
            same = [name for name in PEERS if without_raising(case["peers"][name]) == ours]
            same += ["google"] if case["google"] == ours else []
            sides[field].update(same or ["nobody"])
            continue
        row["compared"] += 1
        if ours == agreed[0] or ours == case["google"]:
            row["agreed"] += 1
        elif departs(case):
            row["departures"] += 1
            for reason in case["reasons"]:
                reasons[reason][field] += 1
        else:
            row["failed"] += 1
            failures[field].append(case)
    return table, reasons, sides, failures


def report(table, reasons, sides, failures):
    for field, cases in failures.items():
        print(f"{field}: {len(cases)} differ")
        for case in cases[:SHOWN]:
            print(f"  {case['value']!r} country={case.get('country')}")
            answers = {**case["peers"], "google": case["google"], "sluice": case["sluice"]}
            print(*(f"    {name:8}{answer}" for name, answer in answers.items()), sep="\n")
    columns = ["compared", "agreed", "departures", "failed", "peers disagree"]
    print(f"{'field':12}" + "".join(f"{name:>16}" for name in columns) + "  of those Sluice sides with")
    for field, row in table.items():
        allies = ", ".join(f"{name} {count}" for name, count in sides[field].most_common())
        print(f"{field:12}" + "".join(f"{row[name]:16}" for name in columns) + f"  {allies}")
    for reason, fields in reasons.items():
        where = ", ".join(f"{field} {count}" for field, count in fields.items())
        print(f"departure used {fields.total()} times: {reason} ({where})")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sluice", required=True, help="the sluice program")
    options.add_argument("--python", required=True, help="a Python with requirements.txt installed")
    options.add_argument("--node-modules", required=True, help="the folder npm installed package.json into")
    options.add_argument("--per-field", type=int, default=3000)
    options.add_argument("--seed", default="1")
    options = options.parse_args()
    options.node_modules = os.path.abspath(options.node_modules)

    table, reasons, sides, failures = judge(collect(options))
    report(table, reasons, sides, failures)
    failed = sum(row["failed"] for row in table.values())
    passed = sum(row["agreed"] + row["departures"] for row in table.values())
    print(f"{passed} passed, {failed} failed")
    # A field in which nothing could be compared proves nothing.
    sys.exit(failed > 0 or not all(row["compared"] for row in table.values()))


if __name__ == "__main__":
    main()
