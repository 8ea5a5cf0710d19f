"""Whether anything can have changed in some folders since they were looked at: the kernel tells (inotify(7)).

What is made, removed or renamed in a folder, or in one on the way to it, or mounted anywhere, is known here
when the call that did it has returned. That holds for file systems that only this machine writes; others have
to be looked at.
"""

import os
import select
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from wand_hostagent.launcher import syscalls

_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "f2fs", "tmpfs", "overlay", "squashfs", "erofs", "ramfs", "devtmpfs"}
)
_EVENT = struct.Struct("=iIII")  # of inotify(7): watch, what happened, a cookie, the length of the name
_EVENT_BYTES = 65536
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_REST_SECONDS = 1.0  # between two tries to stand guard, as where much happens
_MOST_LINKS = 40  # as many as the kernel follows


class Guard:
    """Stands over some folders until something happens there."""

    __slots__ = ("__weakref__", "stirred")

    def __init__(self) -> None:
        self.stirred = False


class Lookout:
    """All guards of one launcher."""

    def __init__(self) -> None:
        self._guards: dict[int, WeakSet[Guard]] = {}
        self._poll: select.epoll | None = None
        try:
            self._events = syscalls.watching()
            self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            self._poll = select.epoll()
            self._poll.register(self._events, select.EPOLLIN)
            self._poll.register(self._mounts, select.EPOLLPRI)
        except (OSError, KeyError):
            self._poll = None  # everything is looked at, always

    def guard(self, folders: Iterable[str]) -> Guard | None:
        """A guard over these folders; None where nobody can stand guard."""
        if self._poll is None:
            return None
        ways = {part for folder in folders for part in _way(folder)}
        guard = Guard()
        self._hear()  # what was before is none of its business
        try:
            if not _are_local(ways):
                return None
            for way in ways:
                number = syscalls.watch_names(self._events, os.fsencode(way))
                self._guards.setdefault(number, WeakSet()).add(guard)
        except OSError:
            return None
        return guard

    def is_calm(self, guard: Guard) -> bool:
        """Whether nothing has happened there since the guard was made."""
        if guard.stirred:
            return False
        self._hear()
        return not guard.stirred

    def _hear(self) -> None:
        assert self._poll is not None
        for number, _ in self._poll.poll(0):
            if number == self._mounts:
                self._stir_all()
            else:
                for watch, what in _read(self._events):
                    self._stir(watch, what)

    def _stir(self, watch: int, what: int) -> None:
        if what & _OVERFLOW:
            self._stir_all()
            return
        guards = self._guards.pop(watch, None)
        for guard in guards or ():
            guard.stirred = True
        if not what & _IGNORED:
            syscalls.stop_watching(self._events, watch)

    def _stir_all(self) -> None:
        for watch in tuple(self._guards):
            self._stir(watch, 0)


def _read(events: int) -> Iterator[tuple[int, int]]:
    """All that has happened: which watch, and what."""
    with suppress(BlockingIOError):
        while told := os.read(events, _EVENT_BYTES):
            at = 0
            while at < len(told):
                watch, what, _, size = _EVENT.unpack_from(told, at)
                at += _EVENT.size + size
                yield watch, what


def _way(path: str) -> Iterator[str]:
    """The folders in which names are looked up on the way to this one, and itself; links are followed."""
    yield "/"
    at, links, rest = "", 0, path.split("/")[::-1]
    while rest:
        part = rest.pop()
        if part in {"", "."}:
            continue
        before, at = at, f"{at}/{part}" if part != ".." else os.path.dirname(at)  # noqa: PTH120 - text
        yield at or "/"
        if links < _MOST_LINKS and os.path.islink(at):  # noqa: PTH114 - text
            links += 1
            target = os.readlink(at)  # noqa: PTH115 - text
            rest += target.split("/")[::-1]
            at = "" if target.startswith("/") else before


def _are_local(folders: Iterable[str]) -> bool:
    """Whether all of these lie where nobody else writes."""
    kinds: dict[int, str] = {}
    for words in map(str.split, Path("/proc/self/mountinfo").read_text().splitlines()):
        major, _, minor = words[2].partition(":")
        kinds[os.makedev(int(major), int(minor))] = words[words.index("-") + 1]
    return all(kinds.get(os.stat(folder).st_dev) in _LOCAL for folder in folders)  # noqa: PTH116 - text


def is_due(last: float) -> bool:
    """Whether it may be tried again to stand guard over a place, after that time."""
    return time.monotonic() - last > _REST_SECONDS
