"""A bus for a file of SQLite: hears what this process tells, and sees that another has changed the file."""

import asyncio
import logging
import sqlite3
from pathlib import Path
from typing import Self

import aiosqlite

from wand_server.storage.buses import InProcessBus

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
_AGAIN_SECONDS = 1.0


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
            except sqlite3.Error as why:
                log.warning("the file of tasks cannot be watched", extra={"why": str(why)})
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _look(self) -> None:
        """Look at the number that SQLite counts up when somebody changes the file; it reads shared memory."""
        seen: tuple[int, ...] = ()
        async with aiosqlite.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True) as file:
            while True:
                (now,) = map(tuple, await file.execute_fetchall("PRAGMA data_version"))
                if seen and now != seen:
                    self.look_again()
                seen = now
                await asyncio.sleep(self._look_seconds)
