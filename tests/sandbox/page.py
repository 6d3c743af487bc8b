#!/usr/bin/env python3
"""The sandbox's page as a person sees it, in a browser: the columns, the filters, and forgetting what arrived.

Needs what `scripts/prepare` installs. SLUICE names another program than target/release/sluice.
"""

import json
import os
import subprocess
import tempfile
import time

from browser import Page  # which makes the next module known
from processes import DATASET, SLUICE, Process, ask, free_port, until

EMAIL, PHONE = "jane.doe@example.com", "+491701234567"
# What stands in the columns of each row, from the top.
ROWS = """[...document.querySelectorAll("#arrived > .row")].map((row) =>
  ["name", "value", "source", "verdict"].map((column) => row.querySelector("." + column)?.textContent ?? null))"""
PURCHASE = ["Purchase", "1,299.50 EUR", "website", "received"]
LEAD = ["Lead", "", "physical_store", "received"]
COPY = ["Lead", "", "physical_store", "duplicate of #2"]
REFUSED = ["Purchase", "EUR", "website", "refused"]


class Sandbox:
    """A sandbox of its own, and what sends events to it."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        arguments = [str(SLUICE), "sandbox", "--listen", f"127.0.0.1:{self.port}", "--dataset", DATASET]
        self.process = Process(arguments, f"{folder}/sandbox.log")
        until(self._answers, 60, "the sandbox answers")

    def _answers(self):
        try:
            return ask(self.port, "GET", "/sandbox/stats")[0] == 200
        except OSError:
            return False

    def send(self, *arguments):
        """An event with contact data, sealed by the program."""
        command = [str(SLUICE), "send", "--graph-url", self.url, "--dataset", DATASET, *arguments]
        command += ["--user", f"em={EMAIL}", "--user", f"ph={PHONE}"]
        subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, "META_ACCESS_TOKEN": "EAABtoken"}
        )

    def post_without_value(self):
        """A purchase that Meta refuses."""
        event = {
            "event_name": "Purchase", "event_time": int(time.time()), "event_id": "order-18",
            "action_source": "website", "user_data": {"fbp": "fb.1.1700000000000.1"}, "custom_data": {"currency": "EUR"},
        }
        body = json.dumps({"data": [event], "access_token": "EAABtoken"})
        status, _, _ = ask(
            self.port, "POST", f"/v26.0/{DATASET}/events", body, {"Content-Type": "application/json"}
        )
        assert status == 400, status


def shows(page, rows, what):
    """Waits until the page shows just these rows. Contact data is nowhere in it, in rows that are closed neither."""
    expected = json.dumps(rows)
    try:
        page.until(f"JSON.stringify({ROWS}) === JSON.stringify({expected})", what)
    except Exception as error:
        raise AssertionError(f"{what}: the page shows {page.run(ROWS)} and not {rows}") from error
    html = page.run("document.documentElement.outerHTML")
    for clear in (EMAIL, "jane.doe", PHONE, PHONE.lstrip("+")):
        assert clear not in html, f"{what}: contact data is on the page"


def choose(page, name, verdict):
    """Fills in the filter and shows what is like it."""
    page.run(
        f"""const form = document.querySelector("form[action='/sandbox']");
        form.elements.name.value = {json.dumps(name)};
        form.elements.verdict.value = {json.dumps(verdict)};
        form.requestSubmit();"""
    )


def look(page, sandbox):
    shows(page, [LEAD, PURCHASE], "what has arrived")
    # What comes later appears by itself.
    sandbox.send("--name", "Lead", "--id", "lead-1", "--action-source", "physical_store")
    shows(page, [COPY, LEAD, PURCHASE], "an event that came later")
    sandbox.post_without_value()
    shows(page, [REFUSED, COPY, LEAD, PURCHASE], "a refused event")
    for name, verdict, rows in [
        ("lead", "", [COPY, LEAD]),
        ("", "duplicate", [COPY]),
        ("", "refused", [REFUSED]),
        ("purch", "received", [PURCHASE]),
        ("nothing", "", []),
        ("", "", [REFUSED, COPY, LEAD, PURCHASE]),
    ]:
        choose(page, name, verdict)
        shows(page, rows, f"the filter {name!r}, {verdict!r}")
    page.run("document.getElementById('clear').click()")
    shows(page, [], "nothing, after it was told to forget")
    page.until("document.getElementById('nothing').textContent.includes('Nothing yet')", "that nothing is there")


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sandbox = Sandbox(folder)
        sandbox.send("--name", "Purchase", "--id", "order-17", "--value", "1299.50", "--currency", "EUR",
                     "--action-source", "website", "--url", "https://shop.example/thanks")
        sandbox.send("--name", "Lead", "--id", "lead-1", "--action-source", "physical_store")
        page = Page(folder, f"{sandbox.url}/sandbox")
        try:
            look(page, sandbox)
        finally:
            page.close()
            sandbox.process.kill()
    print("columns, filters and forgetting work, without contact data on the page")


if __name__ == "__main__":
    main()
