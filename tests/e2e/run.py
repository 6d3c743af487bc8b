#!/usr/bin/env python3
"""Runs the proofs one after the other, and sums them up. Exit 1 when a promise was broken.

With --document FILE the figures go into that file, between its two marks.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from harness import SKIPPED, shown
from processes import SLUICE

HERE = Path(__file__).resolve().parent
PROOFS = [
    "kill", "synced", "restarts", "bad_day", "bad_neighbours", "disk_full", "clocks", "slow_clients", "operations",
    "configurations", "privacy", "migration",
]
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def run(name, options):
    """The last line of a proof is its result as JSON; the others are shown while it runs."""
    command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if options.quick else [])]
    if options.seed is not None:
        command += ["--seed", str(options.seed)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    result = None
    for line in child.stdout:
        if line.startswith('{"proof"'):
            result = json.loads(line)
        else:
            print(line, end="", flush=True)
    code = child.wait()
    if result is None:
        broken = [f"it ended with {code} and without a result"]
        result = {"proof": name, "passed": False, "figures": {}, "broken": broken, "checks": 0, "seconds": 0}
    if code not in (0, SKIPPED):
        result["passed"] = False
    print(flush=True)
    return result


def word(result):
    return {True: "passed", False: "FAILED", None: "SKIPPED, NOT PROVEN"}[result["passed"]]


def machine():
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores, {cpu.partition(':')[2].strip() or 'unknown processor'}"


def document(file, results):
    """Writes the figures between the marks of a file."""
    version = subprocess.run([SLUICE, "--version"], capture_output=True, text=True).stdout.strip()
    lines = [BEGIN, "", f"Run of {date.today().isoformat()}: {version}, {machine()}.", ""]
    for result in results:
        lines += [f"### `{result['proof']}.py`: {word(result)}", ""]
        if result["passed"] is None:
            lines += [f"Skipped: {result['skipped']}.", ""]
        if result.get("broken"):
            lines += [*(f"- broken: {escaped(promise)}" for promise in result["broken"]), ""]
        if result["figures"]:
            lines += ["| figure | value |", "|---|---|"]
            lines += [f"| {escaped(name)} | {escaped(shown(value))} |" for name, value in result["figures"].items()]
            lines += ["", f"{result['checks']} checks in {result['seconds']} s.", ""]
    text = file.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(before + "\n".join(lines) + END + after)


def escaped(text):
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller and shorter, for every change")
    parser.add_argument("--seed", type=int, help="the same for every proof")
    parser.add_argument("--document", type=Path, metavar="FILE", help="write the figures into this file")
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=f"some of {', '.join(PROOFS)} [default: all]")
    options = parser.parse_args()
    if unknown := set(options.proofs) - set(PROOFS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    begin = time.monotonic()
    results = [run(name, options) for name in options.proofs or PROOFS]
    if options.document:
        document(options.document, results)
    for result in results:
        print(f"{result['proof']:<16}{word(result)}")
        for promise in result.get("broken", []):
            print(f"{'':<16}{promise[:200]}")
    count = [sum(result["passed"] is wanted for result in results) for wanted in (True, False, None)]
    skipped = f", {count[2]} skipped" if count[2] else ""
    print(f"\nin {time.monotonic() - begin:.0f} s")
    print(f"{count[0]} passed, {count[1]} failed{skipped}")
    return 1 if count[1] else 0


if __name__ == "__main__":
    sys.exit(main())
