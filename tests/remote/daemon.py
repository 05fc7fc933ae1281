"""Starts the real daemon in a folder of its own for the other scripts here. Knows no expected
result."""

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

LONG_S = 20.0


class Daemon:
    """A running daemon. The words in `before` precede its command, for example to run it
    elsewhere."""

    def __init__(
        self, program: str, before: list[str] = [], args: list[str] = [], **environment: str
    ) -> None:
        self.program = program
        self.folder = tempfile.TemporaryDirectory()
        self.log = Path(self.folder.name, "log")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.folder.name,
            "TIMBRED_LOG": "info,tract=error",
            "TIMBRED_REMOTE__PORT": "0",
            "TIMBRED_OSC__PORT": "0",
            **environment,
        }
        command = [*before, program, "--audio", "null", *args]
        self.process = subprocess.Popen(command, env=environment, stderr=self.log.open("w"))
        wait("ready", lambda: "ready: " in self.log.read_text(), 60)
        text = self.log.read_text()
        self.osc = int(re.search(r"OSC: \S*:(\d+)", text)[1])
        self.http = int(re.search(r"panel: http://\S*?:(\d+)/", text)[1])

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        assert self.process.wait(10) == 0, self.log.read_text()
        self.folder.cleanup()

    def status(self) -> dict:
        """The status that timbrectl prints."""
        program = self.program.removesuffix("timbred") + "timbrectl"
        words = ["--port", str(self.osc), "--timeout-ms", "10000", "--json", "status"]
        ran = subprocess.run([program, *words], check=True, capture_output=True, text=True)
        return json.loads(ran.stdout)

    def memory_kb(self) -> int:
        """The memory that it uses."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def wait(what: str, is_so, seconds: float = LONG_S):
    """Waits until a condition is true."""
    until = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < until, f"{what} does not come"
        time.sleep(0.05)
    return found
