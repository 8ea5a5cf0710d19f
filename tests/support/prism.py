"""Prism: a server that answers as a vendor's own description of its API says, and refuses what does not."""

import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.places import free_port

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / ".dev" / "documents" / "node_modules" / ".bin" / "prism"
FOLDER = Path(os.environ.get("OPENAPI_DIR") or "/nowhere")
_START_SECONDS = 120.0
_VIOLATION = re.compile(r"Violation: (request\S*) (.*)")


class Prism:
    """One that runs."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log
        self._read = 0

    def violations(self) -> list[str]:
        """What was wrong with the requests since this was asked last."""
        text = self._log.read_text(errors="replace")
        new, self._read = text[self._read :], len(text)
        return [f"{place} {what}" for place, what in _VIOLATION.findall(new)]


@contextmanager
def answering(document: Path, folder: Path) -> Iterator[Prism]:
    """A Prism for that document, while entered; its log lies in the folder."""
    log, port = folder / f"{document.name}.log", free_port()
    with log.open("w") as out:
        words = [str(COMMAND), "mock", "--host", "127.0.0.1", "--port", str(port), str(document)]
        process = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        _wait(process, log, port)
        yield Prism(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: "subprocess.Popen[bytes]", log: Path, port: int) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"Prism does not start: {log.read_text()[-2000:]}")
