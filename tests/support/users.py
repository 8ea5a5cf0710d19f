"""Users of this machine, for tests that count what a user has."""

import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def user_alone() -> Iterator[str]:
    """The name of a user as whom nothing runs, and whom no other test takes meanwhile."""
    busy = _users_with_processes() | {0, pwd.getpwnam("nobody").pw_uid}  # other tests run jobs as nobody
    with socket.socket(socket.AF_UNIX) as ours:
        for entry in pwd.getpwall():
            if entry.pw_uid not in busy and _is_taken(ours, f"wand-test-user-{entry.pw_uid}"):
                break
        else:
            pytest.skip("there is no user as whom nothing runs")
        yield entry.pw_name


def _is_taken(ours: socket.socket, name: str) -> bool:
    """Whether the socket has that abstract name now, which ends with it."""
    try:
        ours.bind(f"\0{name}")
    except OSError:
        return False
    return True


def _users_with_processes() -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.add(process.stat().st_uid)
    return found
