"""Processes by their ids: which are below another one, and what they are called."""

from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Every process below `pid`."""
    found: list[int] = []
    with suppress(OSError):  # it may end while it is looked at
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return [*found, *(deeper for child in found for deeper in descendants(child))]


def name_of(pid: int) -> str:
    """What a process is called; empty where it has gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
