"""A bus for a file of SQLite: hears what this process tells, and sees that another has changed the file."""

import asyncio
import ctypes
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from wand_server.storage.buses import InProcessBus

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2  # at least, between two looks
_AGAIN_SECONDS = 10.0
_LIBC = ctypes.CDLL(None, use_errno=True)
_IN_MODIFY = 0x2
_EVENTS_BYTES = 64 * 1024


class FileBus(InProcessBus):
    """The bus; `async with` it when the file is there. Of what others did it tells only that they did."""

    def __init__(self, path: Path, look_seconds: float = _LOOK_SECONDS) -> None:
        super().__init__()
        self._path = path
        self._look_seconds = look_seconds
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch(), name="file-bus")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End every use of it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await super().close()

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except (sqlite3.Error, OSError) as why:
                log.warning("the file of tasks cannot be watched", extra={"why": str(why)})
                self.look_again()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _look(self) -> None:
        """Whenever the file was written to, look at the number that SQLite counts up when others did so."""
        seen: tuple[int, ...] = ()
        async with aiosqlite.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True) as file:
            await file.execute_fetchall("SELECT name FROM sqlite_master")  # from now on there is a log
            with written_to(self._path.with_name(f"{self._path.name}-wal")) as written:
                while True:
                    written.clear()
                    (now,) = map(tuple, await file.execute_fetchall("PRAGMA data_version"))
                    if seen and now != seen:
                        self.look_again()
                    seen = now
                    await asyncio.sleep(self._look_seconds)
                    await written.wait()


@contextmanager
def written_to(path: Path) -> Iterator[asyncio.Event]:
    """Is set whenever somebody has written to that file: the kernel tells, and so nobody looks (inotify(7)).

    Raises:
        OSError: it cannot be watched.
    """
    written, loop = asyncio.Event(), asyncio.get_running_loop()
    descriptor = _checked(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def hear() -> None:
        os.read(descriptor, _EVENTS_BYTES)  # that there is something is all that is asked
        written.set()

    try:
        _checked(_LIBC.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY))
        loop.add_reader(descriptor, hear)
        yield written
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
