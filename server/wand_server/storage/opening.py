"""The task store and its bus, opened on whatever database they are to be on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from wand_server.ports import TaskBus, TaskStore
from wand_server.storage.buses import InProcessBus
from wand_server.storage.seeing import seen
from wand_server.storage.sqlite import SqliteEngine
from wand_server.storage.store import Store
from wand_server.storage.watching import FileBus


@asynccontextmanager
async def in_file(path: Path, keep_seconds: float) -> AsyncIterator[tuple[TaskStore, TaskBus]]:
    """Both on a file of SQLite, which is made where there is none.

    Raises:
        Denied: others may read or write it.
        Unavailable: it cannot be opened, or a newer Wand wrote it.
    """
    bus = FileBus(path)
    async with SqliteEngine(path, bus.publish) as engine, bus:
        yield Store(engine, keep_seconds=keep_seconds), bus


async def look(path: Path) -> str:
    """What is in that file, in words; nothing is changed, nor made.

    Raises:
        Denied, Unavailable: as above.
    """
    if not await asyncio.to_thread(path.exists):
        return f"{path}, which is made at the start"
    async with SqliteEngine(path, InProcessBus().publish, parts={}) as engine:
        return f"{path}, {await engine.read(seen)}"
