"""One program as a process: started, watched through its log, ended by its id."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.lines import whole_lines

START_SECONDS = 60.0
STOP_SECONDS = 60.0


@dataclass
class Program:
    """One process that is started with `--ready-fd` and writes its log to a file."""

    argv: Sequence[str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    said: str = ""  # on the ready descriptor
    environment: Mapping[str, str] = field(default_factory=dict)  # beside our own

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        ours, its = os.pipe()
        with os.fdopen(ours, "rb") as ready, self.log.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    [*self.argv, "--ready-fd", str(its)],
                    env={**os.environ, **self.environment},
                    pass_fds=[its],
                    stdin=subprocess.DEVNULL,
                    stderr=log,
                )
            finally:
                os.close(its)
            self.said = self._answer(ready.fileno())

    def _answer(self, ready: int) -> str:
        until, said = time.monotonic() + START_SECONDS, b""
        while select.select([ready], [], [], max(0.0, until - time.monotonic()))[0]:
            part = os.read(ready, 4096)
            said += part
            if not part or said.endswith(b"\n"):
                break
        if not said:
            self.end()
            raise AssertionError(f"{self.argv[:2]} did not become ready:\n{self.log.read_text()[-4000:]}")
        return said.decode()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None, "not started"
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None, "not started"
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def end(self) -> int:
        """End it as systemd does; the exit status."""
        assert self.process is not None, "not started"
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[:2]} did not stop:\n{self.log.read_text()[-4000:]}") from None

    def memory_bytes(self) -> int:
        """What of it lies in memory now (proc(5), statm)."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """How many it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log that tell of such an event."""
        lines = (line for line in whole_lines(self.log) if line.startswith(b"{"))
        return [line for line in map(json.loads, lines) if line.get("event") == event]
