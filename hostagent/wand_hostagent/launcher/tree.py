"""All processes below one, found in /proc: how a job is ended where it has no pid namespace.

A process that was started by the job and then left it (its parents gone, adopted by the launcher or its
init as subreaper) is still below the init. One that kills its own init first is found by `strays`.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SECONDS = 5.0  # how long a tree may take to die


def below(root: int) -> list[int]:
    """Every living process below `root`, nearest first."""
    offspring: dict[int, list[int]] = {}
    for pid, parent, lives in _processes():
        if lives:
            offspring.setdefault(parent, []).append(pid)
    found, seen = [root], {root}
    for pid in found:
        fresh = [child for child in offspring.get(pid, []) if child not in seen]
        seen.update(fresh)
        found += fresh
    return found[1:]


def children(parent: int) -> list[int]:
    """The processes whose parent is this one; dead ones too, for they wait to be collected."""
    return [pid for pid, above, _ in _processes() if above == parent]


def kill(root: int) -> None:
    """End every process below `root`: stop them all first, so that none can start another."""
    give_up = time.monotonic() + _SECONDS
    while time.monotonic() < give_up:
        stopped: set[int] = set()
        while fresh := set(below(root)) - stopped:
            send(fresh, signal.SIGSTOP)
            stopped |= fresh
        send(stopped, signal.SIGKILL)
        if not stopped:
            return
        time.sleep(0.001)


def send(pids: set[int] | list[int], number: int) -> None:
    """A signal to each that still lives."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _processes() -> Iterator[tuple[int, int, bool]]:
    """Each process, its parent, and whether it lives or only waits to be collected."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            told = Path(entry.path, "stat").read_bytes()
        except OSError:
            continue
        state, parent = told.rpartition(b")")[2].split()[:2]
        yield int(entry.name), int(parent), state not in {b"Z", b"X"}
