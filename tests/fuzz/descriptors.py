"""Descriptors of every kind, to be sent along with a message."""

import array
import os
import random
import re
import select
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fuzz.words import pick

_NUMBER = re.compile(r"\[\d+\]|/proc/\d+/")  # of a pipe or a socket, and of a folder that is gone again


@contextmanager
def prepared(folder: Path) -> Iterator[list[int]]:
    """Pipes, sockets, files, folders, mere places, and kinds that no program is ever given."""
    (folder / "file").write_text("x")
    reader, writer = os.pipe()
    lonely, gone = os.pipe()
    os.close(gone)
    ours, theirs = socket.socketpair()
    packets, dead = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    dead.close()
    master, terminal = os.openpty()
    listening = socket.socket(socket.AF_UNIX)
    poll = select.epoll()
    sockets = (ours, theirs, packets, listening)
    found = [
        reader, writer, lonely, master, terminal, *(one.fileno() for one in sockets),
        poll.fileno(), os.open(folder / "file", os.O_RDWR), os.open(folder, os.O_RDONLY),
        os.open(folder, os.O_PATH), os.open(folder / "file", os.O_PATH), os.open("/dev/null", os.O_RDWR),
        os.open("/dev/zero", os.O_RDONLY), os.open("/proc/self/status", os.O_RDONLY), os.memfd_create("x"),
        os.pidfd_open(os.getpid()), os.eventfd(0),
    ]  # fmt: skip
    kept = (*sockets, poll)
    try:
        yield found
    finally:
        for one in kept:
            one.close()
        for number in set(found):
            with suppress(OSError):  # it was a socket's
                os.close(number)


def some(chance: random.Random, kinds: Sequence[int], count: int) -> list[int]:
    """So many of them, those of a good request more often than others."""
    usual = (kinds[0], kinds[1], kinds[4], kinds[5])
    return [pick(chance, usual if chance.random() < 0.7 else kinds) for _ in range(count)]


def send(link: socket.socket, raw: bytes, descriptors: Sequence[int]) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    link.sendmsg([raw], rights)


def open_now(pid: int | str = "self") -> Counter[str]:
    """What a process has open, and how often."""
    found: Counter[str] = Counter()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found[_NUMBER.sub("[]", str(entry.readlink()))] += 1
    return found
