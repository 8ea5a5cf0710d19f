"""The task store and its bus, opened on whatever database they are to be on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from wand_server.ports import TaskBus, TaskStore
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
