"""The task store and its bus on PostgreSQL: a module of its own, for it alone loads the driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wand_server.ports import TaskBus, TaskStore
from wand_server.storage.buses import InProcessBus
from wand_server.storage.notifying import NotifyBus
from wand_server.storage.postgres import Address, PostgresEngine
from wand_server.storage.seeing import seen
from wand_server.storage.store import Store


@asynccontextmanager
async def in_database(
    url: str, password: str, keep_seconds: float
) -> AsyncIterator[tuple[TaskStore, TaskBus]]:
    """Both in a database, whose tables are made where there are none.

    Raises:
        Unavailable: it cannot be reached, or a newer Wand wrote it.
    """
    address = Address(url=url, password=password)
    async with NotifyBus(address) as bus, PostgresEngine(address, bus.publish) as engine:
        yield Store(engine, keep_seconds=keep_seconds), bus


async def look(url: str, password: str) -> str:
    """What is in that database, in words; nothing is changed.

    Raises:
        Unavailable: as above.
    """
    async with PostgresEngine(
        Address(url=url, password=password), InProcessBus().publish, parts={}
    ) as engine:
        return f"{url}, {await engine.read(seen)}"
