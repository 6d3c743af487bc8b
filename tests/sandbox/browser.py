"""A page in Chromium, driven over the two pipes of its DevTools protocol: no driver and no port."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from processes import until  # noqa: E402

# Chromium reads commands from the first and writes answers to the second.
COMMANDS, ANSWERS = 3, 4


def _pipe():
    """Both ends, above the numbers that Chromium expects."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high


class Page:
    """A tab with one page. Its profile is in the folder."""

    def __init__(self, folder, url):
        commands, self._write = _pipe()
        self._read, answers = _pipe()

        def connect():
            os.dup2(commands, COMMANDS)
            os.dup2(answers, ANSWERS)

        arguments = [
            "chromium", "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--remote-debugging-pipe", f"--user-data-dir={folder}/profile", "about:blank",
        ]
        if os.geteuid() == 0:
            # Its own sandbox does not work for root, as in a container.
            arguments.insert(1, "--no-sandbox")
        with open(Path(folder) / "chromium.log", "wb") as log:
            self._child = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=connect,
                pass_fds=(COMMANDS, ANSWERS),
            )
        os.close(commands)
        os.close(answers)
        self._number, self._rest, self._session = 0, b"", None
        target = self._call("Target.createTarget", url=url)["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            # Between the answers come events, which are not needed here.
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self):
        while b"\0" not in self._rest:
            read = os.read(self._read, 1 << 16)
            if not read:
                raise RuntimeError("Chromium has ended; its log is beside its profile")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def run(self, script):
        """What a script in the page results in, as JSON can say it."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, script, what):
        """Waits until a script results in something true. While a page is left for another, scripts may fail."""

        def holds():
            try:
                return self.run(script)
            except RuntimeError:
                if self._child.poll() is not None:
                    raise
                return None

        return until(holds, 60, what, pause=0.05)

    def close(self):
        self._child.kill()
        self._child.wait()
        os.close(self._write)
        os.close(self._read)
