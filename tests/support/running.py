"""Wand as a person starts it: `wand-server embedded` as a real process."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.processes import descendants
from support.waiting import is_alive

COMMAND = Path(sys.executable).parent / "wand-server"
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A Wand that answers: where, with which key, for which folder, and all that it printed."""

    url: str
    key: str
    workspace: Path
    state: Path
    printed: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@contextlib.contextmanager
def embedded(
    workspace: Path, state: Path, *more: str | Path, command: Sequence[str | Path] = (COMMAND,)
) -> Iterator[Running]:
    """Start Wand for a folder; when the block is left, end it and check that nothing of it is left."""
    argv: list[str | Path] = [*command, "embedded", workspace, "--state", state, "--port", "0", *more]
    with (state.parent / "embedded.log").open("wb") as log:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    try:
        printed = _read_until_ready(child, state.parent / "embedded.log")
        url = re.search(r"http://127\.0\.0\.1:\d+/mcp", printed)
        key = re.search(r"Bearer (wand_[A-Za-z0-9_-]{16,})", printed)
        assert url, printed
        assert key, printed
        yield Running(
            url=url[0], key=key[1], workspace=workspace, state=state, printed=printed, pid=child.pid
        )
    finally:
        family = descendants(child.pid)
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_STOP_SECONDS)
        finally:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()
    assert not still_alive(family)


def stdio_command(workspace: Path) -> list[str]:
    """The command that is a Wand of its own on stdin and stdout; its state lies beside the workspace."""
    state = workspace.with_name(f"{workspace.name}-state")
    return [str(COMMAND), "stdio", "--embedded", str(workspace), "--state", str(state)]


def _read_until_ready(child: subprocess.Popen[bytes], log: Path) -> str:
    """What is printed up to the working `curl`, which is printed last."""
    assert child.stdout is not None
    printed, deadline = b"", time.monotonic() + _START_SECONDS
    while b"curl" not in printed or not printed.endswith(b"\n"):
        left = deadline - time.monotonic()
        ready, _, _ = select.select([child.stdout], [], [], max(left, 0))
        part = os.read(child.stdout.fileno(), 65536) if ready else b""
        if not part:
            raise AssertionError(f"did not start: {printed.decode()}\n{log.read_text()[-4000:]}")
        printed += part
    return printed.decode()


def still_alive(pids: list[int]) -> list[int]:
    """Those of the processes that are there after a moment in which they may end."""
    deadline = time.monotonic() + 5
    while (left := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
