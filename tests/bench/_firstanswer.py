"""How long a client by stdio waits at its start: from the spawn of its pipe to the first answer."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench._servers import PEERS, ROOT

ROUNDS = 25
GREETING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}
QUESTION = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": GREETING}).encode()
_PACKAGED = (
    "import sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[1:3]\nfrom wand_server.cli import main; main()"
)


class Start(NamedTuple):
    """One start of a pipe, or the medians of many: seconds."""

    from_spawn: float
    from_first_byte: float
    cpu: float


def ways(socket: Path) -> dict[str, list[str | Path]]:
    """Our pipe, the same as packages start it, and one of a few lines."""
    folders = [ROOT / "server", ROOT / "proto"]
    return {
        "ours": [Path(sys.executable).with_name("wand-server"), "stdio", "--socket", socket],
        "packaged": [sys.executable, "-I", "-S", "-c", _PACKAGED, *folders, "stdio", "--socket", socket],
        "bare": [sys.executable, PEERS / "pipe.py", socket],
    }


def measure(socket: Path, rounds: int = ROUNDS) -> dict[str, Start]:
    """The medians of each way; they take turns."""
    return _medians(ways(socket), rounds)


def _medians(each: Mapping[str, Sequence[str | Path]], rounds: int) -> dict[str, Start]:
    for argv in each.values():
        start(argv)  # its modules are compiled from now on, as packages install them
    found: dict[str, list[Start]] = {name: [] for name in each}
    for _ in range(rounds):
        for name, argv in each.items():
            found[name].append(start(argv))
    return {name: Start(*map(statistics.median, zip(*all_, strict=True))) for name, all_ in found.items()}


def start(argv: Sequence[str | Path]) -> Start:
    """Start a pipe, ask at once, wait for the answer, and end it."""
    began = time.perf_counter()
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    asked = time.perf_counter()
    child.stdin.write(QUESTION + b"\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    answered = time.perf_counter()
    child.stdin.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if b'"serverInfo"' not in answer:
        sys.exit(f"bench: {argv!r} answered {answer[:400]!r}")
    return Start(answered - began, answered - asked, used.ru_utime + used.ru_stime)
